// SPDX-License-Identifier: BSD-3-Clause
// The base, and steps of Redis's clock.
#include "cluster/queue/queue_clock.h"

#include <time.h>

#include <algorithm>
#include <random>
#include <utility>

#include "base/text.h"
#include "cluster/queue/queue_clock_lua.h"
#include "cluster/queue/redis_time_lua.h"
#include "cluster/redis/reply_reader.h"

namespace drip::cluster {
namespace {

constexpr char kGivenRedisTime[] = "local function redis_us() return tonumber(ARGV[#ARGV]) end\n";
// A clock that is slewed by 8 % (chrony's most) moves less between two calls of an idle node.
constexpr std::int64_t kLeastStepNs = 100'000'000;
constexpr std::int64_t kLeastStepPart = 1000;  // Of the time between two calls.

std::int64_t ns_of(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

std::string draw_id() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

}  // namespace

const RedisScript& queue_clock_script() {
  static const RedisScript script(joined(kRedisTimeLua, kQueueClockLua));
  return script;
}

const RedisScript& queue_clock_script_at_given_time() {
  static const RedisScript script(joined(kGivenRedisTime, kQueueClockLua));
  return script;
}

std::string queue_clock_key(std::string_view prefix) { return joined(prefix, "queue-clock"); }

NodeTime NodeTime::now() { return {ns_of(CLOCK_BOOTTIME), ns_of(CLOCK_REALTIME) / 1000}; }

QueueClock::QueueClock(std::string_view prefix, const RedisScript& script)
    : key_(queue_clock_key(prefix)), script_(script), new_id_(draw_id()) {}

ScriptCall QueueClock::call(const NodeTime& now) {
  sent_ns_ = now.elapsed_ns;
  // Rounded down: what is told has been reached.
  const std::int64_t least = id_.empty() ? 0 : (base_ns_ + now.elapsed_ns) / 1000;
  return {&script_, {key_}, {id_, joined(least), joined(now.wall_us), new_id_}};
}

absl::Status QueueClock::on_reply(const RedisReply& reply, const NodeTime& now) {
  ReplyReader reader(reply.array());
  std::string id = reader.text();
  const std::int64_t us = reader.number();
  const std::int64_t redis_us = reader.number();
  if (!reader.ok() || id.empty() || !is_count(us) || !is_count(redis_us)) {
    return absl::InternalError("Redis's reply to a call of queue_clock.lua is malformed");
  }
  const std::int64_t base_ns = us * 1000 - now.elapsed_ns;
  base_ns_ = id == id_ ? std::max(base_ns_, base_ns) : base_ns;
  if (id == new_id_) new_id_ = draw_id();  // No two clocks have one id.
  id_ = std::move(id);
  look_for_step(static_cast<std::uint64_t>(redis_us), now);
  return absl::OkStatus();
}

// Redis read its clock between call and reply, this time and the last time. So it may have moved by
// no less than from that reply to this call, and by no more than from that call to this reply.
void QueueClock::look_for_step(std::uint64_t redis_us, const NodeTime& now) {
  if (read_sent_ns_) {
    const std::int64_t moved = static_cast<std::int64_t>(redis_us - redis_us_) * 1000;
    const std::int64_t least = sent_ns_ - *read_received_ns_;
    const std::int64_t most = now.elapsed_ns - *read_sent_ns_;
    const std::int64_t margin = kLeastStepNs + most / kLeastStepPart;
    if (moved > most + margin) step_ = {{moved - most}, now.elapsed_ns};
    if (moved < least - margin) step_ = {{moved - least}, now.elapsed_ns};
  }
  redis_us_ = redis_us;
  read_sent_ns_ = sent_ns_;
  read_received_ns_ = now.elapsed_ns;
}

std::optional<ClockStep> QueueClock::take_step() { return std::exchange(step_, std::nullopt); }

}  // namespace drip::cluster
