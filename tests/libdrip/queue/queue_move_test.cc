// SPDX-License-Identifier: BSD-3-Clause
// A bucket with a fair queue that moves from one scheduler to another and back, and one that never
// moves: the same packets depart at the same nanosecond, and the same ones are dropped and marked.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <vector>

#include "drip/read_bucket_counters.h"
#include "drip/scheduler.h"
#include "libdrip/drawn_seed.h"
#include "libdrip/queue/queue_fixture.h"

namespace drip::test {
namespace {

struct Event {
  std::uint64_t id = 0;
  TimePoint at;
  bool departed = false;
  bool marked = false;
  QueueDrop reason{};
  friend bool operator==(const Event&, const Event&) = default;
};

// A QueueSink.
struct Recorder {
  [[nodiscard]] bool has_room(UnitRef) const { return room; }
  void departed(UnitRef unit, TimePoint at, Duration) {
    events.push_back({id_of(unit), at, true, std::exchange(mark, false), {}});
  }
  void dropped_from(Bucket&, UnitRef unit, QueueDrop reason, TimePoint) {
    events.push_back({id_of(unit), {}, false, false, reason});
  }
  void dropped(UnitRef unit, QueueDrop reason) {
    events.push_back({id_of(unit), {}, false, false, reason});
  }
  void marked(UnitRef) { mark = true; }

  std::vector<Event> events;
  bool room = true;
  bool mark = false;
};

constexpr std::uint32_t kSlots = 8;
constexpr std::uint64_t kSeed = 11;

// One bucket in a table of a scheduler of its own, beside another one.
class Place {
 public:
  Place(std::uint32_t number, const BucketSettings& settings, const FairQueueSizes& sizes,
        TimePoint now)
      : slot(number),
        settings_(settings),
        profile_(QueueProfile::of(settings)),
        buckets_(std::make_unique<Bucket[]>(kSlots)),
        histograms_(std::make_unique<LatencyHistograms[]>(kSlots)),
        bucket_queues_(std::make_unique<BucketQueue[]>(kSlots)),
        queues_(bucket_queues_.get(), sizes, kSeed),
        scheduler_({buckets_.get(), histograms_.get(), kSlots}, now) {
    scheduler_.set_queues(&queues_);
  }

  void create(TimePoint now) {
    bucket().state.store(BucketPhase::kFree);
    scheduler_.create(slot, settings_, ring_.data(), static_cast<std::uint32_t>(ring_.size()), now);
    scheduler_.set_queue(slot, profile_, nullptr);
  }
  [[nodiscard]] Scheduler& scheduler() { return scheduler_; }
  [[nodiscard]] Bucket& bucket() { return buckets_[slot]; }
  [[nodiscard]] BucketQueue& queue() { return bucket_queues_[slot]; }
  [[nodiscard]] BucketQueues& queues() { return queues_; }
  [[nodiscard]] const LatencyHistograms& histograms() const { return histograms_[slot]; }
  [[nodiscard]] BucketCounters counters() { return read_bucket_counters(bucket(), histograms()); }

  const std::uint32_t slot;

