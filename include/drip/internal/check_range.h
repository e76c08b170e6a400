// SPDX-License-Identifier: BSD-3-Clause
// Errors that name a field, its value, and what is allowed.
#pragma once

#include <array>
#include <concepts>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "drip/result.h"

namespace drip::internal {

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

}  // namespace drip::internal
