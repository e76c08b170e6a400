// SPDX-License-Identifier: BSD-3-Clause
// Case `memory`: what a bucket takes, by part.
#pragma once

#include "absl/status/status.h"
#include "bench/bench_options.h"

namespace drip::bench {

/// Resident memory of this process, as the kernel counts it, before and after each part of
/// `--buckets` buckets has been made by dripd's own code; in bytes a bucket. Nothing is computed
/// from the sizes of types. Parts that are there from the start whatever the number of buckets, as
/// the wheel's slots, are divided by it as well, so a small number shows more.
[[nodiscard]] absl::Status run_memory(const Bench& bench);

}  // namespace drip::bench
