// SPDX-License-Identifier: BSD-3-Clause
// The loop of drip-exact, and of the thread that connects.
#include "cluster/queue/queue_batcher.h"

#include <algorithm>
#include <map>
#include <random>
#include <utility>

#include "base/text.h"
#include "base/thread.h"

namespace drip::cluster {
namespace {

constexpr std::size_t kCallsAtOnce = 1024;
// Of one script call, and of all calls sent at once: Redis serves nobody else meanwhile.
constexpr std::size_t kUnitsInACall = 2048;
constexpr std::size_t kUnitsAtOnce = 8192;
// A call with a short deadline that comes while others are on their way is noticed by then.
constexpr std::chrono::milliseconds kSlice{5};
// A connection is given up if it stays silent for so long while an answer is due.
constexpr std::chrono::seconds kSilence{1};
// How often Redis is asked for its time while nothing else is asked, and probed while a bucket is
// unreachable.
constexpr std::chrono::milliseconds kIdleProbe{500};
constexpr std::chrono::milliseconds kUnreachableProbe{20};
constexpr std::chrono::seconds kTimeIsFresh{2};
constexpr std::chrono::milliseconds kMostBackoff{250};

absl::Status stopping() { return absl::UnavailableError("the node is stopping"); }

// Nodes count from places that are far apart in all likelihood; the request's id tells calls apart
// as well.
std::uint64_t first_token() {
  std::random_device random;
  return std::uniform_int_distribution<std::uint64_t>(1)(random);
}

RedisOptions with_short_backoff(RedisOptions options) {
  options.most_backoff = std::min(options.most_backoff, kMostBackoff);
  return options;
}

// The clock was lost between its call and this one: Redis's data were.
bool lacks_clock(const RedisReply& reply) {
  return reply.error() != nullptr && reply.error()->text.starts_with("NOCLOCK");
}

absl::Status refused(const QueueCall& call, const absl::Status& why) {
  return {why.code(), joined("bucket ", call.admission.bucket.id,
                             ": Redis refuses the call: ", message_of(why))};
}

bool ended(const QueueCall& call) { return !call.done && !call.admission.done; }

}  // namespace

QueueBatcher::QueueBatcher(RedisOptions redis, QueueClock clock, const QueueCalls& calls,
                           QueuePolicies& policies, ClockSteps& clock_steps)
    : calls_(calls),
      policies_(policies),
      clock_steps_(clock_steps),
      link_(with_short_backoff(std::move(redis))),
      clock_(std::move(clock)),
      next_token_(first_token()) {}

void QueueBatcher::start() {
  thread_ = start_thread("drip-exact", [this] { run(); });
  link_thread_ = start_thread("drip-exact-link", [this] { keep_linked(); });
}

void QueueBatcher::stop() {
  {
    MutexLock lock(mutex_);
    if (stopped_) return;
    stopped_ = true;
  }
  work_.notify_all();
  lost_.notify_all();
  if (thread_.joinable()) thread_.join();
  if (link_thread_.joinable()) link_thread_.join();
  std::vector<QueueCall> left;
  {
    MutexLock lock(mutex_);
    left = std::move(new_);
    for (auto& [when, call] : later_) left.push_back(std::move(call));
    later_.clear();
  }
  for (Sent& sent : sent_)
    std::move(sent.calls.begin(), sent.calls.end(), std::back_inserter(left));
  std::move(waiting_.begin(), waiting_.end(), std::back_inserter(left));
  for (QueueCall& call : left) end_call(call, stopping());
}

void QueueBatcher::submit(std::vector<QueueCall> calls, Duration in) {
  const auto now = Clock::now();
  std::vector<QueueCall> refused;
  bool stopped = false;
  {
    MutexLock lock(mutex_);
    stopped = stopped_;
    for (QueueCall& call : calls) {
      const control::SharedBuckets::Bucket& bucket = call.admission.bucket;
      if (stopped || (in.ns <= 0 && policies_.unreachable(bucket.id))) {
        refused.push_back(std::move(call));
      } else if (in.ns > 0) {
        later_.emplace(now + std::chrono::nanoseconds(in.ns), std::move(call));
      } else {
        call.deadline = now + std::chrono::nanoseconds(bucket.decide_within.ns);
        new_.push_back(std::move(call));
      }
    }
  }
  work_.notify_one();
  for (QueueCall& call : refused) {
    end_call(call, stopped
                       ? stopping()
                       : absl::UnavailableError(
                             "the bucket's queue is in Redis, which does not answer at present"));
  }
}

void QueueBatcher::keep_linked() {
  while (true) {
    {
      MutexLock lock(mutex_);
      while (!stopped_ && linked_) lost_.wait(mutex_);
      while (!stopped_ && link_.next_attempt() > Clock::now()) {
        lost_.wait_for(mutex_, link_.next_attempt() - Clock::now());
      }
      if (stopped_) return;
    }
    absl::Status status = link_.connect();
    MutexLock lock(mutex_);
    linked_ = status.ok();
    last_attempt_ = std::move(status);
    if (linked_) work_.notify_one();
  }
}

void QueueBatcher::run() {
  while (take_submitted()) {
    expire();
    if (may_send_ && sent_.empty()) send();
    if (!sent_.empty()) receive();
  }
}

QueueBatcher::Clock::time_point QueueBatcher::next_event() const {
  Clock::time_point next = later_.empty() ? Clock::time_point::max() : later_.begin()->first;
  if (linked_) return std::min(next, next_probe_);
  for (const QueueCall& call : waiting_) next = std::min(next, call.deadline);
  return next;
}

// Waits until there is something to do; false when it is to end.
bool QueueBatcher::take_submitted() {
  MutexLock lock(mutex_);
  while (!stopped_ && sent_.empty() && new_.empty() && !(linked_ && !waiting_.empty())) {
    const Clock::time_point next = next_event();
    const Clock::time_point now = Clock::now();
    if (next <= now) break;
    if (next == Clock::time_point::max()) {
      work_.wait(mutex_);
    } else {
      work_.wait_for(mutex_, next - now);
    }
  }
  if (stopped_) return false;
  may_send_ = linked_;
  if (!linked_ && !last_attempt_.ok()) trouble_ = last_attempt_;
  std::move(new_.begin(), new_.end(), std::back_inserter(waiting_));
  new_.clear();
  const Clock::time_point now = Clock::now();
  while (!later_.empty() && later_.begin()->first <= now) {
    QueueCall& call = waiting_.emplace_back(std::move(later_.begin()->second));
    call.deadline = now + std::chrono::nanoseconds(call.admission.bucket.decide_within.ns);
    later_.erase(later_.begin());
  }
  return true;
}

void QueueBatcher::expire() {
  const Clock::time_point now = Clock::now();
  for (Sent& sent : sent_) {
    for (QueueCall& call : sent.calls) {
      if (!ended(call) && call.deadline <= now) fail(call, trouble_);
    }
  }
  for (QueueCall& call : waiting_) {
    if (call.deadline <= now || (!call.probe && policies_.unreachable(call.admission.bucket.id))) {
      fail(call, trouble_);
    }
  }
  std::erase_if(waiting_, ended);
}

// A call like any other; what matters is that it is answered.
void QueueBatcher::probe() {
  const control::BucketEntryRef bucket = policies_.one_unreachable();
  const bool tried =
      std::ranges::any_of(waiting_, [](const QueueCall& call) { return call.probe; });
  if (bucket == nullptr || tried) return;
  QueueCall call;
  call.admission.bucket = control::shared_bucket(*bucket);
  call.script = calls_.read(call.admission.bucket);
  call.done = [](const absl::StatusOr<RedisReply>&) {};
  call.probe = true;
  call.deadline = Clock::now() + std::chrono::nanoseconds(call.admission.bucket.decide_within.ns);
  waiting_.push_back(std::move(call));
}

void QueueBatcher::send() {
  const Clock::time_point now = Clock::now();
  if (now >= next_probe_) probe();
  if (waiting_.empty() && now < next_probe_) return;
  const std::vector<RedisCommand> commands = pack(now);
  sent_at_ = now;
  trouble_ = absl::DeadlineExceededError("no answer in time");
  if (const absl::Status status = link_.send(commands, std::min(next_deadline(), now + kSilence));
      !status.ok()) {
    drop_link(status);
  }
  next_probe_ = now + (policies_.one_unreachable() != nullptr ? kUnreachableProbe : kIdleProbe);
}

// The clock first. Until it is known nothing is admitted.
std::vector<RedisCommand> QueueBatcher::pack(Clock::time_point now) {
  std::vector<RedisCommand> commands;
  sent_.emplace_back();
  commands.push_back(command_of(clock_.call(NodeTime::now()), clock_by_hash_));
  if (!time_seen_ || now - *time_seen_ > kTimeIsFresh) return commands;

  struct Open {
    std::size_t index;
    std::size_t units;
  };
  std::map<std::string, Open> open;  // By bucket: the call that admissions to it join.
  std::size_t units = 0;
  for (std::size_t calls = 0; calls < kCallsAtOnce && units < kUnitsAtOnce && !waiting_.empty();
       ++calls) {
    QueueCall call = std::move(waiting_.front());
    waiting_.pop_front();
    if (!call.admission.done) {
      sent_.push_back({});
      sent_.back().calls.push_back(std::move(call));
      continue;
    }
    units += call.admission.count;
    if (call.token == 0) call.token = next_token_++;
    const auto joined_to = open.find(call.admission.bucket.id);
    if (joined_to != open.end()) {
      QueueCall& first = sent_[joined_to->second.index].calls.front();
      joined_to->second.units += call.admission.count;
      if (joined_to->second.units <= kUnitsInACall && first.by_hash == call.by_hash &&
          first.admission.bucket.revision == call.admission.bucket.revision) {
        sent_[joined_to->second.index].calls.push_back(std::move(call));
        continue;
      }
    }
    open[call.admission.bucket.id] = {sent_.size(), call.admission.count};
    sent_.push_back({{}, true});
    sent_.back().calls.push_back(std::move(call));
  }
  for (std::size_t i = 1; i < sent_.size(); ++i) commands.push_back(command_for(sent_[i]));
  return commands;
}

RedisCommand QueueBatcher::command_for(const Sent& sent) const {
  const QueueCall& first = sent.calls.front();
  if (!sent.admissions) return command_of(first.script, first.by_hash);
  std::vector<QueueUnits> units;
  Deadline deadline = first.deadline;
  for (const QueueCall& call : sent.calls) {
    units.push_back({call.admission.request_id, call.admission.count, call.admission.all_or_none,
                     call.admission.terms, call.token});
    deadline = std::min(deadline, call.deadline);
  }
  // At `time_seen_` Redis's clock was past redis_us(), so at the deadline it will be past this.
  const auto left = std::chrono::duration_cast<std::chrono::microseconds>(deadline - *time_seen_);
  const std::uint64_t expiry_us =
      clock_.redis_us() + static_cast<std::uint64_t>(std::max<std::int64_t>(left.count(), 0));
  return command_of(calls_.admit(first.admission.bucket, units, expiry_us), first.by_hash);
}

QueueBatcher::Clock::time_point QueueBatcher::next_deadline() const {
  Clock::time_point next = Clock::time_point::max();
  for (const Sent& sent : sent_) {
    for (const QueueCall& call : sent.calls) {
      if (!ended(call)) next = std::min(next, call.deadline);
    }
  }
  for (const QueueCall& call : waiting_) next = std::min(next, call.deadline);
  return next;
}

void QueueBatcher::receive() {
  const Clock::time_point until = std::min(next_deadline(), Clock::now() + kSlice);
  while (!sent_.empty()) {
    const auto reply = link_.receive(until);
    if (absl::IsDeadlineExceeded(reply.status())) {
      if (Clock::now() - sent_at_ > kSilence) drop_link(reply.status());
      return;
    }
    if (!reply.ok()) return drop_link(reply.status());
    // This server cannot do it: perhaps the one that is found next can.
    if (const absl::Status status = status_of(*reply);
        absl::IsUnavailable(status) || absl::IsUnauthenticated(status)) {
      return drop_link(status);
    }
    Sent sent = std::move(sent_.front());
    sent_.pop_front();
    take(std::move(sent), *reply);
  }
}

void QueueBatcher::take(Sent sent, const RedisReply& reply) {
  const Clock::time_point now = Clock::now();
  if (sent.calls.empty()) return take_time(reply);
  if (lacks_clock(reply)) {
    time_seen_.reset();
    return send_again(std::move(sent.calls));
  }
  if (is_unknown_script(reply)) {
    for (QueueCall& call : sent.calls) call.by_hash = false;
    return send_again(std::move(sent.calls));
  }
  if (const absl::Status status = status_of(reply); !status.ok()) {
    for (QueueCall& call : sent.calls) {
      if (ended(call)) continue;
      // Redis has no memory left: for the caller that is as if it were down. A right or a command
      // that is missing is this call's alone: the bucket goes on.
      if (is_refused_to_all(status)) {
        fail(call, status);
      } else {
        end_call(call, refused(call, status));
      }
    }
    return;
  }
  policies_.answered_within(now - sent_at_);
  if (sent.admissions) return answer_admissions(std::move(sent), reply);
  const auto done = std::exchange(sent.calls.front().done, nullptr);
  if (done) done(reply);
}

void QueueBatcher::take_time(const RedisReply& reply) {
  clock_by_hash_ = !is_unknown_script(reply);
  if (!clock_by_hash_) {  // It is sent again, with its text.
    next_probe_ = Clock::now();
    return time_seen_.reset();
  }
  absl::Status status = status_of(reply);
  if (status.ok()) status = clock_.on_reply(reply, NodeTime::now());
  if (!status.ok()) return drop_link(status);  // Without the time nothing can be asked.
  time_seen_ = Clock::now();
  if (const auto step = clock_.take_step()) clock_steps_.add(*step);
}

void QueueBatcher::answer_admissions(Sent sent, const RedisReply& reply) {
  auto tickets = tickets_of(reply);
  // One of them was at its end; the others are asked again with what time they have.
  if (absl::IsDeadlineExceeded(tickets.status())) return send_again(std::move(sent.calls));
  if (tickets.ok() && tickets->size() != sent.calls.size()) {
    tickets = absl::InternalError("Redis answered to another number of admissions than were asked");
  }
  for (std::size_t i = 0; i < sent.calls.size(); ++i) {
    const auto done = std::exchange(sent.calls[i].admission.done, nullptr);
    if (!done) continue;
    if (tickets.ok()) {
      done(std::move((*tickets)[i]));
    } else {
      done(tickets.status());
    }
  }
}

void QueueBatcher::send_again(std::vector<QueueCall> calls) {
  for (auto call = calls.rbegin(); call != calls.rend(); ++call) {
    if (!ended(*call)) waiting_.push_front(std::move(*call));
  }
}

void QueueBatcher::drop_link(const absl::Status& why) {
  trouble_ = why;
  time_seen_.reset();
  if (link_.connected()) link_.give_up(why);
  may_send_ = false;
  while (!sent_.empty()) {
    std::vector<QueueCall> calls = std::move(sent_.back().calls);
    sent_.pop_back();
    for (QueueCall& call : calls) {
      // Whether it was admitted nobody can find out.
      if (call.admission.done && call.admission.request_id.empty()) fail(call, why);
    }
    send_again(std::move(calls));
  }
  {
    MutexLock lock(mutex_);
    linked_ = false;
    last_attempt_ = why;
  }
  lost_.notify_one();
}

void QueueBatcher::fail(QueueCall& call, const absl::Status& why) {
  policies_.missed(call.admission.bucket.id, why);
  next_probe_ = std::min(next_probe_, Clock::now() + kUnreachableProbe);
  end_call(call, absl::UnavailableError(joined(
                     "the bucket's queue is in Redis, which does not answer: ", message_of(why))));
}

void QueueBatcher::end_call(QueueCall& call, const absl::Status& status) {
  const auto admitted = std::exchange(call.admission.done, nullptr);
  const auto done = std::exchange(call.done, nullptr);
  if (admitted) admitted(status);
  if (done) done(status);
}

}  // namespace drip::cluster
