// SPDX-License-Identifier: BSD-3-Clause
// Random arrivals, services and stalls: the fair queue does what the reference does, packet by
// packet, drops and marks included.
#include <gtest/gtest.h>

#include <map>

#include "../drawn_seed.h"
#include "queue_fixture.h"
#include "reference_queue.h"

namespace drip::test {
namespace {

// Whole ticks, so that no time is rounded.
constexpr std::int64_t kTick = 256;

struct Trial {
  FairQueueSettings settings;
  std::uint64_t flows = 1;
  std::uint64_t seed = 0;
};

Trial draw_trial(Draw& draw) {
  Trial trial;
  FairQueueSettings& settings = trial.settings;
  settings.capacity = static_cast<std::uint32_t>(draw.of_any_size(1, 300));
  if (draw.one_in(2)) settings.capacity_bytes = draw.of_any_size(2'000, 400'000);
  settings.isolation = static_cast<Isolation>(draw.between(0, 2));
  settings.tins = static_cast<TinMode>(draw.between(0, 2));
  settings.codel = !draw.one_in(4);
  settings.target = {static_cast<std::int64_t>(draw.of_any_size(10, 20'000)) * kTick};
  settings.interval = {settings.target.ns * static_cast<std::int64_t>(draw.between(1, 30))};
  settings.l4s_threshold = {
      static_cast<std::int64_t>(draw.one_in(4) ? 0 : draw.of_any_size(10, 10'000)) * kTick};
  if (draw.one_in(3)) {
    settings.max_wait = {static_cast<std::int64_t>(draw.of_any_size(1'000, 200'000)) * kTick};
  }
  trial.flows = draw.of_any_size(1, 40);
  trial.seed = draw.between(1, 1U << 30);
  return trial;
}

class Both {
 public:
  Both(const Trial& trial, Draw& draw)
      : draw_(draw),
        trial_(trial),
        queue_(trial.settings, {4096, 4096, 8192, 4, 16}, trial.seed),
        reference_(queue_.profile, trial.seed) {}

  void step() {
    switch (draw_.between(0, burst_ ? 3 : 9)) {
      case 0:
        burst_ = draw_.one_in(3);
        pass(static_cast<std::int64_t>(draw_.of_any_size(1, 4'000'000)) * kTick);
        break;
      case 1:
      case 2:
      case 3:
        arrive();
        break;
      case 4:
        // The egress has no room: asked again, later, the head is the same.
        static_cast<void>(compare_head());
        pass(static_cast<std::int64_t>(draw_.of_any_size(1, 20'000)) * kTick);
        static_cast<void>(compare_head());
        break;
      default:
        depart();
    }
    ASSERT_EQ(queue_.leaf.packets(), reference_.packets());
    ASSERT_EQ(queue_.queues.bytes(queue_.leaf), static_cast<std::uint64_t>(reference_.bytes()));
    ASSERT_EQ(queue_.queues.packets_in_use(), reference_.in_queues());
  }
  void drain() {
    while (reference_.packets() > 0 && !::testing::Test::HasFatalFailure()) depart();
    ASSERT_EQ(queue_.leaf.packets(), 0U);
    ASSERT_EQ(queue_.leaf.flows(), 0U);
    ASSERT_EQ(queue_.queues.packets_in_use(), 0U);
  }
  [[nodiscard]] std::uint64_t departed() const { return departed_; }
  [[nodiscard]] const Drops& drops() const { return queue_.drops; }
  [[nodiscard]] std::uint64_t marks() const { return queue_.queues.counters().marks.get(); }

 private:
  [[nodiscard]] std::int64_t now() const { return static_cast<std::int64_t>(queue_.now.ns); }
  void pass(std::int64_t ns) { queue_.pass(ns); }

  void arrive() {
    const auto flow = static_cast<std::uint32_t>(draw_.between(1, trial_.flows));
    // Flows are told apart by ports alone, by sources, by destinations, or by all of them.
    const QueueKey key = ipv4_key(flow % 5, flow % 7, static_cast<std::uint16_t>(flow));
    ReferenceQueue::FlowName name;
    std::get<0>(name) =
        static_cast<std::uint32_t>(draw_.between(0, queue_.profile.tins.count - 1U));
    auto& bytes = std::get<1>(name);
    switch (trial_.settings.isolation) {
      case Isolation::kSource:
        bytes = {static_cast<std::uint8_t>(flow % 5)};
        break;
      case Isolation::kDestination:
        bytes = {static_cast<std::uint8_t>(flow % 7)};
        break;
      default:
        bytes = {static_cast<std::uint8_t>(flow)};
    }
    const auto length = static_cast<std::uint32_t>(draw_.of_any_size(1, 1514));
    const auto ecn = static_cast<Ecn>(draw_.between(0, 3));
    const std::size_t drops_before = queue_.drops.all.size();
    reference_.enqueue(name, {queue_.next_id, length, now(), ecn});
    queue_.add(key, length, ecn, std::get<0>(name));
    for (std::size_t i = drops_before; i < queue_.drops.all.size(); ++i) {
      ASSERT_EQ(queue_.drops.all[i].reason, QueueDrop::kOverflow);
      ASSERT_TRUE(reference_.overflow(queue_.drops.all[i].id, now())) << "not the fattest flow";
    }
    ASSERT_LE(reference_.packets(), trial_.settings.capacity);
    if (trial_.settings.capacity_bytes > 0) {
      // But for the one that is staged.
      ASSERT_TRUE(reference_.bytes() <= static_cast<std::int64_t>(trial_.settings.capacity_bytes) ||
                  reference_.packets() == 1);
    }
  }
  bool compare_head() {
    std::vector<ReferenceQueue::Drop> expected;
    const std::size_t drops_before = queue_.drops.all.size();
    const std::optional<ReferenceQueue::Departure> next = reference_.head(now(), expected);
    const QueueHead head = queue_.head();
    EXPECT_EQ(queue_.drops.all.size() - drops_before, expected.size());
    for (std::size_t i = drops_before; i < queue_.drops.all.size(); ++i) {
      const ReferenceQueue::Drop drop{queue_.drops.all[i].id, queue_.drops.all[i].reason};
      EXPECT_EQ(drop, expected.at(i - drops_before));
    }
    EXPECT_EQ(head.status == QueueHead::Status::kPacket, next.has_value());
    if (head.status != QueueHead::Status::kPacket || !next.has_value()) return false;
    EXPECT_EQ(id_of(head.unit), next->packet.id);
    EXPECT_EQ(head.mark, next->mark);
    EXPECT_EQ(static_cast<std::int64_t>(head.arrival.ns), next->packet.arrival);
    return true;
  }
  void depart() {
    if (!compare_head()) return;
    const UnitRef unit = queue_.queues.dequeue(queue_.leaf, queue_.profile, queue_.now);
    reference_.dequeue(now());
    ++departed_;
    pass(static_cast<std::int64_t>(unit.wire_bytes() * draw_.between(1, 4)) * kTick);
  }

  Draw& draw_;
  const Trial& trial_;
  OneLeaf queue_;
  ReferenceQueue reference_;
  bool burst_ = false;
  std::uint64_t departed_ = 0;
};

TEST(FairQueuesModel, DoesWhatTheReferenceDoesPacketByPacket) {
  Draw draw(1);
  std::map<QueueDrop, std::uint64_t> drops;
  std::uint64_t marks = 0;
  std::uint64_t departed = 0;
  for (int round = 0; round < 400; ++round) {
    const Trial trial = draw_trial(draw);
    Both both(trial, draw);
    for (int i = 0; i < 1500; ++i) {
      both.step();
      if (HasFailure()) FAIL() << "trial " << round << ", step " << i;
    }
    both.drain();
    if (HasFailure()) FAIL() << "trial " << round;
    for (const Dropped& drop : both.drops().all) ++drops[drop.reason];
    marks += both.marks();
    departed += both.departed();
  }
  // What is to be compared did happen.
  EXPECT_GT(departed, 100'000U);
  EXPECT_GT(drops[QueueDrop::kOverflow], 1'000U);
  EXPECT_GT(drops[QueueDrop::kAqm], 1'000U);
  EXPECT_GT(drops[QueueDrop::kMaxWait], 1'000U);
  EXPECT_GT(marks, 1'000U);
}

}  // namespace
}  // namespace drip::test
