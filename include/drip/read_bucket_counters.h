// SPDX-License-Identifier: BSD-3-Clause
// Reads the counters of a bucket while it is in use.
#pragma once

#include <cstddef>

#include "drip/bucket.h"
#include "drip/bucket_counters.h"

namespace drip {

/// Departures are read before admissions, so that a bucket never seems to have sent more than it
/// admitted.
[[nodiscard]] inline BucketCounters read_bucket_counters(const Bucket& bucket,
                                                         const LatencyHistograms& histograms) {
  BucketCounters read;
  read.departed = bucket.departed.get();
  read.departed_bytes = bucket.departed_bytes.get();
  read.dropped = bucket.dropped.get();
  read.dropped_bytes = bucket.dropped_bytes.get();
  read.last_departure = bucket.latencies.last_departure();
  read.departure_time = bucket.hook.due;
  read.backlog = bucket.backlog.get();
  read.admitted = bucket.admitted.get();
  read.admitted_bytes = bucket.admitted_bytes.get();
  // Units pass an inner node of a tree when they depart, and are counted then.
  if (read.admitted < read.departed) {
    read.admitted = read.departed;
    read.admitted_bytes = read.departed_bytes;
  }
  read.backlog_bytes = read.admitted_bytes - read.departed_bytes - read.dropped_bytes;
  for (std::size_t i = 0; i < kRejectReasons; ++i) read.rejected[i] = bucket.rejected[i].get();
  read.rejected_bytes = bucket.rejected_bytes.get();
  read.lost_schedule_ns = bucket.lost_schedule_ns.get();
  const LatencyStats latencies = bucket.latencies.read(histograms);
  read.sojourn = latencies.sojourn;
  read.lateness = latencies.lateness;
  return read;
}

}  // namespace drip
