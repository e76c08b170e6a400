// SPDX-License-Identifier: BSD-3-Clause
// The control plane of one node as the daemon sees it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/model/cluster_view.h"
#include "control/requests/request_registry.h"
#include "control/server/server.h"
#include "drip/v1/bucket.pb.h"
#include "drip/v1/shaper.pb.h"
#include "engine/engine.h"

namespace drip::control {

struct NodeOptions {
  std::string node_id = "node";
  std::string advertise_address;  ///< Where clients reach it; empty: the first it listens on.
  std::string version;
  std::string dpdk_version;
  /// Requests that may wait at one time, each 128 bytes and its id.
  std::size_t max_requests = kDefaultMaxRequests;
  /// What the machine withholds or slows, in words, for GetNode.
  std::vector<std::string> warnings;
  ServerOptions server;
};

/// What a configuration file says, as the messages of the API.
struct NodeConfig {
  std::vector<v1::BucketConfig> buckets;
  bool has_rules = false;  ///< Otherwise the file does not speak of rules.
  v1::RuleSet rules;
};

/// The order of a daemon's life:
///
///   create(), replace_config() with the file, start();
///   replace_config() at each SIGHUP;
///   begin_drain(), Engine::drain_and_stop(), stop(), ~Node.
///
/// The engine must have stopped before ~Node, for requests that wait are the node's memory.
/// All calls are for one thread.
class Node {
 public:
  /// `engine` outlives the node. `make_cluster` is null for a node that runs by itself; otherwise
  /// the node has joined its cluster, or tried to, when this returns.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Node>> create(
      Engine& engine, NodeOptions options, const ClusterFactory& make_cluster = nullptr);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// See Configuration::replace(): all or nothing. The message of a refusal begins with the place,
  /// `buckets[3].leak_rate` or `rules.rules[0].match.src_prefix`, and ": ".
  [[nodiscard]] absl::Status replace_config(const NodeConfig& config);

  /// Begins to serve; the status names the address that cannot be listened on.
  [[nodiscard]] absl::Status start();
  /// In the order of the addresses; 0 for a unix socket. Empty before start().
  [[nodiscard]] std::vector<std::uint16_t> ports() const;

  /// Tells health checks and the cluster that no new work should come. Calls go on being answered.
  void begin_drain();
  /// Ends callers that still wait for their turn and streams with UNAVAILABLE, lets other calls end
  /// for up to `patience`, and serves no more. Does nothing the second time.
  void stop(std::chrono::milliseconds patience);

 private:
  struct Parts;
  explicit Node(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
};

}  // namespace drip::control
