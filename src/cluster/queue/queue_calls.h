// SPDX-License-Identifier: BSD-3-Clause
// The calls of an exact bucket as script calls, and what Redis answers to them.
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

/// scripts/exact.lua with Redis's own clock.
[[nodiscard]] const RedisScript& exact_script();
/// The same script, with the time in microseconds as the last argument: for tests.
[[nodiscard]] const RedisScript& exact_script_at_given_time();

/// A period in microseconds and 2^-32 us, rounded once. At 1e9 a second it is off by less than 1
/// part in 10^6; at 1e6 and below by less than 1 in 10^9.
struct ExactPeriod {
  std::uint64_t us = 0;
  std::uint64_t fraction = 0;

  static ExactPeriod of_rate(double units_per_second);
};

using ExactBucket = control::SharedBuckets::Bucket;

/// One admission's part of a call.
struct ExactUnits {
  std::string_view request_id;  ///< Or empty.
  std::uint32_t count = 1;
  bool all_or_none = false;
};

/// Makes the calls of one cluster's exact buckets. Immutable.
class QueueCalls {
 public:
  /// `prefix`: of all keys of the cluster.
  explicit QueueCalls(std::string_view prefix, const RedisScript& script = exact_script());

  /// Of one bucket, several in one call. Redis refuses all of them (tickets_of(): late) when its
  /// clock is past `expiry_us`; 0: never.
  [[nodiscard]] ScriptCall admit(const ExactBucket& bucket, std::span<const ExactUnits> units,
                                 std::uint64_t expiry_us) const;
  [[nodiscard]] ScriptCall look(const ExactBucket& bucket, std::string_view request_id,
                                const control::SharedPlace& place) const;
  [[nodiscard]] ScriptCall release(const ExactBucket& bucket, std::string_view request_id,
                                   const control::SharedPlace& place) const;
  [[nodiscard]] ScriptCall read(const ExactBucket& bucket) const;
  [[nodiscard]] ScriptCall list(const ExactBucket& bucket, std::uint64_t first,
                                std::size_t limit) const;
  [[nodiscard]] ScriptCall remove(const ExactBucket& bucket, bool drop_backlog) const;

 private:
  [[nodiscard]] ScriptCall call(const ExactBucket& bucket, std::string_view operation,
                                std::vector<std::string> more) const;

  const std::string prefix_;
  const RedisScript& script_;
};

// INTERNAL if the reply is not of the form that the script gives; NOT_FOUND if the bucket is gone.
// tickets_of(): one for each of the call's units; DEADLINE_EXCEEDED if the call came late.
[[nodiscard]] absl::StatusOr<std::vector<control::SharedTicket>> tickets_of(
    const RedisReply& reply);
[[nodiscard]] absl::StatusOr<control::SharedTurn> turn_of(const RedisReply& reply);
[[nodiscard]] absl::StatusOr<control::SharedStats> reading_of(const RedisReply& reply,
                                                              const ExactBucket& bucket);
[[nodiscard]] absl::StatusOr<control::SharedQueuePage> page_of(const RedisReply& reply);
[[nodiscard]] absl::StatusOr<Removal> removal_of(const RedisReply& reply);

}  // namespace drip::cluster
