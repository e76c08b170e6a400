// SPDX-License-Identifier: BSD-3-Clause
// The time by which shared queues release: what the nodes have measured, not Redis's wall clock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "cluster/redis/redis_reply.h"
#include "cluster/redis/redis_script.h"
#include "drip/time.h"

namespace drip::cluster {

/// queue_clock.lua with Redis's own clock.
[[nodiscard]] const RedisScript& queue_clock_script();
/// The same script, with Redis's time in microseconds as the last argument: for tests.
[[nodiscard]] const RedisScript& queue_clock_script_at_given_time();

/// One moment by a node's own clocks.
struct NodeTime {
  /// Since some start: never set, goes on while the machine is suspended (CLOCK_BOOTTIME).
  std::int64_t elapsed_ns = 0;
  std::int64_t wall_us = 0;  ///< CLOCK_REALTIME.

  [[nodiscard]] static NodeTime now();
};

/// Redis's clock was set, or another server with another clock answers.
struct ClockStep {
  Duration by;             ///< Negative: back.
  std::int64_t at_ns = 0;  ///< NodeTime::elapsed_ns when it was noticed.
};

/// A node's view of the time of the cluster's shared queues. Pure: it reads no clock.
///
/// Each call tells Redis a moment that the queues' time has certainly reached, and Redis advances
/// it to that: what an earlier reply said it was, and what the node has measured since that reply
/// arrived. That is never more than has passed, for the reply said what the time was before it
/// arrived. So by induction the queues' time never runs ahead of the fastest node's clock, whatever
/// Redis's clock does and whichever server answers; and it lags behind by no more than the way to
/// Redis, for the earliest of all replies stays the node's base.
///
/// A node that has just started, or that meets new data, has no base: its first call advances
/// nothing, unless no node has called for seconds.
///
/// KEYS: the clock. ARGV: the id of the clock that the base is of, or nothing; the moment; the
/// node's wall clock; an id for a clock that begins now. All times are in microseconds. Returns
/// [id, the queues' time, Redis's time].
class QueueClock {
 public:
  /// `prefix`: of all keys of the cluster.
  explicit QueueClock(std::string_view prefix, const RedisScript& script = queue_clock_script());

  /// To be sent now.
  [[nodiscard]] ScriptCall call(const NodeTime& now);
  /// The reply to the last call. INTERNAL if it is not of the form that the script gives.
  [[nodiscard]] absl::Status on_reply(const RedisReply& reply, const NodeTime& now);

  /// Of the last reply; Redis's clock was there at some time between call and reply.
  [[nodiscard]] std::uint64_t redis_us() const { return redis_us_; }
  /// What on_reply() has noticed of late; none the second time.
  [[nodiscard]] std::optional<ClockStep> take_step();

 private:
  void look_for_step(std::uint64_t redis_us, const NodeTime& now);

  const std::string key_;
  const RedisScript& script_;
  std::string new_id_;        // For a clock that begins.
  std::string id_;            // Empty: there is no base.
  std::int64_t base_ns_ = 0;  // The queues' time, less elapsed_ns: the largest that was proved.
  std::int64_t sent_ns_ = 0;  // Of the last call.
  std::uint64_t redis_us_ = 0;
  std::optional<std::int64_t> read_sent_ns_, read_received_ns_;  // Of the reply with redis_us_.
  std::optional<ClockStep> step_;
};

/// Where the clock is.
[[nodiscard]] std::string queue_clock_key(std::string_view prefix);

}  // namespace drip::cluster
