// SPDX-License-Identifier: BSD-3-Clause
// The memory of the buckets' rings: reserved at configuration time, within a budget.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "datapath/memory/numa_memory.h"
#include "drip/bucket_ring.h"

namespace drip::datapath {

/// What the rings of all transmitters may take together, so that what fits does not depend on how
/// many transmitters there are. Not thread safe.
class RingBudget {
 public:
  explicit RingBudget(std::uint64_t bytes) : bytes_(bytes) {}

  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t reserved() const { return reserved_; }
  /// RESOURCE_EXHAUSTED, with the figures, if there is no room for `bytes` more.
  [[nodiscard]] absl::Status check_room(std::uint64_t bytes) const;
  void reserve(std::uint64_t bytes) { reserved_ += bytes; }
  void release(std::uint64_t bytes) { reserved_ -= bytes; }
  /// For a while, so much that is reserved does not count: it is released right after.
  void lend(std::uint64_t bytes) { lent_ += bytes; }
  void take_back(std::uint64_t bytes) { lent_ -= bytes; }

 private:
  std::uint64_t bytes_;
  std::uint64_t reserved_ = 0;
  std::uint64_t lent_ = 0;
};

/// Allocates rings, in powers of two, from pages of one NUMA node. Belongs to control: no polling
/// thread allocates. Not thread safe. Unlike libdrip's RingPool, which has one block from the
/// start, it takes memory from the kernel as it is needed and within a budget. Rings of 2 MiB and
/// more go back to the kernel when they are released; smaller ones are kept for others of their
/// size.
class RingMemory {
 public:
  RingMemory(std::shared_ptr<RingBudget> budget, int numa_node)
      : budget_(std::move(budget)), numa_node_(numa_node) {}
  RingMemory(std::uint64_t budget_bytes, int numa_node)
      : RingMemory(std::make_shared<RingBudget>(budget_bytes), numa_node) {}

  [[nodiscard]] static std::uint64_t bytes_for(std::uint32_t slot_count) {
    return std::uint64_t{slot_count} * sizeof(RingEntry);
  }

  /// RESOURCE_EXHAUSTED, with the figures, if the budget or the memory of the machine is too small.
  /// REQUIRES: slot_count comes from BucketRing::slots_for(), or is a larger power of two.
  absl::StatusOr<RingEntry*> allocate(std::uint32_t slot_count);
  void release(RingEntry* slots, std::uint32_t slot_count);
  /// Taken from the kernel and not given back.
  [[nodiscard]] std::uint64_t held_bytes() const {
    return regions_.size() * kRegionBytes + large_bytes_;
  }
  /// RESOURCE_EXHAUSTED, with the figures, if the budget has no room for `count` such rings.
  [[nodiscard]] absl::Status check_room(std::uint64_t count, std::uint32_t slot_count) const {
    return budget_->check_room(count * bytes_for(slot_count));
  }

  [[nodiscard]] RingBudget& budget() { return *budget_; }
  [[nodiscard]] const RingBudget& budget() const { return *budget_; }

 private:
  static constexpr std::uint64_t kRegionBytes = 2U << 20;

  std::shared_ptr<RingBudget> budget_;
  int numa_node_;
  std::array<std::vector<RingEntry*>, 32> free_;  // By log2 of the slot count.
  std::vector<NumaMemory> regions_;
  std::unordered_map<RingEntry*, NumaMemory> large_;  // In use.
  std::uint64_t large_bytes_ = 0;
  std::byte* region_next_ = nullptr;
  std::uint64_t region_left_ = 0;
};

}  // namespace drip::datapath
