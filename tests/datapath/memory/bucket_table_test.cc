// SPDX-License-Identifier: BSD-3-Clause
// A bucket's memory when its slot is used again, and its histograms when they are prepared.
#include "datapath/memory/bucket_table.h"

#include <gtest/gtest.h>

#include "drip/latency_histogram.h"

namespace drip::datapath {
namespace {

constexpr Duration kShort{100};       // Bin 0.
constexpr Duration kLong{1'000'000};  // Bin 13.

TEST(BucketTableTest, ASlotThatIsUsedAgainBeginsWithAnEmptyHistory) {
  const BucketTable table(2, -1);
  for (int life = 0; life < 3; ++life) {
    Bucket& bucket = table.array().construct(1);
    EXPECT_EQ(bucket.latencies.read(table.histograms(1)).sojourn.total(), 0U) << "life " << life;
    for (std::uint64_t i = 1; i <= 2 * RecentLatencies::kSlots; ++i) {
      bucket.latencies.record(table.histograms(1), TimePoint{i}, kLong, kShort);
    }
    EXPECT_EQ(bucket.latencies.read(table.histograms(1)).sojourn.total(),
              2 * RecentLatencies::kSlots);
    EXPECT_EQ(table.histograms(0).sojourn[histogram_bin(kLong)].get(), 0U);
  }
}

TEST(BucketTableTest, PreparingAHistoryTakesNothingFromIt) {
  const BucketTable table(1, -1);
  Bucket& bucket = table.array().construct(0);
  for (std::uint64_t i = 1; i <= RecentLatencies::kSlots; ++i) {
    bucket.latencies.record(table.histograms(0), TimePoint{i}, Duration{0}, Duration{1LL << 62});
  }
  table.prepare_histograms(0);
  table.prepare_histograms(0);
  EXPECT_EQ(bucket.latencies.read(table.histograms(0)).sojourn.counts.front(),
            RecentLatencies::kSlots);
  EXPECT_EQ(bucket.latencies.read(table.histograms(0)).lateness.counts.back(),
            RecentLatencies::kSlots);
}

}  // namespace
}  // namespace drip::datapath
