// SPDX-License-Identifier: BSD-3-Clause
// Reads the statistics of buckets and polling threads while they run.
#include "datapath/poll_engine/bucket_stats.h"

#include "drip/read_bucket_counters.h"

namespace drip::datapath {
namespace {

// The rates at which the bucket leaks at present; none while it is paused.
LeasedRates present_rates(const SlotRecord& record, std::uint64_t lapses) {
  if (record.rate_is_leased == 0) return record.rates;
  const SlotLease* const leased = record.leased.get();
  if (leased == nullptr) return {};  // Before its first lease.
  return lapses > leased->lapses_before ? leased->lease.fallback : leased->lease.share;
}

}  // namespace

BucketStats read_bucket(const Bucket& bucket, const LatencyHistograms& histograms,
                        const SlotRecord& record, std::uint64_t lapses) {
  BucketStats stats{read_bucket_counters(bucket, histograms), {}, record.ring_slots, false, {}};
  LeasedRates rates = present_rates(record, lapses);
  stats.paused = record.rate_is_leased != 0 && rates.none();
  if (stats.paused) rates = record.rates;
  stats.periods = ServicePeriods::of_rates(rates.units_per_second, rates.bits_per_second);
  return stats;
}

ArrivalCounts read_arrivals(const Bucket& bucket) {
  ArrivalCounts counts;
  counts.backlog = bucket.backlog.get();
  const std::uint64_t departed_bytes = bucket.departed_bytes.get();
  const std::uint64_t dropped_bytes = bucket.dropped_bytes.get();
  counts.units = bucket.admitted.get();
  const std::uint64_t admitted_bytes = bucket.admitted_bytes.get();
  for (const Counter& rejected : bucket.rejected) counts.units += rejected.get();
  counts.bytes = admitted_bytes + bucket.rejected_bytes.get();
  counts.backlog_bytes = admitted_bytes - departed_bytes - dropped_bytes;
  return counts;
}

LcoreStats read_lcore(const LcorePlan& plan, const LcoreCounters& counters) {
  LcoreStats stats;
  stats.role = plan.role;
  stats.cpu = plan.cpu;
  stats.numa_node = plan.numa_node;
  stats.sleeps_when_idle = plan.sleeps_when_idle;
  stats.loops = counters.loops.get();
  stats.busy_loops = counters.busy_loops.get();
  stats.busy_ns = counters.busy_ns.get();
  stats.jobs = counters.jobs.get();
  stats.rx_packets = counters.rx_packets.get();
  stats.passed_packets = counters.passed_packets.get();
  for (std::size_t i = 0; i < kDropReasons; ++i) {
    stats.drops[i] = counters.drops[i].get();
    stats.dropped_bytes[i] = counters.dropped_bytes[i].get();
  }
  stats.stalls = counters.stalls.get();
  stats.stalled_ns = counters.stalled_ns.get();
  stats.longest_stall_ns = counters.longest_stall_ns.get();
  return stats;
}

}  // namespace drip::datapath
