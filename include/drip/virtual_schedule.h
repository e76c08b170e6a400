// SPDX-License-Identifier: BSD-3-Clause
// The law of a leaky bucket as a queue (G/D/1/K): when each unit leaves.
//
//   start(i)  = max(arrival(i), start(i-1) + cost(i-1)/R)
//   leaves(i) = start(i)                  departure at the START of service
//   leaves(i) = start(i) + cost(i)/R      departure at the END of service
//
// It is the virtual scheduling of ITU-T I.371 (GCRA) with a tolerance of zero, so an idle bucket
// saves nothing up. Time is counted in 2^-64 ns and service times are exact multiples of a period
// that is rounded once, to 2^-64 ns: from 1 unit an hour to 400 Gbit/s the long-run rate is off by
// less than 1 part in 10^15, because a byte at 400 Gbit/s still lasts 0.02 ns, 2^58 of these steps.
#pragma once

#include <cstdint>

#include "drip/time.h"

namespace drip {

/// Which end of service lets a unit go.
enum class Departure : std::uint8_t { kAtStart, kAtEnd };

inline constexpr double kMinUnitsPerSecond = 1.0 / 3600;
inline constexpr double kMaxUnitsPerSecond = 1e9;
inline constexpr double kMinBitsPerSecond = 1;
inline constexpr double kMaxBitsPerSecond = 400e9;
/// The largest cost of one unit, so that a ring word holds it (drip/bucket_ring.h). At 1 bit/s its
/// service lasts 6 days, far inside what FineSpan can hold.
inline constexpr std::uint32_t kMaxWireBytes = 65535;

/// The leak rates of one bucket as service times. A unit takes the longer of its two; a rate that
/// the bucket does not have takes no time.
struct ServicePeriods {
  FineSpan per_unit;
  FineSpan per_byte;

  /// Rates of 0 stand for "no such rate". REQUIRES: others within kMin... to kMax...
  static constexpr ServicePeriods of_rates(double units_per_second, double bits_per_second) {
    ServicePeriods periods;
    if (units_per_second > 0) periods.per_unit = FineSpan::of_ns(1e9L / units_per_second);
    if (bits_per_second > 0) periods.per_byte = FineSpan::of_ns(8e9L / bits_per_second);
    return periods;
  }
  [[nodiscard]] constexpr FineSpan service(std::uint32_t wire_bytes) const {
    const FineSpan by_bytes = per_byte.times(wire_bytes);
    return by_bytes < per_unit ? per_unit : by_bytes;
  }
  /// For `units` units of `bytes` bytes together: exact with one rate; with both, the larger of the
  /// two sums, a lower bound that is met whenever one rate binds throughout. An estimate that ends
  /// at FineSpan::kLongestEstimateNs: 2^20 jumbo frames at 1 bit/s would take 16,000 years.
  [[nodiscard]] constexpr FineSpan backlog_service(std::uint64_t units, std::uint64_t bytes) const {
    const FineSpan by_bytes = per_byte.estimated_times(bytes);
    const FineSpan by_units = per_unit.estimated_times(units);
    return by_bytes < by_units ? by_units : by_bytes;
  }
  /// What the periods truly leak, after rounding; 0 for a rate that the bucket does not have.
  [[nodiscard]] constexpr double true_units_per_second() const {
    return per_unit == FineSpan{} ? 0 : static_cast<double>(1e9L / per_unit.as_ns());
  }
  [[nodiscard]] constexpr double true_bits_per_second() const {
    return per_byte == FineSpan{} ? 0 : static_cast<double>(8e9L / per_byte.as_ns());
  }
  friend constexpr bool operator==(const ServicePeriods&, const ServicePeriods&) = default;
};

/// The law's state for one bucket: a single point in time. While units wait it is the head's
/// departure; while none waits it is when the server is free again. Not thread safe.
class VirtualSchedule {
 public:
  constexpr VirtualSchedule() = default;
  constexpr explicit VirtualSchedule(TimePoint now) : point_(FinePoint::of(now)) {}

