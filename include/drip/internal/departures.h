// SPDX-License-Identifier: BSD-3-Clause
// Departures of a Scheduler's buckets: what is counted of them, and the schedule of a flat bucket.
#pragma once

#include <cstdint>

#include "drip/admission.h"
#include "drip/bucket.h"
#include "drip/counter.h"
#include "drip/histogram.h"

namespace drip {

/// Belongs to the Scheduler's thread; what is const may be read by others. Inlined: a call costs a
/// tenth of what it does.
class Departures {
 public:
  /// The schedule of a bucket that is in no tree lets a unit depart, and all is counted; returns
  /// how late it is.
  [[gnu::always_inline]] Duration depart(Bucket& bucket, LatencyHistograms& histograms,
                                         std::uint32_t wire_bytes, Departure departure,
                                         TimePoint arrival, TimePoint now) {
    const Duration late = now - bucket.schedule.due();
    // max_catchup lies on a cache line that is otherwise not needed here.
    const bool within_catchup = late.ns >> bucket.catchup_log2 == 0;
    const Duration lost = bucket.schedule.depart(now, bucket.periods.service(wire_bytes), departure,
                                                 within_catchup ? late : bucket.max_catchup);
    if (lost.ns > 0) [[unlikely]] {
      bucket.lost_schedule_ns.add(static_cast<std::uint64_t>(lost.ns));
      count_lost(static_cast<std::uint64_t>(lost.ns));
    }
    bucket.in_service_bytes = static_cast<std::uint16_t>(wire_bytes);
    count(bucket, histograms, wire_bytes, arrival, now, late);
    return late;
  }
  [[gnu::always_inline]] void count(Bucket& bucket, LatencyHistograms& histograms,
                                    std::uint32_t wire_bytes, TimePoint arrival, TimePoint now,
                                    Duration late) {
    count_departed(bucket, wire_bytes);
    bucket.latencies.record(histograms, now, now - arrival, late);
    lateness_.record(late);
  }
  void count_lost(std::uint64_t ns) { lost_schedule_ns_.add(ns); }

  /// Of all units that have departed.
  [[nodiscard]] const Histogram& lateness() const { return lateness_; }
  /// Schedule time of all buckets that was lost because a unit departed later than max_catchup.
  [[nodiscard]] std::uint64_t lost_schedule_ns() const { return lost_schedule_ns_.get(); }

 private:
  Counter lost_schedule_ns_;
  Histogram lateness_;
};

}  // namespace drip
