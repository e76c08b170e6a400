// SPDX-License-Identifier: BSD-3-Clause
// A bucket that moves from one scheduler to another and back, and one that never moves: the same
// departures at the same nanosecond, and the same counts.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <vector>

#include "drawn_seed.h"
#include "drip/read_bucket_counters.h"
#include "drip/scheduler.h"
#include "reference_bucket.h"

namespace drip {
namespace {

struct alignas(64) Unit {
  std::uint64_t number = 0;
};

struct Left {
  std::uint64_t number;
  TimePoint at;
  Duration late;
  friend bool operator==(const Left&, const Left&) = default;
};

struct Sink {
  std::vector<Left> departures;
  [[nodiscard]] bool has_room(UnitRef) const { return true; }
  void departed(UnitRef unit, TimePoint now, Duration late) {
    departures.push_back({static_cast<const Unit*>(unit.address())->number, now, late});
  }
};

// One bucket in a table of schedulers of their own.
class Place {
 public:
  Place(const BucketSettings& settings, TimePoint now)
      : settings_(settings),
        buckets_(std::make_unique<Bucket[]>(kSlots)),
        histograms_(std::make_unique<LatencyHistograms[]>(kSlots)),
        ring_(BucketRing::slots_for(settings.capacity)),
        scheduler_({buckets_.get(), histograms_.get(), kSlots}, now) {}

  Scheduler& scheduler() { return scheduler_; }
  [[nodiscard]] Bucket& bucket() { return buckets_[kSlot]; }
  [[nodiscard]] const LatencyHistograms& histograms() const { return histograms_[kSlot]; }
  [[nodiscard]] BucketCounters counters() const {
    return read_bucket_counters(buckets_[kSlot], histograms_[kSlot]);
  }
  void create(TimePoint now) {
    buckets_[kSlot].state.store(BucketPhase::kFree);
    scheduler_.create(kSlot, settings_, ring_.data(), static_cast<std::uint32_t>(ring_.size()),
                      now);
  }

  static constexpr std::uint32_t kSlot = 3;

