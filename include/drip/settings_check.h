// SPDX-License-Identifier: BSD-3-Clause
// Whether the settings of a bucket are valid, and if not, which field is wrong.
#pragma once

#include <cstdint>
#include <optional>

#include "drip/bucket_settings.h"
#include "drip/internal/check_range.h"
#include "drip/queue/queue_profile.h"
#include "drip/result.h"

namespace drip {

/// None if a bucket can be made with these settings.
[[nodiscard]] inline std::optional<Error> check(const BucketSettings& settings) {
  using internal::check_range;
  using internal::check_rate;
  if (auto error = check_range("capacity", settings.capacity, 1U, kMaxCapacity)) return error;
  if (auto error = check_rate("units_per_second", settings.units_per_second, kMinUnitsPerSecond,
                              kMaxUnitsPerSecond)) {
    return error;
  }
  if (auto error = check_rate("bits_per_second", settings.bits_per_second, kMinBitsPerSecond,
                              kMaxBitsPerSecond)) {
    return error;
  }
  if (settings.units_per_second == 0 && settings.bits_per_second == 0) {
    return Error{"units_per_second, bits_per_second: both are 0, at least one rate is required"};
  }
  if (auto error = check_range("capacity_bytes", settings.capacity_bytes, std::uint64_t{0},
                               kMaxCapacityBytes)) {
    return error;
  }
  if (auto error = check_range("overhead_bytes", settings.overhead_bytes, kMinOverheadBytes,
                               kMaxOverheadBytes)) {
    return error;
  }
  if (auto error =
          check_range("min_frame_bytes", settings.min_frame_bytes, 0U, kMaxMinFrameBytes)) {
    return error;
  }
  if (auto error = check_range("max_catchup.ns", settings.max_catchup.ns, std::int64_t{0},
                               kMaxMaxCatchup.ns)) {
    return error;
  }
  return check_queue(settings);
}

}  // namespace drip
