// SPDX-License-Identifier: BSD-3-Clause
// DualPI2 against the pseudocode of RFC 9332 with a timer of its own, and its bounds.
#include "drip/queue/dual_queue.h"

#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "../drawn_seed.h"
#include "queue_fixture.h"

namespace drip::test {
namespace {

constexpr std::int64_t kMs = 1'000'000;

// RFC 9332, appendix A: figures 2 to 9, in real numbers, the update by a timer.
class ReferenceDualPi2 {
 public:
  struct Packet {
    std::uint64_t id = 0;
    std::int64_t bytes = 0;
    std::int64_t arrival = 0;
    Ecn ecn = Ecn::kNotCapable;
  };
  struct Out {
    Packet packet;
    bool mark = false;
  };

  ReferenceDualPi2(const DualQueueSettings& settings, std::int64_t now)
      : settings_(settings), timer_(now + settings.aqm.update.ns) {}

  void run_timer(std::int64_t now) {
    for (; timer_ <= now; timer_ += settings_.aqm.update.ns) {
      double delay = 0;
      for (const auto* queue : {&l4s_, &classic_}) {
        if (!queue->empty() && queue->front().arrival < timer_) {
          delay = std::max(delay, static_cast<double>(timer_ - queue->front().arrival) / 1e9);
        }
      }
      const double target = static_cast<double>(settings_.aqm.target.ns) / 1e9;
      base += settings_.aqm.alpha * (delay - target) + settings_.aqm.beta * (delay - last_);
      base = std::min(std::max(base, 0.0), 1.0);
      last_ = delay;
    }
  }
  bool enqueue(const Packet& packet) {
    if (packets() >= settings_.capacity) return false;
    (packet.ecn == Ecn::kEct1 || packet.ecn == Ecn::kCe ? l4s_ : classic_).push_back(packet);
    return true;
  }
  [[nodiscard]] std::size_t packets() const {
    return l4s_.size() + classic_.size() + (staged_ ? 1 : 0);
  }
  std::optional<Out> head(std::int64_t now, std::vector<std::uint64_t>& drops) {
    const double k = settings_.aqm.coupling;
    while (!staged_ && packets() > 0) {
      const double p_c = base * base;
      const double p_cl = k * base;
      const bool overload = p_cl >= 1;
      const bool alone = packets() == 1;
      const bool both = !l4s_.empty() && !classic_.empty();
      const bool from_l4s = !l4s_.empty() && (classic_.empty() || credit_ <= 0);
      auto& queue = from_l4s ? l4s_ : classic_;
      const Packet packet = queue.front();
      queue.pop_front();
      bool mark = false;
      bool drop = false;
      if (!alone && from_l4s) {
        drop = overload && recur(l4s_count_, p_c);
        const double above =
            static_cast<double>(now - packet.arrival - settings_.aqm.l4s_threshold.ns);
        const auto range = static_cast<double>(settings_.aqm.l4s_range.ns);
        const double native = above <= 0 ? 0 : above >= range ? 1 : above / range;
        if (!drop) mark = recur(l4s_count_, std::max(native, std::min(p_cl, 1.0)));
      } else if (!alone && recur(classic_count_, p_c)) {
        drop = packet.ecn == Ecn::kNotCapable || overload;
        mark = !drop;
      }
      if (drop) {
        drops.push_back(packet.id);
        continue;
      }
      if (both) credit_ += from_l4s ? 10 * packet.bytes : -90 * packet.bytes;
      staged_ = Out{packet, mark};
    }
    if (!staged_) credit_ = -80 * static_cast<std::int64_t>(settings_.packet_bytes);
    return staged_;
  }
  void dequeue() { staged_.reset(); }

  double base = 0;

 private:
  static bool recur(double& count, double likelihood) {
    count += likelihood;
    if (count <= 1) return false;
    count -= 1;
    return true;
  }