 private:
  static constexpr std::uint32_t kSlots = 8;
  BucketSettings settings_;
  std::unique_ptr<Bucket[]> buckets_;
  std::unique_ptr<LatencyHistograms[]> histograms_;
  std::vector<RingEntry> ring_;
  Scheduler scheduler_;
};

// Where the unit that is being served or its bytes decide who is admitted, it matters when that is
// decided: a unit that waits while the bucket moves, and is rejected then, has been in the way of
// others. So at the START the capacity is not reached here, and none has a bound in bytes.
BucketSettings drawn_settings(test::Draw& draw) {
  BucketSettings settings;
  settings.capacity = static_cast<std::uint32_t>(draw.between(1, 40));
  settings.bits_per_second = static_cast<double>(draw.of_any_size(1'000'000, 10'000'000'000));
  if (draw.one_in(2)) {
    settings.departure = Departure::kAtStart;
    settings.capacity = 1 << 12;
  }
  settings.max_catchup.ns = static_cast<std::int64_t>(draw.of_any_size(1, 10'000'000));
  return settings;
}

class MovedAndNot {
 public:
  MovedAndNot(test::Draw& draw, TimePoint start)
      : draw_(draw),
        settings_(drawn_settings(draw)),
        now_(start),
        fixed_(settings_, start),
        places_{std::make_unique<Place>(settings_, start),
                std::make_unique<Place>(settings_, start)} {
    fixed_.create(start);
    places_[0]->create(start);
  }

  void step() {
    now_ = now_ + Duration{static_cast<std::int64_t>(draw_.of_any_size(1, 100'000))};
    poll();
    for (std::uint64_t n = draw_.between(0, 6); n > 0; --n) offer(*places_[at_], true);
    if (draw_.one_in(10)) move();
    ASSERT_EQ(moved_.departures, unmoved_.departures);
    compare_counters();
  }
  [[nodiscard]] std::size_t departures() const { return moved_.departures.size(); }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

 private:
  void poll() {
    const auto all = [&](Scheduler& scheduler, Sink& sink) {
      while (scheduler.serve_due(now_, sink).more_is_due) {
      }
    };
    all(fixed_.scheduler(), unmoved_);
    for (const auto& place : places_) all(place->scheduler(), moved_);
  }
  // Offered to both, or only to the one that moves.
  void offer(Place& place, bool cuts_through) {
    Unit& unit = units_.emplace_back();
    unit.number = units_.size();
    const auto bytes = static_cast<std::uint32_t>(draw_.between(64, 1514));
    if (cuts_through && draw_.one_in(2)) {
      const bool cut = fixed_.scheduler().try_cut_through(Place::kSlot, bytes, now_);
      ASSERT_EQ(place.scheduler().try_cut_through(Place::kSlot, bytes, now_), cut);
      if (cut) return;
    }
    const RingEntry entry{UnitRef::of(&unit, bytes, 0), now_};
    fixed_.scheduler().admit(Place::kSlot, entry, bytes);
    place.scheduler().admit(Place::kSlot, entry, bytes);
  }
  // While it moves, nothing departs.
  void move() {
    Place& from = *places_[at_];
    at_ = 1 - at_;
    Place& to = *places_[at_];
    to.create(now_);
    to.scheduler().pause(Place::kSlot, now_);
    const auto some_come = [&] {
      for (std::uint64_t n = draw_.between(0, 20); n > 0; --n) {
        now_ = now_ + Duration{static_cast<std::int64_t>(draw_.between(0, 1'000))};
        offer(to, false);
      }
    };
    some_come();
    from.scheduler().stop(Place::kSlot);
    some_come();
    std::vector<RingEntry> memory(to.bucket().ring.slot_count());
    to.scheduler().take_over(Place::kSlot, from.bucket(), from.histograms(), memory, now_,
                             [&](UnitRef, RejectReason) { ++dropped_; });
    some_come();
    from.scheduler().forget(Place::kSlot);
    ASSERT_EQ(from.scheduler().live_buckets(), 0U);
    ASSERT_EQ(to.scheduler().live_buckets(), 1U);
    ASSERT_TRUE(from.scheduler().idle());
  }
  void compare_counters() {
    const BucketCounters moved = places_[at_]->counters();
    const BucketCounters fixed = fixed_.counters();
    ASSERT_EQ(moved.admitted, fixed.admitted);
    ASSERT_EQ(moved.admitted_bytes, fixed.admitted_bytes);
    ASSERT_EQ(moved.departed, fixed.departed);
    ASSERT_EQ(moved.departed_bytes, fixed.departed_bytes);
    ASSERT_EQ(moved.backlog, fixed.backlog);
    ASSERT_EQ(moved.backlog_bytes, fixed.backlog_bytes);
    ASSERT_EQ(moved.rejected, fixed.rejected);
    ASSERT_EQ(moved.rejected_bytes, fixed.rejected_bytes);
    ASSERT_EQ(moved.lost_schedule_ns, fixed.lost_schedule_ns);
    ASSERT_EQ(moved.departure_time, fixed.departure_time);
    ASSERT_EQ(moved.sojourn.counts, fixed.sojourn.counts);
    ASSERT_EQ(moved.sojourn.sum_ns, fixed.sojourn.sum_ns);
    ASSERT_EQ(moved.lateness.counts, fixed.lateness.counts);
    ASSERT_EQ(moved.lateness.max_ns, fixed.lateness.max_ns);
  }

  test::Draw& draw_;
  BucketSettings settings_;
  TimePoint now_;
  Place fixed_;
  std::array<std::unique_ptr<Place>, 2> places_;
  std::size_t at_ = 0;
  std::deque<Unit> units_;
  Sink moved_;
  Sink unmoved_;
  std::uint64_t dropped_ = 0;
};

TEST(BucketMove, ChangesNoDepartureAndNoCount) {
  test::Draw draw(31);
  std::size_t departures = 0;
  std::uint64_t dropped = 0;
  for (std::size_t trial = 0; trial < 100; ++trial) {
    SCOPED_TRACE(testing::Message() << "trial " << trial);
    MovedAndNot buckets(draw, TimePoint{test::kOrigins[trial % test::kOrigins.size()]});
    for (int step = 0; step < 500; ++step) {
      ASSERT_NO_FATAL_FAILURE(buckets.step()) << "step " << step;
    }
    departures += buckets.departures();
    dropped += buckets.dropped();
  }
  // What it is to show has happened.
  EXPECT_GT(departures, 10'000U);
  EXPECT_GT(dropped, 100U);
}

}  // namespace
}  // namespace drip
