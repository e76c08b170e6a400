// SPDX-License-Identifier: BSD-3-Clause
// Reads rates, sizes and durations as people write them for tc (`100mbit`, `64kb`, `20ms`), and
// writes them back.
//
// A number with a fraction or an exponent may stand before every unit, upper and lower case are the
// same, and there is no space in between. Whatever is read is finite and not negative; which part
// of that a field allows is for the field's owner to say.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace drip {

// Either the value, or one line that names the text and says what is allowed in its place.
template <typename T>
class [[nodiscard]] Parsed {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): to return a value is to return it parsed.
  Parsed(T value) : outcome_(std::in_place_index<0>, std::move(value)) {}
  static Parsed failure(std::string error) { return Parsed(Failed{}, std::move(error)); }

  explicit operator bool() const { return outcome_.index() == 0; }
  // REQUIRES: *this is true.
  const T& operator*() const { return std::get<0>(outcome_); }
  const T* operator->() const { return &std::get<0>(outcome_); }
  // REQUIRES: *this is false.
  const std::string& error() const { return std::get<1>(outcome_); }

 private:
  struct Failed {};
  Parsed(Failed, std::string error) : outcome_(std::in_place_index<1>, std::move(error)) {}

  std::variant<T, std::string> outcome_;
};

// What a bucket counts and therefore what its leak rate is a rate of.
enum class RateKind { kUnits, kBits };

struct LeakRate {
  RateKind kind = RateKind::kUnits;
  // Units or bits, by `kind`.
  double per_second = 0;

  bool operator==(const LeakRate&) const = default;
};

// Bits a second: bit, kbit, mbit, gbit, tbit (powers of 1000), kibit, mibit, gibit, tibit (powers
// of 1024), each also with /s. `mbps` is refused: to tc it says bytes, to most people bits.
// Units a second: a plain number, pps, rps, kpps, mpps, gpps, krps ..., and /s, /min, /h with an
// optional k, m or g before it: `10kpps`, `10k/s`, `1/h`.
Parsed<LeakRate> parse_leak_rate(std::string_view text);
// Only the one kind of rate.
Parsed<double> parse_bit_rate(std::string_view text);
Parsed<double> parse_unit_rate(std::string_view text);

// Bytes, as tc has it: a plain number or b; k, kb, kib and so on for m, g, t are all powers of
// 1024; kbit, mbit, gbit, tbit are powers of 1000 bits. Must come to whole bytes, at most 2^53.
Parsed<std::uint64_t> parse_bytes(std::string_view text);

// ns, us, ms, s, min, h (also nsec, usec, msec, sec, secs). A unit is needed except for 0: to tc a
// plain number says microseconds, to most people seconds. Whole nanoseconds, at most 2^53.
Parsed<std::chrono::nanoseconds> parse_duration(std::string_view text);

// A whole decimal number from `least` to `most`.
Parsed<std::int64_t> parse_integer(std::string_view text, std::int64_t least, std::int64_t most);

// The other way: text that reads well and parses to the same value again. With
// `significant_digits` above 0 the number is rounded to so many, for figures that were measured.
std::string format_bit_rate(double bits_per_second, int significant_digits = 0);
std::string format_unit_rate(double units_per_second, int significant_digits = 0);
std::string format_bytes(std::uint64_t bytes, int significant_digits = 0);
std::string format_duration(std::chrono::nanoseconds duration, int significant_digits = 0);

}  // namespace drip
