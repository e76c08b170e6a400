// SPDX-License-Identifier: BSD-3-Clause
// Whether a bucket is one node's or the cluster's, how its rate is shared, and what a node does
// when it cannot ask.
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

/// Complete and valid. Of a bucket of scope NODE all but the scope has its default.
struct BucketSharing {
  Scope scope = Scope::kNode;
  Sharing sharing = Sharing::kSplit;
  FailurePolicy failure_policy = FailurePolicy::kSafeShare;
  /// How long an answer may be waited for before the failure policy is applied.
  Duration decide_within = kDefaultDecideWithin;
  /// SPLIT with SAFE_SHARE: the part of the rate that is set aside for safe shares, 0 to 1.
  double safe_reserve = kDefaultSafeReserve;
  /// SPLIT: what a node's demand counts, by node id; 1 for a node that is not named.
  std::map<std::string, std::uint32_t> weights;

  [[nodiscard]] bool exact() const {
    return scope == Scope::kCluster && sharing == Sharing::kExact;
  }
  [[nodiscard]] bool split() const {
    return scope == Scope::kCluster && sharing == Sharing::kSplit;
  }
  friend bool operator==(const BucketSharing&, const BucketSharing&) = default;
};

/// The sharing after the patch, for a bucket that then has `settings`. `present` is null for a
/// bucket that does not exist yet. INVALID_ARGUMENT if a field does not go with the others.
[[nodiscard]] absl::StatusOr<BucketSharing> apply_sharing(const BucketPatch& patch,
                                                          const BucketSettings& settings,
                                                          const BucketSharing* present);
/// Puts all of it into the patch.
void complete_sharing(const BucketSharing& sharing, BucketPatch& patch);

}  // namespace drip::control
