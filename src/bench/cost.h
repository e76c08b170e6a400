// SPDX-License-Identifier: BSD-3-Clause
// Case `cost`: cycles a packet, stage by stage and as a whole, nothing throttled.
#pragma once

#include "absl/status/status.h"
#include "bench/bench_options.h"

namespace drip::bench {

/// For each number of buckets and each order, interleaved:
/// - `straight`: admit and depart, where a packet leaves at the start of its service;
/// - `scheduled`: admit, schedule, depart, where it leaves at the end of its service;
/// - `librte_sched`: enqueue and dequeue, up to its 65536 pipes;
/// - `source`: rx and tx alone; `parse`, `classify`: with these stages added; `whole`: dripd's
/// loop.
[[nodiscard]] absl::Status run_cost(const Bench& bench);

}  // namespace drip::bench
