// SPDX-License-Identifier: BSD-3-Clause
// Admission with idempotency, release and listing.
#include "control/requests/request_queue.h"

#include <utility>

#include "control/requests/request_registry.h"

namespace drip::control {
namespace {

// More than one a call, so that a queue that is used gets rid of what left while it was not.
constexpr std::size_t kReapedACall = 4;

}  // namespace

Request* RequestQueue::find_settled(std::string_view id) {
  for (;;) {
    const auto known = by_id_.find(id);
    if (known == by_id_.end()) return nullptr;
    Request& request = *known->second;
    if (request.admitting) {
      ++awaiting_settled_;
      settled_.wait(mutex_);
      --awaiting_settled_;
      continue;
    }
    if (!request.record.gone()) return &request;
    forget(request);
    return nullptr;
  }
}

Ticket RequestQueue::admit(RequestHandle request, std::uint32_t wire_bytes, Departure departure) {
  {
    MutexLock lock(mutex_);
    reap_locked(kReapedACall);
    if (Request* const known = find_settled(request->id)) return ticket_for(*known, departure);
    request->admitting = true;
    by_id_.emplace(request->id, request);
  }
  const Admission admission = engine_.admit(bucket_, request->record, wire_bytes);
  return settle(std::move(request), admission);
}

bool RequestQueue::begin(const RequestHandle& request, Departure departure,
                         std::optional<Ticket>& known) {
  MutexLock lock(mutex_);
  reap_locked(kReapedACall);
  if (const auto same = by_id_.find(request->id); same != by_id_.end()) {
    if (same->second->admitting) return false;
    if (Request* const waiting = find_settled(request->id)) {
      known = ticket_for(*waiting, departure);
      return true;
    }
  }
  request->admitting = true;
  by_id_.emplace(request->id, request);
  return true;
}

Ticket RequestQueue::settle(RequestHandle request, const Admission& admission) {
  Ticket ticket;
  ticket.request_id = request->id;
  ticket.admission = admission;
  bool is_new_to_sweep = false;
  bool is_awaited = false;
  {
    MutexLock lock(mutex_);
    request->admitting = false;
    is_awaited = awaiting_settled_ > 0;
    if (ticket.admission.reason == RejectReason::kAdmitted) {
      line_.insert(request);
      ticket.request = std::move(request);
      is_new_to_sweep = !std::exchange(swept_, true);
    } else {
      by_id_.erase(request->id);
    }
  }
  if (is_awaited) settled_.notify_all();
  if (is_new_to_sweep) registry_.sweep_from_now_on(shared_from_this());
  return ticket;
}

std::optional<Ticket> RequestQueue::find(std::string_view id, Departure departure) {
  MutexLock lock(mutex_);
  Request* const known = find_settled(id);
  if (known == nullptr) return std::nullopt;
  return ticket_for(*known, departure);
}

Ticket RequestQueue::ticket_for(Request& request, Departure departure) {
  Ticket ticket;
  // Held from here on: it may leave at any moment, and then the reaping takes it off the line and
  // gives its name up.
  ticket.request = by_id_.find(request.id)->second;
  ticket.request_id = request.id;
  ticket.duplicate = true;
  // So that the first of the line is one that waits.
  reap_locked(line_.size());
  if (request.record.gone()) {
    // It was the head when it was asked about.
    ticket.admission = {RejectReason::kAdmitted, 1, Duration{}};
    return ticket;
  }
  const BucketStats reading = engine_.read(bucket_);
  const Released behind = line_.released_behind(request.record.sequence);
  const Place now = place(request, reading, behind, departure, engine_.now());
  ticket.admission = {RejectReason::kAdmitted, now.position, now.wait};
  return ticket;
}

Place RequestQueue::place(const Request& request, const BucketStats& reading, Released behind,
                          Departure departure, TimePoint now) {
  // The first of the line is the bucket's head unless a packet is before it.
  std::optional<std::uint32_t> head_bytes;
  const RequestRecord& first = line_.front().record;
  if (full_sequence(first.sequence, reading) + line_.released().units ==
      reading.departed + reading.dropped) {
    head_bytes = first.wire_bytes;
  }
  return place_of(request.record.sequence, request.record.bytes_before, reading, behind, head_bytes,
                  departure, now);
}

void RequestQueue::release(Request& request) {
  engine_.release(bucket_, request.record);
  if (request.record.state.load(std::memory_order_acquire) != RequestRecord::State::kReleased) {
    return;  // It left in its turn; the reaping will come by.
  }
  MutexLock lock(mutex_);
  // A request before it whose admission is being written down at this moment does not learn of the
  // release, and its place is told one too far ahead while it waits.
  const RequestHandle held = line_.remove(request);
  if (held) forget(request);
}

std::vector<QueuedRequest> RequestQueue::list(std::uint64_t first, std::size_t limit,
                                              Departure departure) {
  std::vector<QueuedRequest> result;
  MutexLock lock(mutex_);
  reap_locked(line_.size());
  if (line_.empty()) return result;
  const BucketStats reading = engine_.read(bucket_);
  const TimePoint now = engine_.now();
  const std::uint64_t front = full_sequence(line_.front().record.sequence, reading);
  if (first < front) first = front;
  if (first > reading.admitted) return result;
  line_.visit_from(static_cast<std::uint32_t>(first), [&](const Request& request, Released behind) {
    mutex_.assert_held();
    if (!request.record.gone()) {
      result.push_back({request.id, request.record.arrival,
                        place(request, reading, behind, departure, now),
                        full_sequence(request.record.sequence, reading)});
    }
    return result.size() < limit;
  });
  return result;
}

void RequestQueue::forget(Request& request) {
  const auto known = by_id_.find(request.id);
  // Its name may be another request's by now.
  if (known != by_id_.end() && known->second.get() == &request) by_id_.erase(known);
}

std::size_t RequestQueue::reap_locked(std::size_t limit) {
  std::size_t reaped = 0;
  while (reaped < limit && !line_.empty() && line_.front().record.gone()) {
    const RequestHandle request = line_.pop_front();
    forget(*request);
    ++reaped;
  }
  return reaped;
}

std::size_t RequestQueue::reap(std::size_t limit) {
  MutexLock lock(mutex_);
  return reap_locked(limit);
}

std::size_t RequestQueue::size() {
  MutexLock lock(mutex_);
  return line_.size();
}

}  // namespace drip::control
