// SPDX-License-Identifier: BSD-3-Clause
// Points and spans of time: two types, nanoseconds, and the fixed point that schedules are computed
// in.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>

namespace drip {

/// Products of two 64-bit figures; GCC and clang have it on every 64-bit target.
__extension__ using Uint128 = unsigned __int128;
__extension__ using Int128 = __int128;

/// A span of time, in nanoseconds; may be negative.
struct Duration {
  std::int64_t ns = 0;

  friend constexpr auto operator<=>(Duration, Duration) = default;
  friend constexpr Duration operator+(Duration a, Duration b) { return {a.ns + b.ns}; }
  friend constexpr Duration operator-(Duration a, Duration b) { return {a.ns - b.ns}; }
};

/// A point in time: nanoseconds of the caller's clock, which must be monotonic. The count may wrap;
/// two points compare rightly while they are less than 2^63 ns (292 years) apart, as the sequence
/// numbers of RFC 1982 do.
struct TimePoint {
  std::uint64_t ns = 0;

  friend constexpr bool operator==(TimePoint, TimePoint) = default;
  friend constexpr Duration operator-(TimePoint a, TimePoint b) {
    return {static_cast<std::int64_t>(a.ns - b.ns)};
  }
  friend constexpr TimePoint operator+(TimePoint a, Duration d) {
    return {a.ns + static_cast<std::uint64_t>(d.ns)};
  }
  friend constexpr bool operator<(TimePoint a, TimePoint b) { return (a - b).ns < 0; }
  friend constexpr bool operator<=(TimePoint a, TimePoint b) { return (a - b).ns <= 0; }
  friend constexpr bool operator>(TimePoint a, TimePoint b) { return (a - b).ns > 0; }
  friend constexpr bool operator>=(TimePoint a, TimePoint b) { return (a - b).ns >= 0; }
};

/// A span of time in 2^-64 ns: service times, which are hardly ever whole nanoseconds.
struct FineSpan {
  static_assert(std::numeric_limits<long double>::digits >= 64, "of_ns() and as_ns() need them");
  /// 146 years: what estimates stop at, so that two of them still add up within a Duration.
  static constexpr std::uint64_t kLongestEstimateNs = std::uint64_t{1} << 62;

  std::uint64_t ns = 0;
  std::uint64_t fraction = 0;  ///< In 2^-64 ns.

  friend constexpr auto operator<=>(FineSpan, FineSpan) = default;

  /// `count` such spans, exactly. REQUIRES: the product stays below 2^64 ns.
  [[nodiscard]] constexpr FineSpan times(std::uint64_t count) const {
    const auto low = static_cast<Uint128>(fraction) * count;
    return {ns * count + static_cast<std::uint64_t>(low >> 64), static_cast<std::uint64_t>(low)};
  }
  /// The same for any `count`, but never more than kLongestEstimateNs.
  [[nodiscard]] constexpr FineSpan estimated_times(std::uint64_t count) const {
    const auto low = static_cast<Uint128>(fraction) * count;
    const Uint128 high = static_cast<Uint128>(ns) * count + (low >> 64);
    if (high >= kLongestEstimateNs) return {kLongestEstimateNs, 0};
    return {static_cast<std::uint64_t>(high), static_cast<std::uint64_t>(low)};
  }
  [[nodiscard]] constexpr long double as_ns() const {
    return static_cast<long double>(ns) + static_cast<long double>(fraction) * 0x1p-64L;
  }
  /// The span of `ns` nanoseconds; 0 for a negative one. REQUIRES: ns < 2^64.
  static constexpr FineSpan of_ns(long double ns) {
    if (ns <= 0) return {};
    const auto whole = static_cast<std::uint64_t>(ns);
    return {whole, static_cast<std::uint64_t>((ns - static_cast<long double>(whole)) * 0x1p64L)};
  }
};

/// A point in time in 2^-64 ns. Sums of FineSpans carry their remainder here, so that no rounding
/// adds up from unit to unit. Wraps and compares as TimePoint does.
struct FinePoint {
  std::uint64_t ns = 0;
  std::uint64_t fraction = 0;

  friend constexpr bool operator==(FinePoint, FinePoint) = default;
  friend constexpr FinePoint operator+(FinePoint p, FineSpan s) {
    FinePoint sum{p.ns + s.ns, p.fraction + s.fraction};
    sum.ns += static_cast<std::uint64_t>(sum.fraction < s.fraction);
    return sum;
  }
  friend constexpr FinePoint operator-(FinePoint p, FineSpan s) {
    const auto borrow = static_cast<std::uint64_t>(p.fraction < s.fraction);
    return {p.ns - s.ns - borrow, p.fraction - s.fraction};
  }
  /// REQUIRES: later is not before earlier.
  friend constexpr FineSpan span_between(FinePoint earlier, FinePoint later) {
    const auto borrow = static_cast<std::uint64_t>(later.fraction < earlier.fraction);
    return {later.ns - earlier.ns - borrow, later.fraction - earlier.fraction};
  }
  static constexpr FinePoint of(TimePoint t) { return {t.ns, 0}; }
  friend constexpr bool is_later(FinePoint a, FinePoint b) { return distance(b, a) > 0; }
  friend constexpr FinePoint later_of(FinePoint a, FinePoint b) {
    return distance(b, a) < 0 ? b : a;
  }

  /// The first whole nanosecond that is not before this point.
  [[nodiscard]] constexpr TimePoint ceil() const {
    return {ns + static_cast<std::uint64_t>(fraction != 0)};
  }
  [[nodiscard]] constexpr bool after(TimePoint t) const { return ceil() > t; }

 private:
  static constexpr Int128 distance(FinePoint from, FinePoint to) {
    return static_cast<Int128>((static_cast<Uint128>(to.ns) << 64 | to.fraction) -
                               (static_cast<Uint128>(from.ns) << 64 | from.fraction));
  }
};

}  // namespace drip
