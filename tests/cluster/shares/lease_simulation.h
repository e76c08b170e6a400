// SPDX-License-Identifier: BSD-3-Clause
// A model of the lease protocol: nodes, clocks, a network and a Redis that all may fail.
#pragma once

#include <cstdint>
#include <string>

namespace drip::cluster {

struct SimulationResult {
  bool safe = true;     ///< At every step what was active added up to no more than the rate.
  bool settled = true;  ///< In the end, with no more faults, everybody has what is due to it.
  std::string trouble;  ///< What was wrong first.
  std::uint64_t steps = 0;
  std::uint64_t faults = 0;
  std::uint64_t exchanges = 0;        ///< That renewed a lease.
  std::uint64_t short_exchanges = 0;  ///< That said that nothing has changed.
  std::uint64_t plans = 0;            ///< That were carried out.
  std::uint64_t refused = 0;          ///< Plans of a stale leader or on a stale version.
  bool amnesia = false;  ///< Redis's data and all memory of them were lost at one time.
};

/// Draws everything from `seed` and runs 60 s of it. With `verbose`, prints each event.
[[nodiscard]] SimulationResult simulate(std::uint64_t seed, bool verbose = false);

}  // namespace drip::cluster
