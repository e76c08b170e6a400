// SPDX-License-Identifier: BSD-3-Clause
// Reserves slots and memory for per-flow rules: a flow table on each transmitter for each rule.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "datapath/flow_buckets.h"
#include "datapath/flows/flow_table.h"
#include "datapath/poll_engine/slot_allocator.h"
#include "engine/call_types.h"
#include "engine/stats.h"

namespace drip::datapath {

/// By transmitter.
using SlotAllocators = std::span<const std::unique_ptr<SlotAllocator>>;

/// Makes, changes and frees the flow tables; the engine hands them to the transmitters. Belongs to
/// control. Not thread safe: the engine locks.
class FlowRules {
 public:
  /// A rule's settings with the parent that its buckets have on this transmitter: a spread root has
  /// a part on each.
  using SettingsOn = absl::FunctionRef<FlowRuleSettings(std::uint32_t)>;

  struct Entry {
    FlowRuleSettings settings;
    std::shared_ptr<FlowLimit> limit;
    /// As many as `settings` allows flows; more while flows beyond a smaller limit are still there.
    std::unique_ptr<FlowRings> rings;
    /// By number, as the tables have them. Null: not used so far.
    std::array<std::unique_ptr<KeyChange>, FlowTable::kKeyChanges> key_changes;
    /// Their numbers from the first to the last one, but for those that have been undone, and
    /// earlier ones of which no flow is left: by these flows are counted, and wait.
    std::vector<std::uint32_t> live_key_changes;
    /// PollEngine::publications_ at the last change of the key.
    std::uint64_t key_changed_at = 0;
    /// Of FlowTable::set_apart(), the last one.
    std::uint8_t apart_number = 0;
    /// By which its flows' packets wait, the present one last; none: in their rings.
    std::vector<SharedQueueProfile> queue_profiles;
    std::vector<std::unique_ptr<FlowTable>> tables;  ///< By transmitter.

    /// Packet buffers that are reserved for its flows.
    [[nodiscard]] std::uint64_t packets() const {
      return std::uint64_t{rings->size()} * settings.bucket.capacity;
    }
  };
  /// What is reserved for a change of a rule.
  struct Growth {
    std::unique_ptr<FlowRings> larger_rings;  ///< Null: the present ones are large enough.
    std::vector<FlowTable::Numbers> numbers;  ///< By transmitter: more flows.
    std::vector<std::unique_ptr<FlowHashTable>> hash_tables;  ///< By transmitter; null: stays.
  };

  /// Reserves rings for max_flows flows, and slots for as many on every transmitter, since each of
  /// them may get all flows, or with a parent on that of the parent; or nothing. Returns the rule's
  /// number. RESOURCE_EXHAUSTED, with the figures.
  absl::StatusOr<std::uint32_t> create(const FlowRuleSettings& settings, SettingsOn settings_on,
                                       SlotAllocators allocators);
  /// Reserves what flows with `wanted` need in addition to what the rule has: all or nothing.
  absl::StatusOr<Growth> grow(Entry& entry, const FlowRuleSettings& wanted, SettingsOn settings_on,
                              SlotAllocators allocators);
  /// Frees rings that no flow has, down to `max_flows` rings.
  static void trim(Entry& entry, std::uint32_t max_flows, SlotAllocators allocators);
  /// Adds rings up to `max_flows`; on failure as many as there is memory for.
  static absl::Status add_rings(FlowRings& rings, std::uint32_t max_flows,
                                SlotAllocators allocators);
  /// Frees all rings. REQUIRES: no flow has one.
  static void free_rings(FlowRings& rings, SlotAllocators allocators);

  [[nodiscard]] Entry& entry(std::uint32_t number) { return *entries_[number]; }
  [[nodiscard]] const Entry& entry(std::uint32_t number) const { return *entries_[number]; }
  /// Frees the tables of a removed rule once all of them have retired, see reap().
  void free_when_retired(std::uint32_t number) { retiring_.push_back(number); }
  /// Frees the tables that have retired since the last call, and rings of flows beyond a smaller
  /// limit that have gone.
  void reap(SlotAllocators allocators);

  [[nodiscard]] FlowRuleStats read(std::uint32_t number) const;
  /// Packet buffers reserved for all flows of all rules.
  [[nodiscard]] std::uint64_t packets_reserved() const;

 private:
  static void release(Entry& entry, SlotAllocators allocators);

  std::array<std::unique_ptr<Entry>, kMaxFlowRules> entries_;
  std::vector<std::uint32_t> retiring_;
};

}  // namespace drip::datapath
