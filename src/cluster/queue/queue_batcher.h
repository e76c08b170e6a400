// SPDX-License-Identifier: BSD-3-Clause
// Gathers calls about shared queues, sends them to Redis together and returns the answers, each by
// its own deadline.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "cluster/queue/clock_steps.h"
#include "cluster/queue/queue_calls.h"
#include "cluster/queue/queue_clock.h"
#include "cluster/queue/queue_policies.h"
#include "cluster/redis/redis_link.h"
#include "control/model/shared_buckets.h"

namespace drip::cluster {

/// A call about one bucket: an admission, if `admission.done` is set, or else `script`.
struct QueueCall {
  control::SharedBuckets::Admission admission;  // With the bucket in any case.
  ScriptCall script;
  std::function<void(const absl::StatusOr<RedisReply>&)> done;
  Deadline deadline{};
  std::uint64_t token = 0;  // QueueUnits::token, once it was sent.
  bool by_hash = true;      // Redis knows the script, as far as we know.
  bool probe = false;       // Is sent though its bucket is unreachable.
};

/// Calls are gathered into batches and sent by a thread, `drip-exact`: while one batch is on its
/// way the next one gathers, and admissions to one bucket become one call. So Redis sees few large
/// batches under load and single calls without.
///
/// A call that has no answer by its deadline (`decide_within` after it was submitted or fell due)
/// ends with UNAVAILABLE, and its bucket is unreachable (QueuePolicies); calls of an unreachable
/// bucket end so at once. Each batch begins with a call of the queues' clock (QueueClock), and
/// while nothing else is asked it is called twice a second. Redis is told until when an admission
/// is wanted, by its own clock as it was last read, and refuses those that it executes later: after
/// a pause nothing is admitted that nobody waits for.
///
/// A second thread, `drip-exact-link`, makes the connection, so that no call waits for that longer
/// than it would for an answer. What was sent on a connection that broke is sent again, with the
/// token by which Redis knows it, for all but units without a name can be asked twice.
class QueueBatcher {
 public:
  QueueBatcher(RedisOptions redis, QueueClock clock, const QueueCalls& calls,
               QueuePolicies& policies, ClockSteps& clock_steps);
  ~QueueBatcher() { stop(); }
  QueueBatcher(const QueueBatcher&) = delete;
  QueueBatcher& operator=(const QueueBatcher&) = delete;

  void start();
  /// Calls that wait end with UNAVAILABLE. Does nothing the second time.
  void stop();

  /// Thread safe. In their order, if `in` is 0. What is answered at once is so within this.
  void submit(std::vector<QueueCall> calls, Duration in = {});

 private:
  using Clock = std::chrono::steady_clock;
  struct Sent {
    std::vector<QueueCall> calls;  // None: it is the clock's. Several: admissions.
    bool admissions = false;
  };
  void run();
  void keep_linked();
  [[nodiscard]] bool take_submitted();
  [[nodiscard]] Clock::time_point next_event() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void expire();
  void probe();
  void send();
  [[nodiscard]] std::vector<RedisCommand> pack(Clock::time_point now);
  [[nodiscard]] RedisCommand command_for(const Sent& sent) const;
  void receive();
  [[nodiscard]] Clock::time_point next_deadline() const;
  void take(Sent sent, const RedisReply& reply);
  void take_time(const RedisReply& reply);
  void answer_admissions(Sent sent, const RedisReply& reply);
  void send_again(std::vector<QueueCall> calls);
  void drop_link(const absl::Status& why);
  void fail(QueueCall& call, const absl::Status& why);
  void end_call(QueueCall& call, const absl::Status& status);

  const QueueCalls& calls_;
  QueuePolicies& policies_;
  ClockSteps& clock_steps_;

  // Of whoever `linked_` says: true, drip-exact; false, drip-exact-link.
  RedisLink link_;
  // drip-exact's alone.
  std::deque<QueueCall> waiting_;
  std::deque<Sent> sent_;
  Clock::time_point sent_at_;
  QueueClock clock_;
  std::uint64_t next_token_;
  bool clock_by_hash_ = true;  // As QueueCall::by_hash.
  // When clock_.redis_us() arrived over the present link.
  std::optional<Clock::time_point> time_seen_;
  Clock::time_point next_probe_;
  bool may_send_ = false;
  absl::Status trouble_ = absl::UnavailableError("it was not reached yet");

  Mutex mutex_;
  Condition work_;
  Condition lost_;
  bool linked_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<QueueCall> new_ ABSL_GUARDED_BY(mutex_);
  std::multimap<Clock::time_point, QueueCall> later_ ABSL_GUARDED_BY(mutex_);
  absl::Status last_attempt_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
  std::thread link_thread_;
};

}  // namespace drip::cluster
