// SPDX-License-Identifier: BSD-3-Clause
// The cluster of a node that belongs to none: one node, which leads.
#pragma once

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "control/config/bucket_registry.h"
#include "control/model/cluster_view.h"
#include "engine/engine.h"

namespace drip::control {

struct NodeIdentity {
  std::string node_id;
  std::string address;  ///< For clients: HOST:PORT or unix:PATH.
  std::string version;
};

class SingleNode final : public Cluster {
 public:
  SingleNode(const Engine& engine, const BucketRegistry& buckets, NodeIdentity identity)
      : engine_(engine), buckets_(buckets), identity_(std::move(identity)) {}

  [[nodiscard]] absl::StatusOr<ClusterLeader> leader() const override;
  [[nodiscard]] absl::StatusOr<ClusterStatus> status() const override;

 private:
  const Engine& engine_;
  const BucketRegistry& buckets_;
  const NodeIdentity identity_;
};

}  // namespace drip::control
