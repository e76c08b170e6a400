// SPDX-License-Identifier: BSD-3-Clause
// The most that leaves within bounds.
#pragma once

#include "absl/status/statusor.h"
#include "bench/path/throttled/measure.h"

namespace drip::bench {

/// Within which a rate counts as held. The receive ring is the same for all of them.
struct Bounds {
  double error;   ///< Of the rate that is allowed.
  double missed;  ///< Of what arrived.
};
/// librte_sched's credits are rounded, so that its rates are off by up to 1.2 % at any load: by
/// Drip's bound it would never hold one.
[[nodiscard]] constexpr Bounds bounds_of(Path path) { return {is_peer(path) ? 0.03 : 0.005, 0.03}; }

/// The highest allowed rate that was held, and what was seen at it; 0: none.
struct Most {
  double allowed_pps = 0;
  Outcome outcome;
};

/// By bisection between 1/16 and 64 Mpps, to 3 %. Each step begins with a subject of its own; one
/// that fails while the machine withheld the CPU for 1 % of the time is tried up to 3 times.
[[nodiscard]] absl::StatusOr<Most> search(Path path, const Load& load);

}  // namespace drip::bench
