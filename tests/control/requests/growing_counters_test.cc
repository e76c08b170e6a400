// SPDX-License-Identifier: BSD-3-Clause
// Counters of a shared queue over what happens to Redis.
#include "control/requests/growing_counters.h"

#include <gtest/gtest.h>

#include "control/config/bucket_registry.h"
#include "control/requests/local_queues.h"
#include "support/fake_engine.h"

namespace drip::control {
namespace {

class GrowingCountersTest : public testing::Test {
 protected:
  GrowingCountersTest() {
    BucketPatch patch;
    patch.id = "b";
    patch.capacity = 10;
    patch.units_per_second = 1;
    EXPECT_TRUE(buckets_.apply(std::span(&patch, 1)).ok());
  }

  static BucketStats counts(std::uint64_t admitted, std::uint64_t departed) {
    BucketStats stats;
    stats.admitted = admitted;
    stats.departed = departed;
    stats.backlog = admitted - departed;
    return stats;
  }
  BucketStats told(const BucketStats* shared, BucketStats own = {}) {
    counters_.add(buckets_.find("b"), shared, own);
    return own;
  }

  FakeEngine engine_;
  LocalQueues queues_{engine_, 1000};
  BucketRegistry buckets_{engine_, queues_};
  GrowingCounters counters_;
};

TEST_F(GrowingCountersTest, AreTheSumOfTheClustersAndTheNodes) {
  const BucketStats shared = counts(100, 90);
  const BucketStats sum = told(&shared, counts(7, 5));
  EXPECT_EQ(sum.admitted, 107U);
  EXPECT_EQ(sum.departed, 95U);
  EXPECT_EQ(sum.backlog, 12U);
}

TEST_F(GrowingCountersTest, StayWhileRedisDoesNotAnswer) {
  const BucketStats shared = counts(100, 90);
  (void)told(&shared);
  const BucketStats away = told(nullptr, counts(1, 0));
  EXPECT_EQ(away.admitted, 101U);
  EXPECT_EQ(away.departed, 90U);
  EXPECT_EQ(away.backlog, 1U) << "what waits in Redis is not known";
}

TEST_F(GrowingCountersTest, GoOnWhenRedisBeginsAnew) {
  const BucketStats before = counts(100, 90);
  (void)told(&before);
  const BucketStats anew = counts(3, 1);
  for (int i = 0; i < 2; ++i) {
    const BucketStats sum = told(&anew);
    EXPECT_EQ(sum.admitted, 103U);
    EXPECT_EQ(sum.departed, 91U);
    EXPECT_EQ(sum.backlog, 2U);
    EXPECT_EQ(sum.dropped, 10U) << "what waited was lost";
    EXPECT_EQ(sum.admitted, sum.departed + sum.dropped + sum.backlog);
  }
}

}  // namespace
}  // namespace drip::control
