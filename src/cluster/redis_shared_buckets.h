// SPDX-License-Identifier: BSD-3-Clause
// The cluster's buckets on Redis: exact ones call by call, split ones by leases.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cluster/exact_calls.h"
#include "cluster/redis_link.h"
#include "cluster/share_exchange.h"
#include "control/mutex.h"
#include "control/shared_buckets.h"

namespace drip::cluster {

/// Calls of exact buckets are gathered and sent in one piece by a thread, `drip-exact`, with a link
/// of its own: while one batch is on its way the next one gathers, so Redis sees few large pieces
/// under load and single calls without. A call ends within the bucket's `decide_within` of when it
/// was sent; if Redis does not answer, all that wait fail at once.
class RedisSharedBuckets final : public control::SharedBuckets {
 public:
  RedisSharedBuckets(ShareExchangeOptions options, Engine& engine, control::BucketRegistry& buckets,
                     std::function<ShareLeader()> leader, Log log);
  ~RedisSharedBuckets() override { RedisSharedBuckets::stop(); }

  void start();
  /// Calls that wait end with UNAVAILABLE. Does nothing the second time.
  void stop();

  void admit(const Bucket& bucket, const std::string& request_id,
             Done<control::SharedTicket> done) override;
  void look(const Bucket& bucket, const std::string& request_id, const control::SharedPlace& place,
            Duration in, Done<control::SharedTurn> done) override;
  void release(const Bucket& bucket, const std::string& request_id,
               const control::SharedPlace& place, Done<control::SharedTurn> done) override;
  void read(const Bucket& bucket, Done<control::SharedReading> done) override;
  void list(const Bucket& bucket, std::uint64_t first, std::size_t limit,
            Done<std::vector<control::SharedQueueEntry>> done) override;
  void remove(const Bucket& bucket, bool drop_backlog, Done<Removal> done) override;

  [[nodiscard]] std::optional<control::ShareState> share_of(
      std::string_view bucket_id) const override;
  [[nodiscard]] std::vector<control::BucketShares> shares() const override {
    return exchange_.shares();
  }

 private:
  using Clock = std::chrono::steady_clock;
  struct Call {
    ScriptCall script;
    std::chrono::nanoseconds patience{0};
    std::function<void(const absl::StatusOr<RedisReply>&)> done;
  };

  void submit(Call call, Duration in = {});
  void run();
  void carry_out(std::vector<Call> calls);

  const ExactCalls calls_;
  control::BucketRegistry& buckets_;
  const Log log_;
  RedisLink link_;  // The thread's alone.
  std::atomic<bool> reachable_{true};
  std::atomic<std::uint64_t> changes_{0};

  control::Mutex mutex_;
  control::Condition changed_;
  std::vector<Call> calls_to_make_ ABSL_GUARDED_BY(mutex_);
  std::multimap<Clock::time_point, Call> later_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
  ShareExchange exchange_;
};

}  // namespace drip::cluster
