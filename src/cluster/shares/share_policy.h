// SPDX-License-Identifier: BSD-3-Clause
// Failure policies: the rate that a node leaks by its share while Redis is unreachable.
#pragma once

#include "cluster/shares/lease/share.h"
#include "control/model/bucket_patch.h"
#include "control/model/shared_buckets.h"
#include "engine/engine.h"

namespace drip::cluster {

/// `unreachable`: Redis has not answered for longer than the bucket's `decide_within`.
[[nodiscard]] control::PolicyState policy_state(control::FailurePolicy policy, bool unreachable,
                                                bool lease_over);
/// Completes the log line "bucket B: leaks ..."
[[nodiscard]] const char* description_of(control::PolicyState state);

/// The rates for the engine, until the lease ends and after it. `rates`: the bucket's own, which
/// the policy `open` falls back to.
[[nodiscard]] RateLease lease_by(control::FailurePolicy policy, control::PolicyState state,
                                 const Share& share, const LeasedRates& rates);

}  // namespace drip::cluster
