// SPDX-License-Identifier: BSD-3-Clause
// Case `throttled`: twice the allowed load is offered, and the allowed half must leave.
#pragma once

#include "absl/status/status.h"
#include "bench/bench_options.h"

namespace drip::bench {

/// Packets arrive at a pace, as at a NIC with a receive ring of 4096; each bucket's rate is half of
/// what comes to it, so all of them are backlogged all the time. For each number of buckets:
/// - `load`: at 1, 4 and 8 Mpps offered, what leaves, how much of the core it takes, and the cycles
///   a packet offered;
/// - `most`: the highest rate that leaves within 0.5 % of what is allowed while the receive ring is
///   kept empty, by binary search; librte_sched beside it, held to 3 % and to no receive ring.
[[nodiscard]] absl::Status run_throttled(const Bench& bench);

}  // namespace drip::bench
