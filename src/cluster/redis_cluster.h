// SPDX-License-Identifier: BSD-3-Clause
// A node's cluster on Redis: membership, configuration and shared buckets put together.
#pragma once

#include <memory>
#include <string>

#include "cluster/config/shared_configuration.h"
#include "cluster/membership/membership.h"
#include "cluster/redis_shared_buckets.h"
#include "control/model/cluster_view.h"

namespace drip::cluster {

class RedisCluster final : public control::Cluster {
 public:
  RedisCluster(MembershipOptions options, const control::ClusterParts& parts);
  ~RedisCluster() override { RedisCluster::stop(); }

  absl::StatusOr<control::ClusterLeader> leader() const override { return membership_.leader(); }
  absl::StatusOr<control::ClusterStatus> status() const override;

  control::SharedBuckets* shared_buckets() const override { return shared_buckets_.get(); }

  absl::Status start() override;
  void begin_drain() override { membership_.begin_drain(); }
  void stop() override;

  /// Thread safe.
  [[nodiscard]] LeaderState leader_state() const { return membership_.leader_state(); }

  control::ConfigurationChanges* changes() override { return &configuration_; }
  WorkThread* change_thread() override { return &configuration_.thread(); }

 private:
  const std::string incarnation_ = make_incarnation();
  SharedConfiguration configuration_;
  Membership membership_;
  // Stopped before membership_, under whose epoch this node grants shares while it leads.
  const std::unique_ptr<RedisSharedBuckets> shared_buckets_;
};

}  // namespace drip::cluster
