// SPDX-License-Identifier: BSD-3-Clause
// Admission to one bucket, the estimated wait of a newcomer, and the bucket's counters.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>

#include "drip/bucket.h"

namespace drip {

// All of it is for the thread that owns the bucket. What each unit needs is inline everywhere: GCC
// gives inlining up in large units.

/// Tells whoever releases units that one which waits has got another sequence in its ring.
using UnitMoved = void (*)(UnitRef unit, std::uint32_t sequence);

/// Pushes into a ring that is full, though the bucket is not: the slots of released units are kept
/// until they reach the head or are needed. REQUIRES: backlog < capacity.
[[gnu::noinline, gnu::cold]] inline void push_over_released(Bucket& bucket, const RingEntry& entry,
                                                            UnitMoved moved) {
  bucket.ring.compact([moved](UnitRef unit, std::uint32_t sequence) {
    if (moved != nullptr) moved(unit, sequence);
  });
  [[maybe_unused]] const bool pushed = bucket.ring.push(entry);
  assert(pushed);
}

/// Puts a unit into the ring if the bucket admits it; counts nothing.
[[nodiscard, gnu::always_inline]] inline RejectReason try_admit(Bucket& bucket,
                                                                const RingEntry& entry,
                                                                UnitMoved moved) {
  if (bucket.state.load(std::memory_order_relaxed) != BucketPhase::kActive) [[unlikely]] {
    return RejectReason::kDraining;
  }
  if (bucket.occupancy(entry.arrival) >= bucket.capacity) return RejectReason::kFull;
  if (bucket.bounded_bytes != 0 &&
      bucket.backlog_bytes() + entry.unit.wire_bytes() > bucket.capacity_bytes) {
    return RejectReason::kFullBytes;
  }
  if (!bucket.ring.push(entry)) [[unlikely]]
    push_over_released(bucket, entry, moved);
  return RejectReason::kAdmitted;
}

/// Whether `count` units of `wire_bytes` each would be admitted at one time; counts nothing.
[[nodiscard]] inline RejectReason can_admit(const Bucket& bucket, std::uint32_t count,
                                            std::uint32_t wire_bytes, TimePoint now) {
  if (bucket.state.load(std::memory_order_relaxed) != BucketPhase::kActive) {
    return RejectReason::kDraining;
  }
  if (std::uint64_t{bucket.occupancy(now)} + count > bucket.capacity) return RejectReason::kFull;
  const std::uint64_t bytes = std::uint64_t{count} * wire_bytes;
  if (bucket.capacity_bytes != 0 && bucket.backlog_bytes() + bytes > bucket.capacity_bytes) {
    return RejectReason::kFullBytes;
  }
  return RejectReason::kAdmitted;
}

/// Whether a packet may depart at once if the schedule allows: none waits, and units depart when
/// their service starts.
[[nodiscard]] inline bool may_cut_through(const Bucket& bucket) {
  return bucket.backlog.get() == 0 && bucket.departure == Departure::kAtStart &&
         bucket.state.load(std::memory_order_relaxed) == BucketPhase::kActive;
}

/// How long a unit would wait until its service starts that was admitted now, or behind `more`
/// units of `more_bytes` together that are admitted now.
[[nodiscard]] inline Duration estimated_wait(const Bucket& bucket, TimePoint now,
                                             std::uint32_t more = 0, std::uint64_t more_bytes = 0) {
  const Duration head = std::max(bucket.schedule.due() - bucket.schedule_time(now), Duration{0});
  const std::uint32_t backlog = bucket.backlog.get();
  if (backlog + more == 0) return head;
  // At the END the head departs when its service ends, at the START when it begins.
  const bool head_served = backlog > 0 && bucket.departure == Departure::kAtEnd;
  const std::uint64_t bytes =
      bucket.backlog_bytes() - (head_served ? bucket.ring.front().unit.wire_bytes() : 0);
  const FineSpan behind = bucket.periods.backlog_service(
      backlog + more - static_cast<std::uint32_t>(head_served), bytes + more_bytes);
  return head + Duration{static_cast<std::int64_t>(behind.ns)};
}

[[gnu::always_inline]] inline void count_admitted(Bucket& bucket, std::uint32_t wire_bytes) {
  bucket.admitted.add(1);
  bucket.admitted_bytes.add(wire_bytes);
}
[[gnu::always_inline]] inline void enter_backlog(Bucket& bucket, std::uint32_t wire_bytes) {
  bucket.backlog.set(bucket.backlog.get() + 1);
  count_admitted(bucket, wire_bytes);
}
[[gnu::always_inline]] inline void leave_backlog(Bucket& bucket) {
  bucket.backlog.set(bucket.backlog.get() - 1);
}
inline void count_rejected(Bucket& bucket, RejectReason reason, std::uint32_t wire_bytes) {
  bucket.rejected[static_cast<std::size_t>(reason)].add(1);
  bucket.rejected_bytes.add(wire_bytes);
}
inline void count_dropped(Bucket& bucket, std::uint32_t wire_bytes) {
  bucket.dropped.add(1);
  bucket.dropped_bytes.add(wire_bytes);
}
[[gnu::always_inline]] inline void count_departed(Bucket& bucket, std::uint32_t wire_bytes) {
  bucket.departed.add(1);
  bucket.departed_bytes.add(wire_bytes);
}

/// Removes the slots of released units at the head: after this the front of a ring with a backlog
/// is a unit that waits.
[[gnu::always_inline]] inline void skip_released(Bucket& bucket) {
  while (!bucket.ring.empty() && bucket.ring.front().unit.is_released()) bucket.ring.pop();
}

}  // namespace drip
