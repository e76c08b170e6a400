// SPDX-License-Identifier: BSD-3-Clause
// Gathers calls of exact buckets, sends them, and hands the answers out.
#include "cluster/redis_shared_buckets.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

#include "control/text.h"

namespace drip::cluster {
namespace {

using control::PolicyState;

constexpr std::size_t kCallsAtOnce = 512;
constexpr std::chrono::milliseconds kConnectPatience{250};

absl::Status stopping() { return absl::UnavailableError("the node is stopping"); }

// The answer to a call as its own type.
template <class Result, class Convert>
auto answer_by(Convert convert, control::SharedBuckets::Done<Result> done) {
  return [convert, done = std::move(done)](const absl::StatusOr<RedisReply>& reply) {
    if (!reply.ok()) return done(reply.status());
    if (const absl::Status status = status_of(*reply); !status.ok()) return done(status);
    done(convert(*reply));
  };
}

}  // namespace

RedisSharedBuckets::RedisSharedBuckets(ShareExchangeOptions options, Engine& engine,
                                       control::BucketRegistry& buckets,
                                       std::function<ShareLeader()> leader, Log log)
    : calls_(options.prefix),
      buckets_(buckets),
      log_(log),
      link_(options.redis),
      exchange_(options, engine, buckets, std::move(leader), log) {}

void RedisSharedBuckets::start() {
  exchange_.start();
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "drip-exact");
    run();
  });
}

void RedisSharedBuckets::stop() {
  {
    control::MutexLock lock(mutex_);
    if (stopped_) return;
    stopped_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  exchange_.stop();
  std::vector<Call> left;
  {
    control::MutexLock lock(mutex_);
    left = std::move(calls_to_make_);
    for (auto& [when, call] : later_) left.push_back(std::move(call));
    later_.clear();
  }
  for (const Call& call : left) call.done(stopping());
}

void RedisSharedBuckets::submit(Call call, Duration in) {
  {
    control::MutexLock lock(mutex_);
    if (!stopped_) {
      if (in.ns > 0) {
        later_.emplace(Clock::now() + std::chrono::nanoseconds(in.ns), std::move(call));
      } else {
        calls_to_make_.push_back(std::move(call));
      }
      changed_.notify_one();
      return;
    }
  }
  call.done(stopping());
}

void RedisSharedBuckets::run() {
  while (true) {
    std::vector<Call> calls;
    {
      control::MutexLock lock(mutex_);
      while (!stopped_ && calls_to_make_.empty() &&
             (later_.empty() || later_.begin()->first > Clock::now())) {
        if (later_.empty()) {
          changed_.wait(mutex_);
        } else {
          changed_.wait_for(mutex_, later_.begin()->first - Clock::now());
        }
      }
      if (stopped_) return;
      while (!later_.empty() && later_.begin()->first <= Clock::now()) {
        calls_to_make_.push_back(std::move(later_.begin()->second));
        later_.erase(later_.begin());
      }
      const std::size_t count = std::min(calls_to_make_.size(), kCallsAtOnce);
      calls.assign(
          std::make_move_iterator(calls_to_make_.begin()),
          std::make_move_iterator(calls_to_make_.begin() + static_cast<std::ptrdiff_t>(count)));
      calls_to_make_.erase(calls_to_make_.begin(),
                           calls_to_make_.begin() + static_cast<std::ptrdiff_t>(count));
    }
    carry_out(std::move(calls));
  }
}

void RedisSharedBuckets::carry_out(std::vector<Call> calls) {
  std::chrono::nanoseconds patience = calls.front().patience;
  std::vector<ScriptCall> scripts;
  for (Call& call : calls) {
    patience = std::min(patience, call.patience);
    scripts.push_back(std::move(call.script));
  }
  const auto replies = link_.scripts(scripts, Clock::now() + patience);
  const bool reached = replies.ok();
  if (reachable_.exchange(reached) != reached) {
    changes_.fetch_add(1);
    log_(reached ? LogLevel::kInfo : LogLevel::kWarning,
         reached ? std::string("exact buckets: Redis answers again")
                 : control::joined("exact buckets: by their failure policies from here on; Redis "
                                   "does not answer: ",
                                   control::message_of(replies.status())));
  }
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (reached) {
      calls[i].done((*replies)[i]);
    } else {
      calls[i].done(absl::UnavailableError(
          control::joined("the bucket's queue is in Redis, which does not answer: ",
                          control::message_of(replies.status()))));
    }
  }
  // Those that came meanwhile are answered at once while the link waits before it tries again.
  if (!reached) (void)link_.connect(Clock::now() + kConnectPatience);
}

void RedisSharedBuckets::admit(const Bucket& bucket, const std::string& request_id,
                               Done<control::SharedTicket> done) {
  submit({calls_.admit(bucket, request_id), std::chrono::nanoseconds(bucket.decide_within.ns),
          answer_by<control::SharedTicket>(ticket_of, std::move(done))});
}

void RedisSharedBuckets::look(const Bucket& bucket, const std::string& request_id,
                              const control::SharedPlace& place, Duration in,
                              Done<control::SharedTurn> done) {
  submit({calls_.look(bucket, request_id, place), std::chrono::nanoseconds(bucket.decide_within.ns),
          answer_by<control::SharedTurn>(turn_of, std::move(done))},
         in);
}

void RedisSharedBuckets::release(const Bucket& bucket, const std::string& request_id,
                                 const control::SharedPlace& place,
                                 Done<control::SharedTurn> done) {
  submit({calls_.release(bucket, request_id, place),
          std::chrono::nanoseconds(bucket.decide_within.ns),
          answer_by<control::SharedTurn>(turn_of, std::move(done))});
}

void RedisSharedBuckets::read(const Bucket& bucket, Done<control::SharedReading> done) {
  submit({calls_.read(bucket), std::chrono::nanoseconds(bucket.decide_within.ns),
          answer_by<control::SharedReading>(
              [bucket](const RedisReply& reply) { return reading_of(reply, bucket); },
              std::move(done))});
}

void RedisSharedBuckets::list(const Bucket& bucket, std::uint64_t first, std::size_t limit,
                              Done<std::vector<control::SharedQueueEntry>> done) {
  submit({calls_.list(bucket, first, limit), std::chrono::nanoseconds(bucket.decide_within.ns),
          answer_by<std::vector<control::SharedQueueEntry>>(entries_of, std::move(done))});
}

void RedisSharedBuckets::remove(const Bucket& bucket, bool drop_backlog, Done<Removal> done) {
  submit({calls_.remove(bucket, drop_backlog), std::chrono::nanoseconds(bucket.decide_within.ns),
          answer_by<Removal>(removal_of, std::move(done))});
}

std::optional<control::ShareState> RedisSharedBuckets::share_of(std::string_view bucket_id) const {
  const control::KnownBucketRef bucket = buckets_.find(bucket_id);
  if (bucket == nullptr) return std::nullopt;
  const control::BucketSharing sharing = bucket->sharing();
  if (!sharing.exact()) return exchange_.share_of(bucket_id);
  control::ShareState state;
  state.policy_changes = changes_.load();
  state.policy_state = reachable_.load() ? PolicyState::kShared
                       : sharing.failure_policy == control::FailurePolicy::kOpen
                           ? PolicyState::kOpen
                           : PolicyState::kClosed;
  return state;
}

}  // namespace drip::cluster
