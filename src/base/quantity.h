// SPDX-License-Identifier: BSD-3-Clause
// Reads rates, sizes and durations as people write them for tc (`100mbit`, `64kb`, `20ms`), and
// writes them back.
//
// A quantity is a number, which may have a fraction or an exponent, and a unit without a space in
// between. Upper and lower case are the same. The value is finite and not negative; a field that
// allows less than that checks its range itself.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace drip {

// The value of a text, or an error: one line that quotes the text and says what is allowed.
template <typename T>
class [[nodiscard]] Parsed {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): so that a function can return a T.
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

// What a leak rate counts: units (packets or requests) or bits.
enum class RateKind { kUnits, kBits };

struct LeakRate {
  RateKind kind = RateKind::kUnits;
  // Units or bits, by `kind`.
  double per_second = 0;

  bool operator==(const LeakRate&) const = default;
};

// Bits per second: bit, kbit, mbit, gbit, tbit (powers of 1000), kibit, mibit, gibit, tibit (powers
// of 1024), each also with /s. `mbps` is an error: tc reads it as bytes, most people as bits.
// Units per second: a plain number, or pps, rps, kpps, mpps, gpps, krps ..., or /s, k/s, m/s, g/s,
// /min, /h: `10kpps`, `10k/s`, `1/h`.
Parsed<LeakRate> parse_leak_rate(std::string_view text);
// A rate of bits or of units only.
Parsed<double> parse_bit_rate(std::string_view text);
Parsed<double> parse_unit_rate(std::string_view text);

// Bytes with the units of tc: none or b; k, kb and kib, and the same with m, g and t, are powers of
// 1024; kbit, mbit, gbit and tbit are powers of 1000 bits. A whole number of bytes, at most 2^53.
Parsed<std::uint64_t> parse_bytes(std::string_view text);

// ns, us, ms, s, min, h (also nsec, usec, msec, sec, secs). Only 0 needs no unit: tc reads a plain
// number as microseconds, most people as seconds. A whole number of nanoseconds, at most 2^53.
Parsed<std::chrono::nanoseconds> parse_duration(std::string_view text);

// A whole decimal number from `least` to `most`.
Parsed<std::int64_t> parse_integer(std::string_view text, std::int64_t least, std::int64_t most);

// A text that people read easily and that parses to the same value. With `significant_digits` above
// 0 the number is rounded to that many digits, for values that were measured.
std::string format_bit_rate(double bits_per_second, int significant_digits = 0);
std::string format_unit_rate(double units_per_second, int significant_digits = 0);
std::string format_bytes(std::uint64_t bytes, int significant_digits = 0);
std::string format_duration(std::chrono::nanoseconds duration, int significant_digits = 0);

}  // namespace drip
