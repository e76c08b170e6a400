// SPDX-License-Identifier: BSD-3-Clause
// All that is known of one bucket at one moment.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "control/model/bucket_sharing.h"
#include "control/model/cluster_view.h"
#include "control/model/shared_buckets.h"
#include "drip/bucket_settings.h"
#include "engine/engine.h"

namespace drip::control {

struct BucketState {
  std::string id;
  std::uint32_t transmitter = 0;
  BucketSettings settings;
  BucketSharing sharing;
  std::optional<ShareState> share;  ///< Of a bucket of scope CLUSTER.
  BucketStats reading;
  std::uint64_t revision = 0;  ///< Of its configuration; 0 for one that a per-flow rule made.
  /// Of a bucket that a per-flow rule made; empty otherwise.
  std::string rule_id;
  std::string flow;

  [[nodiscard]] std::uint64_t rejected() const {
    std::uint64_t sum = 0;
    for (const std::uint64_t count : reading.rejected) sum += count;
    return sum;
  }
};

/// Tells what the cluster knows of it.
inline void add_share(const Cluster& cluster, BucketState& state) {
  if (state.sharing.scope != Scope::kCluster) return;
  if (const SharedBuckets* const shared = cluster.shared_buckets()) {
    state.share = shared->share_of(state.id);
  }
}

}  // namespace drip::control
