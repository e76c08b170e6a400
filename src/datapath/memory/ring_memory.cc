// SPDX-License-Identifier: BSD-3-Clause
// Allocates rings by size class from regions of pages.
#include "datapath/memory/ring_memory.h"

#include <bit>
#include <new>
#include <utility>

#include "fmt/format.h"

namespace drip::datapath {

absl::Status RingBudget::check_room(std::uint64_t bytes) const {
  const std::uint64_t sum = reserved_ - lent_ + bytes;
  if (sum <= bytes_) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      fmt::format("ring memory: {} bytes more would make {} of a budget of {}; raise --ring-memory",
                  bytes, sum, bytes_));
}

absl::StatusOr<RingEntry*> RingMemory::allocate(std::uint32_t slot_count) {
  const std::uint64_t bytes = bytes_for(slot_count);
  if (absl::Status status = budget_->check_room(bytes); !status.ok()) return status;
  auto& free = free_[static_cast<std::size_t>(std::countr_zero(slot_count))];
  if (free.empty()) {
    try {
      if (bytes >= kRegionBytes) {
        NumaMemory memory(bytes, numa_node_);
        memory.populate(0, bytes);
        auto* const slots = reinterpret_cast<RingEntry*>(memory.data());
        large_.emplace(slots, std::move(memory));
        large_bytes_ += bytes;
        free.push_back(slots);
      } else {
        // The rest of a region is a sum of powers of two, none smaller than the smallest ring, so
        // it is split into free rings of those sizes.
        if (region_left_ < bytes) {
          while (region_left_ > 0) {
            const std::uint64_t piece = std::bit_floor(region_left_);
            const auto piece_class = std::countr_zero(piece / sizeof(RingEntry));
            free_[static_cast<std::size_t>(piece_class)].push_back(
                reinterpret_cast<RingEntry*>(region_next_));
            region_next_ += piece;
            region_left_ -= piece;
          }
          regions_.emplace_back(kRegionBytes, numa_node_).populate(0, kRegionBytes);
          region_next_ = regions_.back().data();
          region_left_ = kRegionBytes;
        }
        free.push_back(reinterpret_cast<RingEntry*>(region_next_));
        region_next_ += bytes;
        region_left_ -= bytes;
      }
    } catch (const std::bad_alloc&) {
      return absl::ResourceExhaustedError(
          fmt::format("ring memory: the kernel refused {} bytes", bytes));
    }
  }
  budget_->reserve(bytes);
  RingEntry* const slots = free.back();
  free.pop_back();
  return slots;
}

void RingMemory::release(RingEntry* slots, std::uint32_t slot_count) {
  const std::uint64_t bytes = bytes_for(slot_count);
  budget_->release(bytes);
  if (bytes >= kRegionBytes) {
    large_.erase(slots);
    large_bytes_ -= bytes;
    return;
  }
  free_[static_cast<std::size_t>(std::countr_zero(slot_count))].push_back(slots);
}

}  // namespace drip::datapath
