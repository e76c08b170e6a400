// SPDX-License-Identifier: BSD-3-Clause
// Virtual scheduling of a leaky bucket, which is a G/D/1/K queue: when each unit departs.
//
//   start(i)  = max(arrival(i), start(i-1) + cost(i-1)/R)
//   leaves(i) = start(i)                  departure at the START of service
//   leaves(i) = start(i) + cost(i)/R      departure at the END of service
//
// This is the virtual scheduling algorithm of ITU-T I.371 (GCRA) with a tolerance of zero: an idle
// bucket accumulates no credit. Time is counted in 2^-64 ns and service times are exact multiples
// of a period that is rounded once, to 2^-64 ns: from 1 unit an hour to 400 Gbit/s the long-run
// rate is off by less than 1 part in 10^15, because a byte at 400 Gbit/s still lasts 0.02 ns, 2^58
// of these steps.
#pragma once

#include <cstdint>

#include "drip/time.h"

namespace drip {

/// Whether a unit departs when its service starts, or when it ends.
enum class Departure : std::uint8_t { kAtStart, kAtEnd };

inline constexpr double kMinUnitsPerSecond = 1.0 / 3600;
inline constexpr double kMaxUnitsPerSecond = 1e9;
inline constexpr double kMinBitsPerSecond = 1;
inline constexpr double kMaxBitsPerSecond = 400e9;
/// The largest cost of one unit: what a UnitRef can hold. At 1 bit/s its service lasts 6 days, well
/// within the range of FineSpan.
inline constexpr std::uint32_t kMaxWireBytes = 65535;

/// The leak rates of one bucket as service times. A unit is served for the longer of the two; a
/// rate that the bucket does not have takes no time.
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
  [[nodiscard, gnu::always_inline]] constexpr FineSpan service(std::uint32_t wire_bytes) const {
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
  /// The rates that the periods give after rounding; 0 for a rate that the bucket does not have.
  [[nodiscard]] constexpr double true_units_per_second() const {
    return per_unit == FineSpan{} ? 0 : static_cast<double>(1e9L / per_unit.as_ns());
  }
  [[nodiscard]] constexpr double true_bits_per_second() const {
    return per_byte == FineSpan{} ? 0 : static_cast<double>(8e9L / per_byte.as_ns());
  }
  friend constexpr bool operator==(const ServicePeriods&, const ServicePeriods&) = default;
};

/// The schedule of one bucket: a single point in time, the theoretical departure time. While units
/// wait it is when the head may depart; while none waits it is when the server is free again. Not
/// thread safe.
class VirtualSchedule {
 public:
  constexpr VirtualSchedule() = default;
  constexpr explicit VirtualSchedule(TimePoint now) : departure_time_(FinePoint::of(now)) {}
  /// A unit passes at `now`: see pass().
  constexpr VirtualSchedule(FinePoint now, FineSpan service) : departure_time_(now + service) {}

  /// The theoretical departure time, with its fraction.
  [[nodiscard]] constexpr FinePoint departure_time() const { return departure_time_; }
  /// When the head may depart: the first whole ns at or after its theoretical departure time.
  [[nodiscard]] constexpr TimePoint due() const { return departure_time_.ceil(); }
  /// Whether a unit that has left at the START of its service is still being served.
  [[nodiscard]] constexpr bool in_service(TimePoint now) const {
    return departure_time_.after(now);
  }

  /// A unit that arrived at `arrival` becomes the head of a bucket in which none waited before it.
  constexpr void begin(TimePoint arrival, FineSpan service, Departure departure) {
    not_before(arrival);
    if (departure == Departure::kAtEnd) departure_time_ = departure_time_ + service;
  }

  /// The head departs at `now` and `service` is its service time. The schedule continues from when
  /// the head was DUE, so lateness costs no rate, but by at most `max_catchup`: returns the
  /// schedule time that is lost beyond it. REQUIRES: due() <= now.
  constexpr Duration depart(TimePoint now, FineSpan service, Departure departure,
                            Duration max_catchup) {
    Duration lost{};
    const Duration late = now - due();
    if (late > max_catchup) [[unlikely]] {
      lost = late - max_catchup;
      // By whole ns, so that what is lost is counted to the last fraction.
      departure_time_ = departure_time_ + FineSpan{static_cast<std::uint64_t>(lost.ns), 0};
    }
    if (departure == Departure::kAtStart) departure_time_ = departure_time_ + service;
    return lost;
  }

