// SPDX-License-Identifier: BSD-3-Clause
// Reserves memory for flow tables, and releases it.
#include "datapath/poll_engine/flow_rules.h"

#include <algorithm>

#include "fmt/format.h"

namespace drip::datapath {
namespace {

// The rings of all flows are one block, whose size must be a power of two as well.
std::uint32_t block_slots(std::uint32_t max_flows, std::uint32_t ring_slots) {
  return std::bit_ceil(max_flows) * ring_slots;
}

}  // namespace

absl::StatusOr<std::uint32_t> FlowRules::create(
    const FlowRuleSettings& settings, std::span<const std::unique_ptr<SlotAllocator>> allocators) {
  const auto free = std::find(entries_.begin(), entries_.end(), nullptr);
  if (free == entries_.end()) {
    return absl::ResourceExhaustedError(
        fmt::format("per-flow rules: {} are in use, no more are possible", kMaxFlowRules));
  }
  const std::uint32_t ring_slots = BucketRing::slots_for(settings.bucket.capacity);
  if (std::uint64_t{std::bit_ceil(settings.max_flows)} * ring_slots > std::uint64_t{1} << 31) {
    return absl::ResourceExhaustedError(fmt::format(
        "max_flows {} with capacity {} would take {} bytes of ring memory", settings.max_flows,
        settings.bucket.capacity,
        RingMemory::bytes_for(ring_slots) * std::bit_ceil(std::uint64_t{settings.max_flows})));
  }
  auto entry = std::make_unique<Entry>();
  entry->settings = settings;
  const auto limit = std::make_shared<FlowLimit>(settings.max_flows);
  absl::Status failure;
  for (const auto& allocator : allocators) {
    auto block = allocator->rings().allocate(block_slots(settings.max_flows, ring_slots));
    if (!block.ok()) {
      failure = block.status();
      break;
    }
    std::vector<std::uint32_t> slots;
    slots.reserve(settings.max_flows);
    while (failure.ok() && slots.size() < settings.max_flows) {
      const auto slot = allocator->allocate();
      if (slot.ok()) {
        SlotRecord& record = allocator->record(*slot);
        record.set(settings.bucket);
        record.ring_slots = ring_slots & kMaxRingSlots;
        record.holds_packets = 1;
        allocator->prepare_histograms(*slot);
        slots.push_back(*slot);
      } else {
        failure = slot.status();
      }
    }
    if (!failure.ok()) {
      for (const std::uint32_t slot : slots) allocator->release(slot);
      allocator->rings().release(*block, block_slots(settings.max_flows, ring_slots));
      break;
    }
    entry->tables.push_back(
        std::make_unique<FlowTable>(settings, limit, std::move(slots), *block, ring_slots));
  }
  if (!failure.ok()) {
    for (std::size_t i = 0; i < entry->tables.size(); ++i)
      release(*entry->tables[i], *allocators[i]);
    return failure;
  }
  *free = std::move(entry);
  return static_cast<std::uint32_t>(free - entries_.begin());
}

void FlowRules::release(const FlowTable& table, SlotAllocator& allocator) {
  for (const std::uint32_t slot : table.slots) allocator.release(slot);
  allocator.rings().release(
      table.rings, block_slots(static_cast<std::uint32_t>(table.slots.size()), table.ring_slots));
}

void FlowRules::reap(std::span<const std::unique_ptr<SlotAllocator>> allocators) {
  std::erase_if(retiring_, [&](std::uint32_t number) {
    const Entry& retiring = *entries_[number];
    const bool all = std::all_of(
        retiring.tables.begin(), retiring.tables.end(),
        [](const auto& table) { return table->retired.load(std::memory_order_acquire); });
    if (!all) return false;
    for (std::size_t i = 0; i < retiring.tables.size(); ++i)
      release(*retiring.tables[i], *allocators[i]);
    entries_[number] = nullptr;
    return true;
  });
}

FlowRuleStats FlowRules::read(std::uint32_t number) const {
  FlowRuleStats stats;
  if (entries_[number] == nullptr) return stats;
  for (const auto& table : entries_[number]->tables) {
    stats.flows += table->flows.get();
    stats.created += table->created.get();
    stats.refused += table->refused.get();
  }
  return stats;
}

std::uint64_t FlowRules::packets_reserved() const {
  std::uint64_t sum = 0;
  for (const auto& entry : entries_) {
    if (entry != nullptr) {
      sum += std::uint64_t{entry->settings.max_flows} * entry->settings.bucket.capacity;
    }
  }
  return sum;
}

}  // namespace drip::datapath
