// SPDX-License-Identifier: BSD-3-Clause
// Points and spans of time in 2^-64 ns, and service times in them.
#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

#include "drip/virtual_schedule.h"
#include "exact_queue.h"

namespace drip::test {
namespace {

TEST(Time, ComparesAndSubtractsAcrossTheWrap) {
  constexpr TimePoint kBefore{std::numeric_limits<std::uint64_t>::max() - 1};
  constexpr TimePoint kAfter = kBefore + Duration{5};
  EXPECT_EQ(kAfter.ns, 3U);
  EXPECT_TRUE(kBefore < kAfter && kBefore <= kAfter && kAfter > kBefore && kAfter >= kBefore);
  EXPECT_EQ((kAfter - kBefore).ns, 5);
  EXPECT_EQ((kBefore - kAfter).ns, -5);
  EXPECT_EQ(kAfter + Duration{-5}, kBefore);
  constexpr FinePoint kFine{std::numeric_limits<std::uint64_t>::max(), 1};
  EXPECT_EQ(kFine.ceil(), TimePoint{0});
  EXPECT_TRUE(kFine.after(kBefore));
  EXPECT_TRUE(kFine.after(TimePoint{std::numeric_limits<std::uint64_t>::max()}));
  EXPECT_FALSE(kFine.after(TimePoint{0}));
}

TEST(Time, FineArithmeticIsExact) {
  Draw draw(1);
  const auto any = [&] { return draw.of_any_size(1, std::numeric_limits<std::uint64_t>::max()); };
  for (int i = 0; i < 100'000; ++i) {
    const FineSpan span{draw.of_any_size(1, 1ULL << 40), any()};
    const std::uint64_t count = draw.of_any_size(1, 1ULL << 20);
    ASSERT_EQ(wide(span.times(count)), wide(span) * count);
    ASSERT_EQ(span.estimated_times(count), span.times(count));
    const FinePoint point{any(), any()};
    const FinePoint later = point + span;
    ASSERT_EQ(span_between(point, later), span);
    ASSERT_EQ(later - span, point);
    ASSERT_GE(later.ceil() - TimePoint{point.ns}, Duration{static_cast<std::int64_t>(span.ns)});
    ASSERT_LE(later.ceil() - TimePoint{point.ns}, Duration{static_cast<std::int64_t>(span.ns) + 2});
  }
}

TEST(Time, SpansOfNanosecondsKeepTheirFraction) {
  EXPECT_EQ(FineSpan::of_ns(0), FineSpan{});
  EXPECT_EQ(FineSpan::of_ns(-1), FineSpan{});
  EXPECT_EQ(FineSpan::of_ns(2.5L), (FineSpan{2, 1ULL << 63}));
  EXPECT_EQ(FineSpan::of_ns(0x1p-64L), (FineSpan{0, 1}));
  EXPECT_EQ((FineSpan{3, 1ULL << 62}).as_ns(), 3.25L);
}

TEST(Time, EstimatesStopBeforeTheyOverflow) {
  const ServicePeriods slowest = Rates{0, kMinBitsPerSecond}.periods();
  const FineSpan forever = slowest.backlog_service(1U << 20, std::uint64_t{65535} << 20);
  EXPECT_EQ(forever, (FineSpan{FineSpan::kLongestEstimateNs, 0}));
  EXPECT_GT((Duration{static_cast<std::int64_t>(forever.ns)} +
             Duration{static_cast<std::int64_t>(forever.ns) - 1})
                .ns,
            0);
}

TEST(ServicePeriods, TakeTheLongerOfBothRates) {
  const ServicePeriods both = Rates{1000, 8'000'000}.periods();
  EXPECT_EQ(both.service(1), (FineSpan{1'000'000, 0}));
  EXPECT_EQ(both.service(1000), (FineSpan{1'000'000, 0}));
  EXPECT_EQ(both.service(1500), (FineSpan{1'500'000, 0}));
  EXPECT_EQ(Rates({10, 0}).periods().service(65535), (FineSpan{100'000'000, 0}));
  EXPECT_EQ(both.backlog_service(3, 1500), (FineSpan{3'000'000, 0}));
  EXPECT_EQ(both.backlog_service(3, 4500), (FineSpan{4'500'000, 0}));
}

TEST(ServicePeriods, TellTheRateAsItTrulyIs) {
  Draw draw(2);
  for (int i = 0; i < 10'000; ++i) {
    const Rates rates = draw_rates(draw);
    const ServicePeriods periods = rates.periods();
    EXPECT_NEAR(periods.true_units_per_second(), rates.units_per_second,
                rates.units_per_second * 1e-15);
    EXPECT_NEAR(periods.true_bits_per_second(), rates.bits_per_second,
                rates.bits_per_second * 1e-15);
  }
}

}  // namespace
}  // namespace drip::test
