// SPDX-License-Identifier: BSD-3-Clause
// The memory of the buckets' rings: reserved at configuration time, within a budget.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "datapath/memory/numa_memory.h"
#include "drip/bucket_ring.h"

namespace drip::datapath {

/// Allocates rings, in powers of two, from pages of one NUMA node. Belongs to control: no polling
/// thread allocates. Not thread safe.
class RingMemory {
 public:
  RingMemory(std::uint64_t budget_bytes, int numa_node)
      : budget_bytes_(budget_bytes), numa_node_(numa_node) {}

  [[nodiscard]] static std::uint64_t bytes_for(std::uint32_t slot_count) {
    return std::uint64_t{slot_count} * sizeof(RingEntry);
  }

  /// RESOURCE_EXHAUSTED, with the figures, if the budget or the memory of the machine is too small.
  /// REQUIRES: slot_count comes from BucketRing::slots_for(), or is a larger power of two.
  absl::StatusOr<RingEntry*> allocate(std::uint32_t slot_count);
  void release(RingEntry* slots, std::uint32_t slot_count);

  [[nodiscard]] std::uint64_t budget_bytes() const { return budget_bytes_; }
  [[nodiscard]] std::uint64_t reserved_bytes() const { return reserved_bytes_; }

 private:
  static constexpr std::uint64_t kRegionBytes = 2U << 20;

  std::uint64_t budget_bytes_;
  int numa_node_;
  std::uint64_t reserved_bytes_ = 0;
  std::array<std::vector<RingEntry*>, 32> free_;  // By log2 of the slot count.
  std::vector<NumaMemory> regions_;
  std::byte* region_next_ = nullptr;
  std::uint64_t region_left_ = 0;
};

}  // namespace drip::datapath
