// SPDX-License-Identifier: BSD-3-Clause
// Division of a rate among nodes by demand and weight: max-min fair.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace drip::cluster {

/// A rate in whole parts, so that shares add up exactly whatever the rate is.
inline constexpr std::uint64_t kWholeRate = std::uint64_t{1} << 32;

struct ShareDemand {
  std::uint64_t demand = 0;  ///< Parts that the node could use; may exceed the total.
  std::uint32_t weight = 1;  ///< At least 1.
};

/// Divides `total` parts. A node whose demand is not met has no less for each unit of weight than
/// any other, except for one part of rounding (max-min fairness by water filling; Bertsekas and
/// Gallager, Data Networks, 6.5.2). What remains when all demands are met is spread by weight, so
/// that a node whose demand appears has a share at once. The sum is exactly `total`, unless there
/// are no nodes.
/// The same input gives the same result. O(n log n).
[[nodiscard]] std::vector<std::uint64_t> divide_rate(std::uint64_t total,
                                                     std::span<const ShareDemand> demands);

}  // namespace drip::cluster
