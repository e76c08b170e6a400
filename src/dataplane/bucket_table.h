// SPDX-License-Identifier: BSD-3-Clause
// The slab of one transmitter's buckets.
#pragma once

#include <cstdint>
#include <new>

#include "dataplane/bucket.h"
#include "dataplane/node_memory.h"

namespace drip::dataplane {

/// Slots are numbered from 0 and handed out by control; a slot that was never used costs no memory.
class BucketTable {
 public:
  BucketTable(std::uint32_t slots, int numa_node)
      : slots_(slots), memory_(std::size_t{slots} * sizeof(Bucket), numa_node) {}

  [[nodiscard]] std::uint32_t slots() const { return slots_; }
  [[nodiscard]] Bucket& operator[](std::uint32_t slot) const {
    return reinterpret_cast<Bucket*>(memory_.data())[slot];
  }
  /// A new bucket in a free slot.
  Bucket& construct(std::uint32_t slot) const { return *new (&(*this)[slot]) Bucket; }

 private:
  std::uint32_t slots_;
  NodeMemory memory_;
};

/// Where the timing wheel finds the part of a bucket that is its own.
struct BucketHooks {
  const BucketTable* table;
  WheelHook& operator()(std::uint32_t slot) const { return (*table)[slot].hook; }
};

}  // namespace drip::dataplane
