// SPDX-License-Identifier: BSD-3-Clause
// Allocates and releases slots.
#include "datapath/poll_engine/slot_allocator.h"

#include "fmt/format.h"

namespace drip::datapath {

absl::StatusOr<std::uint32_t> SlotAllocator::allocate() {
  if (!free_slots_.empty()) {
    const std::uint32_t slot = free_slots_.back();
    free_slots_.pop_back();
    records_[slot] = {};
    return slot;
  }
  if (records_.size() == buckets_.slots()) {
    return absl::ResourceExhaustedError(
        fmt::format("buckets: {} of {} slots of this transmitter are in use, one more is needed",
                    records_.size(), buckets_.slots()));
  }
  buckets_.populate(static_cast<std::uint32_t>(records_.size()));
  records_.emplace_back();
  return static_cast<std::uint32_t>(records_.size() - 1);
}

void SlotAllocator::reap() {
  for (std::size_t i = 0; i < draining_.size();) {
    const std::uint32_t slot = draining_[i];
    if (buckets_[slot].state.load(std::memory_order_acquire) != BucketState::kRetired) {
      ++i;
      continue;
    }
    SlotRecord& record = records_[slot];
    rings_.release(record.ring, record.ring_slots);
    record = {};
    free_slots_.push_back(slot);
    draining_[i] = draining_.back();
    draining_.pop_back();
  }
}

}  // namespace drip::datapath
