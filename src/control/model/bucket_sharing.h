// SPDX-License-Identifier: BSD-3-Clause
// How a bucket is shared among the nodes of a cluster, and what a node does while Redis does not
// answer.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "control/model/bucket_patch.h"
#include "drip/bucket_settings.h"
#include "drip/time.h"

namespace drip::control {

inline constexpr Duration kDefaultDecideWithin{50'000'000};
inline constexpr Duration kMinDecideWithin{5'000'000};
inline constexpr Duration kMaxDecideWithin{10'000'000'000};
inline constexpr double kDefaultSafeReserve = 0.1;
inline constexpr std::uint32_t kMaxShareWeight = 1000;

/// Complete and valid. For a bucket of scope NODE all fields but the scope have their defaults.
struct BucketSharing {
  Scope scope = Scope::kNode;
  Sharing sharing = Sharing::kSplit;
  FailurePolicy failure_policy = FailurePolicy::kSafeShare;
  /// How long a call waits for Redis before the failure policy is applied.
  Duration decide_within = kDefaultDecideWithin;
  /// SPLIT with SAFE_SHARE: the part of the rate that is reserved for safe shares, 0 to 1.
  double safe_reserve = kDefaultSafeReserve;
  /// SPLIT: the weight of a node's demand, by node id; 1 for other nodes.
  std::map<std::string, std::uint32_t> weights;

  /// One queue in Redis.
  [[nodiscard]] bool exact() const {
    return scope == Scope::kCluster && sharing == Sharing::kExact;
  }
  /// Leased shares of the rate.
  [[nodiscard]] bool split() const {
    return scope == Scope::kCluster && sharing == Sharing::kSplit;
  }
  friend bool operator==(const BucketSharing&, const BucketSharing&) = default;
};

/// Returns what the patch makes of `present`, for a bucket whose settings after the patch are
/// `settings`. For a new bucket `present` is null. INVALID_ARGUMENT if a field contradicts another.
[[nodiscard]] absl::StatusOr<BucketSharing> apply_sharing(const BucketPatch& patch,
                                                          const BucketSettings& settings,
                                                          const BucketSharing* present);
/// Sets every field of `patch` that `sharing` has.
void complete_sharing(const BucketSharing& sharing, BucketPatch& patch);

}  // namespace drip::control
