// SPDX-License-Identifier: BSD-3-Clause
// The tables of units, and the conversion of text by them in both directions.
#include "base/quantity.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <span>
#include <system_error>

#include "absl/strings/ascii.h"
#include "base/as_typed.h"
#include "base/errors.h"
#include "base/text.h"

namespace drip {
namespace {

struct Unit {
  std::string_view name;
  double scale;
};

constexpr double kKi = 1024;
constexpr double kMi = kKi * 1024;
constexpr double kGi = kMi * 1024;
constexpr double kTi = kGi * 1024;

constexpr Unit kBitRates[] = {
    {"bit", 1},     {"kbit", 1e3},  {"mbit", 1e6},  {"gbit", 1e9},  {"tbit", 1e12},
    {"kibit", kKi}, {"mibit", kMi}, {"gibit", kGi}, {"tibit", kTi},
};

constexpr Unit kUnitRates[] = {
    {"", 1},      {"pps", 1},    {"kpps", 1e3}, {"mpps", 1e6}, {"gpps", 1e9},
    {"rps", 1},   {"krps", 1e3}, {"mrps", 1e6}, {"grps", 1e9}, {"/s", 1},
    {"k/s", 1e3}, {"m/s", 1e6},  {"g/s", 1e9},  {"/min", 1},   {"/h", 1},
};

constexpr Unit kSizes[] = {
    {"", 1},     {"b", 1},     {"k", kKi},    {"kb", kKi},     {"kib", kKi},    {"m", kMi},
    {"mb", kMi}, {"mib", kMi}, {"g", kGi},    {"gb", kGi},     {"gib", kGi},    {"t", kTi},
    {"tb", kTi}, {"tib", kTi}, {"kbit", 125}, {"mbit", 125e3}, {"gbit", 125e6}, {"tbit", 125e9},
};

constexpr Unit kDurations[] = {
    {"ns", 1},  {"nsec", 1},  {"us", 1e3},   {"usec", 1e3}, {"ms", 1e6},   {"msec", 1e6},
    {"s", 1e9}, {"sec", 1e9}, {"secs", 1e9}, {"min", 60e9}, {"h", 3600e9},
};

// A double holds every whole number up to here.
constexpr double kLargestWhole = 9007199254740992.0;

constexpr std::string_view kBitRateForms = "bit, kbit, mbit, gbit or tbit (also kibit ...)";
constexpr std::string_view kUnitRateForms = "pps, kpps, mpps, rps, krps, /s, /min, /h or nothing";
constexpr std::string_view kSizeForms = "b, kb, mb, gb, kib, mib, gib or nothing";
constexpr std::string_view kDurationForms = "ns, us, ms, s, min or h";

// `kind`: what the text should be, "rate".
std::string error_text(std::string_view text, std::string_view kind, std::string_view reason,
                       std::string_view forms) {
  return joined(as_typed(text), " is not a ", kind, ": ", reason,
                "; allowed: a number followed by ", forms);
}

struct Split {
  double number = 0;
  std::string unit;
};

// The number and, in lower case, what follows it.
Parsed<Split> split(std::string_view text) {
  // Checked here because from_chars() accepts "inf" and "nan" as well.
  const auto begins_number = [](std::string_view rest) {
    return !rest.empty() && (rest.front() == '.' || (rest.front() >= '0' && rest.front() <= '9'));
  };
  if (text.starts_with('-') && begins_number(text.substr(1))) {
    return Parsed<Split>::failure("it is negative");
  }
  if (!begins_number(text)) {
    return Parsed<Split>::failure("it does not begin with a number");
  }
  Split result;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, result.number);
  if (error == std::errc::result_out_of_range) {
    return Parsed<Split>::failure("the number is out of range");
  }
  if (error != std::errc{}) return Parsed<Split>::failure("it does not begin with a number");
  result.unit.assign(rest, end);
  absl::AsciiStrToLower(&result.unit);
  return result;
}

std::optional<double> scale_of(std::span<const Unit> units, std::string_view name) {
  const auto unit = std::find_if(units.begin(), units.end(),
                                 [name](const Unit& candidate) { return candidate.name == name; });
  if (unit == units.end()) return std::nullopt;
  return unit->scale;
}

std::string unknown_unit(const std::string& unit) {
  if (unit.empty()) return "the unit is missing";
  return "unknown unit " + as_typed(unit);
}

std::optional<LeakRate> to_leak_rate(const Split& split) {
  if (const auto scale = scale_of(kUnitRates, split.unit)) {
    // The period divides, because 1/60 and 1/3600 have no exact scale to multiply with.
    const double seconds = split.unit.ends_with("/h")     ? 3600
                           : split.unit.ends_with("/min") ? 60
                                                          : 1;
    return LeakRate{RateKind::kUnits, split.number * *scale / seconds};
  }
  std::string_view bit_unit = split.unit;
  if (bit_unit.ends_with("bit/s")) bit_unit.remove_suffix(2);
  if (const auto scale = scale_of(kBitRates, bit_unit)) {
    return LeakRate{RateKind::kBits, split.number * *scale};
  }
  return std::nullopt;
}

Parsed<LeakRate> read_leak_rate(std::string_view text, std::string_view kind,
                                const std::string& forms) {
  const Parsed<Split> parts = split(text);
  const auto error = [&](std::string_view reason) {
    return Parsed<LeakRate>::failure(error_text(text, kind, reason, forms));
  };
  if (!parts) return error(parts.error());
  if (const auto rate = to_leak_rate(*parts)) {
    if (!std::isfinite(rate->per_second)) return error("the number is out of range");
    return *rate;
  }
  if (parts->unit.ends_with("bps")) {
    return error("it says bytes to tc and bits to others");
  }
  return error(unknown_unit(parts->unit));
}

// A rate of one kind. `other_kind` is the error for a rate of the other.
Parsed<double> read_rate_of(RateKind wanted, std::string_view text, std::string_view kind,
                            std::string_view forms, std::string_view other_kind) {
  const Parsed<LeakRate> rate = read_leak_rate(text, kind, std::string(forms));
  if (!rate) return Parsed<double>::failure(rate.error());
  if (rate->kind == wanted) return rate->per_second;
  return Parsed<double>::failure(error_text(text, kind, other_kind, forms));
}

// Whole bytes or nanoseconds.
Parsed<std::uint64_t> read_whole(std::string_view text, std::string_view kind,
                                 std::string_view plural, std::span<const Unit> units,
                                 std::string_view forms) {
  const auto error = [&](std::string_view reason) {
    return Parsed<std::uint64_t>::failure(error_text(text, kind, reason, forms));
  };
  const Parsed<Split> parts = split(text);
  if (!parts) return error(parts.error());
  const bool zero = parts->number == 0 && parts->unit.empty();
  const auto scale = zero ? 1 : scale_of(units, parts->unit);
  if (!scale) return error(unknown_unit(parts->unit));
  const double value = parts->number * *scale;
  if (!(value <= kLargestWhole)) {
    return error("it is more than 2^53 " + std::string(plural));
  }
  // A tolerance, because 1.1us is 1100.0000000000002 ns in doubles.
  const double whole = std::nearbyint(value);
  if (std::abs(value - whole) > 1e-9 * std::max(1.0, value)) {
    return error("it does not come to whole " + std::string(plural));
  }
  return static_cast<std::uint64_t>(whole);
}

double number_in(std::string_view text) {
  double number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// Rounded to `significant_digits` decimal digits; unchanged if that is 0.
double rounded(double number, int significant_digits) {
  if (significant_digits == 0) return number;
  char text[64];
  const auto end = std::to_chars(text, text + sizeof text, number, std::chars_format::scientific,
                                 significant_digits - 1);
  return number_in(std::string_view(text, static_cast<std::size_t>(end.ptr - text)));
}

// The shortest text that reads back as `number`; without an exponent from 1e-4 to 1e15.
std::string digits(double number) {
  char text[64];
  const bool fixed = number == 0 || (number >= 1e-4 && number < 1e15);
  const auto end = fixed ? std::to_chars(text, text + sizeof text, number, std::chars_format::fixed)
                         : std::to_chars(text, text + sizeof text, number);
  return std::string(text, end.ptr);
}

// A text of `number` from which back() makes exactly `value`, if there is one. The division that
// gave `number` may have an error in the last bit, so 15 digits are tried first, then all 17.
template <typename Back>
std::optional<std::string> exact_digits(double number, double value, Back back) {
  for (const int precision : {15, 0}) {
    std::string text = digits(rounded(number, precision));
    if (back(number_in(text)) == value) return text;
  }
  return std::nullopt;
}

// Uses the largest unit of which `value` is at least 1 and, unless the number is rounded, whose
// text reads back as exactly `value`. REQUIRES: units in ascending order, the first with scale 1.
std::string write(double value, std::span<const Unit> units, int significant_digits) {
  for (auto unit = units.rbegin(); unit != units.rend(); ++unit) {
    // Rounded before it is compared: 999.96 kbit to four digits is 1 mbit.
    const double number = rounded(value / unit->scale, significant_digits);
    if (number < 1) continue;
    if (significant_digits > 0) return digits(number).append(unit->name);
    const auto text = exact_digits(number, value, [&](double read) { return read * unit->scale; });
    if (text) return std::string(*text).append(unit->name);
  }
  return digits(rounded(value, significant_digits)).append(units.front().name);
}

constexpr Unit kWrittenUnitRates[] = {{"/s", 1}, {"k/s", 1e3}, {"m/s", 1e6}, {"g/s", 1e9}};
constexpr Unit kWrittenSizes[] = {{"b", 1}, {"kib", kKi}, {"mib", kMi}, {"gib", kGi}, {"tib", kTi}};
constexpr Unit kWrittenDurations[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};

}  // namespace

Parsed<LeakRate> parse_leak_rate(std::string_view text) {
  const std::string forms =
      std::string(kBitRateForms) + " for bits, " + std::string(kUnitRateForms) + " for units";
  return read_leak_rate(text, "rate", forms);
}

Parsed<double> parse_bit_rate(std::string_view text) {
  return read_rate_of(RateKind::kBits, text, "bit rate", kBitRateForms, "it is a rate of units");
}

Parsed<double> parse_unit_rate(std::string_view text) {
  return read_rate_of(RateKind::kUnits, text, "unit rate", kUnitRateForms, "it is a rate of bits");
}

Parsed<std::uint64_t> parse_bytes(std::string_view text) {
  return read_whole(text, "size", "bytes", kSizes, kSizeForms);
}

Parsed<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  const Parsed<std::uint64_t> count =
      read_whole(text, "duration", "nanoseconds", kDurations, kDurationForms);
  if (!count) return Parsed<std::chrono::nanoseconds>::failure(count.error());
  return std::chrono::nanoseconds(*count);
}

