// SPDX-License-Identifier: BSD-3-Clause
// Reserves slots and memory for per-flow rules: a flow table on each transmitter for each rule.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "datapath/flow_buckets.h"
#include "datapath/flows/flow_table.h"
#include "datapath/poll_engine/slot_allocator.h"
#include "engine/commands.h"
#include "engine/stats.h"

namespace drip::datapath {

/// Makes and frees the flow tables; the engine hands them to the transmitters. Belongs to control.
/// Not thread safe: the engine locks.
class FlowRules {
 public:
  struct Entry {
    FlowRuleSettings settings;
    std::vector<std::unique_ptr<FlowTable>> tables;  ///< By transmitter.
  };

  /// Reserves slots and rings for max_flows flows on every transmitter, or on none: each
  /// transmitter may get all flows. Returns the rule's number. RESOURCE_EXHAUSTED, with the
  /// figures.
  absl::StatusOr<std::uint32_t> create(const FlowRuleSettings& settings,
                                       std::span<const std::unique_ptr<SlotAllocator>> allocators);
  [[nodiscard]] Entry& entry(std::uint32_t number) { return *entries_[number]; }
  [[nodiscard]] const Entry& entry(std::uint32_t number) const { return *entries_[number]; }
  /// Frees the tables of a removed rule once all of them have retired, see reap().
  void free_when_retired(std::uint32_t number) { retiring_.push_back(number); }
  /// Frees the tables that have retired since the last call.
  void reap(std::span<const std::unique_ptr<SlotAllocator>> allocators);

  [[nodiscard]] FlowRuleStats read(std::uint32_t number) const;
  /// Packet buffers reserved for all flows of all rules.
  [[nodiscard]] std::uint64_t packets_reserved() const;

 private:
  static void release(const FlowTable& table, SlotAllocator& allocator);

  std::array<std::unique_ptr<Entry>, kMaxFlowRules> entries_;
  std::vector<std::uint32_t> retiring_;
};

}  // namespace drip::datapath
