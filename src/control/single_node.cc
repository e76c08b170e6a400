// SPDX-License-Identifier: BSD-3-Clause
// Answers for the node itself.
#include "control/single_node.h"

#include <limits>
#include <optional>

#include "control/epoch_clock.h"

namespace drip::control {

absl::StatusOr<ClusterLeader> SingleNode::leader() const {
  return ClusterLeader{identity_.node_id, identity_.address, 0, true};
}

absl::StatusOr<ClusterStatus> SingleNode::status() const {
  const EpochClock clock(engine_);
  ClusterMember self;
  self.node_id = identity_.node_id;
  self.address = identity_.address;
  self.role = ClusterMember::Role::kLeader;
  self.state = ClusterMember::State::kUp;
  self.last_seen_epoch_ms = clock.epoch_ms(clock.now());
  self.version = identity_.version;
  constexpr auto kAll = std::numeric_limits<std::size_t>::max();
  for (const KnownBucketRef& bucket : buckets_.list("", "", kAll)) {
    const std::optional<BucketState> state = bucket->state();
    if (!state) continue;
    ++self.buckets;
    self.allowed_requests += state->reading.admitted;
    self.rejected_requests += state->rejected();
    self.processed_requests += state->reading.departed;
  }
  self.total_requests = self.allowed_requests + self.rejected_requests;
  return ClusterStatus{false, {self}, 0};
}

}  // namespace drip::control
