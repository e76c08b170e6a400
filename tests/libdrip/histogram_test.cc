// SPDX-License-Identifier: BSD-3-Clause
// The bins of a histogram, and its quantiles against sorted samples.
#include "drip/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "drawn_seed.h"

namespace drip {
namespace {

using test::Draw;

Duration ns(std::uint64_t count) { return Duration{static_cast<std::int64_t>(count)}; }

TEST(Histogram, PutsEachSpanIntoItsBin) {
  EXPECT_EQ(histogram_bin(Duration{-5}), 0U);
  EXPECT_EQ(histogram_bin(Duration{0}), 0U);
  EXPECT_EQ(histogram_bin(Duration{127}), 0U);
  for (std::size_t bin = 1; bin < kHistogramBins; ++bin) {
    const std::uint64_t begin = std::uint64_t{1} << (bin + kHistogramFirstBit);
    EXPECT_EQ(histogram_bin(ns(begin - 1)), bin - 1);
    EXPECT_EQ(histogram_bin(ns(begin)), bin);
    EXPECT_EQ(histogram_bin(ns(2 * begin - 1)), bin);
  }
  EXPECT_EQ(histogram_bin(Duration{std::numeric_limits<std::int64_t>::max()}), kHistogramBins - 1);
}

TEST(Histogram, CountsSumsAndKeepsTheMaximum) {
  Histogram histogram;
  histogram.record(Duration{-7});  // Counts as 0.
  histogram.record(Duration{100});
  histogram.record(Duration{1'000});
  const HistogramCounts counts = histogram.read();
  EXPECT_EQ(counts.total(), 3U);
  EXPECT_EQ(counts.counts[0], 2U);
  EXPECT_EQ(counts.counts[3], 1U);
  EXPECT_EQ(counts.sum_ns, 1'100U);
  EXPECT_EQ(counts.max_ns, 1'000U);
  HistogramCounts sum;
  sum += counts;
  sum += counts;
  EXPECT_EQ(sum.total(), 6U);
  EXPECT_EQ(sum.counts[0], 4U);
  EXPECT_EQ(sum.sum_ns, 2'200U);
  EXPECT_EQ(sum.max_ns, 1'000U);
}

TEST(Histogram, QuantilesAreRightWithinAFactorOfTwo) {
  EXPECT_EQ(HistogramCounts{}.quantile_ns(0.5), 0U);
  Draw draw(1);
  for (int scenario = 0; scenario < 300; ++scenario) {
    Histogram histogram;
    std::vector<std::uint64_t> samples(draw.of_any_size(1, 2000));
    const std::uint64_t least = draw.of_any_size(1, 1ULL << 30);
    const std::uint64_t most = draw.of_any_size(least, 1ULL << 40);
    for (std::uint64_t& sample : samples) {
      sample = draw.of_any_size(least, most);
      histogram.record(ns(sample));
    }
    std::sort(samples.begin(), samples.end());
    const HistogramCounts counts = histogram.read();
    ASSERT_EQ(counts.total(), samples.size());
    ASSERT_EQ(counts.sum_ns, std::accumulate(samples.begin(), samples.end(), std::uint64_t{0}));
    ASSERT_EQ(counts.max_ns, samples.back());
    ASSERT_EQ(counts.quantile_ns(1), samples.back());
    std::uint64_t last = 0;
    for (const double fraction : {0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0}) {
      const auto rank = static_cast<std::size_t>(
          std::max(std::ceil(fraction * static_cast<double>(samples.size())) - 1, 0.0));
      const std::uint64_t exact = samples[rank];
      const std::uint64_t told = counts.quantile_ns(fraction);
      ASSERT_GE(told, last);
      last = told;
      // Below 128 ns and from 8.6 s on there is only one bin each.
      if (exact < 128) {
        ASSERT_LE(told, 128U);
      } else if (exact < (std::uint64_t{1} << 33)) {
        ASSERT_LE(told, 2 * exact) << fraction;
        ASSERT_GE(told, exact / 2) << fraction;
      } else {
        ASSERT_GE(told, std::uint64_t{1} << 33);
        ASSERT_LE(told, samples.back());
      }
    }
  }
}

TEST(Histogram, InterpolatesWithinABin) {
  Histogram histogram;
  for (std::uint64_t i = 0; i < 1024; ++i) histogram.record(ns(1024 + i));
  EXPECT_NEAR(static_cast<double>(histogram.read().quantile_ns(0.25)), 1024 + 256, 2);
  EXPECT_NEAR(static_cast<double>(histogram.read().quantile_ns(0.5)), 1024 + 512, 2);
}

}  // namespace
}  // namespace drip
