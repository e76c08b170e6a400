// SPDX-License-Identifier: BSD-3-Clause
// Case `precision`: how close the departures of one backlogged bucket come to the ideal.
#pragma once

#include "absl/status/status.h"
#include "bench/bench_options.h"

namespace drip::bench {

/// One bucket with a backlog, alone and beside `--buckets` others that are busy with half of what
/// the core can do; librte_sched's pipe of the same rate, alone. Shown for each rate: the distance
/// of gaps from the ideal gap, with and without the gaps that a stall of the machine touched (loops
/// of more than 1 us, measured in the same loop), the long-run rate against CLOCK_MONOTONIC_RAW,
/// and the most that was ever out beyond the leaky-bucket curve.
[[nodiscard]] absl::Status run_precision(const Bench& bench);

}  // namespace drip::bench
