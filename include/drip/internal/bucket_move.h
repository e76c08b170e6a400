// SPDX-License-Identifier: BSD-3-Clause
// What a bucket takes along when it moves to the Scheduler of another thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>

#include "drip/bucket.h"
#include "drip/virtual_schedule.h"

namespace drip {

/// What a node of a tree that moves as a whole takes along beside its bucket. Tags stay behind:
/// siblings begin a round anew.
struct MovedNode {
  bool is_busy = false;       ///< It was not idle: what it is late by is made up for.
  FinePoint guarantee_point;  ///< See NodeGuarantee.
  FinePoint guarantee_metered;
  std::uint64_t green_bytes = 0;
  std::uint64_t lost_ns = 0;  ///< See InnerNode.
};

/// Copies what waits in a ring to `out`, the oldest first; returns how many. REQUIRES: out.size()
/// is not below ring.size().
inline std::size_t copy_waiting(const BucketRing& ring, std::span<RingEntry> out) {
  std::size_t count = 0;
  for (std::uint32_t at = ring.head(); at != ring.tail(); ++at) out[count++] = ring.at(at);
  return count;
}

/// The counts and histograms of `from`, in place of those of `to`, but for what `to` has rejected.
inline void continue_counts(Bucket& to, LatencyHistograms& to_histograms, const Bucket& from,
                            const LatencyHistograms& from_histograms) {
  to.admitted.set(from.admitted.get());
  to.admitted_bytes.set(from.admitted_bytes.get());
  to.departed.set(from.departed.get());
  to.departed_bytes.set(from.departed_bytes.get());
  to.dropped.set(from.dropped.get());
  to.dropped_bytes.set(from.dropped_bytes.get());
  for (std::size_t i = 0; i < kRejectReasons; ++i) to.rejected[i].add(from.rejected[i].get());
  to.rejected_bytes.add(from.rejected_bytes.get());
  to.lost_schedule_ns.set(from.lost_schedule_ns.get());
  to.latencies.continue_from(from.latencies, from_histograms, to_histograms);
}

/// Makes `to`, whose settings are those of `from`, continue where `from` stopped: schedule, backlog
/// and counts. What `to` has rejected since it was made stays counted, whatever else it had is
/// forgotten. REQUIRES: nobody changes `from`, which is not paused; the ring of `to` is large
/// enough; `to` is not on a wheel.
inline void continue_bucket(Bucket& to, LatencyHistograms& to_histograms, const Bucket& from,
                            const LatencyHistograms& from_histograms) {
  RingEntry* const memory = to.ring.memory();
  const std::uint32_t slots = to.ring.slot_count();
  new (&to.ring) BucketRing(memory, slots, from.ring.head());
  for (std::uint32_t at = from.ring.head(); at != from.ring.tail(); ++at) {
    static_cast<void>(to.ring.push(from.ring.at(at)));
  }
  to.backlog.set(from.backlog.get());
  to.schedule = from.schedule;
  to.in_service_bytes = from.in_service_bytes;
  continue_counts(to, to_histograms, from, from_histograms);
}

/// The same of an inner node, which holds nothing.
inline void continue_inner(Bucket& to, LatencyHistograms& to_histograms, const Bucket& from,
                           const LatencyHistograms& from_histograms) {
  to.schedule = from.schedule;
  to.in_service_bytes = from.in_service_bytes;
  continue_counts(to, to_histograms, from, from_histograms);
}

}  // namespace drip
