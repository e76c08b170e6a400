// SPDX-License-Identifier: BSD-3-Clause
// Makes a bucket for each flow of a per-flow rule as it appears, and takes it back when it is idle.
#pragma once

#include <array>
#include <cstdint>

#include "datapath/flow_table.h"
#include "datapath/transmitter.h"

namespace drip::datapath {

inline constexpr std::uint32_t kMaxFlowRules = 256;

/// One transmitter's part of all per-flow rules. Runs on the transmitter's thread.
template <class Io>
class FlowBuckets {
 public:
  explicit FlowBuckets(Transmitter<Io>& transmitter) : transmitter_(transmitter) {}

  [[nodiscard]] Transmitter<Io>& transmitter() { return transmitter_; }

  /// Takes the packet into its flow's bucket, which is made if need be, or drops and counts it.
  /// False, and the packet is still the caller's, if there is no room for its flow.
  [[nodiscard]] bool offer_to_flow(std::uint32_t number, const FlowKey& key, void* packet,
                                   std::uint32_t frame_bytes, std::uint16_t egress,
                                   TimePoint arrival, TimePoint now) {
    FlowTable* const set = sets_[number];
    if (set == nullptr) return false;
    const std::uint32_t hash = set->table.hash(key);
    auto flow = set->table.find(key, hash);
    if (!flow) {
      flow = set->take(key, hash);
      if (!flow) {
        // Room may be had from flows that have been idle for long enough.
        sweep(*set, kSweptOnDemand, now);
        return false;
      }
      Bucket& bucket = transmitter_.create(set->slots[*flow], set->settings.bucket,
                                           set->rings + std::size_t{*flow} * set->ring_slots,
                                           set->ring_slots, now);
      bucket.flow_rule = number;
    }
    const std::uint32_t slot = set->slots[*flow];
    transmitter_.buckets()[slot].last_arrival = now;
    transmitter_.offer(slot, packet, frame_bytes, egress, arrival, now);
    return true;
  }

  /// REQUIRES: no set has this number.
  void install(std::uint32_t number, FlowTable* set) {
    sets_[number] = set;
    if (number >= used_) used_ = number + 1;
  }
  [[nodiscard]] FlowTable* find(std::uint32_t number) const { return sets_[number]; }

  /// New settings for flows to come.
  void change_settings(std::uint32_t number, const BucketSettings& bucket, Duration idle_timeout) {
    sets_[number]->settings.bucket = bucket;
    sets_[number]->settings.idle_timeout = idle_timeout;
  }
  /// Gives them to one flow that may exist already, in the middle of its backlog.
  void change_flow(std::uint32_t number, std::uint32_t flow, TimePoint now) {
    FlowTable& set = *sets_[number];
    if (!set.key_of(flow)) return;
    transmitter_.change(set.slots[flow], set.settings.bucket, nullptr, 0, now);
  }

  /// No packet will come for this set any more: its buckets drain, and when the last one is gone
  /// FlowTable::retired is set and the set is not touched again.
  void retire(std::uint32_t number) { sets_[number]->retiring = true; }

  /// A few steps of the search for idle flows; called once a loop.
  void sweep_some(TimePoint now) {
    if (used_ == 0) return;
    next_ = next_ + 1 < used_ ? next_ + 1 : 0;
    if (sets_[next_] == nullptr) return;
    FlowTable& set = *sets_[next_];
    sweep(set, kSweptALoop, now);
    if (set.retiring && set.table.size() == 0) {
      sets_[next_] = nullptr;
      set.retired.store(true, std::memory_order_release);
    }
  }

 private:
  static constexpr std::uint32_t kSweptALoop = 4;
  static constexpr std::uint32_t kSweptOnDemand = 32;

  void sweep(FlowTable& set, std::uint32_t steps, TimePoint now) {
    set.sweep_cursor =
        set.table.sweep(set.sweep_cursor, steps, [&](const FlowKey&, std::uint32_t flow) {
          const std::uint32_t slot = set.slots[flow];
          const Bucket& bucket = transmitter_.buckets()[slot];
          if (bucket.backlog.get() > 0) return false;
          if (!set.retiring) {
            if (now - bucket.last_arrival < set.settings.idle_timeout) return false;
            // A bucket that still serves would come back empty: fresh credit.
            if (bucket.law.in_service(now)) return false;
          }
          transmitter_.remove(slot, false, now);
          set.give_back(flow);
          return true;
        });
  }

  Transmitter<Io>& transmitter_;
  std::array<FlowTable*, kMaxFlowRules> sets_{};
  std::uint32_t used_ = 0;
  std::uint32_t next_ = 0;
};

}  // namespace drip::datapath
