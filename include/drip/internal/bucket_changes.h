// SPDX-License-Identifier: BSD-3-Clause
// Changes to one bucket between two departures: settings, rates, pause and resume, a new head. All
// keep the backlog; what is left of the service in progress is rescaled. None gives credit.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "drip/bucket.h"

namespace drip {

// All of it is for the thread that owns the bucket, while the bucket is not on the wheel.

/// Stores settings that are valid (bucket_settings.h); leaves the schedule as it is.
inline void store_settings(Bucket& bucket, const BucketSettings& settings) {
  bucket.capacity = settings.capacity & 0x03ff'ffffU;
  // The rates of a leased bucket are those of its lease, until the next one.
  if (!settings.rate_is_leased || bucket.leased == 0) {
    bucket.periods = ServicePeriods::of_rates(settings.units_per_second, settings.bits_per_second);
  }
  bucket.leased = static_cast<std::uint32_t>(settings.rate_is_leased);
  bucket.capacity_bytes = settings.capacity_bytes;
  bucket.bounded_bytes = static_cast<std::uint32_t>(settings.capacity_bytes != 0);
  bucket.overhead_bytes = static_cast<std::int16_t>(settings.overhead_bytes);
  bucket.min_frame_bytes = static_cast<std::uint16_t>(settings.min_frame_bytes);
  bucket.departure = settings.departure;
  bucket.max_catchup = settings.max_catchup;
  const auto catchup_ns = static_cast<std::uint64_t>(settings.max_catchup.ns);
  bucket.catchup_log2 =
      static_cast<std::uint8_t>(catchup_ns == 0 ? 0 : std::bit_width(catchup_ns) - 1);
}

/// The schedule stops: nothing departs until resume().
inline void pause(Bucket& bucket, TimePoint now) {
  if (bucket.paused != 0) return;
  bucket.schedule.freeze(now, now);
  bucket.paused_since = now;
  bucket.paused = 1;
}
/// REQUIRES: paused.
inline void resume(Bucket& bucket, TimePoint now) {
  bucket.schedule.freeze(bucket.paused_since, now);
  bucket.paused = 0;
}

/// The wire bytes of the unit that is in service, or is served next.
[[nodiscard]] inline std::uint32_t bytes_in_service(const Bucket& bucket) {
  return !bucket.ring.empty() && bucket.departure == Departure::kAtEnd
             ? bucket.ring.front().unit.wire_bytes()
             : bucket.in_service_bytes;
}

inline void change_settings(Bucket& bucket, const BucketSettings& settings, TimePoint now) {
  const bool was_leased = bucket.leased != 0;
  const std::uint32_t in_service = bytes_in_service(bucket);
  const ServicePeriods before = bucket.periods;
  const Departure departure_before = bucket.departure;
  store_settings(bucket, settings);
  if (was_leased && bucket.leased == 0 && bucket.paused != 0) resume(bucket, now);
  bucket.schedule.rescale(bucket.schedule_time(now), before.service(in_service),
                          bucket.periods.service(in_service));
  // A bucket with another queue than the ring departs at the START all the time.
  if (!bucket.ring.empty()) {
    const std::uint32_t head_bytes = bucket.ring.front().unit.wire_bytes();
    // A head that was to depart when its service starts now departs when it ends. The other way
    // round it keeps its time: nothing departs early.
    if (departure_before == Departure::kAtStart && bucket.departure == Departure::kAtEnd) {
      bucket.schedule.serve_to_end(bucket.periods.service(head_bytes));
    }
    // What is left until then belongs to the head's own service, should the rate change again.
    if (departure_before == Departure::kAtEnd && bucket.departure == Departure::kAtStart) {
      bucket.in_service_bytes = static_cast<std::uint16_t>(head_bytes);
    }
  }
  if (!was_leased && bucket.leased != 0) pause(bucket, now);
}

/// REQUIRES: not paused.
inline void change_rates(Bucket& bucket, const ServicePeriods& periods, TimePoint now) {
  const std::uint32_t in_service = bytes_in_service(bucket);
  bucket.schedule.rescale(now, bucket.periods.service(in_service), periods.service(in_service));
  bucket.periods = periods;
}

/// The same for one of several buckets that have parts of one rate: see
/// VirtualSchedule::rescale_lateness().
inline void change_share(Bucket& bucket, const ServicePeriods& periods, TimePoint now) {
  // What is late is counted in units of the one that departed last, if there was one.
  const std::uint32_t bytes = std::max<std::uint32_t>(bucket.in_service_bytes, 1);
  bucket.schedule.rescale_lateness(now, bucket.periods.service(bytes), periods.service(bytes),
                                   bucket.max_catchup);
  change_rates(bucket, periods, now);
}

/// The head, of `head_bytes`, was released. The next unit takes over the service in progress, so
/// that the server is never busy for no unit; with none the server is free when it would have been.
inline void replace_head(Bucket& bucket, std::uint32_t head_bytes, TimePoint time) {
  const TimePoint now = bucket.schedule_time(time);
  const bool at_end = bucket.departure == Departure::kAtEnd;
  const FineSpan service = bucket.periods.service(head_bytes);
  if (bucket.ring.empty()) {
    if (at_end) bucket.schedule.give_up_head(now, service);
    return;
  }
  const RingEntry& next = bucket.ring.front();
  const FineSpan next_service = bucket.periods.service(next.unit.wire_bytes());
  const TimePoint arrival = std::min(next.arrival, now);  // Later in a paused bucket only.
  if (at_end) {
    bucket.schedule.replace_head(now, arrival, service, next_service);
  } else {
    bucket.schedule.begin(arrival, next_service, Departure::kAtStart);
  }
}

}  // namespace drip
