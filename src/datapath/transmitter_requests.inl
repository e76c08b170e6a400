// SPDX-License-Identifier: BSD-3-Clause
// Transmitter's requests: admitted by one or by many, and taken back before their turn.
// IWYU pragma: private, include "datapath/transmitter.h"
#pragma once

namespace drip::datapath {

template <class Io>
Admission Transmitter<Io>::admit_request(std::uint32_t slot, RequestRecord& record,
                                         std::uint32_t wire_bytes, TimePoint now) {
  Bucket& bucket = buckets_[slot];
  const Admission place{RejectReason::kAdmitted, bucket.occupancy(now) + 1ULL,
                        wait_of_newcomer(bucket, now)};
  const std::uint32_t sequence = bucket.ring.tail();
  const std::uint64_t bytes_before = bucket.admitted_bytes.get();
  const RejectReason reason =
      admit(bucket, slot, RingEntry{UnitRef::request(&record, wire_bytes), now}, wire_bytes);
  if (reason != RejectReason::kAdmitted) return Admission{reason, 0, {}};
  record.wire_bytes = wire_bytes;
  record.sequence = sequence;
  record.bytes_before = bytes_before;
  record.arrival = now;
  record.state.store(RequestRecord::State::kQueued, std::memory_order_release);
  return place;
}

template <class Io>
void Transmitter<Io>::admit_units(UnitsToAdmit& units, TimePoint now) {
  const std::uint32_t slot = units.bucket.slot;
  if (units.record != nullptr) {
    units.admission = admit_request(slot, *units.record, units.wire_bytes, now);
    units.admitted = units.admission.reason == RejectReason::kAdmitted ? 1 : 0;
    return;
  }
  Bucket& bucket = buckets_[slot];
  units.admission = {RejectReason::kAdmitted, bucket.occupancy(now) + 1ULL,
                     wait_of_newcomer(bucket, now)};
  units.admitted = 0;
  RejectReason reason = RejectReason::kAdmitted;
  if (units.all_or_none) {
    reason = room_for(bucket, units.count, units.wire_bytes, now);
    if (reason != RejectReason::kAdmitted) count_rejected(bucket, reason, units.wire_bytes);
  }
  const RingEntry entry{UnitRef::request(&nobody_, units.wire_bytes), now};
  while (reason == RejectReason::kAdmitted && units.admitted < units.count) {
    reason = admit(bucket, slot, entry, units.wire_bytes);
    if (reason == RejectReason::kAdmitted) ++units.admitted;
  }
  if (reason == RejectReason::kAdmitted) return;
  // The one that found no room is counted already.
  for (std::uint32_t left = units.count - units.admitted; left > 1; --left) {
    count_rejected(bucket, reason, units.wire_bytes);
  }
  units.admission.reason = reason;
  if (units.admitted == 0) units.admission = {reason, 0, {}};
}

template <class Io>
void Transmitter<Io>::release_request(std::uint32_t slot, RequestRecord& record, TimePoint now) {
  if (record.state.load(std::memory_order_relaxed) != RequestRecord::State::kQueued) return;
  Bucket& bucket = buckets_[slot];
  const bool was_head = record.sequence == bucket.ring.head();
  bucket.ring.at(record.sequence).unit = UnitRef::released();
  leave_backlog(bucket);
  count_dropped(bucket, record.wire_bytes);
  record.departed = now;
  record.state.store(RequestRecord::State::kReleased, std::memory_order_release);
  if (was_head) take_over_service(bucket, slot, record.wire_bytes, now);
  publish_point(bucket);
}

// The head was taken back. The next in line takes over the service under way, so that the server
// is never busy for nobody; with no next the server is free when it would have been.
template <class Io>
void Transmitter<Io>::take_over_service(Bucket& bucket, std::uint32_t slot,
                                        std::uint32_t head_bytes, TimePoint time) {
  skip_released(bucket);
  if (bucket.hook.scheduled()) wheel_.remove(slot);
  const TimePoint now = bucket.law_time(time);
  const bool at_end = bucket.departure == Departure::kAtEnd;
  const FineSpan service = bucket.periods.service(head_bytes);
  if (bucket.backlog.get() == 0) {
    if (at_end) bucket.law.give_up_head(now, service);
    return retire_if_drained(bucket);
  }
  const RingEntry& next = bucket.ring.front();
  const FineSpan next_service = bucket.periods.service(next.unit.wire_bytes());
  const TimePoint arrival = std::min(next.arrival, now);  // Later in a paused bucket only.
  if (at_end) {
    bucket.law.replace_head(now, arrival, service, next_service);
  } else {
    bucket.law.begin(arrival, next_service, Departure::kAtStart);
  }
  schedule(bucket, slot);
}

// Whether so many units fit at one time; counts nothing.
template <class Io>
RejectReason Transmitter<Io>::room_for(const Bucket& bucket, std::uint32_t count,
                                       std::uint32_t wire_bytes, TimePoint now) const {
  if (!admitting_ || bucket.life.load(std::memory_order_relaxed) != SlotState::kActive) {
    return RejectReason::kDraining;
  }
  if (std::uint64_t{bucket.occupancy(now)} + count > bucket.capacity ||
      std::uint64_t{bucket.ring.size()} + count > bucket.ring.slot_count()) {
    return RejectReason::kFull;
  }
  const std::uint64_t bytes = std::uint64_t{count} * wire_bytes;
  if (bucket.capacity_bytes != 0 && bucket.backlog_bytes() + bytes > bucket.capacity_bytes) {
    return RejectReason::kFullBytes;
  }
  return RejectReason::kAdmitted;
}

}  // namespace drip::datapath
