// SPDX-License-Identifier: BSD-3-Clause
// A node's part in the leases: measures demand, asks Redis, puts shares in force, and where this
// node leads, grants.
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
#include "cluster/redis/cluster_log.h"
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
  /// Between two exchanges; a little longer with very many buckets.
  std::chrono::milliseconds period{50};
  LeaseTiming timing;
};

struct ShareLeader {
  bool is_self = false;
  std::uint64_t epoch = 0;
};

/// One thread, `drip-shares`, with a link of its own. It never waits for Redis longer than the
/// shortest `decide_within` of the split buckets; the polling threads end leases by themselves.
class ShareAgent {
 public:
  /// `leader` is asked by the thread; must not wait.
  ShareAgent(ShareAgentOptions options, Engine& engine, control::BucketRegistry& buckets,
             std::function<ShareLeader()> leader, Log log);
  ~ShareAgent() { stop(); }
  ShareAgent(const ShareAgent&) = delete;
  ShareAgent& operator=(const ShareAgent&) = delete;

  void start();
  /// Gives all shares back, if Redis answers, and ends. Does nothing the second time.
  void stop();

  // Thread safe.
  [[nodiscard]] std::optional<control::ShareState> share_of(std::string_view bucket_id) const;
  [[nodiscard]] std::vector<control::BucketShares> shares() const;

 private:
  using Clock = std::chrono::steady_clock;
  // What is kept of one split bucket.
  struct Split {
    control::BucketEntryRef bucket;
    LeasedRates rates;
    control::BucketSharing sharing;
    DemandMeter meter;
    // What the engine was told last, and what the node goes by.
    std::optional<RateLease> in_force;
    std::optional<control::PolicyState> state;
    std::uint64_t policy_changes = 0;
  };

  void run();
  void tick();
  [[nodiscard]] std::chrono::nanoseconds keep_alive_period() const;
  [[nodiscard]] bool find_run_id(Deadline deadline);
  void measure(TimePoint now);
  void exchange(std::chrono::milliseconds patience);
  void lead(std::chrono::milliseconds patience);
  void look(std::chrono::milliseconds patience);
  void put_in_force();
  void apply_policies(TimePoint now);
  [[nodiscard]] RateLease lease_of(const std::string& id, const Split& split) const;
  void publish(TimePoint now);

  const ShareAgentOptions options_;
  Engine& engine_;
  control::BucketRegistry& buckets_;
  const std::function<ShareLeader()> leader_;
  const Log log_;
  const ShareScripts scripts_;
  const std::string session_;

  // The thread's alone.
  RedisLink link_;
  std::uint64_t run_id_of_connection_ = 0;
  std::string run_id_;
  ShareHolder holder_;
  std::optional<ShareAllocator> ledger_;
  std::uint64_t ledger_epoch_ = 0;
  std::uint64_t granted_epoch_ = 0;
  std::uint64_t lapses_ = 0;
  LeaseEnds ends_in_force_;  // As the engine was told.
  std::optional<TimePoint> unanswered_since_;
  std::string trouble_;
  std::uint64_t ticks_ = 0;
  Clock::time_point last_exchange_;
  TimePoint measured_;
  std::map<std::string, Split, std::less<>> splits_;
  ShareSnapshot seen_;

  mutable Mutex mutex_;
  std::map<std::string, control::ShareState, std::less<>> states_ ABSL_GUARDED_BY(mutex_);
  std::vector<control::BucketShares> shares_ ABSL_GUARDED_BY(mutex_);
  Condition changed_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace drip::cluster
