// SPDX-License-Identifier: BSD-3-Clause
// One leaky bucket as its transmitter keeps it, by cache line: those first that a packet touches.
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

namespace drip::datapath {

enum class SlotState : std::uint8_t {
  kFree,      ///< No bucket; control owns the slot.
  kActive,    ///< Admits and leaks.
  kDraining,  ///< Admits nothing, leaks on.
  kRetired,   ///< Was draining and is empty: control may take the slot back.
};

/// All is written by the bucket's transmitter alone, once control has handed the slot over. Control
/// reads what is a Counter or an atomic, at any time; the rest through commands only.
///
/// With many buckets the path's cost is the cache lines that it misses: admission touches the first
/// two lines, a departure the first three (docs/decisions/0010-bucket-layout.md).
struct alignas(kCacheLineBytes) Bucket {
  // Line 1: schedule and ring. [[no_unique_address]] lets what follows use an object's padding.
  [[no_unique_address]] WheelHook hook;  // hook.due: the law's point, for control's estimates too.
  std::uint32_t capacity : 29 = 0;
  std::uint32_t bounded_bytes : 1 = 0;  // capacity_bytes is not 0.
  std::uint32_t leased : 1 = 0;         // What it may leak is a lease (lease_list.h).
  std::uint32_t paused : 1 = 0;         // May leak nothing: not on the wheel.
  VirtualSchedule law;
  [[no_unique_address]] BucketRing ring;
  std::atomic<SlotState> life{SlotState::kFree};
  Departure departure = Departure::kAtEnd;
  std::uint8_t catchup_log2 = 0;        // Lateness below 2^this is within max_catchup.
  BasicCounter<std::uint32_t> backlog;  // Units in the ring that have not been released.
  std::int16_t overhead_bytes = 0;
  std::uint16_t min_frame_bytes = 0;
  std::uint16_t in_service_bytes = 0;  // Of the unit that left last; what START still serves.

  // Line 2: what a unit costs, and the counts that both ends write.
  alignas(kCacheLineBytes) ServicePeriods periods;
  Counter admitted;
  Counter admitted_bytes;
  Counter departed;
  Counter departed_bytes;

  // Line 3: written at each departure.
  RecentLatencies spans;

  // Line 4: the rarer ends.
  std::array<Counter, kRejectReasons> rejected;
  Counter rejected_bytes;
  Counter dropped;
  Counter dropped_bytes;
  Counter forfeited_ns;

  // Line 5: rarely looked at.
  std::uint64_t capacity_bytes = 0;
  Duration max_catchup;
  TimePoint paused_since;
  std::uint32_t flow_rule = kNoFlowRule;  // The per-flow rule that made it, and its number there.
  std::uint32_t flow = 0;
  TimePoint last_arrival;  // Only kept for flows: when idle they are taken back.

  static constexpr std::uint32_t kNoFlowRule = ~0U;

  /// What a frame of `frame_bytes` (layer 2, no FCS) is charged; may exceed kMaxWireBytes.
  [[nodiscard]] std::uint32_t wire_bytes(std::uint32_t frame_bytes) const {
    const auto charged =
        static_cast<std::int32_t>(std::max<std::uint32_t>(frame_bytes, min_frame_bytes)) +
        overhead_bytes;
    return static_cast<std::uint32_t>(std::max(charged, 1));
  }
  /// The moment at which the law stands: now, unless the bucket is paused.
  [[nodiscard]] TimePoint law_time(TimePoint now) const { return paused != 0 ? paused_since : now; }
  /// Units in the bucket, the one in service included.
  [[nodiscard]] std::uint32_t occupancy(TimePoint now) const {
    const bool serving_departed = departure == Departure::kAtStart && law.in_service(law_time(now));
    return backlog.get() + static_cast<std::uint32_t>(serving_departed);
  }
  /// Wire bytes that wait. For the owner; others see the three counts at three moments.
  [[nodiscard]] std::uint64_t backlog_bytes() const {
    return admitted_bytes.get() - departed_bytes.get() - dropped_bytes.get();
  }
};
static_assert(sizeof(Bucket) == 5 * kCacheLineBytes);
static_assert(offsetof(Bucket, in_service_bytes) < kCacheLineBytes);
static_assert(offsetof(Bucket, periods) == kCacheLineBytes);
static_assert(offsetof(Bucket, spans) == 2 * kCacheLineBytes);
static_assert(offsetof(Bucket, rejected) == 3 * kCacheLineBytes);

}  // namespace drip::datapath
