// SPDX-License-Identifier: BSD-3-Clause
// How a rate is divided among nodes that want parts of it: max-min fair, by weight.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace drip::cluster {

/// A rate in whole parts, so that shares add up exactly whatever the rate is.
inline constexpr std::uint64_t kWholeRate = std::uint64_t{1} << 32;

struct ShareDemand {
  std::uint64_t demand = 0;  ///< Parts that it could use; may exceed what there is.
  std::uint32_t weight = 1;  ///< At least 1.
};

/// Divides `total` parts. Nobody who wants more has less than another for each unit of weight, but
/// for one part of rounding (max-min fairness by water filling; Bertsekas and Gallager, Data
/// Networks, 6.5.2). What is left when all have what they want is spread by weight, so that one
/// whose demand appears has something at once. The sum is exactly `total`, unless there is nobody.
/// The same input gives the same result. O(n log n).
[[nodiscard]] std::vector<std::uint64_t> divide_rate(std::uint64_t total,
                                                     std::span<const ShareDemand> demands);

}  // namespace drip::cluster