  /// The head's departure (units wait) or the end of the present service (none waits).
  [[nodiscard]] constexpr FinePoint point() const { return point_; }
  /// When the transmitter may let the head go: the first whole ns at or after its departure.
  [[nodiscard]] constexpr TimePoint due() const { return point_.ceil(); }
  /// Whether a unit that has left at the START of its service is still being served.
  [[nodiscard]] constexpr bool in_service(TimePoint now) const { return point_.after(now); }

  /// A unit that arrived at `arrival` becomes the head of a bucket in which none waited before it.
  constexpr void begin(TimePoint arrival, FineSpan service, Departure departure) {
    not_before(arrival);
    if (departure == Departure::kAtEnd) point_ = point_ + service;
  }

  /// The head leaves at `now` and `service` is what it takes. The schedule goes on from when it was
  /// DUE, so lateness costs no rate, but by at most `max_catchup`: returns what is lost beyond it.
  /// REQUIRES: due() <= now.
  constexpr Duration depart(TimePoint now, FineSpan service, Departure departure,
                            Duration max_catchup) {
    Duration forfeited{};
    const Duration late = now - due();
    if (late > max_catchup) [[unlikely]] {
      forfeited = late - max_catchup;
      // By whole ns, so that what is lost is counted to the last fraction.
      point_ = point_ + FineSpan{static_cast<std::uint64_t>(forfeited.ns), 0};
    }
    if (departure == Departure::kAtStart) point_ = point_ + service;
    return forfeited;
  }

  /// The rates change at `now`, in the middle of a service that took `before` in all and takes
  /// `after` from now on: what is left of it is rescaled, so no unit leaves early and none is
  /// charged twice. A head that is due already stays due.
  constexpr void rescale(TimePoint now, FineSpan before, FineSpan after) {
    if (!point_.after(now) || before == FineSpan{}) return;
    const long double left = span_between(FinePoint::of(now), point_).as_ns();
    const long double share = left / before.as_ns();
    // Rounding must not let anything go early. Each of the five roundings above and below is off by
    // at most 2^-64 of its result, of_ns() by less than one step of 2^-64 ns.
    const long double left_after = share * after.as_ns() * (1 + 0x1p-61L);
    point_ = FinePoint::of(now) + FineSpan::of_ns(left_after) + FineSpan{0, 1};
  }

  /// The server stood still from `since` to `until`: what was due by then is due now, and what was
  /// still to be served then is still to be served. No time that has passed becomes credit.
  constexpr void stand_still(TimePoint since, TimePoint until) {
    not_before(since);
    point_ = point_ + FineSpan{static_cast<std::uint64_t>((until - since).ns), 0};
  }

  /// At `now` the head, which took `before`, is taken back at the END discipline, and the one
  /// behind it, which came at `arrival` and takes `after`, takes over the service that is under
  /// way: it ends when it would have ended for it. A shorter one would often have ended long ago:
  /// it leaves at `now`, is not late, and may make up for nothing but what the old head had not
  /// left in time for. REQUIRES: arrival <= now.
  constexpr void replace_head(TimePoint now, TimePoint arrival, FineSpan before, FineSpan after) {
    const TimePoint earliest = due() < now ? due() : now;
    point_ = point_ - before + after;
    not_before(earliest);
    not_before(arrival);
  }
  /// The same with nobody behind it: the service under way served nobody and costs nothing. One
  /// that has not begun, because the server is still busy with a unit that left at its START, goes
  /// on.
  constexpr void give_up_head(TimePoint now, FineSpan before) {
    point_ = point_ - before;
    not_before(now);
  }
  /// A head that was to leave at the START of its service leaves at the END of it, which takes
  /// `service`.
  constexpr void serve_to_end(FineSpan service) { point_ = point_ + service; }

 private:
  constexpr void not_before(TimePoint earliest) {
    if (!point_.after(earliest)) point_ = FinePoint::of(earliest);
  }

  FinePoint point_;
};

}  // namespace drip
