// SPDX-License-Identifier: BSD-3-Clause
// The settings of one bucket, their limits, and the outcomes of admission.
#pragma once

#include <cstddef>
#include <cstdint>

#include "drip/queue/queue_settings.h"
#include "drip/time.h"
#include "drip/virtual_schedule.h"

namespace drip {

inline constexpr std::uint32_t kMaxCapacity = 1U << 20;
inline constexpr std::uint64_t kMaxCapacityBytes = std::uint64_t{1} << 40;
inline constexpr std::int32_t kMinOverheadBytes = -64;
inline constexpr std::int32_t kMaxOverheadBytes = 256;
inline constexpr std::uint32_t kMaxMinFrameBytes = 9216;
inline constexpr Duration kMaxMaxCatchup{10'000'000'000};
inline constexpr Duration kDefaultMaxCatchup{100'000'000};

/// Members are ordered so that there is no padding between them.
struct BucketSettings {
  std::uint32_t capacity = 0;        ///< Units, the one in service included: 1 to kMaxCapacity.
  std::int32_t overhead_bytes = 0;   ///< Added to each frame for the accounting.
  double units_per_second = 0;       ///< 0: no such rate. At least one of the two rates is set.
  double bits_per_second = 0;        ///< Of wire bytes. 0: no such rate.
  std::uint64_t capacity_bytes = 0;  ///< Wire bytes that may wait; 0: no such bound.
  Duration max_catchup = kDefaultMaxCatchup;
  std::uint32_t min_frame_bytes = 0;  ///< A shorter frame is charged as this long.
  Departure departure = Departure::kAtEnd;
  /// The bucket does not leak at the rates above but at those that Scheduler::set_rates() gives it
  /// for a time; until then it is paused.
  bool rate_is_leased = false;
  QueueSettings queue;

  friend bool operator==(const BucketSettings&, const BucketSettings&) = default;
};

enum class RejectReason : std::uint8_t {
  kFull,       ///< `capacity` units are in the bucket.
  kFullBytes,  ///< It does not fit below `capacity_bytes`.
  kDraining,   ///< The bucket is being removed or does not exist, or nothing is admitted any more.
  kTooLong,    ///< More wire bytes than kMaxWireBytes.
  kWaitTooLong,  ///< It would wait for longer than its sender puts up with.
  kAdmitted,     ///< Not rejected.
};
/// How many of them reject a unit.
inline constexpr std::size_t kRejectReasons = 5;

}  // namespace drip