Parsed<std::int64_t> parse_integer(std::string_view text, std::int64_t least, std::int64_t most) {
  std::int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc{} && rest == end && value >= least && value <= most) return value;
  return Parsed<std::int64_t>::failure(
      argument_error(text, joined("a whole number from ", least, " to ", most)));
}

std::string format_bit_rate(double bits_per_second, int significant_digits) {
  return write(bits_per_second, std::span(kBitRates).first<5>(), significant_digits);
}

std::string format_unit_rate(double units_per_second, int significant_digits) {
  const std::string per_second = write(units_per_second, kWrittenUnitRates, significant_digits);
  // A rate below 1/s is written per minute or per hour unless it is short already, as `0.5/s` is.
  if (units_per_second <= 0 || units_per_second >= 1 || per_second.size() <= 6) return per_second;
  struct Period {
    double seconds;
    const char* name;
  };
  for (const Period& period : {Period{60, "/min"}, Period{3600, "/h"}}) {
    const double number = rounded(units_per_second * period.seconds, significant_digits);
    if (number < 1 && period.seconds < 3600) continue;
    if (significant_digits > 0) return digits(number) + period.name;
    const auto text =
        exact_digits(number, units_per_second, [&](double read) { return read / period.seconds; });
    if (text && text->size() <= 6) return *text + period.name;
  }
  return per_second;
}

std::string format_bytes(std::uint64_t bytes, int significant_digits) {
  const std::string text = write(static_cast<double>(bytes), kWrittenSizes, significant_digits);
  std::string plain = std::to_string(bytes) + "b";
  // `1500b`, not `1.46484375kib`.
  return significant_digits == 0 && plain.size() < text.size() ? plain : text;
}

std::string format_duration(std::chrono::nanoseconds duration, int significant_digits) {
  return write(static_cast<double>(duration.count()), kWrittenDurations, significant_digits);
}

}  // namespace drip
