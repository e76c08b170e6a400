// SPDX-License-Identifier: BSD-3-Clause
#include "metrics/families/latency_family.h"

#include <gtest/gtest.h>

#include <cmath>

namespace drip::metrics {
namespace {

HistogramCounts spans(std::initializer_list<std::int64_t> all_ns) {
  Histogram histogram;
  for (const std::int64_t ns : all_ns) histogram.record(Duration{ns});
  return histogram.read();
}

ClientMetric::Histogram exposed(const HistogramCounts& counts, std::span<const unsigned> bounds) {
  MetricFamily family{"x", "", kHistogram, {}};
  add_latency(family, {{"bucket", "b"}}, counts, bounds);
  EXPECT_EQ(family.metric.size(), 1U);
  EXPECT_EQ(family.metric[0].label[0].value, "b");
  return family.metric[0].histogram;
}

// The count of each bound is that of the spans that are no longer, without rounding.
TEST(LatencyFamily, CountsUpToEachBoundAreExact) {
  const std::vector<std::int64_t> all = {
      0,         127,       128,  1023,       1024,        4095,          4096,         999'999,
      1'048'575, 1'048'576, 5000, 20'000'000, 268'435'455, 4'294'967'295, 4'294'967'296};
  Histogram histogram;
  for (const std::int64_t ns : all) histogram.record(Duration{ns});
  for (const std::span<const unsigned> bounds :
       {std::span<const unsigned>(kCoarseBounds), std::span<const unsigned>(kFineBounds)}) {
    const auto buckets = exposed(histogram.read(), bounds);
    ASSERT_EQ(buckets.bucket.size(), bounds.size() + 1);
    for (std::size_t i = 0; i < bounds.size(); ++i) {
      const std::int64_t bound_ns = (std::int64_t{1} << bounds[i]) - 1;
      EXPECT_EQ(buckets.bucket[i].cumulative_count,
                std::count_if(all.begin(), all.end(), [&](auto ns) { return ns <= bound_ns; }))
          << bound_ns;
      EXPECT_DOUBLE_EQ(buckets.bucket[i].upper_bound, static_cast<double>(bound_ns) / 1e9);
    }
    EXPECT_EQ(buckets.bucket.back().cumulative_count, all.size());
    EXPECT_TRUE(std::isinf(buckets.bucket.back().upper_bound));
    EXPECT_EQ(buckets.sample_count, all.size());
  }
}

TEST(LatencyFamily, TheSumIsThatOfAllSpans) {
  EXPECT_DOUBLE_EQ(exposed(spans({1, 100, 2'000'000'000}), kCoarseBounds).sample_sum, 2.000000101);
  EXPECT_EQ(exposed({}, kCoarseBounds).sample_sum, 0);
}

TEST(WideHistogram, GoesOnWhereABinOf32BitsWraps) {
  WideHistogram wide;
  HistogramCounts counts;
  counts.counts[3] = 0xffff'fff0;
  counts.sum_ns = 1000;
  EXPECT_EQ(wide.update(counts, 0xffff'fff0).counts[3], 0xffff'fff0U);
  counts.counts[3] = 0x10;  // 32 more.
  counts.counts[4] = 7;
  counts.sum_ns = 2000;
  const HistogramCounts& now = wide.update(counts, 0x1'0000'0017);
  EXPECT_EQ(now.counts[3], 0x1'0000'0010U);
  EXPECT_EQ(now.counts[4], 7U);
  EXPECT_EQ(now.sum_ns, 2000U);
}

TEST(WideHistogram, AnotherBucketOfTheSameNameBeginsAnew) {
  WideHistogram wide;
  HistogramCounts counts;
  counts.counts[3] = 500;
  counts.sum_ns = 1000;
  (void)wide.update(counts, 500);
  // Fewer events; then as many, with fewer spans than the former had.
  counts.counts[3] = 2;
  EXPECT_EQ(wide.update(counts, 2).counts[3], 2U);
  counts.counts[3] = 1;
  counts.counts[5] = 4;
  counts.sum_ns = 5000;
  EXPECT_EQ(wide.update(counts, 5).counts[3], 1U);
  EXPECT_EQ(wide.update(counts, 5).counts[5], 4U);
}

}  // namespace
}  // namespace drip::metrics
