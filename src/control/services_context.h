// SPDX-License-Identifier: BSD-3-Clause
// What both services answer from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/bucket_listing.h"
#include "control/bucket_registry.h"
#include "control/cluster_view.h"
#include "control/configuration.h"
#include "control/configuration_changes.h"
#include "control/request_registry.h"
#include "control/turn_watch.h"
#include "control/work_thread.h"
#include "core/engine.h"

namespace drip::control {

/// Fixed for the life of the node.
struct NodeFacts {
  std::string node_id;
  std::string version;
  std::string dpdk_version;
  std::int64_t start_epoch_ms = 0;
  std::vector<std::string> warnings;
};

/// Refers to parts of the node, which outlives its services. All of them are thread safe.
struct ServicesContext {
  Engine& engine;
  BucketRegistry& buckets;
  RequestRegistry& requests;
  const Configuration& configuration;  ///< For reading.
  const BucketListing& listing;
  TurnWatch& turns;
  WorkThread& work;
  const Cluster& cluster;
  ConfigurationChanges& changes;  ///< All calls on `change_thread`.
  WorkThread& change_thread;
  const NodeFacts& facts;
};

}  // namespace drip::control
