// SPDX-License-Identifier: BSD-3-Clause
// Reports the node itself as the only member.
#include "control/config/single_node.h"

#include "control/model/epoch_clock.h"
#include "control/model/node_totals.h"

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
  self.totals = totals_of(buckets_);
  ClusterStatus status;
  status.members.push_back(std::move(self));
  return status;
}

}  // namespace drip::control