  /// For a node of a tree: a unit passes at the START of its service, which does not begin before
  /// `earliest`.
  constexpr void pass(FinePoint earliest, FineSpan service) {
    raise_to(earliest);
    departure_time_ = departure_time_ + service;
  }
  constexpr void raise_to(FinePoint earliest) {
    departure_time_ = later_of(departure_time_, earliest);
  }

  /// The rates change at `now`, in the middle of a service that took `before` in all and takes
  /// `after` from now on: what is left of it is rescaled, so no unit leaves early and none is
  /// charged twice. A head that is due already stays due.
  constexpr void rescale(TimePoint now, FineSpan before, FineSpan after) {
    if (!departure_time_.after(now) || before == FineSpan{}) return;
    const long double left = span_between(FinePoint::of(now), departure_time_).as_ns();
    const long double share = left / before.as_ns();
    // Rounding must not let a unit depart early. Each of the five roundings above and below is off
    // by at most 2^-64 of its result, of_ns() by less than one step of 2^-64 ns.
    const long double left_after = share * after.as_ns() * (1 + 0x1p-61L);
    departure_time_ = FinePoint::of(now) + FineSpan::of_ns(left_after) + FineSpan{0, 1};
  }

  /// The same for a head that is late, whose lateness, up to `most`, stays the same amount of work:
  /// so that servers that give rate to one another cannot all catch up at the higher one. It
  /// becomes `most` at the most. REQUIRES: rescale() is called as well.
  constexpr void rescale_lateness(TimePoint now, FineSpan before, FineSpan after, Duration most) {
    if (departure_time_.after(now) || before == FineSpan{}) return;
    const FinePoint at = FinePoint::of(now);
    const FineSpan bound{static_cast<std::uint64_t>(most.ns), 0};
    const FineSpan late = shorter_of(span_between(departure_time_, at), bound);
    // Rounding must not make more of it: see rescale().
    const long double left = late.as_ns() / before.as_ns() * after.as_ns() * (1 - 0x1p-61L);
    departure_time_ = at - shorter_of(FineSpan::of_ns(left), bound);
  }

  /// The server was stopped from `since` to `until`: a head that was due at `since` is due at
  /// `until`, and what was left of a service then is left now. The time between gives no credit.
  constexpr void freeze(TimePoint since, TimePoint until) {
    not_before(since);
    departure_time_ = departure_time_ + FineSpan{static_cast<std::uint64_t>((until - since).ns), 0};
  }

  /// At `now` the head, whose service time is `before`, is released before its departure at the
  /// END. The unit behind it arrived at `arrival`, has the service time `after`, and takes over the
  /// service in progress, as if it had been the head from the start. If that service had ended
  /// already, the unit is due at `now`, or when the old head was due if that was earlier: it is not
  /// late by more than the old head was. REQUIRES: arrival <= now.
  constexpr void replace_head(TimePoint now, TimePoint arrival, FineSpan before, FineSpan after) {
    const TimePoint earliest = due() < now ? due() : now;
    departure_time_ = departure_time_ - before + after;
    not_before(earliest);
    not_before(arrival);
  }
  /// The same with no unit behind it: the service in progress is cancelled and costs nothing. If
  /// the server is still busy with a unit that departed at its START, that service continues.
  constexpr void give_up_head(TimePoint now, FineSpan before) {
    departure_time_ = departure_time_ - before;
    not_before(now);
  }
  /// A head that was to depart at the START of its service departs at the END of it, `service`
  /// later.
  constexpr void serve_to_end(FineSpan service) { departure_time_ = departure_time_ + service; }

 private:
  static constexpr FineSpan shorter_of(FineSpan a, FineSpan b) { return a < b ? a : b; }
  constexpr void not_before(TimePoint earliest) {
    if (!departure_time_.after(earliest)) departure_time_ = FinePoint::of(earliest);
  }

  FinePoint departure_time_;
};

}  // namespace drip
