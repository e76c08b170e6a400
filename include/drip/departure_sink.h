// SPDX-License-Identifier: BSD-3-Clause
// Where units go when a Scheduler lets them depart, and how many it looks at in a round.
#pragma once

#include <concepts>
#include <cstdint>

#include "drip/queue/queue_drop.h"
#include "drip/time.h"
#include "drip/unit_ref.h"

namespace drip {

/// Where units go when they depart. `has_room(unit)`: whether the unit can be taken now; if not its
/// bucket is held and looked at again after kEgressRetry. `departed(unit, now, late)` takes a unit
/// for which has_room() has just said yes, `late` after it was due. A sink may have
/// `prefetch(unit)`, which is a hint that the unit will probably depart within a microsecond.
template <class T>
concept DepartureSink = requires(T sink, UnitRef unit, TimePoint now, Duration late) {
  { sink.has_room(unit) } -> std::same_as<bool>;
  { sink.departed(unit, now, late) } -> std::same_as<void>;
};

/// For buckets with queues (BucketQueues): `marked(unit)` before departed() of a packet that is to
/// be marked Congestion Experienced; `dropped(unit, reason)` takes over a packet that waited, or
/// that was being queued. A sink that has `dropped_from(bucket, unit, reason, now)` gets that
/// instead where the bucket is known.
template <class T>
concept QueueSink = DepartureSink<T> && QueueDropSink<T> && requires(T sink, UnitRef unit) {
  { sink.marked(unit) } -> std::same_as<void>;
};

/// How long a bucket is held whose head has no room at its egress.
inline constexpr Duration kEgressRetry{2'000};
inline constexpr std::uint32_t kBucketsARound = 32;

/// How many buckets one round of departures looks at, and how many units of each may depart. A
/// bucket with a rate above one unit a wheel slot must be able to send several, or the width of a
/// slot would limit its rate.
struct RoundLimits {
  std::uint32_t buckets;
  std::uint32_t units;
};
/// What a round did.
struct DepartureRound {
  std::uint32_t departed = 0;  ///< Units.
  std::uint32_t visited = 0;   ///< Buckets.
  bool more_is_due = false;    ///< Another round at the same time may find more.
};

}  // namespace drip
