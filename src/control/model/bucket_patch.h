// SPDX-License-Identifier: BSD-3-Clause
// A change of one bucket's settings, in which any field may be absent.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "control/model/bucket_queue.h"
#include "drip/bucket_settings.h"

namespace drip::control {

enum class Scope : std::uint8_t {
  kNode,     ///< Each node has a queue of its own, which leaks at the full rate.
  kCluster,  ///< All nodes of the cluster together leak at the rate.
};
/// How the nodes share the rate of a bucket of scope CLUSTER.
enum class Sharing : std::uint8_t {
  kExact,  ///< One queue, in Redis.
  kSplit,  ///< Each node has a queue of its own and leases a share of the rate.
};
/// What a node does with a bucket of scope CLUSTER while Redis does not answer.
enum class FailurePolicy : std::uint8_t {
  kClosed,     ///< Nothing leaks.
  kSafeShare,  ///< Leaks at a share of the rate that is reserved for this case.
  kLastShare,  ///< Leaks at its last share until the lease ends; then nothing leaks.
  kOpen,       ///< Leaks at the full rate.
};

/// Ranges and units are those of BucketConfig in drip/v1/bucket.proto, which also says what an
/// absent field means. Each field that is set is within its own range.
struct BucketPatch {
  std::string id;
  /// The path of the message in the request, for the text of errors: empty, or "buckets[3].".
  std::string path;
  std::optional<std::uint32_t> capacity;
  std::optional<double> units_per_second;  ///< 0 removes the rate.
  std::optional<double> bits_per_second;   ///< 0 removes the rate.
  std::optional<std::uint64_t> capacity_bytes;
  std::optional<std::int32_t> overhead_bytes;
  std::optional<std::uint32_t> min_frame_bytes;
  std::optional<Departure> departure;
  std::optional<Duration> max_catchup;
  // See control/model/bucket_place.h.
  std::optional<bool> inner;
  std::optional<std::string> parent_id;  ///< Empty: out of its tree.
  std::optional<double> guaranteed_units_per_second;
  std::optional<double> guaranteed_bits_per_second;
  std::optional<std::uint32_t> weight;
  std::optional<std::uint32_t> priority;
  std::optional<Duration> tolerance;
  std::optional<bool> spread;
  QueuePatch queue;
  // See control/model/bucket_sharing.h.
  std::optional<Scope> scope;
  std::optional<Sharing> sharing;
  std::optional<FailurePolicy> failure_policy;
  std::optional<Duration> decide_within;
  std::optional<double> safe_reserve;
  std::map<std::string, std::uint32_t> weights;  ///< By node id; other nodes keep their weight.
  /// The revision that the bucket must be at; 0: it must not exist.
  std::optional<std::uint64_t> expected_revision;
};

/// Returns the settings that the patch makes of `present`. For a new bucket `present` is null, and
/// absent fields get their defaults. `inner`: whether it is an inner node of a tree, which has no
/// capacity and need not have a rate. INVALID_ARGUMENT if a new bucket lacks a required field or if
/// the bucket would have no rate.
[[nodiscard]] absl::StatusOr<BucketSettings> apply_patch(const BucketPatch& patch,
                                                         const BucketSettings* present,
                                                         bool inner = false);

}  // namespace drip::control
