// SPDX-License-Identifier: BSD-3-Clause
// What both services answer from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "access/access_control.h"
#include "access/audit/audit_trail.h"
#include "access/tls_files.h"
#include "base/work_thread.h"
#include "control/config/bucket_listing.h"
#include "control/config/bucket_registry.h"
#include "control/config/configuration.h"
#include "control/config/configuration_changes.h"
#include "control/model/cluster_view.h"
#include "control/model/control_process.h"
#include "control/requests/remembered_ids.h"
#include "control/rpc/clients/client_table.h"
#include "engine/engine.h"
#include "state/state_store.h"

namespace drip::control {

class TrafficMonitor;

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
  const RememberedIds& remembered;
  BucketRegistry& buckets;
  const Configuration& configuration;  ///< For reading.
  const BucketListing& listing;
  WorkThread& work;
  const Cluster& cluster;
  ConfigurationChanges& changes;  ///< All calls on `change_thread`.
  WorkThread& change_thread;
  const NodeFacts& facts;
  const access::AccessControl& access;
  ClientTable& clients;
  const access::TlsFiles* tls;  ///< Null without TLS.
  access::AuditTrail& audit;
  const state::StateStore* state = nullptr;  ///< Null without a state directory.
  const TrafficMonitor* traffic = nullptr;   ///< Null if no packets are sampled.
  bool forwarded = false;                    ///< See ServerOptions.
  /// Null: control is in this process.
  const ControlProcessCounts* control_process = nullptr;
};

}  // namespace drip::control
