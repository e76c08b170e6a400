// SPDX-License-Identifier: BSD-3-Clause
// Reads the statistics of buckets and polling threads while they run.
#pragma once

#include <cstdint>

#include "datapath/lcore_counters.h"
#include "datapath/poll_engine/lcore_plan.h"
#include "datapath/poll_engine/slot_allocator.h"
#include "drip/bucket.h"
#include "engine/stats.h"

namespace drip::datapath {

/// Any thread. `lapses`: how often leases have ended on the bucket's transmitter.
BucketStats read_bucket(const Bucket& bucket, const LatencyHistograms& histograms,
                        const SlotRecord& record, std::uint64_t lapses);

/// Any thread.
ArrivalCounts read_arrivals(const Bucket& bucket);

/// Any thread. The part that does not depend on the thread's stages.
LcoreStats read_lcore(const LcorePlan& plan, const LcoreCounters& counters);

}  // namespace drip::datapath