  DualQueueSettings settings_;
  std::int64_t timer_;
  std::deque<Packet> l4s_;
  std::deque<Packet> classic_;
  std::optional<Out> staged_;
  double last_ = 0;
  double l4s_count_ = 0;
  double classic_count_ = 0;
  std::int64_t credit_ = -80 * 1514;
};

TEST(DualQueue, DoesWhatThePseudocodeSays) {
  Draw draw(5);
  std::uint64_t marks = 0;
  std::uint64_t aqm_drops = 0;
  std::uint64_t close_calls = 0;
  for (int trial = 0; trial < 60; ++trial) {
    DualQueueSettings settings;
    settings.capacity = static_cast<std::uint32_t>(draw.of_any_size(10, 400));
    settings.aqm.l4s_range = {draw.one_in(2) ? 0 : 400'000};
    TimePoint now{std::uint64_t{1} << 40};
    QueueSlots slots(1'000);
    DualQueue queue(slots, settings, now);
    ReferenceDualPi2 reference(settings, static_cast<std::int64_t>(now.ns));
    Drops drops;
    const std::uint64_t load = draw.between(50, 150);
    std::uint64_t id = 0;
    bool parted = false;
    for (int i = 0; i < 6'000 && !parted; ++i) {
      const auto at = [&] { return static_cast<std::int64_t>(now.ns); };
      reference.run_timer(at());
      if (draw.between(1, 200) <= load) {
        const auto bytes = static_cast<std::uint32_t>(draw.of_any_size(64, 1'514));
        const auto ecn = static_cast<Ecn>(draw.between(0, 3));
        const bool queued = queue.enqueue(settings, unit_of(id, bytes), ecn, now, drops);
        ASSERT_EQ(queued, reference.enqueue({id++, bytes, at(), ecn}));
        ASSERT_NEAR(queue.base_probability(), reference.base, 1e-9);
      } else {
        std::vector<std::uint64_t> expected;
        const std::size_t before = drops.count(QueueDrop::kAqm);
        const auto out = reference.head(at(), expected);
        QueueHead head = queue.head(settings, now, drops);
        while (head.status == QueueHead::Status::kAgain) head = queue.head(settings, now, drops);
        ASSERT_EQ(out.has_value(), head.status == QueueHead::Status::kPacket);
        // 32 bits of probability: a sum that should have come to 1 exactly may be just below.
        parted = drops.count(QueueDrop::kAqm) - before != expected.size() ||
                 (out && (id_of(head.unit) != out->packet.id || head.mark != out->mark));
        if (!parted && out) {
          marks += head.mark ? 1 : 0;
          queue.dequeue();
          reference.dequeue();
        }
      }
      now = now + Duration{static_cast<std::int64_t>(draw.of_any_size(64, 2 * kMs)) & ~63};
      if (draw.one_in(1'000)) now = now + Duration{2'000 * kMs};
    }
    close_calls += parted ? 1 : 0;
    aqm_drops += drops.count(QueueDrop::kAqm);
  }
  EXPECT_LE(close_calls, 3U);
  EXPECT_GT(marks, 1'000U);
  EXPECT_GT(aqm_drops, 1'000U);
}

class Loaded {
 public:
  explicit Loaded(const DualQueueSettings& loaded) : settings(loaded) {}
  bool add(Ecn ecn, std::uint32_t bytes = 1'000) {
    return queue.enqueue(settings, unit_of(id++, bytes), ecn, now, drops);
  }
  QueueHead head() {
    for (;;) {
      const QueueHead head = queue.head(settings, now, drops);
      if (head.status != QueueHead::Status::kAgain) return head;
    }
  }
  DualQueueSettings settings;
  QueueSlots slots{2'000};
  TimePoint now{1'000'000'000};
  DualQueue queue{slots, settings, now};
  Drops drops;
  std::uint64_t id = 0;
};

TEST(DualQueue, KeepsATenthForTheClassicQueue) {
  Loaded queue({});
  std::map<bool, int> sent;
  for (int i = 0; i < 1'000; ++i) {
    queue.add(Ecn::kEct1);
    queue.add(Ecn::kNotCapable);
    const QueueHead head = queue.head();
    ++sent[id_of(head.unit) % 2 == 0];
    queue.queue.dequeue();
    queue.now = queue.now + Duration{1'024};
  }
  EXPECT_NEAR(sent[true], 900, 12);
}

TEST(DualQueue, StepsAtTheThresholdAndSparesThePacketThatIsAlone) {
  Loaded queue({});
  queue.add(Ecn::kEct1);
  queue.now = queue.now + Duration{2 * kMs};
  EXPECT_FALSE(queue.head().mark);
  queue.queue.dequeue();
  for (int i = 0; i < 4; ++i) queue.add(Ecn::kEct1);
  queue.now = queue.now + Duration{kMs};
  EXPECT_FALSE(queue.head().mark);
  queue.queue.dequeue();
  queue.now = queue.now + Duration{64};
  queue.head();
  queue.queue.dequeue();  // The sum of recur() has come to 1, not above.
  EXPECT_TRUE(queue.head().mark);
}

TEST(DualQueue, SettlesAtThePowerTwoLawOfTheTwoProbabilities) {
  // Arrivals 4 % above the rate that is served: p' settles where the excess is dropped.
  DualQueueSettings settings;
  settings.capacity = 1'500;
  Loaded queue(settings);
  std::uint64_t next_arrival = 0;
  std::uint64_t now = 0;
  std::size_t before = 0;
  constexpr std::uint64_t kService = 100'032;
  for (int i = 0; i < 600'000; ++i, now += kService) {
    for (; next_arrival <= now; next_arrival += kService * 96 / 100) {
      queue.now = TimePoint{1'000'000'000 + next_arrival};
      queue.add(Ecn::kNotCapable);
    }
    queue.now = TimePoint{1'000'000'000 + now};
    if (queue.head().status == QueueHead::Status::kPacket) queue.queue.dequeue();
    if (i == 300'000) before = queue.drops.all.size();
  }
  EXPECT_EQ(queue.drops.count(QueueDrop::kOverflow), 0U);
  const double dropped = static_cast<double>(queue.drops.all.size() - before) / (300'000 / 0.96);
  EXPECT_NEAR(dropped, 0.04, 0.001);
  EXPECT_NEAR(queue.queue.base_probability(), std::sqrt(0.04), 0.02);
  const Duration delay = queue.now - queue.head().arrival;
  EXPECT_NEAR(static_cast<double>(delay.ns), 15e6, 2e6);
}

TEST(DualQueue, ALongPauseIsMadeUpForAtOnce) {
  DualQueueSettings settings;
  TimePoint now{1'000};
  DualPi2 paused(now, settings.aqm);
  DualPi2 asked(now, settings.aqm);
  const TimePoint since{2'000};
  for (int i = 1; i <= 50; ++i) {
    now = now + settings.aqm.update;
    asked.advance(settings.aqm, now, true, since);
  }
  paused.advance(settings.aqm, now, true, since);
  EXPECT_EQ(paused.base_probability(), asked.base_probability());
  EXPECT_EQ(paused.base_probability(), 1);
  EXPECT_TRUE(paused.overloaded());
  for (int i = 0; i < 300; ++i) {
    now = now + settings.aqm.update;
    asked.advance(settings.aqm, now, false, now);
  }
  paused.advance(settings.aqm, now, false, now);
  EXPECT_NEAR(paused.base_probability(), asked.base_probability(), 1e-12);
  EXPECT_LT(paused.base_probability(), 0.3);
}

TEST(DualQueue, SettingsThatDoNotFitAreNamed) {
  DualQueueSettings settings;
  EXPECT_FALSE(check(settings));
  settings.aqm.coupling = 0;
  EXPECT_EQ(check(settings)->message, "coupling: 0 given, 1 to 16 allowed");
  settings.aqm.coupling = 2;
  settings.aqm.update = {};
  EXPECT_EQ(check(settings)->message, "update_ns: 0 given, 100000 to 10000000000 allowed");
}

TEST(DualQueue, DropsByReasonAndGivesEverythingBack) {
  DualQueueSettings settings;
  settings.capacity = 300;
  settings.max_wait = {50 * kMs};
  Loaded queue(settings);
  for (int i = 0; i < 301; ++i) EXPECT_EQ(queue.add(static_cast<Ecn>(i % 4)), i < 300);
  EXPECT_EQ(queue.queue.drops(QueueDrop::kOverflow), 1U);
  queue.head();
  queue.queue.dequeue();
  queue.now = queue.now + Duration{51 * kMs};
  EXPECT_EQ(queue.queue.head(settings, queue.now, queue.drops).status, QueueHead::Status::kAgain);
  EXPECT_EQ(queue.head().status, QueueHead::Status::kEmpty);
  EXPECT_EQ(queue.queue.drops(QueueDrop::kMaxWait), 299U);
  for (int i = 0; i < 10; ++i) queue.add(static_cast<Ecn>(i % 4));
  queue.head();
  EXPECT_EQ(queue.queue.remove(queue.drops), 10U);
  EXPECT_EQ(queue.slots.used(), 0U);
  EXPECT_EQ(queue.queue.packets(), 0U);
  EXPECT_EQ(queue.queue.bytes(), 0U);
  // The core's slots used up.
  std::vector<QueueIndex> taken;
  while (const QueueIndex slot = queue.slots.allocate()) taken.push_back(slot);
  EXPECT_FALSE(queue.add(Ecn::kEct0));
  EXPECT_EQ(queue.queue.drops(QueueDrop::kNoMemory), 1U);
}

}  // namespace
}  // namespace drip::test
