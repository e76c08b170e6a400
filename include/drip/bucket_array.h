// SPDX-License-Identifier: BSD-3-Clause
// The memory of a table of buckets, which the caller of a Scheduler provides.
#pragma once

#include <cstdint>
#include <new>

#include "drip/bucket.h"
#include "drip/timing_wheel.h"
#include "drip/tree/tree_node.h"

namespace drip {

/// Two arrays of `size`, by slot. Their bytes are zero or hold constructed objects before they are
/// used, so that pages of zeros are taken from the kernel only when a bucket is created in them.
/// Does not own them.
struct BucketArray {
  Bucket* buckets = nullptr;
  LatencyHistograms* histograms = nullptr;
  std::uint32_t size = 0;
  TreeArrays trees = {};

  [[nodiscard]] Bucket& operator[](std::uint32_t slot) const { return buckets[slot]; }
  /// A new bucket in a slot that is free. The histograms are written only if they were used before.
  Bucket& construct(std::uint32_t slot) const {
    // Memory of zeros reads as histograms that nothing was ever added to.
    if (buckets[slot].latencies.flushed()) new (&histograms[slot]) LatencyHistograms{};
    return *new (&buckets[slot]) Bucket;
  }
};

/// Where the timing wheel finds its part of a bucket.
struct BucketHooks {
  Bucket* buckets;
  WheelHook& operator()(std::uint32_t slot) const { return buckets[slot].hook; }
};

}  // namespace drip
