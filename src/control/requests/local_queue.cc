// SPDX-License-Identifier: BSD-3-Clause
// Admission with idempotency, release and listing.
#include "control/requests/local_queue.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>

namespace drip::control {
namespace {

// More than one a call, so that a queue that is used reclaims what left while it was not.
constexpr std::size_t kReapedACall = 4;

}  // namespace

Request* LocalQueue::find_completed(std::string_view id) {
  for (;;) {
    const auto known = by_id_.find(id);
    if (known == by_id_.end()) return nullptr;
    Request& request = *known->second;
    if (request.admitting) {
      ++awaiting_completed_;
      completed_.wait(mutex_);
      --awaiting_completed_;
      continue;
    }
    if (!request.record.ended()) return &request;
    remember(request);
    forget(request);
    return nullptr;
  }
}

std::optional<LocalQueue::Admitted> LocalQueue::find_known(std::string_view id,
                                                           Departure departure) {
  if (Request* const known = find_completed(id)) return duplicate_of(*known, departure);
  if (!pool_.remembered().has(number_, id, engine_.now())) return std::nullopt;
  Admitted result;
  result.ticket.request_id = std::string(id);
  result.ticket.admitted = 1;
  result.ticket.duplicate = true;
  result.ticket.has_left = true;
  return result;
}

void LocalQueue::insert(const RequestHandle& fresh, const AdmitTerms& terms) {
  fresh->admitting = true;
  fresh->record.remember = terms.remember;
  by_id_.emplace(fresh->id, fresh);
}

absl::StatusOr<LocalQueue::Admitted> LocalQueue::admit(std::string_view request_id,
                                                       std::uint32_t wire_bytes,
                                                       Departure departure,
                                                       const AdmitTerms& terms) {
  RequestHandle fresh = pool_.take();
  if (!fresh) {
    pool_.sweep();
    fresh = pool_.take();
  }
  if (!fresh) {
    // A question about a request that waits takes no memory.
    MutexLock lock(mutex_);
    if (std::optional<Admitted> known = find_known(request_id, departure)) return *std::move(known);
    return pool_.exhausted();
  }
  fresh->id = request_id.empty() ? pool_.make_id() : std::string(request_id);
  {
    MutexLock lock(mutex_);
    reap(kReapedACall);
    if (std::optional<Admitted> known = find_known(fresh->id, departure)) return *std::move(known);
    insert(fresh, terms);
  }
  const Admission admission = engine_.admit(bucket_, fresh->record, wire_bytes, terms.limits);
  return complete(std::move(fresh), admission);
}

Ticket LocalQueue::peek(std::string_view request_id, std::uint32_t wire_bytes, Departure departure,
                        const AdmitTerms& terms) {
  if (!request_id.empty()) {
    MutexLock lock(mutex_);
    if (std::optional<Admitted> known = find_known(request_id, departure)) return known->ticket;
  }
  UnitsToAdmit units;
  units.bucket = bucket_;
  units.wire_bytes = wire_bytes;
  units.limits = terms.limits;
  units.peek = true;
  engine_.admit_many(std::span(&units, 1));
  Ticket ticket;
  ticket.request_id = std::string(request_id);
  ticket.admission = units.admission;
  ticket.admitted = units.admitted;
  return ticket;
}

std::optional<LocalQueue::Prepared> LocalQueue::try_prepare(std::string_view request_id,
                                                            Departure departure,
                                                            const AdmitTerms& terms) {
  Prepared prepared;
  prepared.fresh = pool_.take();
  if (!prepared.fresh) return std::nullopt;
  prepared.fresh->id = std::string(request_id);
  MutexLock lock(mutex_);
  reap(kReapedACall);
  if (const auto same = by_id_.find(request_id); same != by_id_.end()) {
    if (same->second->admitting) return std::nullopt;
  }
  if (std::optional<Admitted> known = find_known(request_id, departure)) {
    prepared.known = std::move(known->ticket);
    return prepared;
  }
  insert(prepared.fresh, terms);
  return prepared;
}

LocalQueue::Admitted LocalQueue::complete(RequestHandle fresh, const Admission& admission) {
  Admitted result;
  result.ticket.request_id = fresh->id;
  result.ticket.admission = admission;
  bool is_new_to_sweep = false;
  bool is_awaited = false;
  {
    MutexLock lock(mutex_);
    fresh->admitting = false;
    waits_are_estimates_ = admission.wait_is_estimate;
    unit_period_ = admission.unit_period;
    is_awaited = awaiting_completed_ > 0;
    if (admission.reason == RejectReason::kAdmitted) {
      result.ticket.admitted = 1;
      index_.insert(fresh);
      result.request = std::move(fresh);
      is_new_to_sweep = !std::exchange(swept_, true);
    } else {
      by_id_.erase(fresh->id);
    }
  }
  if (is_awaited) completed_.notify_all();
  if (is_new_to_sweep) pool_.add_to_sweep(shared_from_this());
  return result;
}

LocalQueue::Admitted LocalQueue::duplicate_of(Request& request, Departure departure) {
  Admitted result;
  // Held from here on: it may leave at any moment, and then reap() removes it and frees its id.
  result.request = by_id_.find(request.id)->second;
  result.ticket.request_id = request.id;
  result.ticket.admitted = 1;
  result.ticket.duplicate = true;
  // So that the first of the index is one that waits.
  reap(index_.size());
  if (request.record.ended()) {
    // It was the head when it was asked about.
    result.ticket.admission = {RejectReason::kAdmitted, 1, Duration{}};
    return result;
  }
  const BucketStats stats = engine_.read(bucket_);
  const Released behind = index_.released_behind(request.record.sequence);
  const QueuePosition now = position(request, behind, stats, departure, engine_.now());
  result.ticket.admission = {RejectReason::kAdmitted, now.position, now.wait, now.wait_is_estimate,
                             unit_period_};
  return result;
}

QueuePosition LocalQueue::position(const Request& request, Released behind,
                                   const BucketStats& stats, Departure departure,
                                   TimePoint now) const {
  QueuePosition position = index_.position(request.record, behind, stats, departure, now);
  position.wait_is_estimate |= waits_are_estimates_;
  if (position.position > 1) {
    const auto before = static_cast<std::int64_t>(position.position - 1);
    position.wait = std::max(position.wait, Duration{unit_period_.ns * before});
  }
  return position;
}

void LocalQueue::release(Request& request) {
  engine_.release(bucket_, request.record);
  if (request.record.state.load(std::memory_order_acquire) != RequestRecord::State::kReleased) {
    return;  // It left in its turn; reap() will come by.
  }
  MutexLock lock(mutex_);
  // A request before it whose admission is being completed at this moment does not learn of the
  // release, and its position is told one too far ahead while it waits.
  const RequestHandle held = index_.remove(request);
  if (held) forget(request);
}

QueuePage LocalQueue::list(std::uint64_t first, std::size_t limit, Departure departure) {
  QueuePage page;
  MutexLock lock(mutex_);
  reap(index_.size());
  if (index_.empty()) return page;
  const BucketStats stats = engine_.read(bucket_);
  const TimePoint now = engine_.now();
  const std::uint64_t front = full_sequence(index_.front().record.sequence, stats);
  if (first < front) first = front;
  if (first > stats.admitted) return page;
  index_.visit_from(
      static_cast<std::uint32_t>(first), [&](const Request& request, Released behind) {
        mutex_.assert_held();
        if (request.record.ended()) return true;
        const std::uint64_t sequence = full_sequence(request.record.sequence, stats);
        if (page.requests.size() == limit) {
          page.next = sequence;
          return false;
        }
        page.requests.push_back({request.id, request.record.arrival,
                                 position(request, behind, stats, departure, now), sequence});
        return true;
      });
  return page;
}

void LocalQueue::remember(const Request& request) {
  if (request.record.remember.ns == 0 ||
      request.record.state.load(std::memory_order_acquire) != RequestRecord::State::kDeparted) {
    return;
  }
  pool_.remembered().add(number_, request.id, request.record.departed + request.record.remember,
                         engine_.now());
}

void LocalQueue::forget(Request& request) {
  const auto known = by_id_.find(request.id);
  // Its id may be another request's by now.
  if (known != by_id_.end() && known->second.get() == &request) by_id_.erase(known);
}

std::size_t LocalQueue::reap(std::size_t limit) {
  std::size_t reaped = 0;
  while (reaped < limit && !index_.empty() && index_.front().record.ended()) {
    const RequestHandle request = index_.pop_front();
    remember(*request);
    forget(*request);
    ++reaped;
  }
  return reaped;
}

std::optional<bool> LocalQueue::sweep(std::size_t limit) {
  MutexLock lock(mutex_);
  if (reap(limit) == limit) return std::nullopt;
  // Decided under the lock: an admission after it adds the queue to the sweep anew.
  return swept_ = !index_.empty();
}

}  // namespace drip::control
