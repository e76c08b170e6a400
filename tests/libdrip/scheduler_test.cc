// SPDX-License-Identifier: BSD-3-Clause
// The scheduler against a bucket that polls its schedule without a wheel: the same departures at
// the same nanosecond, whatever is changed and taken back between them.
#include "drip/scheduler.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <vector>

#include "drawn_seed.h"
#include "exact_queue.h"
#include "reference_bucket.h"

namespace drip {
namespace {

constexpr TimePoint kStart{1'000'000'000};

struct Departures {
  std::vector<TimePoint> at;
  [[nodiscard]] bool has_room(UnitRef) const { return true; }
  void departed(UnitRef, TimePoint now, Duration) { at.push_back(now); }
};

// A unit that can be released: it keeps its sequence in the ring.
struct alignas(64) Releasable {
  std::uint32_t sequence = 0;
  static void moved(UnitRef unit, std::uint32_t sequence) {
    static_cast<Releasable*>(unit.address())->sequence = sequence;
  }
};

// One bucket in the table of a scheduler, and its reference.
class Pair {
 public:
  Pair(const BucketSettings& settings, std::uint32_t slot)
      : slot_(slot),
        capacity_(settings.capacity),
        ring_(BucketRing::slots_for(settings.capacity)),
        reference_(ServicePeriods::of_rates(settings.units_per_second, settings.bits_per_second),
                   settings.departure, settings.max_catchup, kStart) {}

  void create(Scheduler& scheduler, const BucketSettings& settings) {
    scheduler.create(slot_, settings, ring_.data(), static_cast<std::uint32_t>(ring_.size()),
                     kStart);
  }
  void offer(Scheduler& scheduler, TimePoint now, std::uint32_t bytes) {
    Releasable& unit = units_.emplace_back();
    unit.sequence = scheduler.buckets()[slot_].ring.tail();
    // As many as the capacity, however many were released before.
    const bool has_room = reference_.size() < capacity_;
    ASSERT_EQ(scheduler.admit(slot_, {UnitRef::of(&unit, bytes, 0), now}, bytes),
              has_room ? RejectReason::kAdmitted : RejectReason::kFull);
    if (!has_room) return;
    reference_.offer(now, bytes);
    waiting_.push_back(&unit);
  }
  void release(Scheduler& scheduler, TimePoint now, std::size_t at) {
    if (at >= waiting_.size()) return;
    scheduler.release(slot_, waiting_[at]->sequence, now);
    reference_.release(at, now);
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(at));
  }
  void change(Scheduler& scheduler, TimePoint now, const ServicePeriods& periods) {
    const bool differ = periods != scheduler.buckets()[slot_].periods;
    scheduler.set_rates(slot_, periods, now);
    if (differ) reference_.change(now, periods);
  }
  // After the scheduler has served what is due at `now`.
  void compare(const Scheduler& scheduler, TimePoint now) {
    const Bucket& bucket = scheduler.buckets()[slot_];
    reference_.poll(now);
    while (waiting_.size() > reference_.size()) waiting_.pop_front();
    ASSERT_EQ(bucket.departed.get(), reference_.departed().size());
    ASSERT_EQ(bucket.backlog.get(), reference_.size());
    ASSERT_EQ(bucket.schedule.departure_time(), reference_.schedule().departure_time());
    ASSERT_EQ(bucket.lost_schedule_ns.get(), static_cast<std::uint64_t>(reference_.lost().ns));
    ASSERT_EQ(bucket.hook.scheduled(), bucket.backlog.get() > 0);
    ASSERT_EQ(estimated_wait(bucket, now), reference_.wait(now));
  }

 private:
  std::uint32_t slot_;
  std::uint32_t capacity_;
  std::vector<RingEntry> ring_;
  test::ReferenceBucket reference_;
  std::deque<Releasable> units_;
  std::deque<Releasable*> waiting_;
};

BucketSettings draw_settings(test::Draw& draw) {
  BucketSettings settings;
  settings.capacity = static_cast<std::uint32_t>(draw.between(1, 40));
  if (draw.one_in(2)) settings.units_per_second = static_cast<double>(draw.of_any_size(10, 5e7));
  if (settings.units_per_second == 0 || draw.one_in(3)) {
    settings.bits_per_second = static_cast<double>(draw.of_any_size(1'000'000, 100e9));
  }
  // A release takes over the service of a head at the END only, as requests do.
  settings.departure = Departure::kAtEnd;
  settings.max_catchup.ns = static_cast<std::int64_t>(draw.between(0, 2'000'000));
  return settings;
}

TEST(Scheduler, DepartsAsEachBucketByItself) {
  constexpr std::uint32_t kBuckets = 40;
  test::Draw draw;
  for (int scenario = 0; scenario < 20; ++scenario) {
    SCOPED_TRACE(testing::Message() << "scenario " << scenario);
    const auto buckets = std::make_unique<Bucket[]>(kBuckets);
    const auto histograms = std::make_unique<LatencyHistograms[]>(kBuckets);
    Scheduler scheduler({buckets.get(), histograms.get(), kBuckets}, kStart, Releasable::moved);
    std::deque<Pair> pairs;
    for (std::uint32_t slot = 0; slot < kBuckets; ++slot) {
      const BucketSettings settings = draw_settings(draw);
      pairs.emplace_back(settings, slot).create(scheduler, settings);
    }
    Departures sink;
    TimePoint now = kStart;
    for (int step = 0; step < 3'000; ++step) {
      now = now + Duration{static_cast<std::int64_t>(
                      draw.of_any_size(1, draw.one_in(100) ? 30'000'000 : 20'000))};
      while (scheduler.serve_due(now, sink).more_is_due) {
      }
      for (Pair& pair : pairs) ASSERT_NO_FATAL_FAILURE(pair.compare(scheduler, now));
      for (std::uint64_t n = draw.between(0, 6); n > 0; --n) {
        Pair& pair = pairs[draw.between(0, kBuckets - 1)];
        if (draw.one_in(4)) {
          pair.release(scheduler, now, draw.between(0, 3));
        } else if (draw.one_in(12)) {
          const BucketSettings other = draw_settings(draw);
          pair.change(scheduler, now,
                      ServicePeriods::of_rates(other.units_per_second, other.bits_per_second));
        } else {
          ASSERT_NO_FATAL_FAILURE(pair.offer(scheduler, now, test::draw_bytes(draw) % 9'000 + 1));
        }
      }
    }
    EXPECT_FALSE(sink.at.empty());
  }
}

// Wherever the units stood that were released: their places are free at once, and what is moved for
// that is bounded by the number of releases.
TEST(Scheduler, ReleasedUnitsGiveTheirPlacesBack) {
  constexpr std::uint32_t kCapacity = 1'000;
  static std::uint64_t moves;
  test::Draw draw;
  for (const std::uint32_t ring_slots : {1'024U, 2'048U}) {
    for (const std::uint32_t first_kept : {0U, 1U, kCapacity / 2, kCapacity - 1}) {
      SCOPED_TRACE(testing::Message() << ring_slots << " slots, kept " << first_kept);
      moves = 0;
      Bucket bucket;
      LatencyHistograms histograms;
      Scheduler scheduler({&bucket, &histograms, 1}, kStart, [](UnitRef unit, std::uint32_t to) {
        ++moves;
        Releasable::moved(unit, to);
      });
      BucketSettings settings;
      settings.capacity = kCapacity;
      settings.units_per_second = 1.0 / 3600;
      std::vector<RingEntry> ring(ring_slots);
      scheduler.create(0, settings, ring.data(), ring_slots, kStart);
      std::deque<Releasable> units;
      std::vector<Releasable*> waiting;
      const auto fill = [&] {
        while (waiting.size() < kCapacity) {
          ASSERT_EQ(scheduler.can_admit(0, kCapacity - bucket.backlog.get(), 1, kStart),
                    RejectReason::kAdmitted);
          Releasable& unit = units.emplace_back();
          unit.sequence = bucket.ring.tail();
          ASSERT_EQ(scheduler.admit(0, {UnitRef::of(&unit, 1, 0), kStart}, 1),
                    RejectReason::kAdmitted);
          waiting.push_back(&unit);
        }
        ASSERT_EQ(scheduler.can_admit(0, 1, 1, kStart), RejectReason::kFull);
      };
      ASSERT_NO_FATAL_FAILURE(fill());
      Releasable* const kept = waiting[first_kept];
      for (Releasable* const unit : waiting) {
        if (unit != kept) scheduler.release(0, unit->sequence, kStart);
      }
      waiting = {kept};
      ASSERT_EQ(bucket.backlog.get(), 1U);
      ASSERT_NO_FATAL_FAILURE(fill());
      // One by one, from anywhere.
      constexpr int kReleases = 20'000;
      moves = 0;
      for (int i = 0; i < kReleases; ++i) {
        const std::size_t at = draw.between(0, kCapacity - 1);
        scheduler.release(0, waiting[at]->sequence, kStart);
        waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(at));
        ASSERT_NO_FATAL_FAILURE(fill());
      }
      EXPECT_LE(moves, std::uint64_t{kReleases} * ring_slots / (ring_slots - kCapacity));
      EXPECT_EQ(Scheduler::has_slots_for_releases(ring_slots, kCapacity), ring_slots == 2'048);
      // In their order.
      std::uint32_t last = bucket.ring.head() - 1;
      for (const Releasable* const unit : waiting) {
        ASSERT_EQ(bucket.ring.at(unit->sequence).unit.address(), unit);
        ASSERT_LT(last - bucket.ring.head() + 1, unit->sequence - bucket.ring.head() + 1);
        last = unit->sequence;
      }
      EXPECT_EQ(scheduler.drop_backlog(0, [](UnitRef) {}), kCapacity);
    }
  }
}

class OneBucketScheduler : public testing::Test {
 protected:
  BucketSettings ten_us() {
    BucketSettings settings;
    settings.capacity = 8;
    settings.units_per_second = 100'000;
    return settings;
  }
  void admit(TimePoint at) {
    alignas(64) static char unit;
    ASSERT_EQ(scheduler_.admit(0, {UnitRef::of(&unit, 100, 0), at}, 100), RejectReason::kAdmitted);
  }
  // Departures in ns after kStart, served each 10 ns until `end`.
  std::vector<std::int64_t> serve_until(TimePoint end) {
    for (; now_ < end; now_ = now_ + Duration{10}) scheduler_.serve_due(now_, sink_);
    std::vector<std::int64_t> departures;
    for (const TimePoint at : sink_.at) departures.push_back((at - kStart).ns);
    return departures;
  }

  Bucket bucket_;
  LatencyHistograms histograms_;
  Scheduler scheduler_{{&bucket_, &histograms_, 1}, kStart};
  std::vector<RingEntry> ring_{8};
  Departures sink_;
  TimePoint now_ = kStart;
};

TEST_F(OneBucketScheduler, APausedBucketKeepsWhatIsLeftOfItsService) {
  scheduler_.create(0, ten_us(), ring_.data(), 8, kStart);
  admit(kStart);
  admit(kStart);
  EXPECT_EQ(serve_until(kStart + Duration{15'000}), (std::vector<std::int64_t>{10'000}));
  scheduler_.pause(0, now_);  // 5 us are left of the second one.
  EXPECT_TRUE(scheduler_.idle());
  EXPECT_EQ(serve_until(kStart + Duration{50'000}).size(), 1U);
  scheduler_.set_rates(0, bucket_.periods, now_);
  EXPECT_EQ(serve_until(kStart + Duration{70'000}), (std::vector<std::int64_t>{10'000, 55'000}));
}

TEST_F(OneBucketScheduler, ADrainedBucketIsRetiredWhenTheLastUnitDeparts) {
  scheduler_.create(0, ten_us(), ring_.data(), 8, kStart);
  admit(kStart);
  EXPECT_EQ(scheduler_.live_buckets(), 1U);
  EXPECT_EQ(scheduler_.drain(0), 1U);
  EXPECT_EQ(scheduler_.admit(0, {UnitRef::released(), kStart}, 1), RejectReason::kDraining);
  serve_until(kStart + Duration{9'000});
  EXPECT_EQ(bucket_.state.load(), BucketPhase::kDraining);
  serve_until(kStart + Duration{11'000});
  EXPECT_EQ(bucket_.state.load(), BucketPhase::kRetired);
  EXPECT_EQ(scheduler_.live_buckets(), 0U);
}

TEST_F(OneBucketScheduler, ReadersSeeWhenTheHeadIsDue) {
  scheduler_.create(0, ten_us(), ring_.data(), 8, kStart);
  admit(kStart);
  EXPECT_EQ(static_cast<TimePoint>(bucket_.hook.due), kStart + Duration{10'000});
  EXPECT_EQ(scheduler_.next_departure(), kStart + Duration{10'000});
}

// A sink that has room for some units only.
struct Narrow {
  std::uint32_t room = 0;
  std::uint32_t departed_units = 0;
  [[nodiscard]] bool has_room(UnitRef) const { return room > 0; }
  void departed(UnitRef, TimePoint, Duration) {
    --room;
    ++departed_units;
  }
};

TEST_F(OneBucketScheduler, ABucketWithoutRoomIsHeldAndKeepsItsSchedule) {
  scheduler_.create(0, ten_us(), ring_.data(), 8, kStart);
  admit(kStart);
  admit(kStart);
  Narrow sink;
  const TimePoint late = kStart + Duration{25'000};
  EXPECT_EQ(scheduler_.serve_due(late, sink).departed, 0U);
  sink.room = 2;
  EXPECT_EQ(scheduler_.serve_due(late, sink).departed, 0U) << "before the retry";
  EXPECT_EQ(scheduler_.serve_due(late + Scheduler::kEgressRetry + Duration{128}, sink).departed,
            2U);
  EXPECT_EQ(bucket_.lost_schedule_ns.get(), 0U);
}

}  // namespace
}  // namespace drip
