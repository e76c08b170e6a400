// SPDX-License-Identifier: BSD-3-Clause
// Arguments and replies of queue.lua.
#include "cluster/queue/queue_calls.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/text.h"
#include "cluster/queue/queue_clock.h"
#include "cluster/queue/queue_lua.h"
#include "cluster/queue/queue_time_lua.h"
#include "cluster/queue/redis_time_lua.h"
#include "cluster/redis/reply_reader.h"

namespace drip::cluster {
namespace {

constexpr char kGivenRedisTime[] = "local function redis_us() return tonumber(ARGV[#ARGV]) end\n";
constexpr char kGivenTime[] = "local now = redis_us()\n";

absl::Status malformed() {
  return absl::InternalError("Redis's reply to a call of queue.lua is malformed");
}

// The texts of a reply; the first of them says what it is.
class Words {
 public:
  explicit Words(const RedisReply& reply) : array_(reply.array()) {}

  [[nodiscard]] std::string_view word() const { return text(0); }
  [[nodiscard]] std::size_t size() const { return array_ == nullptr ? 0 : array_->size(); }
  [[nodiscard]] std::string_view text(std::size_t index) const {
    if (index >= size()) return {};
    const std::string* const text = (*array_)[index].text();
    return text == nullptr ? std::string_view() : std::string_view(*text);
  }
  // An integer, or the digits of one.
  [[nodiscard]] std::int64_t number(std::size_t index) {
    if (const std::int64_t* const integer = index < size() ? (*array_)[index].integer() : nullptr) {
      return *integer;
    }
    std::int64_t result = 0;
    const std::string_view digits = text(index);
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), result);
    if (read.ec != std::errc{} || read.ptr != digits.data() + digits.size()) good_ = false;
    return result;
  }
  [[nodiscard]] std::uint64_t count(std::size_t index) {
    const std::int64_t value = number(index);
    if (!is_count(value)) good_ = false;
    return static_cast<std::uint64_t>(value);
  }
  // Of units of `unit_ns`. What is beyond 146 years is as good as that.
  [[nodiscard]] Duration span(std::size_t index, std::int64_t unit_ns = 1) {
    constexpr std::int64_t kMostNs = std::int64_t{1} << 62;
    const std::int64_t value = number(index);
    if (value < 0) good_ = false;
    return {value > kMostNs / unit_ns ? kMostNs : std::max<std::int64_t>(value, 0) * unit_ns};
  }
  [[nodiscard]] bool good() const { return good_; }

 private:
  const RedisReply::Array* array_;
  bool good_ = true;
};

// In whole microseconds, as all of the script; empty: none.
std::string limit_us(Duration limit) {
  return limit == WaitLimits::kNone ? std::string() : joined(limit.ns / 1000);
}

absl::Status deleted() { return absl::NotFoundError("bucket_id: the bucket was deleted"); }

}  // namespace

const RedisScript& queue_script() {
  static const RedisScript script(joined(kRedisTimeLua, kQueueTimeLua, kQueueLua));
  return script;
}

const RedisScript& queue_script_at_given_time() {
  static const RedisScript script(joined(kGivenRedisTime, kGivenTime, kQueueLua));
  return script;
}

const RedisScript& queue_script_at_given_redis_time() {
  static const RedisScript script(joined(kGivenRedisTime, kQueueTimeLua, kQueueLua));
  return script;
}

QueuePeriod QueuePeriod::of_rate(double units_per_second) {
  const long double us = 1e6L / units_per_second;
  QueuePeriod period;
  period.us = static_cast<std::uint64_t>(us);
  period.fraction =
      static_cast<std::uint64_t>(std::round((us - static_cast<long double>(period.us)) * 0x1p32L));
  if (period.fraction >> 32 != 0) period = {period.us + 1, 0};
  return period;
}

QueueCalls::QueueCalls(std::string_view prefix, const RedisScript& script)
    : prefix_(joined(prefix, "exact:")), clock_key_(queue_clock_key(prefix)), script_(script) {}

ScriptCall QueueCalls::call(const QueueBucket& bucket, std::string_view operation,
                            std::vector<std::string> more) const {
  const QueuePeriod period = QueuePeriod::of_rate(bucket.settings.units_per_second);
  ScriptCall call;
  call.script = &script_;
  call.keys = {joined(prefix_, bucket.id), clock_key_};
  call.arguments = {std::string(operation),
                    joined(bucket.revision),
                    joined(period.us),
                    joined(period.fraction),
                    joined(bucket.settings.capacity),
                    bucket.settings.departure == Departure::kAtStart ? "1" : "0"};
  for (std::string& argument : more) call.arguments.push_back(std::move(argument));
  return call;
}

