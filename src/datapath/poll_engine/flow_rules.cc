// SPDX-License-Identifier: BSD-3-Clause
// Promises flow sets their memory, and takes it back.
#include "datapath/poll_engine/flow_rules.h"

#include <algorithm>

#include "fmt/format.h"

namespace drip::datapath {
namespace {

// Rings of all flows lie in one block, whose size class is a power of two as well.
std::uint32_t block_slots(std::uint32_t max_flows, std::uint32_t ring_slots) {
  return std::bit_ceil(max_flows) * ring_slots;
}

}  // namespace

absl::StatusOr<std::uint32_t> FlowRules::create(
    const FlowRuleSettings& settings, std::span<const std::unique_ptr<SlotAllocator>> books) {
  const auto free = std::find(entries_.begin(), entries_.end(), nullptr);
  if (free == entries_.end()) {
    return absl::ResourceExhaustedError(
        fmt::format("per-flow rules: {} are in use, no more are possible", kMaxFlowRules));
  }
  const std::uint32_t ring_slots = RingMemory::slots_for(settings.bucket.capacity);
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
  for (const auto& book : books) {
    auto block = book->rings().allocate(block_slots(settings.max_flows, ring_slots));
    if (!block.ok()) {
      failure = block.status();
      break;
    }
    std::vector<std::uint32_t> slots;
    slots.reserve(settings.max_flows);
    while (failure.ok() && slots.size() < settings.max_flows) {
      const auto slot = book->take_slot();
      if (slot.ok()) {
        SlotRecord& record = book->record(*slot);
        record.note(settings.bucket);
        record.ring_slots = ring_slots & kMaxRingSlots;
        record.holds_packets = 1;
        book->prepare_history(*slot);
        slots.push_back(*slot);
      } else {
        failure = slot.status();
      }
    }
    if (!failure.ok()) {
      for (const std::uint32_t slot : slots) book->give_back_slot(slot);
      book->rings().release(*block, block_slots(settings.max_flows, ring_slots));
      break;
    }
    entry->sets.push_back(
        std::make_unique<FlowTable>(settings, limit, std::move(slots), *block, ring_slots));
  }
  if (!failure.ok()) {
    for (std::size_t i = 0; i < entry->sets.size(); ++i) free_set(*entry->sets[i], *books[i]);
    return failure;
  }
  *free = std::move(entry);
  return static_cast<std::uint32_t>(free - entries_.begin());
}

void FlowRules::free_set(const FlowTable& set, SlotAllocator& book) {
  for (const std::uint32_t slot : set.slots) book.give_back_slot(slot);
  book.rings().release(set.rings,
                       block_slots(static_cast<std::uint32_t>(set.slots.size()), set.ring_slots));
}

void FlowRules::reap(std::span<const std::unique_ptr<SlotAllocator>> books) {
  std::erase_if(retiring_, [&](std::uint32_t number) {
    const Entry& retiring = *entries_[number];
    const bool all = std::all_of(retiring.sets.begin(), retiring.sets.end(), [](const auto& set) {
      return set->retired.load(std::memory_order_acquire);
    });
    if (!all) return false;
    for (std::size_t i = 0; i < retiring.sets.size(); ++i) free_set(*retiring.sets[i], *books[i]);
    entries_[number] = nullptr;
    return true;
  });
}

FlowRuleStats FlowRules::read(std::uint32_t number) const {
  FlowRuleStats reading;
  if (entries_[number] == nullptr) return reading;
  for (const auto& set : entries_[number]->sets) {
    reading.flows += set->flows.get();
    reading.created += set->created.get();
    reading.refused += set->refused.get();
  }
  return reading;
}

std::uint64_t FlowRules::packets_promised() const {
  std::uint64_t sum = 0;
  for (const auto& entry : entries_) {
    if (entry != nullptr) {
      sum += std::uint64_t{entry->settings.max_flows} * entry->settings.bucket.capacity;
    }
  }
  return sum;
}

}  // namespace drip::datapath
