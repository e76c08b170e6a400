// SPDX-License-Identifier: BSD-3-Clause
// Rates from two readings of a bucket's counters.
#include "control/rpc/departure_rates.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "control/config/configuration_fixture.h"

namespace drip::control {
namespace {

constexpr TimePoint kStart{1'000'000'000};

class DepartureRatesTest : public ConfigurationTest {
 protected:
  BucketEntryRef make(const std::string& id) {
    EXPECT_TRUE(configure({"bucket_id: '" + id + "' capacity: 9 leak_rate: 1"}).ok());
    return buckets_.find(id);
  }
  // A reading `ms` after the start.
  DepartureRate read(const BucketEntryRef& bucket, std::int64_t ms, std::uint64_t departed,
                     std::uint64_t bytes) {
    BucketCounters counters;
    counters.departed = departed;
    counters.departed_bytes = bytes;
    return rates_.measure(bucket, counters, kStart + Duration{ms * 1'000'000});
  }

  DepartureRates rates_;
};

TEST_F(DepartureRatesTest, ARateIsFromOneReadingToTheNext) {
  const BucketEntryRef bucket = make("b");
  EXPECT_EQ(read(bucket, 0, 1'000, 1'000'000).span.ns, 0) << "what was before is of no rate";
  DepartureRate rate = read(bucket, 500, 1'010, 1'002'500);
  EXPECT_EQ(rate.span.ns, 500'000'000);
  EXPECT_DOUBLE_EQ(rate.units_per_second, 20);
  EXPECT_DOUBLE_EQ(rate.bits_per_second, 40'000);
  rate = read(bucket, 1'500, 1'010, 1'002'500);
  EXPECT_EQ(rate.span.ns, 1'000'000'000);
  EXPECT_DOUBLE_EQ(rate.units_per_second, 0);
}

TEST_F(DepartureRatesTest, WhoAsksTooSoonIsToldTheLastRate) {
  const BucketEntryRef bucket = make("b");
  read(bucket, 0, 0, 0);
  EXPECT_EQ(read(bucket, 99, 7, 700).span.ns, 0);
  EXPECT_DOUBLE_EQ(read(bucket, 200, 20, 2'000).units_per_second, 100);
  EXPECT_DOUBLE_EQ(read(bucket, 250, 40, 4'000).units_per_second, 100);
  EXPECT_DOUBLE_EQ(read(bucket, 400, 40, 4'000).units_per_second, 100) << "20 in 0.2 s";
}

TEST_F(DepartureRatesTest, CountersThatWentBackAreOfNoRate) {
  const BucketEntryRef bucket = make("b");
  read(bucket, 0, 100, 100);
  EXPECT_EQ(read(bucket, 1'000, 50, 50).span.ns, 0);
  EXPECT_DOUBLE_EQ(read(bucket, 2'000, 60, 60).units_per_second, 10);
}

TEST_F(DepartureRatesTest, ABucketOfTheSameNameIsAnotherOne) {
  const BucketEntryRef old = make("b");
  read(old, 0, 5, 5);
  ASSERT_TRUE(configuration_.delete_bucket("b", true).ok());
  EXPECT_EQ(read(make("b"), 1'000, 9, 9).span.ns, 0);
}

TEST_F(DepartureRatesTest, OfTooManyThoseThatWereAskedForLastAreKnown) {
  std::vector<std::string> configs;
  for (std::size_t i = 0; i <= DepartureRates::kMost; ++i) {
    configs.push_back(joined("bucket_id: 'b", i, "' capacity: 1 leak_rate: 1"));
  }
  ASSERT_TRUE(configure(configs).ok());
  const BucketEntryRef first = buckets_.find("b0");
  const BucketEntryRef second = buckets_.find("b1");
  for (std::size_t i = 0; i < DepartureRates::kMost; ++i) {
    read(buckets_.find(joined("b", i)), 0, 1, 1);
  }
  EXPECT_NE(read(first, 1'000, 2, 2).span.ns, 0);
  read(buckets_.find(joined("b", DepartureRates::kMost)), 1'000, 1, 1);  // In place of the second.
  EXPECT_NE(read(first, 2'000, 3, 3).span.ns, 0);
  EXPECT_EQ(read(second, 2'000, 3, 3).span.ns, 0);
}

}  // namespace
}  // namespace drip::control
