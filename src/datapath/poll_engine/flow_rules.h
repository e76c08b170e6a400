// SPDX-License-Identifier: BSD-3-Clause
// Control's book of the per-flow rules' buckets: a flow set on each transmitter for each rule.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "datapath/flow_buckets.h"
#include "datapath/flow_table.h"
#include "datapath/poll_engine/slot_allocator.h"

namespace drip::datapath {

/// The memory and slots of flow sets; what the transmitters do with them is the engine's to
/// arrange. Not thread safe: its engine locks.
class FlowRules {
 public:
  struct Entry {
    FlowRuleSettings settings;
    std::vector<std::unique_ptr<FlowTable>> sets;  ///< By transmitter.
  };

  /// Promises the memory for a rule's flows on all transmitters, or for none.
  absl::StatusOr<std::uint32_t> create(const FlowRuleSettings& settings,
                                       std::span<const std::unique_ptr<SlotAllocator>> books);
  [[nodiscard]] Entry& entry(std::uint32_t number) { return *entries_[number]; }
  [[nodiscard]] const Entry& entry(std::uint32_t number) const { return *entries_[number]; }
  /// The rule is gone; its sets' memory comes back when each has retired.
  void retire(std::uint32_t number) { retiring_.push_back(number); }
  void reap(std::span<const std::unique_ptr<SlotAllocator>> books);

  [[nodiscard]] FlowRuleStats read(std::uint32_t number) const;
  /// Packet buffers promised to the flows of all sets.
  [[nodiscard]] std::uint64_t packets_promised() const;

 private:
  static void free_set(const FlowTable& set, SlotAllocator& book);

  std::array<std::unique_ptr<Entry>, kMaxFlowRules> entries_;
  std::vector<std::uint32_t> retiring_;
};

}  // namespace drip::datapath
