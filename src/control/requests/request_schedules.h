// SPDX-License-Identifier: BSD-3-Clause
// The schedules of buckets with requests, kept so that a restart does not let requests through too
// early.
#pragma once

#include <functional>
#include <vector>

#include "control/config/bucket_entry.h"
#include "drip/time.h"
#include "drip/virtual_schedule.h"
#include "engine/call_types.h"

namespace drip::control {

/// Thread safe. A restart makes a bucket as busy as it was by what is stored: BucketEntry::
/// stored_until(). An admission that makes it busy for longer is answered when that is stored.
class RequestSchedules {
 public:
  virtual ~RequestSchedules() = default;
  /// Stores how busy the buckets are, and calls `then`, which may be null: on another thread, or
  /// within if the node is stopping. If it cannot be stored `then` is called as well, and the
  /// operator is told: a disk that is full stops no request.
  virtual void store(std::vector<BucketEntryRef> buckets, std::function<void()> then) = 0;
};

/// A bucket of which a unit takes no longer than this is stored as busy for kStoredAhead more than
/// it is, so that not each request waits for the disk. After a crash it may let through less for
/// that long, and never more.
inline constexpr Duration kLongestQuickUnit{100'000'000};
inline constexpr Duration kStoredAhead{1'000'000'000};

/// How much later than it is a bucket with these rates is stored to be free.
[[nodiscard]] inline Duration stored_ahead(const BucketSettings& settings) {
  // Of a unit of a bucket that counts bytes only.
  constexpr std::uint32_t kBytes = 1500;
  const ServicePeriods periods =
      ServicePeriods::of_rates(settings.units_per_second, settings.bits_per_second);
  const auto unit = static_cast<std::int64_t>(periods.service(kBytes).ns);
  return unit <= kLongestQuickUnit.ns ? kStoredAhead : Duration{};
}

/// Whether an admission of `count` units of `wire_bytes`, the first of which waits for `wait` from
/// now on, can be answered. If it can, but soon none could, begins to store.
[[nodiscard]] inline bool is_stored(RequestSchedules& schedules, BucketEntry& bucket, TimePoint now,
                                    Duration wait, std::uint32_t count, std::uint32_t wire_bytes) {
  // Nobody knows when: a bucket that stands still lets nothing through now.
  constexpr Duration kMostWait{std::int64_t{1} << 60};
  const BucketSettings settings = bucket.settings();
  const ServicePeriods periods =
      ServicePeriods::of_rates(settings.units_per_second, settings.bits_per_second);
  const FineSpan service = periods.backlog_service(count, std::uint64_t{count} * wire_bytes);
  const auto served = static_cast<std::int64_t>(service.ns) + 1;
  const TimePoint until =
      now + std::min(wait, kMostWait) + Duration{std::min(served, kMostWait.ns)};
  const TimePoint stored = bucket.stored_until();
  if (until > stored) return false;
  const Duration ahead = stored_ahead(settings);
  if (ahead.ns > 0 && until + Duration{ahead.ns / 2} > stored) {
    schedules.store({BucketEntryRef(&bucket)}, nullptr);
  }
  return true;
}

}  // namespace drip::control
