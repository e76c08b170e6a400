// SPDX-License-Identifier: BSD-3-Clause
// The control plane of a node: its whole interface for the daemon.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "access/access_control.h"
#include "access/audit/audit_log.h"
#include "access/tls_files.h"
#include "control/model/cluster_view.h"
#include "control/model/control_process.h"
#include "control/requests/request_pool.h"
#include "control/rpc/calls/services_context.h"
#include "control/server/server.h"
#include "drip/v1/bucket.pb.h"
#include "drip/v1/shaper.pb.h"
#include "engine/engine.h"
#include "state/state_store.h"

namespace drip::control {

struct NodeOptions {
  std::string node_id = "node";
  std::string advertise_address;  ///< For clients; empty: the first listening address.
  std::string version;
  std::string dpdk_version;
  /// Requests that may wait at one time; each takes 128 bytes and its id.
  std::size_t max_requests = kDefaultMaxRequests;
  /// Ids that are known after their requests have left; each takes about 150 bytes and itself.
  std::size_t max_remembered = kDefaultMaxRemembered;
  /// What the machine lacks for full performance; GetNode reports it.
  std::vector<std::string> warnings;
  /// Buckets move to the polling threads at which their packets come in; see BucketMover.
  bool follow_traffic = true;
  /// Packets a second that are sampled for TrafficMonitor; 0: none.
  std::uint32_t traffic_samples = 0;
  bool count_calls = false;  ///< By method and status code; see CallCounts.
  /// Who may do what; null: whoever can connect may do everything.
  std::shared_ptr<access::AccessControl> access;
  ClientLimits client_limits;
  std::shared_ptr<access::TlsFiles> tls;    ///< Null: no TLS.
  std::shared_ptr<access::AuditLog> audit;  ///< Null: none.
  /// Where buckets, rules and the schedules of requests survive a restart; null: nowhere. Not for a
  /// node of a cluster.
  std::shared_ptr<state::StateStore> state;
  /// With server.forwarded; null: nobody counts.
  std::shared_ptr<const ControlProcessCounts> control_process;
  ServerOptions server;  ///< Its `tls` is set by the node.
};

/// The buckets and rules of a configuration file, as messages of the API.
struct NodeConfig {
  std::vector<v1::BucketConfig> buckets;
  bool has_rules = false;  ///< False: the file has no rules section.
  v1::RuleSet rules;
};

/// The daemon's calls, in this order:
///
///   create(), apply_initial_config() with the file, start();
///   replace_config() at each SIGHUP;
///   begin_drain(), Engine::drain_and_stop(), stop(), ~Node.
///
/// The engine must be stopped before ~Node, because the records of waiting requests belong to the
/// node. Not thread safe: one thread makes all calls.
class Node {
 public:
  /// `engine` must outlive the node. `make_cluster` is null for a node that belongs to no cluster;
  /// otherwise this joins the cluster, or returns OK when Redis does not answer (see
  /// Cluster::start()). With a state, buckets and rules are those that it holds;
  /// FAILED_PRECONDITION with what of them this node cannot have.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Node>> create(
      Engine& engine, NodeOptions options, const ClusterFactory& make_cluster = nullptr);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// Applies a configuration file, all or nothing; see Configuration::replace(). The text of an
  /// error begins with the field, `buckets[3].leak_rate` or `rules.rules[0].match.src_prefix`, and
  /// ": ".
  [[nodiscard]] absl::Status replace_config(const NodeConfig& config);
  /// The same at the start. A file that is the one which was applied last, as the state has it, is
  /// not applied again, so that what was changed since stands.
  [[nodiscard]] absl::Status apply_initial_config(const NodeConfig& config);

  /// Reads the files of tokens and TLS again if they have changed, as the node does by itself about
  /// once a second.
  void reload_access();

  /// Begins to take packets and RPCs. Errors are those of listen_on().
  [[nodiscard]] absl::Status start();
  /// The bound ports in the order of the addresses; 0 for a Unix socket. Empty before start().
  [[nodiscard]] std::vector<std::uint16_t> ports() const;

  /// See Server, for server.forwarded. REQUIRES: start().
  [[nodiscard]] std::span<const Listener> listeners() const;
  void connect(FileDescriptor socket);

  /// What the services answer from, for others that show it; as long as the node exists.
  [[nodiscard]] const ServicesContext& context() const;
  /// Null without NodeOptions::count_calls.
  [[nodiscard]] const CallCounts* call_counts() const;

  /// Tells health checks and the cluster that the node is draining. RPCs are still answered.
  void begin_drain();
  /// Ends AwaitTurn calls and streams with UNAVAILABLE, waits up to `patience` for other calls, and
  /// stops the server. A second call does nothing.
  void stop(std::chrono::milliseconds patience);

 private:
  struct Parts;
  explicit Node(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace drip::control
