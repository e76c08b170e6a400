// SPDX-License-Identifier: BSD-3-Clause
// What a node can tell of the cluster that it is in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "control/shared_buckets.h"

namespace drip::control {

struct ClusterLeader {
  std::string node_id;
  std::string address;
  std::uint64_t epoch = 0;  ///< Grows with each change of leader; 0 on a single node.
  bool is_self = false;
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
  std::uint64_t buckets = 0;
  /// Over the buckets that are configured now.
  std::uint64_t total_requests = 0;
  std::uint64_t allowed_requests = 0;
  std::uint64_t rejected_requests = 0;
  std::uint64_t processed_requests = 0;
};

struct ClusterStatus {
  bool clustered = false;
  std::vector<ClusterMember> members;
  std::uint64_t epoch = 0;
};

/// Thread safe. Answers from what it knows, without waiting for another machine.
class Cluster {
 public:
  virtual ~Cluster() = default;

  /// UNAVAILABLE while there is no leader.
  [[nodiscard]] virtual absl::StatusOr<ClusterLeader> leader() const = 0;
  [[nodiscard]] virtual absl::StatusOr<ClusterStatus> status() const = 0;
  /// Null where there is no cluster.
  [[nodiscard]] virtual SharedBuckets* shared_buckets() const { return nullptr; }
};

}  // namespace drip::control
