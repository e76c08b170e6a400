// SPDX-License-Identifier: BSD-3-Clause
// Connects the parts of the cluster to each other.
#include "cluster/redis_cluster.h"

#include <algorithm>

#include "control/model/node_totals.h"

namespace drip::cluster {
namespace {

// Two exchanges a heartbeat: the first reports the demand, the second returns the grant. With a
// slow heartbeat, often enough that a lease outlives one or two lost exchanges.
constexpr std::chrono::milliseconds kLongestSharePeriod{250};

ShareAgentOptions share_options(const MembershipOptions& options, const std::string& incarnation) {
  const ClusterKeys keys(options.cluster_name);
  ShareAgentOptions result;
  result.redis = options.redis;
  result.prefix = keys.prefix;
  result.leader_key = keys.leader;
  result.members_key = keys.members;
  result.node_id = options.node_id;
  result.incarnation = incarnation;
  result.period = std::min(options.heartbeat / 2, kLongestSharePeriod);
  return result;
}

}  // namespace

RedisCluster::RedisCluster(MembershipOptions options, const control::ClusterParts& parts)
    : configuration_(options, incarnation_, parts.configuration),
      membership_(
          options, incarnation_, [this] { return configuration_.applied(); },
          [&buckets = parts.buckets] { return control::totals_of(buckets); },
          [this](const ConfigHead& head) { configuration_.head_seen(head); }),
      shared_buckets_(std::make_unique<RedisSharedBuckets>(
          share_options(options, incarnation_), parts.engine, parts.buckets, [this] {
            const LeaderState state = membership_.leader_state();
            return ShareLeader{state.is_self, state.epoch};
          })) {}

absl::StatusOr<control::ClusterStatus> RedisCluster::status() const {
  control::ClusterStatus status = membership_.status();
  shared_buckets_->write_status(status);
  return status;
}

absl::Status RedisCluster::start() {
  if (absl::Status status = membership_.start(); !status.ok()) return status;
  shared_buckets_->start();
  return absl::OkStatus();
}

void RedisCluster::stop() {
  // The configuration ends first: heartbeats report its changes until membership has stopped.
  configuration_.stop();
  shared_buckets_->stop();
  membership_.stop();
}

}  // namespace drip::cluster
