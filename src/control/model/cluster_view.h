// SPDX-License-Identifier: BSD-3-Clause
// What a node can tell of the cluster that it is in.
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

namespace drip::control {

class BucketRegistry;
class Configuration;
class ConfigurationChanges;
class WorkThread;

struct ClusterLeader {
  std::string node_id;
  std::string address;
  std::uint64_t epoch = 0;  ///< Grows with each change of leader; 0 on a single node.
  bool is_self = false;
  std::chrono::milliseconds knowledge_age{0};  ///< Since the cluster last said so.
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
  std::uint64_t config_revision = 0;  ///< Of the cluster's configuration, as far as it is applied.
  std::string config_error;           ///< What of it the node could not apply; empty if nothing.
};

struct ClusterStatus {
  bool clustered = false;
  std::vector<ClusterMember> members;  ///< In order of node_id.
  std::uint64_t epoch = 0;
  /// False: the node is cut off from the cluster, all states are kUnknown, and all else is as it
  /// was `knowledge_age` ago.
  bool connected = true;
  std::chrono::milliseconds knowledge_age{0};
  std::string cut_off_reason;
  std::uint64_t config_revision = 0;
};

class Cluster {
 public:
  virtual ~Cluster() = default;

  // Thread safe. They answer from what is known, without waiting for another machine.

  /// UNAVAILABLE while there is no leader, or while the node is cut off and cannot know.
  [[nodiscard]] virtual absl::StatusOr<ClusterLeader> leader() const = 0;
  [[nodiscard]] virtual absl::StatusOr<ClusterStatus> status() const = 0;
  /// Null where there is no cluster.
  [[nodiscard]] virtual SharedBuckets* shared_buckets() const { return nullptr; }

  // The node's life, each from its one thread and within a stated bound, whatever the cluster does.

  /// ALREADY_EXISTS if another node has this one's id. OK if the cluster cannot be reached.
  [[nodiscard]] virtual absl::Status start() { return absl::OkStatus(); }
  /// Says so to the others, and leads no more.
  virtual void begin_drain() {}
  /// Leaves. Nothing of the node is used after it.
  virtual void stop() {}

  /// Where changes of the configuration go, and the thread that carries them out; both null if the
  /// node's own do.
  [[nodiscard]] virtual ConfigurationChanges* changes() { return nullptr; }
  [[nodiscard]] virtual WorkThread* change_thread() { return nullptr; }
};

/// The parts of a node that its cluster works on. They outlive it.
struct ClusterParts {
  Engine& engine;
  BucketRegistry& buckets;
  Configuration& configuration;
};

using ClusterFactory = std::function<std::unique_ptr<Cluster>(const ClusterParts&)>;

}  // namespace drip::control
