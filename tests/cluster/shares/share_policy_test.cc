// SPDX-License-Identifier: BSD-3-Clause
// Each failure policy, with Redis reachable, unreachable, and unreachable for longer than the
// lease.
#include "cluster/shares/share_policy.h"

#include <gtest/gtest.h>

#include "cluster/shares/lease/rate_division.h"

namespace drip::cluster {
namespace {

using control::FailurePolicy;
using control::PolicyState;

constexpr LeasedRates kRates{1000, 8e6};
constexpr Share kShare{kWholeRate / 2, kWholeRate / 8, kRates};

TEST(SharePolicy, StatesOfAllPolicies) {
  struct Row {
    FailurePolicy policy;
    PolicyState unreachable, over;
  };
  for (const auto& [policy, unreachable, over] :
       {Row{FailurePolicy::kClosed, PolicyState::kClosed, PolicyState::kClosed},
        Row{FailurePolicy::kSafeShare, PolicyState::kSafeShare, PolicyState::kSafeShare},
        Row{FailurePolicy::kLastShare, PolicyState::kLastShare, PolicyState::kClosed},
        Row{FailurePolicy::kOpen, PolicyState::kOpen, PolicyState::kOpen}}) {
    EXPECT_EQ(policy_state(policy, false, false), PolicyState::kShared);
    EXPECT_EQ(policy_state(policy, true, false), unreachable);
    EXPECT_EQ(policy_state(policy, true, true), over);
    EXPECT_EQ(policy_state(policy, false, true), over) << "no lease is no decision of the cluster";
  }
}

TEST(SharePolicy, SharedLeaksTheShareAndFallsBackByThePolicy) {
  const LeasedRates all{625, 5e6};
  for (const auto policy : {FailurePolicy::kClosed, FailurePolicy::kSafeShare,
                            FailurePolicy::kLastShare, FailurePolicy::kOpen}) {
    EXPECT_EQ(lease_by(policy, PolicyState::kShared, kShare, kRates).share, all);
  }
  const auto after = [](FailurePolicy policy) {
    return lease_by(policy, PolicyState::kShared, kShare, kRates);
  };
  EXPECT_TRUE(after(FailurePolicy::kClosed).fallback.none());
  EXPECT_TRUE(after(FailurePolicy::kLastShare).fallback.none());
  EXPECT_EQ(after(FailurePolicy::kSafeShare).fallback, (LeasedRates{125, 1e6}));
  EXPECT_TRUE(after(FailurePolicy::kSafeShare).fallback_ends);
  EXPECT_EQ(after(FailurePolicy::kOpen).fallback, kRates);
  EXPECT_FALSE(after(FailurePolicy::kOpen).fallback_ends);
}

TEST(SharePolicy, IsAppliedBeforeTheLeaseEndsButForTheLastShare) {
  EXPECT_TRUE(lease_by(FailurePolicy::kClosed, PolicyState::kClosed, kShare, kRates).share.none());
  EXPECT_EQ(lease_by(FailurePolicy::kSafeShare, PolicyState::kSafeShare, kShare, kRates).share,
            (LeasedRates{125, 1e6}));
  EXPECT_EQ(lease_by(FailurePolicy::kOpen, PolicyState::kOpen, kShare, kRates).share, kRates);
  EXPECT_EQ(lease_by(FailurePolicy::kLastShare, PolicyState::kLastShare, kShare, kRates).share,
            (LeasedRates{625, 5e6}));
}

}  // namespace
}  // namespace drip::cluster
