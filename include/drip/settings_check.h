// SPDX-License-Identifier: BSD-3-Clause
// Whether the settings of a bucket are valid, and if not, which field is wrong.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "drip/bucket_settings.h"
#include "drip/result.h"

namespace drip {

namespace internal {

[[nodiscard]] inline std::string number_text(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.10g", value);
  return text.data();
}
template <class T>
requires(!std::same_as<T, double>) [[nodiscard]] std::string number_text(T value) {
  return std::to_string(value);
}

/// None if `value` is from `least` to `most`.
template <class T>
[[nodiscard]] std::optional<Error> check_range(std::string_view field, T value, T least, T most,
                                               std::string_view or_else = "") {
  if (value >= least && value <= most) return std::nullopt;
  return Error{std::string(field) + ": " + number_text(value) + " given, " + number_text(least) +
               " to " + number_text(most) + std::string(or_else) + " allowed"};
}
/// 0 stands for no such rate. NaN is refused.
[[nodiscard]] inline std::optional<Error> check_rate(std::string_view field, double rate,
                                                     double least, double most) {
  if (rate == 0) return std::nullopt;
  return check_range(field, rate, least, most, ", or 0 for no such rate,");
}

}  // namespace internal

/// None if a bucket can be made with these settings.
[[nodiscard]] inline std::optional<Error> check(const BucketSettings& settings) {
  using internal::check_range;
  using internal::check_rate;
  if (auto error = check_range("capacity", settings.capacity, 1U, kMaxCapacity)) return error;
  if (auto error = check_rate("units_per_second", settings.units_per_second, kMinUnitsPerSecond,
                              kMaxUnitsPerSecond)) {
    return error;
  }
  if (auto error = check_rate("bits_per_second", settings.bits_per_second, kMinBitsPerSecond,
                              kMaxBitsPerSecond)) {
    return error;
  }
  if (settings.units_per_second == 0 && settings.bits_per_second == 0) {
    return Error{"units_per_second, bits_per_second: both are 0, at least one rate is required"};
  }
  if (auto error = check_range("capacity_bytes", settings.capacity_bytes, std::uint64_t{0},
                               kMaxCapacityBytes)) {
    return error;
  }
  if (auto error = check_range("overhead_bytes", settings.overhead_bytes, kMinOverheadBytes,
                               kMaxOverheadBytes)) {
    return error;
  }
  if (auto error =
          check_range("min_frame_bytes", settings.min_frame_bytes, 0U, kMaxMinFrameBytes)) {
    return error;
  }
  return check_range("max_catchup.ns", settings.max_catchup.ns, std::int64_t{0}, kMaxMaxCatchup.ns);
}

}  // namespace drip
