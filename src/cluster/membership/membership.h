// SPDX-License-Identifier: BSD-3-Clause
// This node's place in the cluster: its heartbeat, who else is there, who leads.
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
#include "cluster/redis/cluster_keys.h"
#include "cluster/redis/cluster_log.h"
#include "cluster/redis/redis_link.h"
#include "control/model/cluster_view.h"
#include "drip/v1/rate_limiter.pb.h"

namespace drip::cluster {

struct MembershipOptions {
  RedisOptions redis;
  std::string cluster_name = "drip";
  std::string node_id;
  std::string address;
  std::string version;
  std::chrono::milliseconds heartbeat{100};  ///< 20 ms to 10 s.
  /// A node that was not seen for so long is gone, and another may lead: 100 ms to 60 s, at least
  /// three heartbeats.
  std::chrono::milliseconds lease{700};
};

/// Random and unique: tells two processes with one node id apart.
[[nodiscard]] std::string make_incarnation();

/// What this node tells with its heartbeat about its configuration.
struct AppliedConfig {
  std::string dataset;
  std::uint64_t revision = 0;
  std::string error;  ///< Empty: all of it is in force.
};

struct LeaderState {
  bool is_self = false;
  std::uint64_t epoch = 0;  ///< 0 while none is known.
};

/// One thread, `drip-cluster`, owns the link; all else is thread safe.
class Membership {
 public:
  /// `applied` and `totals` are asked before a heartbeat and `on_head` is told after it, by the
  /// membership's thread; they must not wait.
  Membership(MembershipOptions options, std::string incarnation, Log log,
             std::function<AppliedConfig()> applied, std::function<control::NodeTotals()> totals,
             std::function<void(const ConfigHead&)> on_head);
  ~Membership() { stop(); }
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;

  /// Begins to beat and waits for the first answer: ALREADY_EXISTS if this id stays in use for
  /// longer than a dead node's would. OK when it has joined, or if Redis has not answered within
  /// connect_timeout and command_timeout; it goes on trying then.
  [[nodiscard]] absl::Status start();
  /// Draining from the next heartbeat on, which comes at once; leads no more.
  void begin_drain();
  /// Leaves: within one connect_timeout and command_timeout. Does nothing the second time.
  void stop();

  /// True only while the lease is sure to hold: it is counted from before the heartbeat was sent.
  [[nodiscard]] LeaderState leader_state() const;
  [[nodiscard]] absl::StatusOr<control::ClusterLeader> leader() const;
  [[nodiscard]] control::ClusterStatus status() const;
  [[nodiscard]] const MembershipOptions& options() const { return options_; }

 private:
  struct Member {
    std::string id;
    std::chrono::milliseconds unseen{0};  ///< When the view was made.
    std::chrono::milliseconds lease{0};
    bool draining = false;
    v1::ClusterNode record;
  };
  // What Redis said to one heartbeat.
  struct View {
    bool any = false;
    Deadline sent{};  ///< By which everything in it is at least so old.
    std::int64_t now_ms = 0;
    std::uint64_t epoch = 0;
    std::string leader_id;
    std::string leader_incarnation;
    std::chrono::milliseconds lease_left{0};
    ConfigHead config;
    std::vector<Member> members;
  };

  void run();
  void beat();
  [[nodiscard]] absl::StatusOr<View> ask(bool draining);
  [[nodiscard]] static absl::StatusOr<View> read_view(const RedisReply& reply, Deadline sent);
  void say_what_changed(const View& before, const View& now);
  void leave();
  [[nodiscard]] std::string record();
  [[nodiscard]] std::chrono::milliseconds age() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  [[nodiscard]] bool cut_off() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const MembershipOptions options_;
  const ClusterKeys keys_;
  const std::string incarnation_;
  const Log log_;
  const std::function<AppliedConfig()> applied_;
  const std::function<control::NodeTotals()> totals_of_node_;
  const std::function<void(const ConfigHead&)> on_head_;

  // The thread's own.
  RedisLink link_;
  std::uint64_t highest_epoch_ = 0;
  control::NodeTotals totals_;
  Deadline totals_read_{};

  mutable Mutex mutex_;
  Condition changed_;
  View view_ ABSL_GUARDED_BY(mutex_);
  absl::Status last_ ABSL_GUARDED_BY(mutex_);  // Of the last heartbeat.
  std::uint64_t beats_ ABSL_GUARDED_BY(mutex_) = 0;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool hurry_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  const Deadline begun_ = std::chrono::steady_clock::now();
  std::thread thread_;
};

}  // namespace drip::cluster
