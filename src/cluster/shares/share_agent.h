// SPDX-License-Identifier: BSD-3-Clause
// The node's agent for leased shares: measures demand, exchanges it with Redis for shares, applies
// them to the engine; the leader's agent also runs the allocator.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "cluster/redis/redis_link.h"
#include "cluster/shares/leased_group.h"
#include "cluster/shares/policy_log.h"
#include "cluster/shares/share_granter.h"
#include "cluster/shares/share_states.h"
#include "cluster/shares/store/share_link.h"
#include "cluster/shares/store/share_scripts.h"
#include "cluster/shares/store/share_snapshots.h"
#include "control/config/bucket_registry.h"
#include "control/model/shared_buckets.h"
#include "engine/engine.h"

namespace drip::cluster {

struct ShareAgentOptions {
  RedisOptions redis;
  std::string prefix;      ///< Of all keys of the cluster.
  std::string leader_key;  ///< Whose epoch fences what the leader writes.
  std::string members_key;
  std::string node_id;
  std::string incarnation;
  /// Between two rounds of exchanges; longer while they take long.
  std::chrono::milliseconds period{50};
  LeaseTiming timing;
};

struct ShareLeader {
  bool is_self = false;
  std::uint64_t epoch = 0;
};

/// One thread, `drip-shares`, with its own link. Each round it looks at arrivals, and makes
/// exchanges of the groups of buckets in which something has changed; the others' leases are
/// renewed four times a lease. It waits for Redis no longer than the shortest `decide_within` of
/// the buckets with leased shares, and a little for each of them, since other nodes have as many.
/// The polling threads end leases by themselves.
class ShareAgent {
 public:
  /// The thread calls `leader`, which must not block.
  ShareAgent(ShareAgentOptions options, Engine& engine, control::BucketRegistry& buckets,
             std::function<ShareLeader()> leader);
  ~ShareAgent() { stop(); }
  ShareAgent(const ShareAgent&) = delete;
  ShareAgent& operator=(const ShareAgent&) = delete;

  void start();
  /// Returns all shares, if Redis is reachable, and ends the thread. Idempotent.
  void stop();

  // Thread safe.
  [[nodiscard]] std::optional<control::ShareState> share_of(std::string_view bucket_id) const {
    return states_.find(bucket_id, engine_.now());
  }
  /// See SharedBuckets::shares(). While Redis does not answer: as it was read last.
  void shares(const control::SharesPage& page,
              control::Done<std::vector<control::BucketShares>> done);
  /// See SharedBuckets::forget(). UNAVAILABLE while Redis does not answer.
  void forget(std::string node_id, control::Done<control::ForgottenNode> done);
  /// See ShareLink::obstacle().
  [[nodiscard]] std::string obstacle() const { return link_.obstacle(); }

 private:
  using Clock = std::chrono::steady_clock;

  void run();
  void tick();
  void find_buckets();
  void measure();
  [[nodiscard]] absl::StatusOr<SharePoll> poll(bool with_changes);
  /// The groups whose exchange is due.
  [[nodiscard]] std::vector<std::uint32_t> due(const SharePoll& poll);
  /// Makes them; false if Redis did not answer one of them.
  bool make_exchanges(const SharePoll& poll);
  [[nodiscard]] absl::Status exchange(std::span<const std::uint32_t> groups);
  /// Where that is due; false if Redis did not answer. Between any two calls that take long.
  bool renew_leases();
  [[nodiscard]] absl::StatusOr<ExchangeReplies> run_exchanges(
      std::span<const GroupExchange> exchanges);
  void give_up_empty_groups();
  void lead(const SharePoll& poll, const ShareLeader& leader);
  void look(const SharePoll& poll);
  /// Forgets the nodes that are to be forgotten.
  void forget_nodes();
  [[nodiscard]] absl::StatusOr<control::ForgottenNode> forget_node(const std::string& node_id);
  /// Answers those who wait for shares.
  void answer();
  [[nodiscard]] std::vector<control::BucketShares> shares_of(const control::SharesPage& page) const;
  void unanswered(const absl::Status& why, TimePoint begun);

  /// Applies failure policies and shares of `groups`.
  void apply(std::span<const std::uint32_t> groups);
  void apply_policies(LeasedGroup& group, TimePoint now);
  void set_lease_ends();
  using Change = std::pair<LeasedEntry*, RateLease>;
  void put(std::span<const Change> changes);
  void apply_failure_policies();

  [[nodiscard]] std::chrono::nanoseconds keep_alive_period() const;
  [[nodiscard]] std::chrono::milliseconds patience() const;
  /// The time between two looks at arrivals, or between two that are told without need.
  [[nodiscard]] Duration span_of(std::chrono::nanoseconds a_bucket) const;

  const ShareAgentOptions options_;
  Engine& engine_;
  control::BucketRegistry& buckets_;
  const std::function<ShareLeader()> leader_;
  const ShareScripts scripts_;
  const std::string session_;

  // Used by the thread only.
  ShareLink link_;
  std::vector<LeasedGroup> groups_;
  std::optional<ShareGranter> granter_;
  std::size_t leased_buckets_ = 0;
  Duration decide_within_ = control::kDefaultDecideWithin;  // The shortest.
  std::optional<std::uint64_t> split_changes_;              // As found last.
  Clock::time_point find_again_;
  std::uint64_t granted_epoch_ = 0;
  std::uint64_t lapses_ = 0;
  bool lapsed_ = false;  // Leases ended since the round before.
  std::uint32_t measure_next_ = 0;
  LeaseEnds active_ends_;  // As applied to the engine.
  std::optional<TimePoint> unanswered_since_;
  std::string last_error_;
  Clock::time_point last_round_;
  PolicyLog policy_log_;

  ShareStates states_;
  ShareSnapshots snapshots_;
  mutable Mutex mutex_;
  Clock::time_point looked_ ABSL_GUARDED_BY(mutex_);  // When all that had changed was read last.
  struct Question {
    control::SharesPage page;
    control::Done<std::vector<control::BucketShares>> done;
  };
  std::vector<Question> questions_ ABSL_GUARDED_BY(mutex_);
  struct Farewell {
    std::string node_id;
    control::Done<control::ForgottenNode> done;
  };
  std::vector<Farewell> farewells_ ABSL_GUARDED_BY(mutex_);
  Condition changed_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace drip::cluster
