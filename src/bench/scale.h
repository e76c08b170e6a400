// SPDX-License-Identifier: BSD-3-Clause
// Case `scale`: throughput of one and of two polling cores.
#pragma once

#include "absl/status/status.h"
#include "bench/bench_options.h"

namespace drip::bench {

/// dripd's engine on real threads between sources and sinks, as fast as it goes, nothing throttled:
/// - `one`: a fused core;
/// - `two, private`: two fused cores, to each come packets of its own buckets only;
/// - `two, shared`: packets of any bucket come to either core, so half of them are handed over;
/// - `worker + transmitter`: one core receives, the other one has all buckets.
/// And, without parsing and rules, the ways of a packet to another core's bucket (shared_rings.h).
[[nodiscard]] absl::Status run_scale(const Bench& bench);

}  // namespace drip::bench
