// SPDX-License-Identifier: BSD-3-Clause
// One leaky bucket as its transmitter keeps it: hot lines first, counters after, by cache line.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "drip/bucket_settings.h"
#include "drip/cache_line.h"
#include "drip/counter.h"
#include "drip/flow_ring.h"
#include "drip/histogram.h"
#include "drip/law.h"
#include "drip/timing_wheel.h"

namespace drip::dataplane {

enum class Life : std::uint8_t {
  kFree,      ///< No bucket; control owns the slot.
  kActive,    ///< Admits and leaks.
  kDraining,  ///< Admits nothing, leaks on.
  kRetired,   ///< Was draining and is empty: control may take the slot back.
};

/// All is written by the bucket's transmitter alone, once control has handed the slot over. Control
/// reads what is a Counter or an atomic, at any time; the rest through commands only.
struct alignas(kCacheLineBytes) Bucket {
  // Line 1: schedule and ring; touched at each admission and each departure.
  WheelHook hook;
  Law law;
  FlowRing ring;
  std::uint32_t capacity : 30 = 0;
  std::uint32_t leased : 1 = 0;  // What it may leak is a lease (lease_list.h).
  std::uint32_t paused : 1 = 0;  // May leak nothing: not on the wheel, and hook.due is since when.
  std::uint16_t in_service_bytes = 0;  // Of the unit that left last; what START still serves.
  Departure departure = Departure::kAtEnd;
  std::atomic<Life> life{Life::kFree};

  // Line 2: what a unit costs and how much waits.
  ServicePeriods periods;
  BasicCounter<std::uint32_t> backlog;  // Units in the ring that have not been released.
  std::int16_t overhead_bytes = 0;
  std::uint16_t min_frame_bytes = 0;
  Counter backlog_bytes;
  std::uint64_t capacity_bytes = 0;
  Duration max_catchup;

  // Line 3: what happened to units.
  Counter admitted;
  Counter admitted_bytes;
  Counter departed;
  Counter departed_bytes;
  Counter last_departure_ns;
  Counter point_ns;  // The law's point, for control's estimates.
  Counter forfeited_ns;
  Counter rejected_bytes;

  // Line 4: the rarer ends.
  std::array<Counter, kRejectReasons> rejected;
  Counter dropped;
  Counter dropped_bytes;
  std::uint32_t flow_set = kNoFlowSet;  // The per-flow rule that made it, and its number there.
  std::uint32_t flow = 0;
  TimePoint last_arrival;  // Only kept for flows: when idle they are taken back.

  // Lines 5 to 8: how long units stayed and how late they left.
  Histogram sojourn;
  Histogram lateness;

  static constexpr std::uint32_t kNoFlowSet = ~0U;

  /// What a frame of `frame_bytes` (layer 2, no FCS) is charged; may exceed kMaxWireBytes.
  [[nodiscard]] std::uint32_t wire_bytes(std::uint32_t frame_bytes) const {
    const auto charged =
        static_cast<std::int32_t>(std::max<std::uint32_t>(frame_bytes, min_frame_bytes)) +
        overhead_bytes;
    return static_cast<std::uint32_t>(std::max(charged, 1));
  }
  /// The moment at which the law stands: now, unless the bucket is paused.
  [[nodiscard]] TimePoint law_time(TimePoint now) const { return paused != 0 ? hook.due : now; }
  /// Units in the bucket, the one in service included.
  [[nodiscard]] std::uint32_t occupancy(TimePoint now) const {
    const bool serving_departed = departure == Departure::kAtStart && law.in_service(law_time(now));
    return backlog.get() + static_cast<std::uint32_t>(serving_departed);
  }
};
static_assert(sizeof(Bucket) == 8 * kCacheLineBytes);
static_assert(offsetof(Bucket, periods) == kCacheLineBytes);
static_assert(offsetof(Bucket, admitted) == 2 * kCacheLineBytes);
static_assert(offsetof(Bucket, rejected) == 3 * kCacheLineBytes);

}  // namespace drip::dataplane
