// SPDX-License-Identifier: BSD-3-Clause
// Water filling in whole parts.
#include "cluster/shares/lease/rate_division.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "drip/time.h"

namespace drip::cluster {
namespace {

// Adds `parts` to the members in `who`, by weight: each the floor, and one more to the first ones
// until nothing is left.
void spread(std::uint64_t parts, std::span<const std::size_t> who,
            std::span<const ShareDemand> demands, std::vector<std::uint64_t>& shares) {
  std::uint64_t weights = 0;
  for (const std::size_t member : who) weights += demands[member].weight;
  std::uint64_t left = parts;
  for (const std::size_t member : who) {
    const auto part = static_cast<std::uint64_t>(Uint128{parts} * demands[member].weight / weights);
    shares[member] += part;
    left -= part;
  }
  // Fewer than there are members.
  for (std::size_t i = 0; left > 0; ++i, --left) ++shares[who[i]];
}

}  // namespace

std::vector<std::uint64_t> divide_rate(std::uint64_t total, std::span<const ShareDemand> demands) {
  std::vector<std::uint64_t> shares(demands.size(), 0);
  if (demands.empty()) return shares;
  std::vector<std::size_t> order(demands.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  // By demand for each unit of weight: those who are satisfied first come first.
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) {
    return Uint128{demands[a].demand} * demands[b].weight <
           Uint128{demands[b].demand} * demands[a].weight;
  });
  std::uint64_t left = total;
  std::uint64_t weights = 0;
  for (const ShareDemand& demand : demands) weights += demand.weight;
  std::size_t next = 0;
  for (; next < order.size(); ++next) {
    const ShareDemand& demand = demands[order[next]];
    if (Uint128{demand.demand} * weights > Uint128{left} * demand.weight) break;
    shares[order[next]] = demand.demand;
    left -= demand.demand;
    weights -= demand.weight;
  }
  std::vector<std::size_t> takers(order.begin() + static_cast<std::ptrdiff_t>(next), order.end());
  if (takers.empty()) takers = order;
  std::ranges::sort(takers);
  spread(left, takers, demands, shares);
  return shares;
}

}  // namespace drip::cluster
