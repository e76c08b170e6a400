// SPDX-License-Identifier: BSD-3-Clause
// Membership of the cluster: this node's heartbeat, the list of members, the leader.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "cluster/membership/config_head.h"
#include "cluster/membership/heartbeat_view.h"
#include "cluster/redis/cluster_keys.h"
#include "cluster/redis/redis_link.h"
#include "control/model/cluster_view.h"

namespace drip::cluster {

struct MembershipOptions {
  RedisOptions redis;
  std::string cluster_name = "drip";
  std::string node_id;
  std::string address;
  std::string version;
  std::chrono::milliseconds heartbeat{100};  ///< 20 ms to 10 s.
  /// A node without a heartbeat for so long counts as departed, and another may lead: 100 ms to
  /// 60 s, at least three heartbeats.
  std::chrono::milliseconds lease{700};
};

/// Random and unique: distinguishes two processes with the same node id.
[[nodiscard]] std::string make_incarnation();

/// The state of this node's configuration, as its heartbeat reports it.
struct AppliedConfig {
  std::string dataset;
  std::uint64_t revision = 0;
  std::string error;  ///< Empty if all of it was applied.
};

struct LeaderState {
  bool is_self = false;
  std::uint64_t epoch = 0;  ///< 0 while none is known.
};

/// The thread `drip-cluster` owns the link; the public functions are thread safe.
class Membership {
 public:
  /// The thread calls `applied` and `totals` before each heartbeat and `on_head` after it; they
  /// must not block.
  Membership(MembershipOptions options, std::string incarnation,
             std::function<AppliedConfig()> applied, std::function<control::NodeTotals()> totals,
             std::function<void(const ConfigHead&)> on_head);
  ~Membership() { stop(); }
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;

  /// Sends heartbeats from now on and waits for the first reply. ALREADY_EXISTS if the id stays in
  /// use for longer than a dead node's lease. OK when it has joined, or if Redis has not answered
  /// within connect_timeout and command_timeout; it keeps trying then.
  [[nodiscard]] absl::Status start();
  /// Sends a heartbeat at once that reports this node as draining and gives up the leadership.
  void begin_drain();
  /// Leaves the cluster, within one connect_timeout and command_timeout. Idempotent.
  void stop();

  /// `is_self` only while the lease certainly holds: it counts from before the heartbeat was sent.
  [[nodiscard]] LeaderState leader_state() const;
  [[nodiscard]] absl::StatusOr<control::ClusterLeader> leader() const;
  [[nodiscard]] control::ClusterStatus status() const;
  [[nodiscard]] const MembershipOptions& options() const { return options_; }

 private:
  void run();
  void update_view();
  [[nodiscard]] absl::StatusOr<HeartbeatView> send_heartbeat(bool draining);
  void check_server_once();
  void log_leader_change(const HeartbeatView& before, const HeartbeatView& now);
  void leave();
  [[nodiscard]] std::string record();
  [[nodiscard]] std::chrono::milliseconds age() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  [[nodiscard]] bool cut_off() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const MembershipOptions options_;
  const ClusterKeys keys_;
  const std::string incarnation_;
  const std::function<AppliedConfig()> applied_;
  const std::function<control::NodeTotals()> totals_of_node_;
  const std::function<void(const ConfigHead&)> on_head_;

  // Used by the thread only.
  RedisLink link_;
  std::uint64_t checked_connection_ = 0;  // RedisLink::connections() when check_server() was done.
  std::uint64_t highest_epoch_ = 0;
  control::NodeTotals totals_;
  Deadline totals_read_{};

  mutable Mutex mutex_;
  Condition changed_;
  HeartbeatView view_ ABSL_GUARDED_BY(mutex_);
  absl::Status last_status_ ABSL_GUARDED_BY(mutex_);           // Of the last heartbeat.
  std::vector<std::string> warnings_ ABSL_GUARDED_BY(mutex_);  // Of the server that was joined.
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool heartbeat_now_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  const Deadline begun_ = std::chrono::steady_clock::now();
  std::thread thread_;
};

}  // namespace drip::cluster
