// SPDX-License-Identifier: BSD-3-Clause
// How much a rule snapshot may have beside its base until all rules are compiled anew.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace drip::control {

/// Rules that may be added: so many that both what one costs, which is a classifier of all that is
/// beside the base, and its part of compiling all are some sqrt(rules).
inline std::size_t spare_of(std::size_t rules) {
  constexpr double kLeast = 32;
  return static_cast<std::size_t>(std::max(kLeast, 2 * std::sqrt(static_cast<double>(rules))));
}

/// Matches of all that is beside the base.
inline std::size_t most_matches_beside(std::size_t rules) {
  constexpr std::size_t kMatchesOfARule = 4;
  return kMatchesOfARule * spare_of(rules);
}

}  // namespace drip::control