ScriptCall QueueCalls::admit(const QueueBucket& bucket, std::span<const QueueUnits> units,
                             std::uint64_t expiry_us) const {
  std::vector<std::string> more = {joined(expiry_us), joined(units.size())};
  more.reserve(2 + 8 * units.size());
  for (const QueueUnits& each : units) {
    more.emplace_back(each.request_id);
    more.push_back(joined(each.count));
    more.emplace_back(each.all_or_none ? "1" : "0");
    more.push_back(limit_us(each.terms.limits.start));
    more.push_back(limit_us(each.terms.limits.departure));
    more.emplace_back(each.terms.peek ? "1" : "0");
    more.push_back(joined(each.terms.remember.ns / 1000));
    more.push_back(joined(each.token));
  }
  return call(bucket, "admit", std::move(more));
}
ScriptCall QueueCalls::look(const QueueBucket& bucket, std::string_view request_id,
                            const control::SharedRequestKey& key) const {
  return call(bucket, "look", {std::string(request_id), key.instance, joined(key.sequence)});
}
ScriptCall QueueCalls::release(const QueueBucket& bucket, std::string_view request_id,
                               const control::SharedRequestKey& key) const {
  return call(bucket, "release", {std::string(request_id), key.instance, joined(key.sequence)});
}
ScriptCall QueueCalls::read(const QueueBucket& bucket) const { return call(bucket, "read", {}); }
ScriptCall QueueCalls::list(const QueueBucket& bucket, std::uint64_t first,
                            std::size_t limit) const {
  return call(bucket, "list", {joined(first), joined(limit)});
}
ScriptCall QueueCalls::remove(const QueueBucket& bucket, bool drop_backlog) const {
  return call(bucket, "remove", {drop_backlog ? "1" : "0"});
}

absl::StatusOr<std::vector<control::SharedTicket>> tickets_of(const RedisReply& reply) {
  constexpr std::size_t kNumbers = 6;  // Of each ticket.
  constexpr std::size_t kHead = 2;
  if (absl::Status status = status_of(reply); !status.ok()) return status;
  Words words(reply);
  if (words.word() == "deleted") return deleted();
  if (words.word() == "late") {
    return absl::DeadlineExceededError("the call came to Redis when its time was over");
  }
  if (words.word() != "tickets" || words.size() % kNumbers != kHead) return malformed();
  std::vector<control::SharedTicket> tickets((words.size() - kHead) / kNumbers);
  std::size_t at = kHead;
  for (control::SharedTicket& ticket : tickets) {
    ticket.admitted = static_cast<std::uint32_t>(words.count(at));
    const std::uint64_t what_else = words.count(at + 1);
    ticket.duplicate = what_else == 1 || what_else == 4;
    ticket.has_left = what_else == 4;
    if (what_else == 2) ticket.reason = RejectReason::kFull;
    if (what_else == 3) ticket.reason = RejectReason::kWaitTooLong;
    ticket.key = {std::string(words.text(1)), words.count(at + 2)};
    ticket.position = words.count(at + 3);
    ticket.wait = words.span(at + 4, 1000);
    ticket.until_departure = words.span(at + 5, 1000);
    at += kNumbers;
  }
  if (!words.good()) return malformed();
  return tickets;
}

absl::StatusOr<control::SharedRequestStatus> status_of_request(const RedisReply& reply) {
  using State = control::SharedRequestStatus::State;
  Words words(reply);
  control::SharedRequestStatus turn;
  if (words.word() == "waits") {
    turn.until_departure = words.span(1);
    if (!words.good()) return malformed();
  } else if (words.word() == "departed") {
    turn.state = State::kDeparted;
  } else if (words.word() == "released") {
    turn.state = State::kReleased;
  } else if (words.word() == "dropped") {
    turn.state = State::kDropped;
  } else if (words.word() == "lost") {
    turn.state = State::kLost;
  } else {
    return malformed();
  }
  return turn;
}

absl::StatusOr<control::SharedStats> stats_of(const RedisReply& reply, const QueueBucket& bucket) {
  Words words(reply);
  if (words.word() == "deleted") return deleted();
  if (words.word() != "read") return malformed();
  control::SharedStats result;
  BucketStats& stats = result.stats;
  stats.admitted = words.count(1);
  stats.rejected[static_cast<std::size_t>(RejectReason::kFull)] = words.count(2);
  stats.departed = words.count(3);
  stats.dropped = words.count(4);
  stats.backlog = words.count(5);
  result.since_last_departure = words.span(6);
  result.until_departure = words.span(7);
  stats.rejected[static_cast<std::size_t>(RejectReason::kWaitTooLong)] = words.count(8);
  stats.periods = ServicePeriods::of_rates(bucket.settings.units_per_second, 0);
  if (!words.good()) return malformed();
  return result;
}

absl::StatusOr<control::SharedQueuePage> page_of(const RedisReply& reply) {
  constexpr std::size_t kWords = 5;  // Of each entry.
  constexpr std::size_t kHead = 2;
  Words words(reply);
  control::SharedQueuePage page;
  if (words.word() == "deleted") return deleted();
  if (words.word() != "list" || words.size() % kWords != kHead) return malformed();
  if (!words.text(1).empty()) page.next = words.count(1);
  for (std::size_t i = kHead; i < words.size(); i += kWords) {
    control::SharedQueueEntry& entry = page.entries.emplace_back();
    entry.request_id = std::string(words.text(i));
    entry.sequence = words.count(i + 1);
    entry.position = words.count(i + 2);
    entry.wait = words.span(i + 3);
    entry.since_arrival = words.span(i + 4);
  }
  if (!words.good()) return malformed();
  return page;
}

absl::StatusOr<Removal> removal_of(const RedisReply& reply) {
  Words words(reply);
  if (words.word() == "deleted") return Removal{};
  if (words.word() != "removed") return malformed();
  const Removal removal{words.count(1), words.count(2)};
  if (!words.good()) return malformed();
  return removal;
}

}  // namespace drip::cluster
