// SPDX-License-Identifier: BSD-3-Clause
// Quantiles of sorted samples.
#pragma once

#include <cstddef>
#include <vector>

namespace drip {

/// The sample below or at which `fraction` (0 to 1) of them lie; a value-initialised one if there
/// are none. REQUIRES: `sorted` is in ascending order.
template <class Value>
[[nodiscard]] Value quantile(const std::vector<Value>& sorted, double fraction) {
  if (sorted.empty()) return Value{};
  return sorted[static_cast<std::size_t>(fraction * static_cast<double>(sorted.size() - 1))];
}

}  // namespace drip
