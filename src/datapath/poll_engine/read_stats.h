// SPDX-License-Identifier: BSD-3-Clause
// What control reads of buckets and polling threads while they run.
#pragma once

#include "datapath/lcore_counters.h"
#include "datapath/poll_engine/slot_allocator.h"
#include "engine/engine.h"

namespace drip::datapath {

/// Departures are read before admissions, so that a bucket never seems to have let out more than it
/// took in.
/// `lapses`: how often leases have ended on its transmitter.
inline BucketStats read_bucket(const Bucket& bucket, const LatencyHistograms& history,
                               const SlotRecord& record, std::uint64_t lapses) {
  BucketStats reading;
  reading.departed = bucket.departed.get();
  reading.departed_bytes = bucket.departed_bytes.get();
  reading.dropped = bucket.dropped.get();
  reading.dropped_bytes = bucket.dropped_bytes.get();
  reading.last_departure = bucket.spans.last_departure();
  reading.point = bucket.hook.due;
  reading.backlog = bucket.backlog.get();
  reading.admitted = bucket.admitted.get();
  reading.admitted_bytes = bucket.admitted_bytes.get();
  reading.backlog_bytes = reading.admitted_bytes - reading.departed_bytes - reading.dropped_bytes;
  for (std::size_t i = 0; i < kRejectReasons; ++i) reading.rejected[i] = bucket.rejected[i].get();
  reading.rejected_bytes = bucket.rejected_bytes.get();
  reading.forfeited_ns = bucket.forfeited_ns.get();
  LeasedRates rates = record.rates;
  if (record.rate_is_leased != 0) {
    LeasedRates leased;  // None before the first lease.
    if (const BookedLease* const booked = record.leased.get()) {
      leased = lapses > booked->lapses_before ? booked->lease.fallback : booked->lease.share;
    }
    reading.paused = leased.none();
    if (!reading.paused) rates = leased;
  }
  reading.periods = ServicePeriods::of_rates(rates.units_per_second, rates.bits_per_second);
  const LatencyStats spans = bucket.spans.read(history);
  reading.sojourn = spans.sojourn;
  reading.lateness = spans.lateness;
  reading.ring_slots = record.ring_slots;
  return reading;
}

inline LcoreStats read_counters(const LcoreCounters& counters) {
  LcoreStats reading;
  reading.loops = counters.loops.get();
  reading.busy_loops = counters.busy_loops.get();
  reading.commands = counters.commands.get();
  reading.rx_packets = counters.rx_packets.get();
  reading.passed_packets = counters.passed_packets.get();
  for (std::size_t i = 0; i < kDropReasons; ++i) {
    reading.drops[i] = counters.drops[i].get();
    reading.dropped_bytes[i] = counters.dropped_bytes[i].get();
  }
  reading.stalls = counters.stalls.get();
  reading.stalled_ns = counters.stalled_ns.get();
  reading.longest_stall_ns = counters.longest_stall_ns.get();
  reading.lateness = counters.lateness.read();
  reading.forfeited_ns = counters.forfeited_ns.get();
  return reading;
}

}  // namespace drip::datapath
