// SPDX-License-Identifier: BSD-3-Clause
// Creates a bucket for each flow of a per-flow rule when the flow appears, and removes it when the
// flow is idle.
#pragma once

#include <array>
#include <cstdint>

#include "datapath/flows/flow_table.h"
#include "datapath/transmitter.h"

namespace drip::datapath {

inline constexpr std::uint32_t kMaxFlowRules = 256;

/// One transmitter's part of all per-flow rules. Runs on the transmitter's thread.
template <class Io>
class FlowBuckets {
 public:
  explicit FlowBuckets(Transmitter<Io>& transmitter) : transmitter_(transmitter) {}

  /// Offers the packet to its flow's bucket, which is created if need be; the bucket admits the
  /// packet, or drops and counts it. False if there is no room for the flow: the packet is still
  /// the caller's.
  [[nodiscard]] bool offer(std::uint32_t flow_rule, const FlowKey& key, void* packet,
                           std::uint32_t frame_bytes, std::uint16_t egress, TimePoint arrival,
                           TimePoint now) {
    FlowTable* const table = tables_[flow_rule];
    if (table == nullptr) return false;
    const std::uint32_t hash = table->by_key.hash(key);
    auto flow = table->by_key.find(key, hash);
    if (!flow) {
      flow = table->add(key, hash);
      if (!flow) {
        // The next packets may find room where flows have been idle for long enough.
        sweep(*table, kSweptOnDemand, now);
        return false;
      }
      Bucket& bucket = transmitter_.create(table->slots[*flow], table->settings.bucket,
                                           table->rings + std::size_t{*flow} * table->ring_slots,
                                           table->ring_slots, now);
      bucket.flow_rule = flow_rule;
    }
    const std::uint32_t slot = table->slots[*flow];
    transmitter_.buckets()[slot].last_arrival = now;
    transmitter_.offer(slot, packet, frame_bytes, egress, arrival, now);
    return true;
  }

  /// REQUIRES: the rule has no table here. The table stays until FlowTable::retired.
  void add_table(std::uint32_t flow_rule, FlowTable* table) {
    tables_[flow_rule] = table;
    if (flow_rule >= used_) used_ = flow_rule + 1;
  }
  /// No packet of the rule comes any more. Its buckets drain; once the last one is removed,
  /// FlowTable::retired is set and the table is not used again.
  void retire_table(std::uint32_t flow_rule) { tables_[flow_rule]->retiring = true; }

  /// Settings for flows that appear from now on.
  void change_settings(std::uint32_t flow_rule, const BucketSettings& bucket,
                       Duration idle_timeout) {
    tables_[flow_rule]->settings.bucket = bucket;
    tables_[flow_rule]->settings.idle_timeout = idle_timeout;
  }
  /// Applies the present settings to flow number `flow`, if there is one; its backlog stays.
  void change_flow(std::uint32_t flow_rule, std::uint32_t flow, TimePoint now) {
    FlowTable& table = *tables_[flow_rule];
    if (!table.key_of(flow)) return;
    transmitter_.change(table.slots[flow], table.settings.bucket, nullptr, 0, now);
  }

  /// A few steps of the search for idle flows; called once a loop.
  void sweep_some(TimePoint now) {
    if (used_ == 0) return;
    next_ = next_ + 1 < used_ ? next_ + 1 : 0;
    if (tables_[next_] == nullptr) return;
    FlowTable& table = *tables_[next_];
    sweep(table, kSweptALoop, now);
    if (table.retiring && table.by_key.size() == 0) {
      tables_[next_] = nullptr;
      table.retired.store(true, std::memory_order_release);
    }
  }

 private:
  static constexpr std::uint32_t kSweptALoop = 4;
  static constexpr std::uint32_t kSweptOnDemand = 32;

  void sweep(FlowTable& table, std::uint32_t steps, TimePoint now) {
    table.sweep_cursor =
        table.by_key.sweep(table.sweep_cursor, steps, [&](const FlowKey&, std::uint32_t flow) {
          const std::uint32_t slot = table.slots[flow];
          const Bucket& bucket = transmitter_.buckets()[slot];
          if (bucket.backlog.get() > 0) return false;
          if (!table.retiring) {
            if (now - bucket.last_arrival < table.settings.idle_timeout) return false;
            // Removed during a service and created again, it would serve two units at once.
            if (bucket.schedule.in_service(now)) return false;
          }
          transmitter_.remove(slot, false, now);
          table.release(flow);
          return true;
        });
  }

  Transmitter<Io>& transmitter_;
  std::array<FlowTable*, kMaxFlowRules> tables_{};  // By flow rule.
  std::uint32_t used_ = 0;                          // All tables have smaller numbers.
  std::uint32_t next_ = 0;
};

}  // namespace drip::datapath
