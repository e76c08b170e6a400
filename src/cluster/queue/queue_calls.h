// SPDX-License-Identifier: BSD-3-Clause
// The calls about a shared queue as script calls, and Redis's replies to them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cluster/redis/redis_reply.h"
#include "cluster/redis/redis_script.h"
#include "control/model/shared_buckets.h"
#include "drip/bucket_settings.h"

namespace drip::cluster {

/// queue.lua by the queues' time, which a call of QueueClock has to advance in the same batch.
[[nodiscard]] const RedisScript& queue_script();
/// The same script, with the time in microseconds as the last argument, Redis's and the queues':
/// for tests.
[[nodiscard]] const RedisScript& queue_script_at_given_time();
/// The same with the queues' time by their clock, and Redis's as the last argument.
[[nodiscard]] const RedisScript& queue_script_at_given_redis_time();

/// A period in microseconds and 2^-32 us, rounded once. At 1e9 a second it is off by less than 1
/// part in 10^6; at 1e6 and below by less than 1 in 10^9.
struct QueuePeriod {
  std::uint64_t us = 0;
  std::uint64_t fraction = 0;

  static QueuePeriod of_rate(double units_per_second);
};

using QueueBucket = control::SharedBuckets::Bucket;

/// One admission's part of a call.
struct QueueUnits {
  std::string_view request_id;  ///< Or empty.
  std::uint32_t count = 1;
  bool all_or_none = false;
  control::AdmitTerms terms{};
  /// The same when the call is made again because its answer was lost: then the answer is that of
  /// the first time, and no duplicate's. Unique in the cluster; 0: it is not made again.
  std::uint64_t token = 0;
};

/// Makes the calls about one cluster's shared queues. Immutable.
class QueueCalls {
 public:
  /// `prefix`: of all keys of the cluster.
  explicit QueueCalls(std::string_view prefix, const RedisScript& script = queue_script());

  /// Of one bucket, several in one call. Redis refuses all of them (tickets_of(): late) when its
  /// clock is past `expiry_us`; 0: never.
  [[nodiscard]] ScriptCall admit(const QueueBucket& bucket, std::span<const QueueUnits> units,
                                 std::uint64_t expiry_us) const;
  [[nodiscard]] ScriptCall look(const QueueBucket& bucket, std::string_view request_id,
                                const control::SharedRequestKey& key) const;
  [[nodiscard]] ScriptCall release(const QueueBucket& bucket, std::string_view request_id,
                                   const control::SharedRequestKey& key) const;
  [[nodiscard]] ScriptCall read(const QueueBucket& bucket) const;
  [[nodiscard]] ScriptCall list(const QueueBucket& bucket, std::uint64_t first,
                                std::size_t limit) const;
  [[nodiscard]] ScriptCall remove(const QueueBucket& bucket, bool drop_backlog) const;

 private:
  [[nodiscard]] ScriptCall call(const QueueBucket& bucket, std::string_view operation,
                                std::vector<std::string> more) const;

  const std::string prefix_;
  const std::string clock_key_;
  const RedisScript& script_;
};

// INTERNAL if the reply is not of the form that the script gives; NOT_FOUND if the bucket was
// deleted. tickets_of(): one for each of the call's units; DEADLINE_EXCEEDED if the call came late.
[[nodiscard]] absl::StatusOr<std::vector<control::SharedTicket>> tickets_of(
    const RedisReply& reply);
[[nodiscard]] absl::StatusOr<control::SharedRequestStatus> status_of_request(
    const RedisReply& reply);
[[nodiscard]] absl::StatusOr<control::SharedStats> stats_of(const RedisReply& reply,
                                                            const QueueBucket& bucket);
[[nodiscard]] absl::StatusOr<control::SharedQueuePage> page_of(const RedisReply& reply);
[[nodiscard]] absl::StatusOr<Removal> removal_of(const RedisReply& reply);

}  // namespace drip::cluster
