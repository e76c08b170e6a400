// SPDX-License-Identifier: BSD-3-Clause
// Creates a bucket for each flow of a per-flow rule when the flow appears, and removes it when the
// flow is idle.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

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
                           TimePoint now, const Headers* headers = nullptr) {
    FlowTable* const table = tables_[flow_rule];
    if (table == nullptr) return false;
    const std::uint32_t hash = table->hash(key);
    auto flow = table->find(key, hash);
    if (!flow) {
      flow = create(flow_rule, *table, key, hash, now);
      if (!flow) return false;
    }
    const std::uint32_t slot = table->slot(*flow);
    transmitter_.buckets()[slot].last_arrival = now;
    transmitter_.offer(slot, packet, frame_bytes, egress, arrival, now, headers);
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

  /// Settings for flows that appear from now on, but for their key.
  void change_settings(std::uint32_t flow_rule, const FlowRuleSettings& settings) {
    FlowRuleSettings& present = tables_[flow_rule]->settings;
    const FlowTemplateKey key = present.key;
    present = settings;
    present.key = key;
  }
  /// Applies the present settings to flow number `flow`, if there is one, and gives it one of the
  /// present rings; its backlog stays.
  void change_flow(std::uint32_t flow_rule, std::uint32_t flow, TimePoint now) {
    FlowTable& table = *tables_[flow_rule];
    if (!table.key_of(flow)) return;
    const auto former_ring = table.replace_ring(flow);
    transmitter_.change(table.slot(flow), table.settings.bucket,
                        former_ring ? table.ring(flow) : nullptr, table.rings->ring_slots(), now);
    // One that is in no tree, and is to be in none, is left alone.
    transmitter_.set_node(table.slot(flow), table.settings.node(), now);
    if (table.queue != nullptr) transmitter_.set_queue(table.slot(flow), *table.queue, nullptr);
    if (former_ring) table.former_rings->give_back(*former_ring);
    if (table.is_held(flow)) transmitter_.pause(table.slot(flow), now);
  }

  /// See FlowTable::set_apart().
  void set_apart(std::uint32_t flow_rule, std::uint32_t flow, const FlowTemplateKey& coming,
                 std::uint8_t number) {
    tables_[flow_rule]->set_apart(flow, coming, number);
  }
  /// Another key for flows that appear from now on. They wait for flows of former keys, see
  /// KeyChange; those that wait by a change that is not `live` wait no longer. `number`, `live`:
  /// see FlowTable::start_key_change().
  void change_key(std::uint32_t flow_rule, const FlowTemplateKey& key, std::uint32_t number,
                  KeyChange* change, std::uint16_t live, TimePoint now) {
    FlowTable& table = *tables_[flow_rule];
    const std::uint32_t last = table.last_held();
    for (bool more = table.any_held(); more;) {
      const std::uint32_t flow = table.pop_held();
      more = flow != last;
      const auto waiting = table.key_of(flow);
      const bool is_live = (table.waits_by(flow) & live) != 0;
      if (is_live && waiting && table.must_wait_longer(flow, *waiting)) {
        table.hold_again(flow);
      } else {
        transmitter_.resume(table.slot(flow), now);
      }
    }
    table.start_key_change(key, number, change, live);
  }
  /// Counts flow number `flow`, if there is one of a former key.
  void count_old_flow(std::uint32_t flow_rule, std::uint32_t flow) {
    FlowTable& table = *tables_[flow_rule];
    if (const auto key = table.key_of(flow)) table.count_if_old(flow, *key);
  }

  /// A few steps of the search for idle flows; called once a loop.
  void sweep_some(TimePoint now) {
    if (used_ == 0) return;
    next_ = next_ + 1 < used_ ? next_ + 1 : 0;
    if (tables_[next_] == nullptr) return;
    FlowTable& table = *tables_[next_];
    if (table.any_held()) [[unlikely]]
      release_some(table, now);
    const bool in_haste = table.retiring || table.key_is_changing();
    sweep(table, in_haste ? kSweptInHaste : kSweptALoop, now);
    if (table.retiring && table.empty()) {
      tables_[next_] = nullptr;
      table.retired.store(true, std::memory_order_release);
    }
  }

 private:
  static constexpr std::uint32_t kSweptALoop = 4;
  static constexpr std::uint32_t kSweptInHaste = 32;
  static constexpr std::uint32_t kSweptOnDemand = 32;
  static constexpr std::uint32_t kHeldLookedAt = 8;

  std::optional<std::uint32_t> create(std::uint32_t flow_rule, FlowTable& table, const FlowKey& key,
                                      std::uint32_t hash, TimePoint now) {
    const auto flow = table.add(key, hash);
    if (!flow) {
      table.last_refused_ns.set(now.ns);
      // The next packets may find room where flows have been idle for long enough.
      sweep(table, kSweptOnDemand, now);
      return std::nullopt;
    }
    const std::uint32_t slot = table.slot(*flow);
    Bucket& bucket = transmitter_.create(slot, table.settings.bucket, table.ring(*flow),
                                         table.rings->ring_slots(), now);
    bucket.flow_rule = flow_rule;
    if (table.settings.parent) transmitter_.set_node(slot, table.settings.node(), now);
    if (table.queue != nullptr) transmitter_.set_queue(slot, *table.queue, nullptr);
    if (table.key_has_changed()) [[unlikely]] {
      if (table.is_old(key)) {
        table.count_if_old(*flow, key);
      } else if (table.must_wait(key)) {
        transmitter_.pause(slot, now);
        table.hold(*flow);
      }
    }
    return flow;
  }

  // Lets held flows send whose turn has come, or all if the rule is going.
  void release_some(FlowTable& table, TimePoint now) {
    for (std::uint32_t i = 0; i < kHeldLookedAt && table.any_held(); ++i) {
      const std::uint32_t flow = table.pop_held();
      const auto key = table.key_of(flow);
      if (key && !table.retiring && table.must_wait_longer(flow, *key)) {
        table.hold_again(flow);
      } else {
        transmitter_.resume(table.slot(flow), now);
      }
    }
  }

  void sweep(FlowTable& table, std::uint32_t steps, TimePoint now) {
    table.sweep(steps, [&](const FlowKey& key, std::uint32_t flow) {
      const std::uint32_t slot = table.slot(flow);
      const Bucket& bucket = transmitter_.buckets()[slot];
      if (bucket.backlog.get() > 0 || table.is_held(flow)) return false;
      if (!table.retiring) {
        const bool is_idle = now - bucket.last_arrival >= table.settings.idle_timeout;
        if (!is_idle && !(table.key_has_changed() && table.is_old(key))) return false;
        // Removed during a service and created again, it would serve two units at once.
        if (bucket.schedule.in_service(now)) return false;
      }
      transmitter_.remove(slot, false, now);
      return true;
    });
  }

  Transmitter<Io>& transmitter_;
  std::array<FlowTable*, kMaxFlowRules> tables_{};  // By flow rule.
  std::uint32_t used_ = 0;                          // All tables have smaller numbers.
  std::uint32_t next_ = 0;
};

}  // namespace drip::datapath
