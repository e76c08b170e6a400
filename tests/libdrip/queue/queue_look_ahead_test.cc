// SPDX-License-Identifier: BSD-3-Clause
// What a scheduler asks for ahead where many buckets have queues: units that wait, most of those
// that depart, and most of those that are dropped.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <vector>

#include "drip/scheduler.h"
#include "libdrip/drawn_seed.h"
#include "libdrip/queue/queue_fixture.h"

namespace drip::test {
namespace {

constexpr TimePoint kStart{1'000'000'000};
constexpr std::uint32_t kBuckets = 6000;
constexpr std::uint32_t kCapacity = 8;
constexpr std::uint32_t kFlows = 3;  // Of a bucket.
constexpr std::uint32_t kBytes = 1514;

// Each third has a ring, one queue with an AQM, and fair queues.
enum class Kind : std::uint8_t { kRing, kCodel, kFair };
Kind kind_of(std::uint32_t slot) { return static_cast<Kind>(slot % 3); }

struct Counts {
  std::uint64_t asked = 0;
  std::uint64_t unasked = 0;
};

// A sink that knows what may be asked for: what waits.
class CheckingSink {
 public:
  void add(UnitRef unit) { waiting_.insert(unit.address()); }
  void remove(UnitRef unit) {
    ASSERT_EQ(waiting_.erase(unit.address()), 1U);
    asked_.erase(unit.address());
    likely_dropped.erase(unit.address());
  }

  [[nodiscard]] bool has_room(UnitRef) const { return true; }
  void prefetch(UnitRef unit) {
    ASSERT_TRUE(waiting_.contains(unit.address()));
    asked_.insert(unit.address());
  }
  void departed(UnitRef unit, TimePoint, Duration) {
    ++(asked_.contains(unit.address()) ? departures.asked : departures.unasked);
    remove(unit);
  }
  void dropped(UnitRef unit, QueueDrop reason) {
    if (reason == QueueDrop::kOverflow) {
      ++(likely_dropped.contains(unit.address()) ? drops.asked : drops.unasked);
    }
    remove(unit);
  }
  void marked(UnitRef) {}
  [[nodiscard]] bool waits(UnitRef unit) const { return waiting_.contains(unit.address()); }

  Counts departures;
  Counts drops;
  std::set<const void*> likely_dropped;

 private:
  std::set<const void*> waiting_;
  std::set<const void*> asked_;
};
static_assert(QueueSink<CheckingSink>);

class ManyQueues : public testing::Test {
 protected:
  ManyQueues() {
    scheduler_.set_queues(&queues_);
    for (std::uint32_t slot = 0; slot < kBuckets; ++slot) create(slot);
  }
  void create(std::uint32_t slot) {
    BucketSettings settings;
    settings.capacity = kCapacity;
    settings.departure = Departure::kAtStart;
    settings.units_per_second = static_cast<double>(draw_.between(500, 3000));
    if (kind_of(slot) != Kind::kRing) settings.queue.aqm = Aqm::kCodel;
    if (kind_of(slot) == Kind::kFair) settings.queue.kind = QueueKind::kFair;
    rings_.push_back(std::make_unique<RingEntry[]>(kCapacity));
    scheduler_.create(slot, settings, rings_.back().get(), kCapacity, now_);
    if (kind_of(slot) == Kind::kRing) return;
    profiles_.push_back(std::make_unique<QueueProfile>(QueueProfile::of(settings)));
    scheduler_.set_queue(slot, *profiles_.back(), nullptr);
  }
  void depart() {
    while (scheduler_.serve_due(now_, sink_).more_is_due) {
    }
  }
  // A burst comes, of which all that it touches is asked for ahead.
  void arrive(std::size_t packets) {
    std::array<std::uint32_t, BucketQueues::kMostTogether> slots;
    std::array<QueueInput, BucketQueues::kMostTogether> inputs;
    for (std::size_t i = 0; i < packets; ++i) {
      slots[i] = static_cast<std::uint32_t>(draw_.between(0, kBuckets - 1));
      inputs[i].key = ipv4_key(1, 2, static_cast<std::uint16_t>(draw_.between(1, kFlows)));
    }
    sink_.likely_dropped.clear();
    if (scheduler_.has_far_queues()) {
      ++bursts_asked_;
      scheduler_.prefetch_queues(
          std::span<const std::uint32_t>(slots).first(packets),
          [&](std::size_t i) { return inputs[i]; },
          [&](UnitRef unit) {
            ASSERT_TRUE(sink_.waits(unit));
            sink_.likely_dropped.insert(unit.address());
          });
    }
    for (std::size_t i = 0; i < packets; ++i) {
      const UnitRef unit = unit_of(next_id_++, kBytes);
      sink_.add(unit);
      if (scheduler_.admit_packet(slots[i], unit, inputs[i], now_, sink_) !=
          RejectReason::kAdmitted) {
        sink_.remove(unit);
      }
    }
  }

  Draw draw_;
  TimePoint now_ = kStart;
  std::vector<Bucket> buckets_ = std::vector<Bucket>(kBuckets);
  std::vector<LatencyHistograms> histograms_ = std::vector<LatencyHistograms>(kBuckets);
  std::vector<BucketQueue> bucket_queues_ = std::vector<BucketQueue>(kBuckets);
  BucketQueues queues_{bucket_queues_.data(),
                       {kBuckets * (kCapacity + 1), 2 * kBuckets* kFlows, 1, kBuckets, kBuckets},
                       7};
  Scheduler scheduler_{{buckets_.data(), histograms_.data(), kBuckets}, kStart};
  std::vector<std::unique_ptr<RingEntry[]>> rings_;
  std::vector<std::unique_ptr<QueueProfile>> profiles_;
  CheckingSink sink_;
  std::uint64_t next_id_ = 1;
  std::uint64_t bursts_asked_ = 0;
};

TEST_F(ManyQueues, AskForUnitsThatWaitAndForNoOthers) {
  constexpr int kSteps = 30'000;
  for (int step = 0; step < kSteps && !HasFatalFailure(); ++step) {
    // Now and then more is due at once than in the time that is looked ahead.
    now_ =
        now_ + Duration{static_cast<std::int64_t>(draw_.one_in(500) ? draw_.between(50'000, 200'000)
                                                                    : draw_.between(100, 900))};
    depart();
    arrive(draw_.between(1, BucketQueues::kMostTogether));
  }
  // Before that the flows are few.
  EXPECT_GT(bursts_asked_, kSteps / 2);
  EXPECT_GT(sink_.departures.asked, 50'000U);
  EXPECT_GT(sink_.departures.asked, 2 * sink_.departures.unasked);
  EXPECT_GT(sink_.drops.asked, 10'000U);
  EXPECT_GT(sink_.drops.asked, sink_.drops.unasked);
}

// Where they come one by one, which leaves the look-ahead alone to ask.
TEST_F(ManyQueues, AskForUnitsLongBeforeTheyAreDue) {
  // New flows have become old ones, of which the next one is known.
  for (int step = 0; step < 10'000; ++step) {
    now_ = now_ + Duration{500};
    depart();
    arrive(BucketQueues::kMostTogether);
  }
  ASSERT_TRUE(scheduler_.has_far_queues());
  sink_.departures = {};
  constexpr int kSteps = 60'000;
  for (int step = 0; step < kSteps && !HasFatalFailure(); ++step) {
    now_ = now_ + Duration{static_cast<std::int64_t>(draw_.between(20, 60))};
    depart();
    arrive(draw_.between(0, 1));
  }
  EXPECT_GT(sink_.departures.asked, 10'000U);
  EXPECT_GT(sink_.departures.asked, 10 * sink_.departures.unasked);
}

}  // namespace
}  // namespace drip::test
