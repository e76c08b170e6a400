// SPDX-License-Identifier: BSD-3-Clause
// The policies, side by side.
#include "cluster/shares/share_policy.h"

namespace drip::cluster {

using control::FailurePolicy;
using control::PolicyState;

PolicyState policy_state(FailurePolicy policy, bool unreachable, bool lease_over) {
  if (!unreachable && !lease_over) return PolicyState::kShared;
  switch (policy) {
    case FailurePolicy::kClosed:
      return PolicyState::kClosed;
    case FailurePolicy::kSafeShare:
      return PolicyState::kSafeShare;
    case FailurePolicy::kLastShare:
      return lease_over ? PolicyState::kClosed : PolicyState::kLastShare;
    case FailurePolicy::kOpen:
      return PolicyState::kOpen;
  }
  return PolicyState::kClosed;
}

const char* description_of(PolicyState state) {
  switch (state) {
    case PolicyState::kShared:
      return "its share of the rate";
    case PolicyState::kSafeShare:
      return "its safe share";
    case PolicyState::kLastShare:
      return "its last share, until the lease ends";
    case PolicyState::kClosed:
      return "nothing (closed)";
    case PolicyState::kOpen:
      return "the full rate (open)";
  }
  return "";
}

RateLease lease_by(FailurePolicy policy, PolicyState state, const Share& share,
                   const LeasedRates& rates) {
  RateLease lease;
  lease.share = part_of(share.rates, share.leased + share.safe);
  switch (policy) {
    case FailurePolicy::kSafeShare:
      lease.fallback = part_of(share.rates, share.safe);
      break;
    case FailurePolicy::kOpen:
      lease.fallback = rates;
      lease.fallback_ends = false;
      break;
    case FailurePolicy::kClosed:
    case FailurePolicy::kLastShare:
      break;
  }
  // Redis is unreachable: the policy is applied before the lease ends.
  if (state != PolicyState::kShared && state != PolicyState::kLastShare) {
    lease.share = lease.fallback;
  }
  return lease;
}

}  // namespace drip::cluster
