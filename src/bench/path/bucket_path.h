// SPDX-License-Identifier: BSD-3-Clause
// The buckets of one core without ports and rules: admit, schedule, depart.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "bench/path/bench_port.h"
#include "datapath/clock/tsc_clock.h"
#include "datapath/transmitter.h"
#include "drip/bucket_ring.h"

namespace drip::bench {

/// Of each bucket, by its slot.
using SettingsOf = std::function<BucketSettings(std::uint32_t)>;

/// dripd's own Transmitter, with buckets in slots 0 and on. `Clock` has `TimePoint now()`.
template <class Clock>
class BasicBucketPath {
 public:
  static constexpr std::uint32_t kBurst = 32;

  BasicBucketPath(BenchPort& port, Clock clock, std::uint32_t buckets,
                  const SettingsOf& settings_of)
      : clock_(clock),
        table_(buckets, -1),
        rings_(ring_slots(buckets, settings_of) * sizeof(RingEntry), -1),
        transmitter_(table_, clock_.now(), port, 1, counters_) {
    auto* ring = reinterpret_cast<RingEntry*>(rings_.data());
    rings_.populate(0, rings_.bytes());
    for (std::uint32_t slot = 0; slot < buckets; ++slot) {
      table_.populate(slot);
      table_.prepare_histograms(slot);
      const BucketSettings settings = settings_of(slot);
      const std::uint32_t slots = BucketRing::slots_for(settings.capacity);
      transmitter_.create(slot, settings, ring, slots, clock_.now());
      ring += slots;
    }
  }
  /// All with the same settings.
  BasicBucketPath(BenchPort& port, Clock clock, std::uint32_t buckets,
                  const BucketSettings& settings)
      : BasicBucketPath(port, clock, buckets, SettingsOf([&](std::uint32_t) { return settings; })) {
  }
  /// Frees what waits.
  ~BasicBucketPath() { transmitter_.drop_all(clock_.now()); }
  BasicBucketPath(const BasicBucketPath&) = delete;
  BasicBucketPath& operator=(const BasicBucketPath&) = delete;

  /// Packet i of at most kBurst goes to bucket i, as a worker has it done for a burst.
  void offer(std::span<rte_mbuf* const> packets, std::span<const std::uint32_t> buckets) {
    const TimePoint now = clock_.now();
    for (const std::uint32_t bucket : buckets) transmitter_.prefetch(bucket);
    for (const std::uint32_t bucket : buckets) transmitter_.prefetch_behind(bucket);
    for (std::size_t i = 0; i < packets.size(); ++i) {
      transmitter_.offer(buckets[i], packets[i], packets[i]->pkt_len, 0, now, now);
    }
  }
  /// The same where buckets may have queues, with the headers of the packets.
  void offer(std::span<rte_mbuf* const> packets, std::span<const std::uint32_t> buckets,
             std::span<const Headers> headers) {
    const TimePoint now = clock_.now();
    for (const std::uint32_t bucket : buckets) transmitter_.prefetch(bucket);
    for (const std::uint32_t bucket : buckets) transmitter_.prefetch_behind(bucket);
    if (transmitter_.has_far_queues()) {
      transmitter_.prefetch_queues(buckets,
                                   [&](std::size_t i) -> const Headers& { return headers[i]; });
    }
    for (std::size_t i = 0; i < packets.size(); ++i) {
      transmitter_.offer(buckets[i], packets[i], packets[i]->pkt_len, 0, now, now, &headers[i]);
    }
  }
  /// Lets go what is due; returns how many packets left.
  std::uint32_t depart() {
    const std::uint32_t departed = transmitter_.transmit(clock_);
    transmitter_.flush();
    return departed;
  }
  /// Other settings for one bucket, with a ring of its own.
  void use(std::uint32_t slot, const BucketSettings& settings) {
    const std::uint32_t slots = BucketRing::slots_for(settings.capacity);
    larger_ring_ = datapath::NumaMemory(slots * sizeof(RingEntry), -1);
    larger_ring_.populate(0, larger_ring_.bytes());
    transmitter_.change(slot, settings, reinterpret_cast<RingEntry*>(larger_ring_.data()), slots,
                        clock_.now());
  }
  /// Nothing leaves an idle bucket before this time has passed: less than its service time.
  void hold(std::uint32_t slot, Duration span) { transmitter_.occupy(slot, span, clock_.now()); }
  [[nodiscard]] std::uint32_t backlog(std::uint32_t slot) const {
    return table_[slot].backlog.get();
  }
  /// Packets, by the transmitter's own count.
  [[nodiscard]] std::uint64_t waiting() const { return transmitter_.waiting_packets(); }
  [[nodiscard]] datapath::Transmitter<BenchPort>& transmitter() { return transmitter_; }
  [[nodiscard]] const datapath::BucketTable& table() const { return table_; }
  [[nodiscard]] const datapath::LcoreCounters& counters() const { return counters_; }

 private:
  static std::size_t ring_slots(std::uint32_t buckets, const SettingsOf& settings_of) {
    std::size_t slots = 0;
    for (std::uint32_t slot = 0; slot < buckets; ++slot) {
      slots += BucketRing::slots_for(settings_of(slot).capacity);
    }
    return slots;
  }

  Clock clock_;
  datapath::LcoreCounters counters_;
  datapath::BucketTable table_;
  datapath::NumaMemory rings_;
  datapath::NumaMemory larger_ring_;
  datapath::Transmitter<BenchPort> transmitter_;
};

using BucketPath = BasicBucketPath<datapath::TscClock::Reader>;

}  // namespace drip::bench
