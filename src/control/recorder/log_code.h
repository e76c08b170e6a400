// SPDX-License-Identifier: BSD-3-Clause
// Quantities in 16 bits, for plots: their logarithm, in steps of 1/1024 octave.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace drip::control {

/// A value of 0 or more, to within 0.034 % of value + 1: 0 is exact, and so are whole numbers up to
/// 1000 once they are rounded. The largest is 2^63.
[[nodiscard]] inline std::uint16_t log_encoded(double value) {
  if (!(value > 0)) return 0;
  return static_cast<std::uint16_t>(
      std::min(std::lround(1024 * std::log2(1 + value)), long{0xffff}));
}

[[nodiscard]] inline double log_decoded(std::uint16_t code) {
  return std::exp2(static_cast<double>(code) / 1024) - 1;
}

}  // namespace drip::control
