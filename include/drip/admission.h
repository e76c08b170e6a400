// SPDX-License-Identifier: BSD-3-Clause
// A bucket's door: who may come in, how long a newcomer will wait, what is counted on the way out.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "drip/bucket.h"

namespace drip::datapath {

// All of it runs on the bucket's transmitter.

/// Puts a unit into the ring if the bucket takes it; counts nothing.
[[nodiscard]] inline RejectReason try_admit(Bucket& bucket, const RingEntry& entry) {
  if (bucket.life.load(std::memory_order_relaxed) != SlotState::kActive) [[unlikely]] {
    return RejectReason::kDraining;
  }
  if (bucket.occupancy(entry.arrival) >= bucket.capacity) return RejectReason::kFull;
  if (bucket.bounded_bytes != 0 &&
      bucket.backlog_bytes() + entry.unit.wire_bytes() > bucket.capacity_bytes) {
    return RejectReason::kFullBytes;
  }
  // The ring has a slot for each unit of the capacity; only slots of released requests that still
  // stand in line can make it full before.
  return bucket.ring.push(entry) ? RejectReason::kAdmitted : RejectReason::kFull;
}

/// Until the service of a unit starts that would come now.
[[nodiscard]] inline Duration wait_of_newcomer(const Bucket& bucket, TimePoint now) {
  const Duration head = std::max(bucket.law.due() - bucket.law_time(now), Duration{0});
  const std::uint32_t backlog = bucket.backlog.get();
  if (backlog == 0) return head;
  // At the END the point is when the head's service ends, at the START when it begins.
  const bool head_served = bucket.departure == Departure::kAtEnd;
  const std::uint64_t bytes =
      bucket.backlog_bytes() - (head_served ? bucket.ring.front().unit.wire_bytes() : 0);
  const FineSpan behind =
      bucket.periods.backlog_service(backlog - static_cast<std::uint32_t>(head_served), bytes);
  return head + Duration{static_cast<std::int64_t>(behind.ns)};
}

inline void set_up(Bucket& bucket, const BucketSettings& settings) {
  bucket.capacity = settings.capacity & 0x1fff'ffffU;
  // A leased bucket's stay, until the next lease.
  if (!settings.rate_is_leased || bucket.leased == 0) {
    bucket.periods = ServicePeriods::of_rates(settings.units_per_second, settings.bits_per_second);
  }
  bucket.leased = static_cast<std::uint32_t>(settings.rate_is_leased);
  bucket.capacity_bytes = settings.capacity_bytes;
  bucket.bounded_bytes = static_cast<std::uint32_t>(settings.capacity_bytes != 0);
  bucket.overhead_bytes = static_cast<std::int16_t>(settings.overhead_bytes);
  bucket.min_frame_bytes = static_cast<std::uint16_t>(settings.min_frame_bytes);
  bucket.departure = settings.departure;
  bucket.max_catchup = settings.max_catchup;
  const auto catchup_ns = static_cast<std::uint64_t>(settings.max_catchup.ns);
  bucket.catchup_log2 =
      static_cast<std::uint8_t>(catchup_ns == 0 ? 0 : std::bit_width(catchup_ns) - 1);
}

/// What the unit that is being served, or served next, is charged.
[[nodiscard]] inline std::uint32_t bytes_in_service(const Bucket& bucket) {
  return bucket.backlog.get() > 0 && bucket.departure == Departure::kAtEnd
             ? bucket.ring.front().unit.wire_bytes()
             : bucket.in_service_bytes;
}

/// Lets control see the law's point, for its estimates. The wheel goes by it too: not for a bucket
/// that is on it, unless nothing has changed.
inline void publish_point(Bucket& bucket) { bucket.hook.due = bucket.law.due(); }

/// Whether a packet that came would leave at once: it finds the server free, and departs when its
/// service starts. What needs a closer look goes the long way.
[[nodiscard]] inline bool goes_straight(const Bucket& bucket, TimePoint now) {
  return bucket.backlog.get() == 0 && bucket.departure == Departure::kAtStart &&
         bucket.life.load(std::memory_order_relaxed) == SlotState::kActive &&
         (bucket.leased | bucket.bounded_bytes) == 0 && bucket.law.due() <= now;
}

inline void count_admitted(Bucket& bucket, std::uint32_t wire_bytes) {
  bucket.admitted.add(1);
  bucket.admitted_bytes.add(wire_bytes);
}
inline void enter_backlog(Bucket& bucket, std::uint32_t wire_bytes) {
  bucket.backlog.set(bucket.backlog.get() + 1);
  count_admitted(bucket, wire_bytes);
}
inline void leave_backlog(Bucket& bucket) { bucket.backlog.set(bucket.backlog.get() - 1); }
inline void count_rejected(Bucket& bucket, RejectReason reason, std::uint32_t wire_bytes) {
  bucket.rejected[static_cast<std::size_t>(reason)].add(1);
  bucket.rejected_bytes.add(wire_bytes);
}
inline void count_dropped(Bucket& bucket, std::uint32_t wire_bytes) {
  bucket.dropped.add(1);
  bucket.dropped_bytes.add(wire_bytes);
}
inline void count_departed(Bucket& bucket, std::uint32_t wire_bytes) {
  bucket.departed.add(1);
  bucket.departed_bytes.add(wire_bytes);
}

/// After this the front of a ring with a backlog is a unit that waits.
inline void skip_released(Bucket& bucket) {
  while (!bucket.ring.empty() && bucket.ring.front().unit.is_released()) bucket.ring.pop();
}

}  // namespace drip::datapath
