// SPDX-License-Identifier: BSD-3-Clause
// A change of one bucket's settings, in which any field may be absent.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "drip/bucket_settings.h"

namespace drip::control {

enum class Scope : std::uint8_t {
  kNode,     ///< Each node its own queue at the full rate.
  kCluster,  ///< One rate for all.
};
enum class Sharing : std::uint8_t {
  kExact,  ///< The queue is in Redis.
  kSplit,  ///< Each node has a queue of its own and a share of the rate.
};
/// What a node does while it cannot ask Redis.
enum class FailurePolicy : std::uint8_t {
  kClosed,     ///< Lets nothing go.
  kSafeShare,  ///< Leaks at a share that is set aside for this.
  kLastShare,  ///< Leaks at its share until the lease ends, then nothing.
  kOpen,       ///< Leaks at the full rate.
};

/// Each field that is set is within its own range; see drip/v1/bucket.proto for what absence means.
struct BucketPatch {
  std::string id;
  /// Where it stands in the request, for messages: empty, or with a dot at its end, "buckets[3].".
  std::string path;
  std::optional<std::uint32_t> capacity;
  std::optional<double> units_per_second;  ///< 0 removes the rate.
  std::optional<double> bits_per_second;   ///< 0 removes the rate.
  std::optional<std::uint64_t> capacity_bytes;
  std::optional<std::int32_t> overhead_bytes;
  std::optional<std::uint32_t> min_frame_bytes;
  std::optional<Departure> departure;
  std::optional<Duration> max_catchup;
  // See control/model/bucket_sharing.h.
  std::optional<Scope> scope;
  std::optional<Sharing> sharing;
  std::optional<FailurePolicy> failure_policy;
  std::optional<Duration> decide_within;
  std::optional<double> safe_reserve;
  std::map<std::string, std::uint32_t> weights;  ///< A node that is not named keeps its own.
  /// Which revision of the bucket this is to change; 0: it must not exist.
  std::optional<std::uint64_t> expected_revision;
};

/// The settings after the patch. `present` is null for a bucket that does not exist yet; absent
/// fields then take their defaults. INVALID_ARGUMENT if a field is missing on a new bucket, or if
/// no rate would be left.
[[nodiscard]] absl::StatusOr<BucketSettings> apply_patch(const BucketPatch& patch,
                                                         const BucketSettings* present);

}  // namespace drip::control
