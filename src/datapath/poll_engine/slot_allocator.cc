// SPDX-License-Identifier: BSD-3-Clause
// Allocates and releases slots.
#include "datapath/poll_engine/slot_allocator.h"

#include "fmt/format.h"

namespace drip::datapath {

absl::Status SlotAllocator::check_room(std::uint32_t count) const {
  const std::size_t used = records_.size() - free_slots_.size();
  if (buckets_.slots() - used >= count) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      fmt::format("buckets: {} of {} slots of a transmitter are in use, {} more are needed; raise "
                  "--max-buckets",
                  used, buckets_.slots(), count));
}

absl::StatusOr<std::uint32_t> SlotAllocator::allocate() {
  if (absl::Status status = check_room(1); !status.ok()) return status;
  if (!free_slots_.empty()) {
    const std::uint32_t slot = free_slots_.back();
    free_slots_.pop_back();
    records_[slot] = {};
    return slot;
  }
  buckets_.populate(static_cast<std::uint32_t>(records_.size()));
  records_.emplace_back();
  return static_cast<std::uint32_t>(records_.size() - 1);
}

void SlotAllocator::reap() {
  for (std::size_t i = 0; i < draining_.size();) {
    const std::uint32_t slot = draining_[i];
    if (buckets_[slot].state.load(std::memory_order_acquire) != BucketPhase::kRetired) {
      ++i;
      continue;
    }
    SlotRecord& record = records_[slot];
    if (record.ring != nullptr) {
      rings_.release(record.ring, record.ring_slots);
    } else {
      remove_inner_node();  // It alone has none.
    }
    record = {};
    free_slots_.push_back(slot);
    draining_[i] = draining_.back();
    draining_.pop_back();
  }
}

}  // namespace drip::datapath
