// SPDX-License-Identifier: BSD-3-Clause
// When an idle polling thread sleeps, for how long, and when it must be woken.
#include "datapath/idle_policy.h"

#include <gtest/gtest.h>

namespace drip::datapath {
namespace {

constexpr TimePoint kNow{1'000'000'000};

TimePoint in(std::int64_t ns) { return kNow + Duration{ns}; }

TEST(IdlePolicy, AThreadWithPortsPollsForAWhileAndStartsAnewAfterABusyLoop) {
  IdlePolicy policy(false);
  for (int i = 0; i < 1999; ++i) EXPECT_FALSE(policy.loop_was_idle()) << i;
  policy.loop_was_busy();
  for (int i = 0; i < 1999; ++i) EXPECT_FALSE(policy.loop_was_idle()) << i;
  EXPECT_TRUE(policy.loop_was_idle());
  EXPECT_FALSE(policy.loop_was_idle());
}

TEST(IdlePolicy, APortlessThreadSleepsAtOnce) {
  IdlePolicy policy(true);
  EXPECT_TRUE(policy.loop_was_idle());
  EXPECT_TRUE(policy.loop_was_idle());
}

TEST(IdlePolicy, SleepsLongWhenNothingWaits) {
  for (const bool portless : {false, true}) {
    EXPECT_EQ(IdlePolicy(portless).sleep_time(std::nullopt, kNow), Duration{100'000'000});
  }
}

TEST(IdlePolicy, WakesBeforeTheNextDeparture) {
  for (const bool portless : {false, true}) {
    EXPECT_EQ(IdlePolicy(portless).sleep_time(in(5'000'000), kNow), Duration{4'940'000});
  }
  // And polls on if that is too near.
  EXPECT_LE(IdlePolicy(false).sleep_time(in(60'000), kNow).ns, 0);
}

TEST(IdlePolicy, APortlessThreadSleepsUntilFrequentDeparturesAreDue) {
  IdlePolicy policy(true);
  EXPECT_EQ(policy.sleep_time(in(200'000), kNow), Duration{200'000});
  EXPECT_EQ(policy.sleep_time(in(1'000), kNow), Duration{50'000});
}

TEST(IdlePolicy, APortlessThreadThatWokeEarlyPollsForTheDeparture) {
  IdlePolicy policy(true);
  EXPECT_EQ(policy.sleep_time(in(5'000'000), kNow), Duration{4'940'000});
  EXPECT_LE(policy.sleep_time(in(5'000'000), in(4'950'000)).ns, 0);
}

TEST(IdlePolicy, ManyDelegatedJobsMakeTheThreadSleepLonger) {
  IdlePolicy policy(true);
  for (int i = 0; i < 4; ++i) policy.job_was_delegated();
  EXPECT_EQ(policy.sleep_time(in(200'000), kNow), Duration{1'000'000});
  // Only the jobs since it fell asleep count.
  EXPECT_EQ(policy.sleep_time(in(200'000), kNow), Duration{200'000});
}

TEST(IdlePolicy, MustWakeForADepartureBeforeTheEndOfTheSleep) {
  IdlePolicy policy(true);
  EXPECT_EQ(policy.sleep_time(in(5'000'000), kNow), Duration{4'940'000});
  EXPECT_FALSE(policy.sleeps_too_long(std::nullopt, kNow));
  EXPECT_FALSE(policy.sleeps_too_long(in(4'940'000), kNow));
  EXPECT_TRUE(policy.sleeps_too_long(in(4'939'999), kNow));
  // Not if it wakes within the shortest sleep anyway.
  EXPECT_FALSE(policy.sleeps_too_long(in(4'939'999), in(4'900'000)));
}

}  // namespace
}  // namespace drip::datapath
