// SPDX-License-Identifier: BSD-3-Clause
// The configuration and the counters of one bucket at one moment.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "control/model/bucket_place.h"
#include "control/model/bucket_sharing.h"
#include "control/model/cluster_view.h"
#include "control/model/shared_buckets.h"
#include "drip/bucket_settings.h"
#include "engine/engine.h"

namespace drip::control {

struct BucketState {
  std::string id;
  std::uint32_t transmitter = 0;
  std::uint32_t moves = 0;  ///< To another transmitter, since it was made.
  BucketSettings settings;
  BucketSharing sharing;
  BucketPlace place;
  std::optional<ShareState> share;  ///< Only for a bucket of scope CLUSTER; see add_share().
  BucketStats stats;
  std::uint64_t revision = 0;  ///< Of the configuration; 0 for a bucket of a per-flow rule.
  /// The rule and the flow of a bucket that a per-flow rule made; empty for other buckets.
  std::string rule_id;
  std::string flow;

  /// Units that were not admitted, for whatever reason.
  [[nodiscard]] std::uint64_t rejected() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t count : stats.rejected) sum += count;
    return sum;
  }
};

/// Sets `state.share` of a bucket of scope CLUSTER.
inline void add_share(const Cluster& cluster, BucketState& state) {
  if (state.sharing.scope != Scope::kCluster) return;
  if (const SharedBuckets* const shared = cluster.shared_buckets()) {
    state.share = shared->share_of(state.id);
  }
}

}  // namespace drip::control
