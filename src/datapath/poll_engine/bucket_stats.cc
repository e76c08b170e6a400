// SPDX-License-Identifier: BSD-3-Clause
// Reads the statistics of buckets and polling threads while they run.
#include "datapath/poll_engine/bucket_stats.h"

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
  BucketStats stats;
  // Departures before admissions, so that more never seem to have departed than were admitted.
  stats.departed = bucket.departed.get();
  stats.departed_bytes = bucket.departed_bytes.get();
  stats.dropped = bucket.dropped.get();
  stats.dropped_bytes = bucket.dropped_bytes.get();
  stats.last_departure = bucket.spans.last_departure();
  stats.departure_time = bucket.hook.due;
  stats.backlog = bucket.backlog.get();
  stats.admitted = bucket.admitted.get();
  stats.admitted_bytes = bucket.admitted_bytes.get();
  stats.backlog_bytes = stats.admitted_bytes - stats.departed_bytes - stats.dropped_bytes;
  for (std::size_t i = 0; i < kRejectReasons; ++i) stats.rejected[i] = bucket.rejected[i].get();
  stats.rejected_bytes = bucket.rejected_bytes.get();
  stats.lost_schedule_ns = bucket.forfeited_ns.get();
  LeasedRates rates = present_rates(record, lapses);
  stats.paused = record.rate_is_leased != 0 && rates.none();
  if (stats.paused) rates = record.rates;
  stats.periods = ServicePeriods::of_rates(rates.units_per_second, rates.bits_per_second);
  const LatencyStats latencies = bucket.spans.read(histograms);
  stats.sojourn = latencies.sojourn;
  stats.lateness = latencies.lateness;
  stats.ring_slots = record.ring_slots;
  return stats;
}

LcoreStats read_lcore(const LcorePlan& plan, const LcoreCounters& counters) {
  LcoreStats stats;
  stats.role = plan.role;
  stats.cpu = plan.cpu;
  stats.numa_node = plan.numa_node;
  stats.sleeps_when_idle = plan.sleeps_when_idle;
  stats.loops = counters.loops.get();
  stats.busy_loops = counters.busy_loops.get();
  stats.commands = counters.commands.get();
  stats.rx_packets = counters.rx_packets.get();
  stats.passed_packets = counters.passed_packets.get();
  for (std::size_t i = 0; i < kDropReasons; ++i) {
    stats.drops[i] = counters.drops[i].get();
    stats.dropped_bytes[i] = counters.dropped_bytes[i].get();
  }
  stats.stalls = counters.stalls.get();
  stats.stalled_ns = counters.stalled_ns.get();
  stats.longest_stall_ns = counters.longest_stall_ns.get();
  stats.lateness = counters.lateness.read();
  stats.lost_schedule_ns = counters.forfeited_ns.get();
  return stats;
}

}  // namespace drip::datapath
