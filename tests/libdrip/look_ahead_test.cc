// SPDX-License-Identifier: BSD-3-Clause
// What is asked for ahead of departures: in three steps, in time, and nothing that is not there.
#include "drip/internal/look_ahead.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <vector>

#include "drawn_seed.h"
#include "drip/scheduler.h"

namespace drip {
namespace {

constexpr TimePoint kStart{1'000'000'000};

using ThreeSteps = LookAhead<3>;

Duration ns(std::uint64_t count) { return Duration{static_cast<std::int64_t>(count)}; }

struct Hooks {
  WheelHook* hooks;
  WheelHook& operator()(std::uint32_t id) const { return hooks[id]; }
};

// How often each id was asked for in each step, and in which call last.
struct Asked {
  std::array<int, 3> times{};
  std::array<int, 3> call{};
};

class LookAheadTest : public testing::Test {
 protected:
  static constexpr std::uint32_t kItems = 20'000;

  void insert_evenly(std::uint64_t gap_ns) {
    for (std::uint32_t id = 0; id < kItems; ++id) {
      hooks_[id].due = kStart + ns(10'000 + id * gap_ns);
      wheel_.insert(id);
    }
  }
  void run(TimePoint now) {
    ++call_;
    std::uint32_t first = 0;
    const auto step = [&](std::size_t number) {
      return [this, number, now, &first](std::uint32_t id) {
        Asked& asked = asked_[id];
        ASSERT_EQ(asked.times[number]++, 0) << "step " << number;
        asked.call[number] = call_;
        // Its slot begins that many microseconds from now at the most.
        ASSERT_LT((hooks_[id].due - now).ns, static_cast<std::int64_t>(3 - number) * 1000 + 128);
        if (number == 0) {
          ++first;
          return;
        }
        ASSERT_EQ(asked.times[number - 1], 1);
        ASSERT_LT(asked.call[number - 1], call_);
      };
    };
    look_ahead_.run(wheel_, now, step(0), step(1), step(2));
    ASSERT_LE(first, ThreeSteps::kMost);
  }
  std::size_t collect(TimePoint now, std::size_t room) {
    std::array<std::uint32_t, 32> out;
    const std::size_t count = wheel_.collect(now, std::span(out).first(room));
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t number = 0; number < 3; ++number) {
        in_time_[number] += asked_[out[i]].times[number];
      }
    }
    collected_ += count;
    return count;
  }

  std::vector<WheelHook> hooks_ = std::vector<WheelHook>(kItems);
  TimingWheel<Hooks> wheel_{kItems, kStart, Hooks{hooks_.data()}};
  ThreeSteps look_ahead_{kStart};
  std::vector<Asked> asked_ = std::vector<Asked>(kItems);
  std::array<int, 3> in_time_{};  // Of those collected.
  std::size_t collected_ = 0;
  int call_ = 0;
};

TEST_F(LookAheadTest, AsksForAllInThreeStepsBeforeTheyAreDue) {
  insert_evenly(150);
  for (TimePoint now = kStart; collected_ < kItems; now = now + ns(300)) {
    run(now);
    collect(now, 32);
    if (HasFatalFailure()) return;
  }
  for (const int in_time : in_time_) EXPECT_EQ(in_time, static_cast<int>(kItems));
}

TEST_F(LookAheadTest, StaysAheadOfDeparturesThatAreLate) {
  // One call a round of 32, at a time by which all are long due.
  insert_evenly(100);
  const TimePoint now = kStart + ns(10'000'000);
  for (int round = 0; collected_ < kItems; ++round) {
    run(now + ns(round));
    ASSERT_GT(collect(now + ns(round), 32), 0U);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(in_time_[0], static_cast<int>(kItems * 99 / 100));
  EXPECT_GT(in_time_[1], static_cast<int>(kItems * 95 / 100));
  EXPECT_GT(in_time_[2], static_cast<int>(kItems * 95 / 100));
}

TEST_F(LookAheadTest, PassesOverASlotThatHasMore) {
  insert_evenly(0);
  for (TimePoint now = kStart; now < kStart + ns(20'000) && collected_ == 0; now = now + ns(300)) {
    run(now);
    collect(now, 1);
    if (HasFatalFailure()) return;
  }
  int asked = 0;
  for (const Asked& one : asked_) asked += one.times[0];
  EXPECT_EQ(asked, static_cast<int>(ThreeSteps::kMost));
}

// A sink that knows what may be asked for: what waits.
struct CheckingSink {
  std::set<const void*> waiting;
  std::set<const void*> asked;
  std::uint64_t departed_unasked = 0;
  std::uint64_t departed_asked = 0;

  [[nodiscard]] bool has_room(UnitRef) const { return true; }
  void prefetch(UnitRef unit) {
    ASSERT_TRUE(waiting.contains(unit.address()));
    asked.insert(unit.address());
  }
  void departed(UnitRef unit, TimePoint, Duration) {
    ASSERT_EQ(waiting.erase(unit.address()), 1U);
    ++(asked.erase(unit.address()) == 1 ? departed_asked : departed_unasked);
  }
};

TEST(LookAheadOfTheScheduler, AsksForUnitsThatWaitAndForNoOthers) {
  // As many buckets as it takes; some lose what waits, are deleted, or get other rates meanwhile,
  // and their rings are freed.
  constexpr std::uint32_t kBuckets = 6000;
  constexpr std::uint32_t kCapacity = 4;
  test::Draw draw;
  std::vector<Bucket> buckets(kBuckets);
  std::vector<LatencyHistograms> histograms(kBuckets);
  Scheduler scheduler({buckets.data(), histograms.data(), kBuckets}, kStart);
  std::vector<std::unique_ptr<RingEntry[]>> rings(kBuckets);
  BucketSettings settings;
  settings.capacity = kCapacity;
  settings.departure = Departure::kAtStart;
  for (std::uint32_t slot = 0; slot < kBuckets; ++slot) {
    settings.units_per_second = static_cast<double>(draw.between(500, 3000));
    rings[slot] = std::make_unique<RingEntry[]>(kCapacity);
    scheduler.create(slot, settings, rings[slot].get(), kCapacity, kStart);
  }
  struct alignas(64) Unit {
    std::uint64_t number;
  };
  std::vector<std::unique_ptr<Unit>> units;
  CheckingSink sink;
  TimePoint now = kStart;
  for (int step = 0; step < 60'000; ++step) {
    now = now + ns(draw.between(100, 900));
    while (scheduler.serve_due(now, sink).more_is_due) {
    }
    for (int i = 0; i < 12; ++i) {
      const auto slot = static_cast<std::uint32_t>(draw.between(0, kBuckets - 1));
      if (rings[slot] == nullptr) continue;
      Unit* const unit = units.emplace_back(std::make_unique<Unit>()).get();
      const UnitRef reference = UnitRef::of(unit, 100, 0);
      if (scheduler.admit(slot, {reference, now}, 100) == RejectReason::kAdmitted) {
        sink.waiting.insert(unit);
      }
    }
    if (draw.one_in(100)) {
      const auto slot = static_cast<std::uint32_t>(draw.between(0, kBuckets - 1));
      if (rings[slot] == nullptr) continue;
      if (draw.one_in(2)) {
        scheduler.drop_backlog(slot, [&](UnitRef unit) { sink.waiting.erase(unit.address()); });
        scheduler.drain(slot);
        rings[slot] = nullptr;
      } else {
        scheduler.set_rates(slot, ServicePeriods::of_rates(2000, 0), now);
      }
    }
    if (testing::Test::HasFailure()) return;
  }
  // Most that waited; a unit into an empty bucket is due soon and was not there to be seen.
  EXPECT_GT(sink.departed_asked, 100'000U);
  EXPECT_GT(sink.departed_asked, 4 * sink.departed_unasked);
}

}  // namespace
}  // namespace drip
