// SPDX-License-Identifier: BSD-3-Clause
// The node's agent for leased shares: measures demand, exchanges it with Redis for shares, applies
// them to the engine; the leader's agent also runs the allocator.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "cluster/redis/redis_link.h"
#include "cluster/shares/demand_meter.h"
#include "cluster/shares/share_allocator.h"
#include "cluster/shares/share_holder.h"
#include "cluster/shares/share_scripts.h"
#include "control/config/bucket_registry.h"
#include "control/model/shared_buckets.h"
#include "engine/engine.h"

namespace drip::cluster {

struct ShareAgentOptions {
  RedisOptions redis;
  std::string prefix;      ///< Of all keys of the cluster.
  std::string leader_key;  ///< Whose epoch fences what the leader writes.
  std::string node_id;
  std::string incarnation;
  /// Between two exchanges; longer with very many buckets.
  std::chrono::milliseconds period{50};
  LeaseTiming timing;
};

struct ShareLeader {
  bool is_self = false;
  std::uint64_t epoch = 0;
};

/// One thread, `drip-shares`, with its own link. It waits for Redis no longer than the shortest
/// `decide_within` of the buckets with leased shares, and a little for each of them, which Redis
/// and the network need for so long an exchange while all is well. The polling threads end leases
/// by themselves.
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
  [[nodiscard]] std::optional<control::ShareState> share_of(std::string_view bucket_id) const;
  [[nodiscard]] std::vector<control::BucketShares> shares() const;
  /// Why no share can be leased though Redis answers; empty if nothing is in the way.
  [[nodiscard]] std::string obstacle() const;

 private:
  using Clock = std::chrono::steady_clock;
  // The state of one bucket with leased shares.
  struct Leased {
    control::BucketEntryRef bucket;
    LeasedRates rates;
    control::BucketSharing sharing;
    DemandMeter meter;
    // As applied to the engine last.
    std::optional<RateLease> active;
    std::optional<control::PolicyState> state;
    std::uint64_t policy_changes = 0;
  };

  void run();
  void tick();
  [[nodiscard]] std::chrono::nanoseconds keep_alive_period() const;
  [[nodiscard]] std::chrono::milliseconds patience() const;
  [[nodiscard]] bool find_run_id(Deadline deadline);
  void set_obstacle(std::string why);
  void measure(TimePoint now);
  void exchange(std::chrono::milliseconds patience);
  void lead(std::chrono::milliseconds patience);
  void look(std::chrono::milliseconds patience);
  void apply_shares();
  void apply_policies(TimePoint now);
  [[nodiscard]] RateLease lease_of(const std::string& id, const Leased& leased) const;
  void publish(TimePoint now);

  const ShareAgentOptions options_;
  Engine& engine_;
  control::BucketRegistry& buckets_;
  const std::function<ShareLeader()> leader_;
  const ShareScripts scripts_;
  const std::string session_;

  // Used by the thread only.
  RedisLink link_;
  std::uint64_t run_id_of_connection_ = 0;
  std::string run_id_;
  ShareHolder holder_;
  std::optional<ShareAllocator> allocator_;
  std::uint64_t allocator_epoch_ = 0;
  std::uint64_t granted_epoch_ = 0;
  std::uint64_t lapses_ = 0;
  LeaseEnds active_ends_;  // As applied to the engine.
  std::optional<TimePoint> unanswered_since_;
  std::string last_error_;
  std::uint64_t ticks_ = 0;
  Clock::time_point last_exchange_;
  TimePoint measured_;
  std::map<std::string, Leased, std::less<>> leased_;
  ShareSnapshot snapshot_;

  mutable Mutex mutex_;
  std::map<std::string, control::ShareState, std::less<>> states_ ABSL_GUARDED_BY(mutex_);
  std::vector<control::BucketShares> shares_ ABSL_GUARDED_BY(mutex_);
  std::string obstacle_ ABSL_GUARDED_BY(mutex_);
  Condition changed_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace drip::cluster
