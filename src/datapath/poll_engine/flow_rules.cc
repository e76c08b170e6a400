// SPDX-License-Identifier: BSD-3-Clause
// Reserves memory for flow tables, and releases it.
#include "datapath/poll_engine/flow_rules.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"

namespace drip::datapath {
namespace {

void release_slots(std::span<const std::uint32_t> slots, SlotAllocator& allocator) {
  for (const std::uint32_t slot : slots) allocator.release(slot);
}

// `count` slots, or none.
absl::StatusOr<std::vector<std::uint32_t>> allocate_slots(std::uint32_t count,
                                                          const FlowRuleSettings& settings,
                                                          std::uint32_t ring_slots,
                                                          SlotAllocator& allocator) {
  std::vector<std::uint32_t> slots;
  if (absl::Status status = allocator.check_room(count); !status.ok()) return status;
  slots.reserve(count);
  while (slots.size() < count) {
    const auto slot = allocator.allocate();
    if (!slot.ok()) {
      release_slots(slots, allocator);
      return slot.status();
    }
    SlotRecord& record = allocator.record(*slot);
    record.set(settings.bucket);
    record.ring_slots = ring_slots & kMaxRingSlots;
    record.holds_packets = 1;
    allocator.prepare_histograms(*slot);
    slots.push_back(*slot);
  }
  return slots;
}

}  // namespace

absl::Status FlowRules::add_rings(FlowRings& rings, std::uint32_t max_flows,
                                  SlotAllocators allocators) {
  if (rings.size() >= max_flows) return absl::OkStatus();
  // Checked for all of them, so that the error has the sum.
  absl::Status status =
      allocators.front()->rings().check_room(max_flows - rings.size(), rings.ring_slots());
  if (!status.ok()) return status;
  while (rings.size() < max_flows) {
    const auto home = static_cast<std::uint32_t>(rings.size() % allocators.size());
    const auto memory = allocators[home]->rings().allocate(rings.ring_slots());
    if (!memory.ok()) return memory.status();
    rings.add(*memory, home);
  }
  return absl::OkStatus();
}

void FlowRules::free_rings(FlowRings& rings, SlotAllocators allocators) {
  while (const auto removed = rings.remove(0)) {
    allocators[removed->home]->rings().release(removed->memory, rings.ring_slots());
  }
}

void FlowRules::trim(Entry& entry, std::uint32_t max_flows, SlotAllocators allocators) {
  FlowRings& rings = *entry.rings;
  while (rings.size() > max_flows) {
    const auto home = static_cast<std::uint32_t>((rings.size() - 1) % allocators.size());
    const auto removed = rings.remove(home);
    if (!removed) return;
    allocators[removed->home]->rings().release(removed->memory, rings.ring_slots());
  }
}

absl::StatusOr<std::uint32_t> FlowRules::create(const FlowRuleSettings& settings,
                                                SettingsOn settings_on, SlotAllocators allocators) {
  const auto free = std::find(entries_.begin(), entries_.end(), nullptr);
  if (free == entries_.end()) {
    return absl::ResourceExhaustedError(
        fmt::format("per-flow rules: {} are in use, no more are possible", kMaxFlowRules));
  }
  const std::uint32_t ring_slots = BucketRing::slots_for(settings.bucket.capacity);
  auto entry = std::make_unique<Entry>();
  entry->settings = settings;
  entry->limit = std::make_shared<FlowLimit>(settings.max_flows);
  entry->rings =
      std::make_unique<FlowRings>(ring_slots, static_cast<std::uint32_t>(allocators.size()));
  absl::Status status = add_rings(*entry->rings, settings.max_flows, allocators);
  for (std::uint32_t i = 0; status.ok() && i < allocators.size(); ++i) {
    const FlowRuleSettings here = settings_on(i);
    const std::uint32_t flows = here.may_be_on(i) ? here.max_flows : 0;
    const auto slots = allocate_slots(flows, here, ring_slots, *allocators[i]);
    status = slots.status();
    if (!status.ok()) break;
    entry->tables.push_back(
        std::make_unique<FlowTable>(here, entry->limit, entry->rings.get(), i, *slots));
  }
  if (!status.ok()) {
    release(*entry, allocators);
    return status;
  }
  *free = std::move(entry);
  return static_cast<std::uint32_t>(free - entries_.begin());
}

absl::StatusOr<FlowRules::Growth> FlowRules::grow(Entry& entry, const FlowRuleSettings& wanted,
                                                  SettingsOn settings_on,
                                                  SlotAllocators allocators) {
  Growth growth;
  const std::uint32_t flows = std::max(entry.rings->size(), wanted.max_flows);
  const std::uint32_t before = entry.rings->size();
  std::uint32_t ring_slots = BucketRing::slots_for(wanted.bucket.capacity);
  absl::Status status;
  if (ring_slots > entry.rings->ring_slots()) {
    growth.larger_rings =
        std::make_unique<FlowRings>(ring_slots, static_cast<std::uint32_t>(allocators.size()));
    // The present rings are freed before the change is over, so only the difference is asked for.
    RingBudget& budget = allocators.front()->rings().budget();
    const std::uint64_t present = before * RingMemory::bytes_for(entry.rings->ring_slots());
    budget.lend(present);
    status = add_rings(*growth.larger_rings, flows, allocators);
    budget.take_back(present);
  } else {
    ring_slots = entry.rings->ring_slots();
    status = add_rings(*entry.rings, flows, allocators);
  }
  for (std::uint32_t i = 0; status.ok() && i < allocators.size(); ++i) {
    FlowTable& table = *entry.tables[i];
    const std::uint32_t present = table.slot_count();
    const std::uint32_t more =
        settings_on(i).may_be_on(i) && wanted.max_flows > present ? wanted.max_flows - present : 0;
    const auto slots = allocate_slots(more, wanted, ring_slots, *allocators[i]);
    status = slots.status();
    if (!status.ok()) break;
    growth.numbers.push_back(table.reserve(*slots));
    growth.hash_tables.push_back(table.larger_hash_table(table.slot_count()));
  }
  if (status.ok()) return growth;
  for (std::uint32_t i = 0; i < growth.numbers.size(); ++i) {
    release_slots(entry.tables[i]->unreserve(growth.numbers[i]), *allocators[i]);
  }
  if (growth.larger_rings != nullptr) free_rings(*growth.larger_rings, allocators);
  trim(entry, before, allocators);
  return status;
}

void FlowRules::release(Entry& entry, SlotAllocators allocators) {
  free_rings(*entry.rings, allocators);
  for (std::size_t i = 0; i < entry.tables.size(); ++i) {
    const FlowTable& table = *entry.tables[i];
    for (std::uint32_t flow = 0; flow < table.number_count(); ++flow) {
      if (table.slot(flow) != FlowTable::kNoSlot) allocators[i]->release(table.slot(flow));
    }
  }
}

void FlowRules::reap(SlotAllocators allocators) {
  std::erase_if(retiring_, [&](std::uint32_t number) {
    const Entry& retiring = *entries_[number];
    const bool all = std::all_of(
        retiring.tables.begin(), retiring.tables.end(),
        [](const auto& table) { return table->retired.load(std::memory_order_acquire); });
    if (!all) return false;
    release(*entries_[number], allocators);
    entries_[number] = nullptr;
    return true;
  });
  for (const auto& entry : entries_) {
    if (entry != nullptr) trim(*entry, entry->settings.max_flows, allocators);
  }
}

FlowRuleStats FlowRules::read(std::uint32_t number) const {
  FlowRuleStats stats;
  if (entries_[number] == nullptr) return stats;
  for (const auto& table : entries_[number]->tables) {
    stats.flows += table->flows.get();
    stats.created += table->created.get();
    stats.refused += table->refused.get();
    const TimePoint last{table->last_refused_ns.get()};
    stats.last_refused = std::max(stats.last_refused, last);
  }
  return stats;
}

std::uint64_t FlowRules::packets_reserved() const {
  std::uint64_t sum = 0;
  for (const auto& entry : entries_) {
    if (entry != nullptr) sum += entry->packets();
  }
  return sum;
}

}  // namespace drip::datapath
