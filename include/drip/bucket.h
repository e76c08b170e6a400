// SPDX-License-Identifier: BSD-3-Clause
// One leaky bucket, ordered by cache line: those first that a packet touches.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "drip/bucket_ring.h"
#include "drip/bucket_settings.h"
#include "drip/cache_line.h"
#include "drip/counter.h"
#include "drip/latency_histogram.h"
#include "drip/timing_wheel.h"
#include "drip/virtual_schedule.h"

namespace drip {

enum class BucketPhase : std::uint8_t {
  kFree,      ///< No bucket: the slot may be used for a new one.
  kActive,    ///< Admits and leaks.
  kDraining,  ///< Admits nothing, leaks until it is empty.
  kRetired,   ///< Was draining and is empty: the slot may be taken back.
};

/// All of it is written by one thread, the owner of the bucket's Scheduler. Other threads may read
/// what is a Counter or an atomic, at any time.
///
/// With many buckets the path's cost is the cache lines that it misses: admission touches the first
/// two lines, a departure the first three (docs/decisions/0010-bucket-layout.md).
struct alignas(kCacheLineBytes) Bucket {
  // Line 1: schedule and ring. [[no_unique_address]] lets what follows use an object's padding.
  [[no_unique_address]] WheelHook hook;  // hook.due: schedule.due(), also for readers.
  std::uint32_t capacity : 25 = 0;       // 0: an inner node of a tree.
  std::uint32_t queued : 1 = 0;          // It has a BucketQueue beside the ring or instead of it.
  std::uint32_t queue_changes : 1 = 0;   // Something waits that came before its last change.
  std::uint32_t in_tree : 1 = 0;         // It has a TreeNode, and its parents a say.
  std::uint32_t bounded_bytes : 1 = 0;   // capacity_bytes is not 0.
  std::uint32_t leased : 1 = 0;          // Its rates are set by Scheduler::set_rates().
  std::uint32_t paused : 1 = 0;          // Nothing departs: not on the wheel.
  // The caller's own, beside `queued`, with which it is tested: dripd copies frames of the bucket.
  std::uint32_t captured : 1 = 0;
  VirtualSchedule schedule;
  [[no_unique_address]] BucketRing ring;
  std::atomic<BucketPhase> state{BucketPhase::kFree};
  Departure departure = Departure::kAtEnd;
  std::uint8_t catchup_log2 = 0;        // Lateness below 2^this is within max_catchup.
  BasicCounter<std::uint32_t> backlog;  // Units in the ring that have not been released.
  std::int16_t overhead_bytes = 0;
  std::uint16_t min_frame_bytes = 0;
  // Of the unit that departed last; at START it may still be served.
  std::uint16_t in_service_bytes = 0;

  // Line 2: what a unit costs, and the counts of admission and departure.
  alignas(kCacheLineBytes) ServicePeriods periods;
  Counter admitted;
  Counter admitted_bytes;
  Counter departed;
  Counter departed_bytes;

  // Line 3: written at each departure.
  RecentLatencies latencies;

  // Line 4: counts that are rarely written.
  std::array<Counter, kRejectReasons> rejected;
  Counter rejected_bytes;
  Counter dropped;
  Counter dropped_bytes;

  // Line 5: rarely read.
  Counter lost_schedule_ns;
  std::uint64_t capacity_bytes = 0;
  Duration max_catchup;
  TimePoint paused_since;
  // The caller's own: dripd keeps for a flow's bucket its rule, its number there, and its use.
  std::uint32_t flow_rule = kNoFlowRule;
  std::uint32_t flow = 0;
  TimePoint last_arrival;

  static constexpr std::uint32_t kNoFlowRule = ~0U;

  /// What a frame of `frame_bytes` (layer 2, no FCS) is charged; may exceed kMaxWireBytes.
  [[nodiscard]] std::uint32_t wire_bytes(std::uint32_t frame_bytes) const {
    const auto charged =
        static_cast<std::int32_t>(std::max<std::uint32_t>(frame_bytes, min_frame_bytes)) +
        overhead_bytes;
    return static_cast<std::uint32_t>(std::max(charged, 1));
  }
  /// The time at which the schedule is: now, unless the bucket is paused.
  [[nodiscard]] TimePoint schedule_time(TimePoint now) const {
    return paused != 0 ? paused_since : now;
  }
  /// Units in the bucket, the one in service included.
  [[nodiscard]] std::uint32_t occupancy(TimePoint now) const {
    const bool serving_departed =
        departure == Departure::kAtStart && schedule.in_service(schedule_time(now));
    return backlog.get() + static_cast<std::uint32_t>(serving_departed);
  }
  /// Wire bytes that wait. For the owner: other threads see the three counts at three moments.
  [[nodiscard]] std::uint64_t backlog_bytes() const {
    return admitted_bytes.get() - departed_bytes.get() - dropped_bytes.get();
  }
};
static_assert(sizeof(Bucket) == 5 * kCacheLineBytes);
static_assert(offsetof(Bucket, in_service_bytes) < kCacheLineBytes);
static_assert(offsetof(Bucket, periods) == kCacheLineBytes);
static_assert(offsetof(Bucket, latencies) == 2 * kCacheLineBytes);
static_assert(offsetof(Bucket, rejected) == 3 * kCacheLineBytes);
static_assert(offsetof(Bucket, lost_schedule_ns) == 4 * kCacheLineBytes);

}  // namespace drip