 private:
  BucketSettings settings_;
  QueueProfile profile_;
  std::unique_ptr<Bucket[]> buckets_;
  std::unique_ptr<LatencyHistograms[]> histograms_;
  std::unique_ptr<BucketQueue[]> bucket_queues_;
  BucketQueues queues_;
  std::array<RingEntry, BucketRing::kMinSlots> ring_;
  Scheduler scheduler_;
};

BucketSettings drawn_settings(Draw& draw) {
  BucketSettings settings;
  settings.capacity = static_cast<std::uint32_t>(draw.between(4, 200));
  settings.bits_per_second = static_cast<double>(draw.of_any_size(10'000'000, 1'000'000'000));
  settings.departure = Departure::kAtStart;
  settings.max_catchup.ns = static_cast<std::int64_t>(draw.of_any_size(1'000, 10'000'000));
  settings.queue.kind = QueueKind::kFair;
  constexpr std::array kIsolations = {Isolation::kFlow, Isolation::kHosts, Isolation::kSource};
  settings.queue.isolation = kIsolations[draw.between(0, 2)];
  if (draw.one_in(2)) settings.queue.tins = TinMode::kDiffserv4;
  if (draw.one_in(3)) settings.queue.max_wait.ns = 3'000'000;
  if (draw.one_in(2)) {
    settings.queue.aqm = Aqm::kCodel;
    settings.queue.target.ns = 500'000;
    settings.queue.interval.ns = 5'000'000;
    // Not full: then BLUE would draw numbers, of which each FairQueues has its own.
    settings.capacity = 4000;
  }
  return settings;
}

class MovedAndNot {
 public:
  MovedAndNot(Draw& draw, TimePoint start)
      : draw_(draw),
        settings_(drawn_settings(draw)),
        now_(start),
        fixed_(3, settings_, kEnough, start),
        places_{std::make_unique<Place>(3, settings_, kEnough, start),
                std::make_unique<Place>(5, settings_, kEnough, start)} {
    fixed_.create(start);
    places_[0]->create(start);
  }

  void step() {
    const auto service =
        static_cast<std::uint64_t>(8e9 * 1000 / settings_.bits_per_second);  // 1000 bytes.
    now_ = now_ + Duration{static_cast<std::int64_t>(draw_.between(1, 4 * service))};
    moved_.room = unmoved_.room = !draw_.one_in(50);
    const std::size_t events_before = moved_.events.size();
    poll();
    for (std::uint64_t n = draw_.between(0, 6); n > 0; --n) offer(*places_[at_]);
    // A bucket that is asked again after a moment, as its port has no room or much was dropped, is
    // asked at once where it moves to.
    const bool is_asked_again =
        !moved_.room || moved_.events.size() - events_before >= FairQueues::kMostVisits;
    if (draw_.one_in(10) && !is_asked_again) {
      ASSERT_NO_FATAL_FAILURE(move());
    }
    ASSERT_EQ(moved_.events, unmoved_.events);
    compare();
  }
  [[nodiscard]] std::size_t events() const { return moved_.events.size(); }
  [[nodiscard]] std::size_t count(auto predicate) const {
    return static_cast<std::size_t>(std::ranges::count_if(moved_.events, predicate));
  }
  [[nodiscard]] std::uint64_t flows_moved() const { return flows_moved_; }

 private:
  static constexpr FairQueueSizes kEnough{5000, 5000, 10'000, 8, 32};

  void poll() {
    const auto all = [&](Scheduler& scheduler, Recorder& sink) {
      for (int i = 0; i < 1000 && scheduler.serve_due(now_, sink).more_is_due; ++i) {
      }
    };
    all(fixed_.scheduler(), unmoved_);
    for (const auto& place : places_) all(place->scheduler(), moved_);
  }
  void offer(Place& place) {
    const auto flow = static_cast<std::uint32_t>(draw_.of_any_size(1, 40));
    QueueInput input;
    input.key = ipv4_key(flow % 5, flow % 3, static_cast<std::uint16_t>(flow));
    if (draw_.one_in(3)) {
      input.key.version = 6;
      input.key.source[9] = 7;
    }
    constexpr std::array<std::uint8_t, 4> kDscps = {0, 8, 34, 46};
    input.dscp = kDscps[flow % kDscps.size()];
    input.ecn = flow % 2 == 0 ? Ecn::kEct0 : Ecn::kNotCapable;
    const UnitRef unit = unit_of(next_id_++, static_cast<std::uint32_t>(draw_.between(64, 1514)));
    fixed_.scheduler().admit_packet(fixed_.slot, unit, input, now_, unmoved_);
    place.scheduler().admit_packet(place.slot, unit, input, now_, moved_);
  }
  void move() {
    Place& from = *places_[at_];
    ASSERT_TRUE(from.queues().can_move(from.slot, from.bucket()));
    // Where flows without packets have AQM state that decays, that is forgotten by the move.
    if (from.queues().fair().flows_in_use() != from.queue().fair.flows()) return;
    at_ = 1 - at_;
    Place& to = *places_[at_];
    to.create(now_);
    to.scheduler().pause(to.slot, now_);
    // Nothing departs meanwhile, and nothing is due: what waits at the new place has its time.
    const auto some_come = [&] {
      const std::size_t waiting = fixed_.bucket().backlog.get();
      for (std::uint64_t n = draw_.between(0, 6); n > 0; --n) {
        // A queue knows arrivals to 64 ns, and takes the last of them.
        now_.ns = (now_.ns + draw_.between(64, 1'000)) | 63;
        if (waiting + 12 < settings_.capacity) offer(to);
      }
    };
    some_come();
    from.scheduler().stop(from.slot);
    MovedQueue moved;
    MovedQueue behind;
    moved.reserve(settings_.capacity + 1, 1000);
    behind.reserve(settings_.capacity + 1, 1000);
    const auto* const memory = moved.packets.data();
    from.scheduler().take_out(from.slot, moved, now_);
    flows_moved_ += moved.flows.size();
    ASSERT_EQ(moved.packets.data(), memory) << "allocates";
    ASSERT_EQ(from.queue().fair.packets(), 0U);
    some_come();
    to.scheduler().take_over_queue(to.slot, from.bucket(), from.histograms(), from.queue(), moved,
                                   behind, now_, moved_);
    some_come();
    from.scheduler().forget(from.slot);
    ASSERT_EQ(from.scheduler().live_buckets(), 0U);
    ASSERT_TRUE(from.scheduler().idle());
    ASSERT_EQ(from.queues().packets_in_use(), 0U);
  }
  void compare() {
    Place& place = *places_[at_];
    const BucketCounters moved = place.counters();
    const BucketCounters fixed = fixed_.counters();
    ASSERT_EQ(moved.admitted, fixed.admitted);
    ASSERT_EQ(moved.admitted_bytes, fixed.admitted_bytes);
    ASSERT_EQ(moved.departed_bytes, fixed.departed_bytes);
    ASSERT_EQ(moved.dropped, fixed.dropped);
    ASSERT_EQ(moved.dropped_bytes, fixed.dropped_bytes);
    ASSERT_EQ(moved.backlog, fixed.backlog);
    ASSERT_EQ(moved.backlog_bytes, fixed.backlog_bytes);
    ASSERT_EQ(moved.departure_time, fixed.departure_time);
    ASSERT_EQ(moved.sojourn.counts, fixed.sojourn.counts);
    ASSERT_EQ(moved.lateness.counts, fixed.lateness.counts);
    const QueueCounters moved_queue = place.queue().read();
    const QueueCounters fixed_queue = fixed_.queue().read();
    ASSERT_EQ(moved_queue.marks, fixed_queue.marks);
    ASSERT_EQ(moved_queue.overflow_drops, fixed_queue.overflow_drops);
    ASSERT_EQ(moved_queue.aqm_drops, fixed_queue.aqm_drops);
    ASSERT_EQ(moved_queue.max_wait_drops, fixed_queue.max_wait_drops);
    ASSERT_EQ(place.queues().packets_in_use(), fixed_.queues().packets_in_use());
  }

  Draw& draw_;
  BucketSettings settings_;
  TimePoint now_;
  Place fixed_;
  std::array<std::unique_ptr<Place>, 2> places_;
  std::size_t at_ = 0;
  std::uint64_t next_id_ = 0;
  Recorder moved_;
  Recorder unmoved_;
  std::uint64_t flows_moved_ = 0;
};

TEST(QueueMove, ChangesNoDepartureAndNoDrop) {
  Draw draw(41);
  std::size_t departed = 0;
  std::size_t marked = 0;
  std::map<QueueDrop, std::size_t> drops;
  std::uint64_t flows = 0;
  for (int trial = 0; trial < 60; ++trial) {
    SCOPED_TRACE(testing::Message() << "trial " << trial);
    MovedAndNot buckets(draw, TimePoint{std::uint64_t{1} << 40});
    for (int step = 0; step < 600; ++step) {
      ASSERT_NO_FATAL_FAILURE(buckets.step()) << "step " << step;
    }
    departed += buckets.count([](const Event& event) { return event.departed; });
    marked += buckets.count([](const Event& event) { return event.marked; });
    for (const QueueDrop reason : {QueueDrop::kOverflow, QueueDrop::kAqm, QueueDrop::kMaxWait}) {
      drops[reason] += buckets.count(
          [reason](const Event& event) { return !event.departed && event.reason == reason; });
    }
    flows += buckets.flows_moved();
  }
  // What it is to show has happened.
  EXPECT_GT(departed, 10'000U);
  EXPECT_GT(marked, 100U);
  EXPECT_GT(drops[QueueDrop::kOverflow], 1'000U);
  EXPECT_GT(drops[QueueDrop::kAqm], 100U);
  EXPECT_GT(drops[QueueDrop::kMaxWait], 100U);
  EXPECT_GT(flows, 10'000U);
}

// What leaves `from` is put into `to`, and behind it what `to` had.
void move(OneLeaf& from, OneLeaf& to) {
  MovedQueue moved;
  MovedQueue behind;
  moved.reserve(64, 64);
  behind.reserve(64, 0);
  from.queues.take_out(from.leaf, moved, from.now);
  to.queues.take_out(to.leaf, behind, to.now);
  to.queues.put_in(to.leaf, to.profile, moved, behind, to.now, to.drops);
}

TEST(QueueMove, WhatCameMeanwhileCountsFromItsArrivalAtTheEarliest) {
  OneLeaf from{{}};
  OneLeaf to{{}};
  to.pass(10);  // An arrival is kept to 64 ns.
  to.add(ipv4_key(1, 2), 100);
  const TimePoint arrival = to.now;
  to.pass(1'000);
  move(from, to);
  EXPECT_GE(to.queues.waits_since(to.leaf), arrival);
  EXPECT_LT(to.queues.waits_since(to.leaf), arrival + Duration{64});
}

TEST(QueueMove, WhatCameMeanwhileIsQueuedInTheOrderOfArrivals) {
  FairQueueSettings settings;
  settings.capacity = 8;
  OneLeaf from{{}};
  OneLeaf to{settings};
  const std::uint64_t first = to.add(ipv4_key(1, 2), 1000);
  to.pass(1'000);
  const std::uint64_t other = to.add(ipv4_key(3, 4), 1500);
  to.pass(1'000);
  const std::uint64_t last = to.add(ipv4_key(1, 2), 1000);
  // As if it had been as full all along: the longest flow loses its head each time.
  settings.capacity = 1;
  to.profile = FairQueueProfile::of(settings);
  move(from, to);
  ASSERT_EQ(to.drops.all.size(), 2U);
  EXPECT_EQ(to.drops.all[0].id, other);
  EXPECT_EQ(to.drops.all[1].id, first);
  EXPECT_EQ(to.take(), last);
  EXPECT_EQ(to.take(), std::nullopt);
}

TEST(QueueMove, APacketThatHadNoRoomStaysTheNextOneWithItsMark) {
  FairQueueSettings settings;
  settings.codel = true;
  settings.l4s_threshold.ns = 1'000'000;
  OneLeaf from{settings};
  OneLeaf to{settings};
  const std::uint64_t next = from.add(ipv4_key(1, 2), 1000, Ecn::kEct1);
  from.add(ipv4_key(3, 4), 1000);
  from.pass(2'000'000);
  ASSERT_TRUE(from.head().mark);
  to.now = from.now;
  move(from, to);
  EXPECT_EQ(from.queues.packets_in_use(), 0U);
  EXPECT_EQ(to.leaf.packets(), 2U);
  EXPECT_EQ(to.take(), next);
  EXPECT_TRUE(to.marked);
}

TEST(QueueMove, WhatFindsNoMemoryIsDroppedOnce) {
  OneLeaf from{{}};
  OneLeaf to{{}, {4, 2, 4, 1, 1}};
  for (std::uint32_t i = 0; i < 12; ++i) from.add(ipv4_key(1 + i % 4, 2), 100);
  move(from, to);
  EXPECT_EQ(to.leaf.packets() + to.drops.count(QueueDrop::kNoMemory), 12U);
  EXPECT_EQ(to.leaf.packets(), 4U);
  std::uint32_t left = 0;
  while (to.take()) ++left;
  EXPECT_EQ(left, 4U);
  EXPECT_EQ(to.queues.packets_in_use(), 0U);
  // Another leaf has the memory: nothing is left for this one.
  OneLeaf again{{}};
  again.add(ipv4_key(5, 6), 100);
  FairLeaf other{9};
  to.queues.enqueue(other, to.profile, unit_of(100, 60), ipv4_key(7, 8), 0, Ecn::kNotCapable,
                    to.now, to.drops);
  move(again, to);
  EXPECT_EQ(to.leaf.packets(), 0U);
  EXPECT_EQ(to.drops.count(QueueDrop::kNoMemory), 9U);
  EXPECT_EQ(to.take(), std::nullopt);
}

}  // namespace
}  // namespace drip::test
