// SPDX-License-Identifier: BSD-3-Clause
// Position and wait are those before the unit is admitted.
#include "datapath/transmitter_requests.h"

namespace drip::datapath {
namespace {

Admission admission_of_newcomer(const Bucket& bucket, TimePoint now) {
  return {RejectReason::kAdmitted, bucket.occupancy(now) + 1ULL, estimated_wait(bucket, now)};
}

}  // namespace

Admission TransmitterRequests::admit(std::uint32_t slot, RequestRecord& record,
                                     std::uint32_t wire_bytes, TimePoint now) {
  const Bucket& bucket = scheduler_.buckets()[slot];
  const Admission admission = admission_of_newcomer(bucket, now);
  const std::uint64_t admitted_before = bucket.admitted.get();
  const std::uint64_t bytes_before = bucket.admitted_bytes.get();
  const RejectReason reason =
      scheduler_.admit(slot, {UnitRef::tagged(&record, wire_bytes), now}, wire_bytes);
  if (reason != RejectReason::kAdmitted) return Admission{reason, 0, {}};
  record.wire_bytes = wire_bytes;
  record.sequence = static_cast<std::uint32_t>(admitted_before);
  record.place = bucket.ring.tail() - 1;
  record.bytes_before = bytes_before;
  record.arrival = now;
  record.state.store(RequestRecord::State::kQueued, std::memory_order_release);
  return admission;
}

void TransmitterRequests::admit(UnitsToAdmit& units, TimePoint now) {
  const std::uint32_t slot = units.bucket.slot;
  if (units.record != nullptr) {
    units.admission = admit(slot, *units.record, units.wire_bytes, now);
    units.admitted = units.admission.reason == RejectReason::kAdmitted ? 1 : 0;
    return;
  }
  Bucket& bucket = scheduler_.buckets()[slot];
  units.admission = admission_of_newcomer(bucket, now);
  units.admitted = 0;
  RejectReason reason = RejectReason::kAdmitted;
  if (units.all_or_none) {
    reason = scheduler_.can_admit(slot, units.count, units.wire_bytes, now);
    if (reason != RejectReason::kAdmitted) count_rejected(bucket, reason, units.wire_bytes);
  }
  const RingEntry entry{UnitRef::tagged(&anonymous_, units.wire_bytes), now};
  while (reason == RejectReason::kAdmitted && units.admitted < units.count) {
    reason = scheduler_.admit(slot, entry, units.wire_bytes);
    if (reason == RejectReason::kAdmitted) ++units.admitted;
  }
  if (reason == RejectReason::kAdmitted) return;
  // The first that was rejected has been counted.
  for (std::uint32_t left = units.count - units.admitted; left > 1; --left) {
    count_rejected(bucket, reason, units.wire_bytes);
  }
  units.admission.reason = reason;
  if (units.admitted == 0) units.admission = {reason, 0, {}};
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
