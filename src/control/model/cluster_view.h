// SPDX-License-Identifier: BSD-3-Clause
// The interface to the cluster that the node belongs to.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/model/node_totals.h"
#include "control/model/shared_buckets.h"

namespace drip {
class WorkThread;
}

namespace drip::control {

class BucketRegistry;
class Configuration;
class ConfigurationChanges;

struct ClusterLeader {
  std::string node_id;
  std::string address;
  std::uint64_t epoch = 0;  ///< Grows with each change of leader; 0 on a single node.
  bool is_self = false;
  std::chrono::milliseconds knowledge_age{0};  ///< How long ago the cluster last confirmed it.
};

struct ClusterMember {
  enum class Role : std::uint8_t { kLeader, kFollower };
  enum class State : std::uint8_t { kUp, kDraining, kUnknown };

  std::string node_id;
  std::string address;
  Role role = Role::kFollower;
  State state = State::kUnknown;
  std::int64_t last_seen_epoch_ms = 0;
  std::string version;
  NodeTotals totals;
  std::uint64_t config_revision = 0;  ///< Of the cluster's configuration that the node applied.
  std::string config_error;           ///< What the node could not apply of it; empty if nothing.
};

struct ClusterStatus {
  bool clustered = false;
  std::vector<ClusterMember> members;  ///< In order of node_id.
  std::uint64_t epoch = 0;
  /// False: the node cannot reach Redis. All states are kUnknown, and everything else is
  /// `knowledge_age` old.
  bool connected = true;
  std::chrono::milliseconds knowledge_age{0};
  /// From the last heartbeat that was answered to the answer; 0: none was.
  std::chrono::nanoseconds redis_round_trip{0};
  std::string cut_off_reason;
  std::uint64_t config_revision = 0;
  std::vector<std::string> warnings;  ///< Sentences for the operator.
  /// Steps of Redis's clock that this node has noticed since it started, and the last one.
  std::uint64_t redis_clock_steps = 0;
  Duration redis_clock_last_step;
};

/// What control needs of a cluster: who leads, the shared buckets, and where changes of the
/// configuration are carried out.
class Cluster {
 public:
  virtual ~Cluster() = default;

  // Thread safe. They answer from memory and do not wait for another machine.

  /// UNAVAILABLE while there is no leader, or while the node cannot reach Redis.
  [[nodiscard]] virtual absl::StatusOr<ClusterLeader> leader() const = 0;
  [[nodiscard]] virtual absl::StatusOr<ClusterStatus> status() const = 0;
  /// Null for a node that belongs to no cluster.
  [[nodiscard]] virtual SharedBuckets* shared_buckets() const { return nullptr; }

  // Start and stop, all called by the thread that calls Node. Each returns within a bounded time,
  // also when Redis does not answer.

  /// ALREADY_EXISTS if another node has the same id. OK if Redis cannot be reached.
  [[nodiscard]] virtual absl::Status start() { return absl::OkStatus(); }
  /// Tells the other nodes that this one is draining, and gives up leadership.
  virtual void begin_drain() {}
  /// Leaves the cluster. Afterwards no part of the node is used any more.
  virtual void stop() {}

  /// What carries out changes of the configuration, and the thread on which it does. Both null: the
  /// node's own.
  [[nodiscard]] virtual ConfigurationChanges* changes() { return nullptr; }
  [[nodiscard]] virtual WorkThread* change_thread() { return nullptr; }
};

/// The parts of a node that its cluster uses. They outlive the cluster.
struct ClusterParts {
  Engine& engine;
  BucketRegistry& buckets;
  Configuration& configuration;
};

using ClusterFactory = std::function<std::unique_ptr<Cluster>(const ClusterParts&)>;

}  // namespace drip::control
