// SPDX-License-Identifier: BSD-3-Clause
// The schedule when units are taken back before their turn.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

#include "drip/virtual_schedule.h"
#include "reference_bucket.h"

namespace drip::test {
namespace {

TEST(VirtualSchedule, NextInLineTakesOverTheServiceUnderWay) {
  VirtualSchedule schedule(TimePoint{0});
  schedule.begin(TimePoint{0}, FineSpan{1'000, 0}, Departure::kAtEnd);
  schedule.replace_head(TimePoint{100}, TimePoint{50}, FineSpan{1'000, 0}, FineSpan{400, 0});
  EXPECT_EQ(schedule.due(), TimePoint{400});
  schedule.replace_head(TimePoint{100}, TimePoint{60}, FineSpan{400, 0}, FineSpan{2'000, 0});
  EXPECT_EQ(schedule.due(), TimePoint{2'000});
  // It would have ended before it came, and before now.
  schedule.replace_head(TimePoint{700}, TimePoint{650}, FineSpan{2'000, 0}, FineSpan{300, 0});
  EXPECT_EQ(schedule.due(), TimePoint{700});
  // The old head was late already: the new one is as late, but not later than it came.
  schedule.replace_head(TimePoint{900}, TimePoint{500}, FineSpan{300, 0}, FineSpan{100, 0});
  EXPECT_EQ(schedule.due(), TimePoint{700});
  schedule.replace_head(TimePoint{900}, TimePoint{800}, FineSpan{100, 0}, FineSpan{100, 0});
  EXPECT_EQ(schedule.due(), TimePoint{800});
}

TEST(VirtualSchedule, AServiceForNobodyCostsNothing) {
  VirtualSchedule schedule(TimePoint{0});
  schedule.begin(TimePoint{0}, FineSpan{1'000, 0}, Departure::kAtEnd);
  schedule.give_up_head(TimePoint{400}, FineSpan{1'000, 0});
  EXPECT_FALSE(schedule.in_service(TimePoint{400}));
  schedule.begin(TimePoint{400}, FineSpan{1'000, 0}, Departure::kAtEnd);
  EXPECT_EQ(schedule.due(), TimePoint{1'400});
  // A unit that left at its START is served until 2000: whoever waits for that gives up nothing.
  VirtualSchedule busy(TimePoint{0});
  busy.begin(TimePoint{0}, FineSpan{2'000, 0}, Departure::kAtStart);
  busy.depart(TimePoint{0}, FineSpan{2'000, 0}, Departure::kAtStart, Duration{0});
  busy.serve_to_end(FineSpan{500, 0});
  EXPECT_EQ(busy.due(), TimePoint{2'500});
  busy.give_up_head(TimePoint{300}, FineSpan{500, 0});
  EXPECT_EQ(busy.due(), TimePoint{2'000});
}

TEST(VirtualSchedule, BoundsWhatLeavesWhenUnitsAreTakenBack) {
  Draw draw(10);
  for (int scenario = 0; scenario < 400; ++scenario) {
    const Rates rates = draw_rates(draw);
    const ServicePeriods periods = rates.periods();
    const std::uint64_t mean_service_ns = ns_of(periods.service(1000));
    const Duration max_catchup{
        static_cast<std::int64_t>(draw.one_in(2) ? 0 : draw.between(0, 3 * mean_service_ns))};
    TimePoint now{kOrigins[draw.between(0, kOrigins.size() - 1)]};
    SCOPED_TRACE(::testing::Message()
                 << "scenario " << scenario << ": " << rates.units_per_second << "/s, "
                 << rates.bits_per_second << " bit/s, max_catchup " << max_catchup.ns << " ns");
    ReferenceBucket bucket(periods, Departure::kAtEnd, max_catchup, now);
    std::size_t heads_replaced = 0;
    for (int i = 0; i < 250; ++i) {
      const std::uint64_t stall = draw.one_in(10) ? 8 * mean_service_ns : mean_service_ns / 2;
      now = now + Duration{static_cast<std::int64_t>(draw.between(1, stall + 1))};
      for (std::uint64_t k = draw.between(0, 2); k > 0; --k) {
        bucket.offer(now, static_cast<std::uint32_t>(draw.between(64, 1518)));
      }
      // Before the poll too, when the head may have been due for long.
      for (std::uint64_t k = draw.between(0, 3); k > 0 && !bucket.empty(); --k) {
        const std::size_t at = draw.one_in(2) ? 0 : draw.between(0, bucket.size() - 1);
        const TimePoint earliest =
            std::min(bucket.schedule().due(), now, [](TimePoint a, TimePoint b) { return a < b; });
        bucket.release(at, now);
        if (at > 0) continue;
        if (bucket.empty()) {
          ASSERT_GE(bucket.schedule().due(), now);
          continue;
        }
        ++heads_replaced;
        // Nothing is due in the past that was not before, and nothing before it came.
        ASSERT_GE(bucket.schedule().due(), earliest);
        ASSERT_GE(bucket.schedule().due(), bucket.head_arrival());
      }
      bucket.poll(now);
    }
    ASSERT_GT(heads_replaced, 20U);
    ASSERT_NO_FATAL_FAILURE(expect_not_too_much(bucket.departed(), max_catchup));
  }
}

TEST(VirtualSchedule, TakingEqualUnitsBackMovesTheRestUpByOne) {
  // With services of one length it is as if the last one had been taken back, not that one.
  Draw draw(11);
  for (int scenario = 0; scenario < 500; ++scenario) {
    const Rates rates{draw_rates(draw).units_per_second + 1, 0};
    const ServicePeriods periods = rates.periods();
    const TimePoint begin{kOrigins[draw.between(0, kOrigins.size() - 1)]};
    ReferenceBucket some(periods, Departure::kAtEnd, Duration{0}, begin);
    ReferenceBucket fewer(periods, Departure::kAtEnd, Duration{0}, begin);
    const std::size_t units = draw.between(2, 20);
    const std::size_t taken = draw.between(1, units - 1);
    for (std::size_t i = 0; i < units; ++i) some.offer(begin, 100);
    for (std::size_t i = 0; i < units - taken; ++i) fewer.offer(begin, 100);
    const TimePoint now =
        begin + Duration{static_cast<std::int64_t>(draw.between(0, periods.per_unit.ns))};
    for (std::size_t i = 0; i < taken; ++i) some.release(draw.between(0, some.size() - 1), now);
    while (!fewer.empty()) {
      ASSERT_EQ(some.schedule().departure_time(), fewer.schedule().departure_time());
      some.poll(some.schedule().due());
      fewer.poll(fewer.schedule().due());
    }
    EXPECT_TRUE(some.empty());
  }
}

}  // namespace
}  // namespace drip::test
