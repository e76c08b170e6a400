// SPDX-License-Identifier: BSD-3-Clause
// The settings of one bucket, complete and valid, and what can become of a unit at its door.
#pragma once

#include <cstddef>
#include <cstdint>

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

/// In an order without holes: control keeps one for each bucket.
struct BucketSettings {
  std::uint32_t capacity = 0;        ///< Units, the one in service included: 1 to kMaxCapacity.
  std::int32_t overhead_bytes = 0;   ///< Added to each frame for the accounting.
  double units_per_second = 0;       ///< 0: no such rate. At least one of the two rates is set.
  double bits_per_second = 0;        ///< Of wire bytes. 0: no such rate.
  std::uint64_t capacity_bytes = 0;  ///< Wire bytes that may wait; 0: no such bound.
  Duration max_catchup = kDefaultMaxCatchup;
  std::uint32_t min_frame_bytes = 0;  ///< A shorter frame is charged as this long.
  Departure departure = Departure::kAtEnd;
  /// The rates above are those of the whole cluster. What this node may leak is a lease (see
  /// engine/engine.h); until there is one the bucket is paused.
  bool rate_is_leased = false;

  friend bool operator==(const BucketSettings&, const BucketSettings&) = default;
};

enum class RejectReason : std::uint8_t {
  kFull,       ///< `capacity` units are in the bucket.
  kFullBytes,  ///< It does not fit below `capacity_bytes`.
  kDraining,   ///< The bucket is being deleted, or the node is stopping.
  kTooLong,    ///< More wire bytes than kMaxWireBytes; never a request.
  kAdmitted,   ///< No reason: it came in.
};
/// Those for which a unit is turned away.
inline constexpr std::size_t kRejectReasons = 4;

}  // namespace drip
