// SPDX-License-Identifier: BSD-3-Clause
// A bucket's settings in half of their bytes, as control remembers them for each of a million.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>

#include "drip/bucket_settings.h"

namespace drip::control {

/// Gives back exactly what it was made of. Not thread safe.
class CompactSettings {
 public:
  /// REQUIRES: settings within their ranges.
  explicit CompactSettings(const BucketSettings& settings)
      : capacity_(settings.capacity),
        overhead_bytes_(static_cast<std::int16_t>(settings.overhead_bytes)),
        min_frame_bytes_(static_cast<std::uint16_t>(settings.min_frame_bytes)),
        units_per_second_(settings.units_per_second),
        bits_per_second_(settings.bits_per_second),
        capacity_bytes_(settings.capacity_bytes),
        rate_is_leased_(settings.rate_is_leased),
        at_end_(settings.departure == Departure::kAtEnd),
        max_catchup_ns_(settings.max_catchup.ns) {
    // Few buckets have more than the default.
    if (settings.queue != QueueSettings{}) {
      queue_ = std::make_unique<const QueueSettings>(settings.queue);
    }
  }

  [[nodiscard]] BucketSettings get() const {
    BucketSettings settings;
    settings.capacity = capacity_;
    settings.overhead_bytes = overhead_bytes_;
    settings.min_frame_bytes = min_frame_bytes_;
    settings.units_per_second = units_per_second_;
    settings.bits_per_second = bits_per_second_;
    settings.capacity_bytes = capacity_bytes_;
    settings.rate_is_leased = rate_is_leased_ != 0;
    settings.departure = at_end_ != 0 ? Departure::kAtEnd : Departure::kAtStart;
    settings.max_catchup = Duration{static_cast<std::int64_t>(max_catchup_ns_)};
    if (queue_ != nullptr) settings.queue = *queue_;
    return settings;
  }

 private:
  std::uint32_t capacity_;
  std::int16_t overhead_bytes_;
  std::uint16_t min_frame_bytes_;
  double units_per_second_;
  double bits_per_second_;
  std::uint64_t capacity_bytes_ : 41;
  std::uint64_t rate_is_leased_ : 1;
  std::uint64_t at_end_ : 1;
  std::uint64_t max_catchup_ns_;
  std::unique_ptr<const QueueSettings> queue_;  // Null: the default.

  static_assert(kMinOverheadBytes >= std::numeric_limits<std::int16_t>::min());
  static_assert(kMaxOverheadBytes <= std::numeric_limits<std::int16_t>::max());
  static_assert(kMaxMinFrameBytes <= std::numeric_limits<std::uint16_t>::max());
  static_assert(kMaxCapacityBytes < std::uint64_t{1} << 41);
};
static_assert(sizeof(CompactSettings) == 48);

}  // namespace drip::control
