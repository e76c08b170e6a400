// SPDX-License-Identifier: BSD-3-Clause
// Applies a patch to how a bucket is shared.
#include "control/model/bucket_sharing.h"

#include "base/errors.h"
#include "base/text.h"

namespace drip::control {
namespace {

// A field that has no meaning for a bucket of scope NODE is an error; it is not ignored.
absl::Status check_scope(const BucketPatch& patch) {
  const auto error = [&](std::string_view field) {
    return not_allowed(joined(patch.path, field), "a value",
                       "none, for the bucket's scope is NODE; set scope to CLUSTER as well");
  };
  if (patch.sharing) return error("sharing");
  if (patch.failure_policy) return error("failure_policy");
  if (patch.decide_within) return error("decide_within_ns");
  if (patch.safe_reserve) return error("safe_reserve");
  if (!patch.weights.empty()) return error("weights");
  return absl::OkStatus();
}

absl::Status check_exact(const BucketPatch& patch, const BucketSettings& settings,
                         const BucketSharing& sharing) {
  if (settings.bits_per_second > 0) {
    return not_allowed(joined(patch.path, "sharing"), "SHARING_EXACT",
                       "SHARING_SPLIT where leak_rate_bps is set: an exact bucket asks Redis for "
                       "each unit, which no packet waits for");
  }
  if (settings.capacity_bytes > 0) {
    return not_allowed(joined(patch.path, "capacity_bytes"), joined(settings.capacity_bytes),
                       "0 with SHARING_EXACT, which counts requests and not their bytes");
  }
  if (!settings.queue.is_plain()) {
    return not_allowed(joined(patch.path, "queue"), "a fair queue, tins or an AQM",
                       "none with SHARING_EXACT, which is for requests");
  }
  if (sharing.failure_policy == FailurePolicy::kSafeShare ||
      sharing.failure_policy == FailurePolicy::kLastShare) {
    return not_allowed(joined(patch.path, "failure_policy"),
                       sharing.failure_policy == FailurePolicy::kSafeShare
                           ? "FAILURE_POLICY_SAFE_SHARE"
                           : "FAILURE_POLICY_LAST_SHARE",
                       "FAILURE_POLICY_CLOSED or FAILURE_POLICY_OPEN with SHARING_EXACT, for "
                       "which no node has a share");
  }
  if (patch.safe_reserve) {
    return not_allowed(joined(patch.path, "safe_reserve"), joined(*patch.safe_reserve),
                       "none with SHARING_EXACT, for which no node has a share");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<BucketSharing> apply_sharing(const BucketPatch& patch,
                                            const BucketSettings& settings,
                                            const BucketSharing* present) {
  BucketSharing sharing = present != nullptr ? *present : BucketSharing{};
  const bool was_shared = sharing.scope == Scope::kCluster;
  sharing.scope = patch.scope.value_or(sharing.scope);
  if (sharing.scope == Scope::kNode) {
    if (absl::Status status = check_scope(patch); !status.ok()) return status;
    return BucketSharing{};
  }
  const Sharing before = sharing.sharing;
  sharing.sharing = patch.sharing.value_or(was_shared                     ? before
                                           : settings.bits_per_second > 0 ? Sharing::kSplit
                                                                          : Sharing::kExact);
  if (patch.failure_policy) {
    sharing.failure_policy = *patch.failure_policy;
  } else if (!was_shared || sharing.sharing != before) {
    sharing.failure_policy =
        sharing.sharing == Sharing::kExact ? FailurePolicy::kClosed : FailurePolicy::kSafeShare;
  }
  sharing.decide_within = patch.decide_within.value_or(sharing.decide_within);
  sharing.safe_reserve = patch.safe_reserve.value_or(sharing.safe_reserve);
  for (const auto& [node, weight] : patch.weights) sharing.weights[node] = weight;
  if (sharing.sharing == Sharing::kExact) {
    if (absl::Status status = check_exact(patch, settings, sharing); !status.ok()) return status;
  }
  return sharing;
}

void complete_sharing(const BucketSharing& sharing, BucketPatch& patch) {
  patch.scope = sharing.scope;
  if (sharing.scope == Scope::kNode) return;
  patch.sharing = sharing.sharing;
  patch.failure_policy = sharing.failure_policy;
  patch.decide_within = sharing.decide_within;
  if (sharing.sharing == Sharing::kSplit) patch.safe_reserve = sharing.safe_reserve;
  patch.weights = sharing.weights;
}

}  // namespace drip::control
