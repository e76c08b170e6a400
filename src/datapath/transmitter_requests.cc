// SPDX-License-Identifier: BSD-3-Clause
// Position and wait are those before the unit is admitted.
#include "datapath/transmitter_requests.h"

#include <algorithm>

namespace drip::datapath {
namespace {

// So many units at most take the place of what waited before; they are admitted in one job. What is
// beyond them the first one waits for.
constexpr std::int64_t kMostOccupying = 65'536;
// Of a unit of a bucket that counts bytes only.
constexpr std::uint32_t kOccupyingBytes = 1500;

Admission rejection(RejectReason reason, const Admission& would_be) {
  if (reason != RejectReason::kWaitTooLong) return {reason, 0, Duration{}};
  Admission admission = would_be;
  admission.reason = reason;
  admission.position = 0;
  return admission;
}

// Of the last of `count` units, the first of which waits as `first` says.
Duration wait_of_last(const Bucket& bucket, const Admission& first, std::uint32_t count,
                      std::uint32_t wire_bytes, TimePoint now) {
  const Duration own =
      estimated_wait(bucket, now, count - 1, std::uint64_t{count - 1} * wire_bytes);
  return std::max(own, first.wait + Duration{first.unit_period.ns * (count - 1)});
}

// A leaf that departs at its own ceiling waits for nobody else.
bool is_slower(Duration period, const Bucket& leaf, std::uint32_t wire_bytes) {
  return period.ns > 1.01 * static_cast<double>(leaf.periods.service(wire_bytes).ns);
}

bool exceeds(const WaitLimits& limits, const Bucket& bucket, Duration wait,
             std::uint32_t wire_bytes) {
  if (!limits.any()) return false;
  if (wait > limits.start) return true;
  Duration service;
  if (bucket.departure == Departure::kAtEnd) {
    service.ns = static_cast<std::int64_t>(bucket.periods.service(wire_bytes).ns);
  }
  return wait > limits.departure + Duration{-service.ns};
}

}  // namespace

bool TransmitterRequests::stands_still(std::uint32_t slot) const {
  const BucketArray& buckets = scheduler_.buckets();
  if (buckets[slot].paused != 0) return true;
  if (buckets[slot].in_tree == 0) return false;
  do {
    slot = buckets.trees.nodes[slot].parent_slot;
  } while (slot != kNoNode && buckets[slot].paused == 0);
  return slot != kNoNode;
}

bool TransmitterRequests::takes_units(std::uint32_t slot) const {
  return scheduler_.buckets()[slot].queued == 0 || scheduler_.queues()->goes_into_ring(slot);
}

Admission TransmitterRequests::admission_of_newcomer(std::uint32_t slot, std::uint32_t wire_bytes,
                                                     TimePoint now) {
  const Bucket& bucket = scheduler_.buckets()[slot];
  Admission admission{RejectReason::kAdmitted, bucket.occupancy(now) + 1ULL,
                      estimated_wait(bucket, now)};
  if (stands_still(slot)) [[unlikely]] {
    admission.wait = Admission::kUnknownWait;
    admission.wait_is_estimate = true;
    return admission;
  }
  if (bucket.in_tree == 0) [[likely]]
    return admission;
  const Duration period = shares_.measure(slot, bucket, now);
  if (period.ns > 0) {
    admission.wait_is_estimate = is_slower(period, bucket, wire_bytes);
  } else {
    admission.wait_is_estimate = !scheduler_.can_cut_through(slot, now);
  }
  if (!admission.wait_is_estimate) return admission;
  admission.unit_period = period;
  const std::int64_t by_share = period.ns * static_cast<std::int64_t>(bucket.backlog.get());
  admission.wait = std::max(admission.wait, Duration{by_share});
  return admission;
}

Admission TransmitterRequests::admit(std::uint32_t slot, RequestRecord& record,
                                     std::uint32_t wire_bytes, const WaitLimits& limits,
                                     TimePoint now) {
  Bucket& bucket = scheduler_.buckets()[slot];
  if (!takes_units(slot)) [[unlikely]] {
    count_rejected(bucket, RejectReason::kDraining, wire_bytes);
    return rejection(RejectReason::kDraining, {});
  }
  const Admission admission = admission_of_newcomer(slot, wire_bytes, now);
  if (exceeds(limits, bucket, admission.wait, wire_bytes)) {
    RejectReason reason = scheduler_.can_admit(slot, 1, wire_bytes, now);
    if (reason == RejectReason::kAdmitted) reason = RejectReason::kWaitTooLong;
    count_rejected(bucket, reason, wire_bytes);
    return rejection(reason, admission);
  }
  const std::uint64_t admitted_before = bucket.admitted.get();
  const std::uint64_t bytes_before = bucket.admitted_bytes.get();
  const RejectReason reason =
      scheduler_.admit(slot, {UnitRef::tagged(&record, wire_bytes), now}, wire_bytes);
  if (reason != RejectReason::kAdmitted) return rejection(reason, {});
  record.wire_bytes = wire_bytes;
  record.sequence = static_cast<std::uint32_t>(admitted_before);
  record.place = bucket.ring.tail() - 1;
  record.bytes_before = bytes_before;
  record.arrival = now;
  record.state.store(RequestRecord::State::kQueued, std::memory_order_release);
  return admission;
}

RejectReason TransmitterRequests::check(const UnitsToAdmit& units, std::uint32_t count,
                                        TimePoint now) const {
  const std::uint32_t slot = units.bucket.slot;
  if (!takes_units(slot)) [[unlikely]]
    return RejectReason::kDraining;
  const RejectReason reason = scheduler_.can_admit(slot, count, units.wire_bytes, now);
  if (reason != RejectReason::kAdmitted || !units.limits.any()) return reason;
  const Bucket& bucket = scheduler_.buckets()[slot];
  const Duration last_waits = wait_of_last(bucket, units.admission, count, units.wire_bytes, now);
  return exceeds(units.limits, bucket, last_waits, units.wire_bytes) ? RejectReason::kWaitTooLong
                                                                     : reason;
}

std::uint32_t TransmitterRequests::fitting(const UnitsToAdmit& units, TimePoint now) const {
  if (check(units, units.count, now) == RejectReason::kAdmitted) return units.count;
  if (units.all_or_none) return 0;
  std::uint32_t most = units.count - 1;
  for (std::uint32_t least = 0; least < most;) {
    const std::uint32_t middle = least + (most - least + 1) / 2;
    if (check(units, middle, now) == RejectReason::kAdmitted) {
      least = middle;
    } else {
      most = middle - 1;
    }
  }
  return most;
}

void TransmitterRequests::admit(UnitsToAdmit& units, TimePoint now) {
  const std::uint32_t slot = units.bucket.slot;
  if (units.record != nullptr) {
    units.admission = admit(slot, *units.record, units.wire_bytes, units.limits, now);
    units.admitted = units.admission.reason == RejectReason::kAdmitted ? 1 : 0;
    return;
  }
  Bucket& bucket = scheduler_.buckets()[slot];
  units.admission = admission_of_newcomer(slot, units.wire_bytes, now);
  units.admitted = 0;
  std::uint32_t wanted = units.count;
  std::uint32_t counted = 0;  // As rejected.
  RejectReason reason = RejectReason::kAdmitted;
  if (units.all_or_none || units.peek || units.limits.any() || !takes_units(slot)) {
    wanted = fitting(units, now);
    if (wanted < units.count) {
      reason = check(units, units.all_or_none ? units.count : wanted + 1, now);
    }
  }
  if (units.peek) {
    units.admitted = wanted;
    counted = units.count - wanted;
  }
  const RingEntry entry{UnitRef::tagged(&anonymous_, units.wire_bytes), now};
  while (units.admitted < wanted) {
    const RejectReason outcome = scheduler_.admit(slot, entry, units.wire_bytes);
    if (outcome != RejectReason::kAdmitted) {
      reason = outcome;
      counted = 1;
      break;
    }
    ++units.admitted;
  }
  for (std::uint32_t left = units.count - units.admitted; left > counted; --left) {
    count_rejected(bucket, reason, units.wire_bytes);
  }
  units.admission.reason = reason;
  if (units.admitted == 0) units.admission = rejection(reason, units.admission);
}

void TransmitterRequests::occupy(std::uint32_t slot, Duration busy, TimePoint now) {
  if (busy.ns <= 0) return;
  const Bucket& bucket = scheduler_.buckets()[slot];
  const std::uint32_t bytes = bucket.periods.per_unit == FineSpan{} ? kOccupyingBytes : 0;
  const auto service = static_cast<std::int64_t>(bucket.periods.service(bytes).ns);
  const std::int64_t units = service > 0 ? (busy.ns - 1) / service + 1 : kMostOccupying;
  // At the START the first is in service already, and does not wait.
  const bool at_start = bucket.departure == Departure::kAtStart;
  const std::uint32_t in_service = at_start ? 1 : 0;
  // Without room for units the bucket is busy all the same.
  const auto room =
      takes_units(slot) ? std::min<std::int64_t>(bucket.capacity, kMostOccupying) - in_service : 0;
  std::int64_t waiting = 0;
  const RingEntry entry{UnitRef::tagged(&anonymous_, bytes), now};
  while (waiting < std::min(units - in_service, room) &&
         scheduler_.can_admit(slot, 1, bytes, now) == RejectReason::kAdmitted) {
    (void)scheduler_.admit(slot, entry, bytes);
    ++waiting;
  }
  const std::int64_t behind = at_start ? waiting : std::max<std::int64_t>(waiting - 1, 0);
  scheduler_.set_due(slot, now + Duration{busy.ns - behind * service}, now);
}

void TransmitterRequests::moved(UnitRef unit, std::uint32_t sequence) {
  if (unit.is_tagged()) static_cast<RequestRecord*>(unit.address())->place = sequence;
}

void TransmitterRequests::release(std::uint32_t slot, RequestRecord& record, TimePoint now) {
  if (record.state.load(std::memory_order_relaxed) != RequestRecord::State::kQueued) return;
  scheduler_.release(slot, record.place, now);
  record.departed = now;
  record.state.store(RequestRecord::State::kReleased, std::memory_order_release);
}

}  // namespace drip::datapath
