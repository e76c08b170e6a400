// SPDX-License-Identifier: BSD-3-Clause
// What a bucket's failure policy makes of the share that a node holds.
#pragma once

#include "cluster/shares/share.h"
#include "control/model/bucket_patch.h"
#include "control/model/shared_buckets.h"
#include "engine/engine.h"

namespace drip::cluster {

/// `away`: Redis has not answered for longer than the bucket's `decide_within`.
[[nodiscard]] control::PolicyState policy_state(control::FailurePolicy policy, bool away,
                                                bool lease_over);
/// "leaks " ...
[[nodiscard]] const char* in_words(control::PolicyState state);

/// What the engine shall leak, until the lease ends and after it. `rates`: the bucket's own, which
/// an open one goes back to.
[[nodiscard]] RateLease lease_by(control::FailurePolicy policy, control::PolicyState state,
                                 const Share& share, const LeasedRates& rates);

}  // namespace drip::cluster
