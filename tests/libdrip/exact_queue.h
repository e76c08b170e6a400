// SPDX-License-Identifier: BSD-3-Clause
// The oracle of the schedule's tests: a queue in exact rational arithmetic.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "drawn_seed.h"
#include "drip/virtual_schedule.h"
#include "wide_uint.h"

namespace drip::test {

// A span of numerator/denominator ns, not reduced.
struct ExactSpan {
  WideUint numerator;
  WideUint denominator = 1;

  friend bool operator<(const ExactSpan& a, const ExactSpan& b) {
    return a.numerator * b.denominator < b.numerator * a.denominator;
  }
};

// `work` / `rate` seconds, exactly: a double is a whole number times a power of two.
inline ExactSpan exact_period(std::uint64_t work, double rate) {
  int exponent = 0;
  const double mantissa = std::frexp(rate, &exponent);
  auto whole = static_cast<std::uint64_t>(std::ldexp(mantissa, 53));
  exponent -= 53;
  while (whole % 2 == 0) {
    whole /= 2;
    ++exponent;
  }
  const WideUint work_ns = WideUint(work) * 1'000'000'000;
  if (exponent >= 0) {
    return {work_ns, whole * WideUint::power_of_two(static_cast<unsigned>(exponent))};
  }
  return {work_ns * WideUint::power_of_two(static_cast<unsigned>(-exponent)), whole};
}

struct Rates {
  double units_per_second = 0;
  double bits_per_second = 0;

  [[nodiscard]] ServicePeriods periods() const {
    return ServicePeriods::of_rates(units_per_second, bits_per_second);
  }
  [[nodiscard]] ExactSpan exact_service(std::uint32_t bytes) const {
    ExactSpan service;
    if (units_per_second > 0) service = exact_period(1, units_per_second);
    if (bits_per_second > 0) {
      service = std::max(service, exact_period(8ULL * bytes, bits_per_second));
    }
    return service;
  }
};

// G/D/1 with rational times, all of them over one denominator: the product of both rates' own.
class ExactQueue {
 public:
  ExactQueue(Rates rates, Departure departure) : rates_(rates), departure_(departure) {
    if (rates.units_per_second > 0) {
      unit_denominator_ = exact_period(1, rates.units_per_second).denominator;
    }
    if (rates.bits_per_second > 0) {
      bit_denominator_ = exact_period(1, rates.bits_per_second).denominator;
    }
  }

  /// When the unit leaves, over denominator().
  WideUint arrive(std::uint64_t arrival_ns, std::uint32_t bytes) {
    const WideUint arrival = denominator() * arrival_ns;
    if (free_ < arrival) {
      free_ = arrival;
      busy_ = 0;
    }
    const WideUint start = free_;
    const WideUint duration = service(bytes);
    free_ = free_ + duration;
    busy_ = busy_ + duration;
    return departure_ == Departure::kAtStart ? start : free_;
  }
  [[nodiscard]] WideUint denominator() const { return unit_denominator_ * bit_denominator_; }
  /// How long the server has worked without a pause, over denominator().
  [[nodiscard]] const WideUint& busy() const { return busy_; }

 private:
  [[nodiscard]] WideUint service(std::uint32_t bytes) const {
    WideUint longest;
    if (rates_.units_per_second > 0) {
      longest = exact_period(1, rates_.units_per_second).numerator * bit_denominator_;
    }
    if (rates_.bits_per_second > 0) {
      longest = std::max(longest, exact_period(8ULL * bytes, rates_.bits_per_second).numerator *
                                      unit_denominator_);
    }
    return longest;
  }

  Rates rates_;
  Departure departure_;
  WideUint unit_denominator_ = 1;
  WideUint bit_denominator_ = 1;
  WideUint free_;
  WideUint busy_;
};

inline Rates draw_rates(Draw& draw) {
  Rates rates;
  // As drawn, all 53 bits of the mantissa count; as people set rates, few do.
  const auto drawn = [&](double least, double most) {
    const double u = static_cast<double>(draw.between(0, 1ULL << 52)) * 0x1p-52;
    const double rate = std::exp2(std::log2(least) + u * (std::log2(most) - std::log2(least)));
    return std::clamp(draw.one_in(2) ? rate : std::max(std::round(rate), least), least, most);
  };
  const std::uint64_t kind = draw.between(0, 3);
  if (kind != 1) rates.units_per_second = drawn(kMinUnitsPerSecond, kMaxUnitsPerSecond);
  if (kind != 0) rates.bits_per_second = drawn(kMinBitsPerSecond, kMaxBitsPerSecond);
  if (kind == 3) rates.bits_per_second = std::min(rates.units_per_second * 4000 + 1, 400e9);
  return rates;
}

inline std::uint32_t draw_bytes(Draw& draw) {
  return static_cast<std::uint32_t>(draw.of_any_size(1, kMaxWireBytes));
}

inline std::uint64_t ns_of(const FineSpan& span) { return span.ns + 1; }

// In units of 2^-64 ns.
inline WideUint wide(const FineSpan& span) {
  return span.ns * WideUint::power_of_two(64) + WideUint(span.fraction);
}

}  // namespace drip::test
