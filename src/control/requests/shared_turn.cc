// SPDX-License-Identifier: BSD-3-Clause
// Admits, then asks whether the request has left when it is due.
#include "control/requests/shared_turn.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/errors.h"
#include "control/requests/shared_queues.h"
#include "engine/engine.h"

namespace drip::control {
namespace {

constexpr Duration kLookAtLeastEvery{1'000'000'000};

}  // namespace

SharedTurn::SharedTurn(SharedQueues& queues, BucketEntryRef bucket, std::string id,
                       std::uint32_t wire_bytes, const AdmitTerms& terms, Done<TurnResult> done)
    : queues_(queues),
      bucket_(std::move(bucket)),
      id_(std::move(id)),
      wire_bytes_(wire_bytes),
      done_(std::move(done)),
      terms_(terms) {}

bool SharedTurn::cancel(bool release) {
  Done<TurnResult> dropped;  // Destroyed outside the lock.
  std::shared_ptr<AwaitedTurn> local;
  SharedRequestKey key;
  {
    MutexLock lock(mutex_);
    if (done_ == nullptr) return false;
    dropped = std::exchange(done_, nullptr);
    release_ = release;
    local = std::move(local_);
    if (!is_local_) key = key_;
  }
  if (local != nullptr) {
    // If it has ended at this moment its result goes nowhere.
    (void)local->cancel(release);
  } else if (release && !key.instance.empty()) {
    this->release(key);
  }
  return true;
}

bool SharedTurn::has_ended() {
  MutexLock lock(mutex_);
  return done_ == nullptr;
}

void SharedTurn::end(absl::StatusOr<TurnResult> result) {
  Done<TurnResult> done;
  {
    MutexLock lock(mutex_);
    done = std::exchange(done_, nullptr);
  }
  if (done) done(std::move(result));
}

void SharedTurn::release(const SharedRequestKey& key) {
  queues_.shared().release(shared_bucket(*bucket_), id_, key,
                           [](const absl::StatusOr<SharedRequestStatus>&) {});
}

void SharedTurn::admit() {
  std::vector<SharedBuckets::Admission> admissions(1);
  admissions.front().bucket = shared_bucket(*bucket_);
  admissions.front().request_id = id_;
  admissions.front().terms = terms_;
  admissions.front().done = [self =
                                 shared_from_this()](const absl::StatusOr<SharedTicket>& ticket) {
    self->admitted(ticket);
  };
  queues_.shared().admit(std::move(admissions));
}

void SharedTurn::admitted(const absl::StatusOr<SharedTicket>& ticket) {
  if (!ticket.ok()) {
    if (SharedQueues::falls_back(*bucket_, ticket.status())) return await_locally();
    return end(ticket.status());
  }
  const bool allowed = ticket->reason == RejectReason::kAdmitted;
  bool cancelled = false;
  bool give_up = false;
  {
    MutexLock lock(mutex_);
    key_ = ticket->key;
    cancelled = done_ == nullptr;
    give_up = cancelled && release_ && allowed;
  }
  if (give_up) release(ticket->key);
  if (cancelled) return;
  if (!allowed || ticket->has_left) {
    TurnResult result;
    result.request_id = id_;
    result.reason = ticket->reason;
    result.duplicate = ticket->duplicate;
    result.wait = ticket->wait;
    return end(std::move(result));
  }
  // Should it be lost, it is admitted again, however long that takes.
  terms_.limits = {};
  if (!has_arrived_) duplicate_ = ticket->duplicate;
  const TimePoint now = queues_.engine().now();
  if (!std::exchange(has_arrived_, true)) arrival_ = now;
  due_ = now + ticket->until_departure;
  look();
}

void SharedTurn::await_locally() {
  {
    MutexLock lock(mutex_);
    if (done_ == nullptr) return;
    is_local_ = true;
  }
  std::shared_ptr<AwaitedTurn> local = queues_.local().await(
      *bucket_, {.request_id = id_, .wire_bytes = wire_bytes_, .terms = terms_},
      [self = shared_from_this()](absl::StatusOr<TurnResult> result) {
        self->end(std::move(result));
      });
  bool release = false;
  {
    MutexLock lock(mutex_);
    if (done_ != nullptr) {
      local_ = std::move(local);
      return;
    }
    release = release_;
  }
  // Cancelled meanwhile, or it has ended and this does nothing.
  if (local != nullptr) (void)local->cancel(release);
}

void SharedTurn::look() {
  SharedRequestKey key;
  {
    MutexLock lock(mutex_);
    if (done_ == nullptr) return;
    key = key_;
  }
  const Duration left = due_ - queues_.engine().now();
  queues_.shared().look(
      shared_bucket(*bucket_), id_, key, std::clamp(left, Duration{1}, kLookAtLeastEvery),
      [self = shared_from_this()](const absl::StatusOr<SharedRequestStatus>& status) {
        self->looked(status);
      });
}

void SharedTurn::looked(const absl::StatusOr<SharedRequestStatus>& status) {
  if (has_ended()) return;
  const TimePoint now = queues_.engine().now();
  if (absl::IsUnavailable(status.status())) return now >= due_ ? leave(now) : look();
  if (!status.ok()) return end(status.status());
  switch (status->state) {
    case SharedRequestStatus::State::kWaits:
      due_ = now + status->until_departure;
      return look();
    case SharedRequestStatus::State::kReleased:
      return end(released_by_another());
    case SharedRequestStatus::State::kDeparted:
      return leave(now);
    case SharedRequestStatus::State::kLost:
      // Behind those that came since, so that no more leave than may.
      if (bucket_->exists() && bucket_->exact()) return admit();
      [[fallthrough]];  // The bucket was deleted as well.
    case SharedRequestStatus::State::kDropped: {
      TurnResult result;
      result.request_id = id_;
      result.dropped = true;
      return end(std::move(result));
    }
  }
}

void SharedTurn::leave(TimePoint now) {
  TurnResult result;
  result.request_id = id_;
  result.duplicate = duplicate_;
  result.sojourn = now - arrival_;
  result.lateness = std::max(now - due_, Duration{});
  end(std::move(result));
}

}  // namespace drip::control
