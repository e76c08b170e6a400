// SPDX-License-Identifier: BSD-3-Clause
// What any thread can read of a bucket while it is in use: counters and latencies.
#pragma once

#include <array>
#include <cstdint>

#include "drip/bucket_settings.h"
#include "drip/histogram.h"
#include "drip/time.h"

namespace drip {

/// Each counter is exact, but they are not all of one moment; together they are consistent whenever
/// the bucket is idle. Bytes are wire bytes.
struct BucketCounters {
  std::uint64_t admitted = 0;
  std::uint64_t admitted_bytes = 0;
  std::uint64_t departed = 0;
  std::uint64_t departed_bytes = 0;
  std::uint64_t dropped = 0;  ///< Admitted, then dropped or released before their turn.
  std::uint64_t dropped_bytes = 0;
  std::array<std::uint64_t, kRejectReasons> rejected{};  ///< By RejectReason.
  std::uint64_t rejected_bytes = 0;
  std::uint64_t backlog = 0;
  std::uint64_t backlog_bytes = 0;
  /// Of a node of a tree: those of departed_bytes that its guarantee covers, in the sense of RFC
  /// 2698 (TreeCharge). The others are yellow.
  std::uint64_t green_bytes = 0;
  std::uint64_t lost_schedule_ns = 0;  ///< Schedule time given up beyond `max_catchup`.
  TimePoint last_departure;            ///< Meaningful if departed > 0.
  /// The theoretical departure time of the head; of an empty bucket, when its server is free.
  TimePoint departure_time;
  HistogramCounts sojourn;
  HistogramCounts lateness;
};

}  // namespace drip
