// SPDX-License-Identifier: BSD-3-Clause
// The slab of one transmitter's buckets.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <new>

#include "datapath/memory/numa_memory.h"
#include "drip/bucket.h"

namespace drip::datapath {

/// Slots are numbered from 0 and handed out by control; a slot that was never used costs no memory.
class BucketTable {
 public:
  BucketTable(std::uint32_t slots, int numa_node)
      : slots_(slots),
        buckets_(std::size_t{slots} * sizeof(Bucket), numa_node),
        histories_(std::size_t{slots} * sizeof(LatencyHistograms), numa_node),
        history_ready_(std::make_unique<std::atomic<bool>[]>(slots)) {}

  [[nodiscard]] std::uint32_t slots() const { return slots_; }
  [[nodiscard]] Bucket& operator[](std::uint32_t slot) const {
    return reinterpret_cast<Bucket*>(buckets_.data())[slot];
  }
  [[nodiscard]] LatencyHistograms& history(std::uint32_t slot) const {
    return reinterpret_cast<LatencyHistograms*>(histories_.data())[slot];
  }
  /// Control, before it hands out a slot that was never used: the polling thread will not have to
  /// wait for its pages.
  void populate(std::uint32_t slot) const {
    buckets_.populate(std::size_t{slot} * sizeof(Bucket), sizeof(Bucket));
  }
  /// Control, before anything can be admitted to the bucket: the same for its history, which takes
  /// no memory as long as nobody sends to it. Any thread, also while the bucket is in use.
  void prepare_history(std::uint32_t slot) const {
    if (history_ready_[slot].load(std::memory_order_relaxed)) return;
    // Another thread may have done it, and units may have left since: an atomic write of what is
    // there takes no count of theirs away. It lies in one page.
    history(slot).sojourn.front().touch();
    history_ready_[slot].store(true, std::memory_order_relaxed);
  }
  /// A new bucket in a free slot.
  Bucket& construct(std::uint32_t slot) const {
    Bucket& bucket = (*this)[slot];
    // A slot that was never used reads as zero, as if it had flushed nothing.
    if (bucket.spans.flushed()) new (&history(slot)) LatencyHistograms{};
    return *new (&bucket) Bucket;
  }

 private:
  std::uint32_t slots_;
  NumaMemory buckets_;
  NumaMemory histories_;
  std::unique_ptr<std::atomic<bool>[]> history_ready_;
};

/// Where the timing wheel finds the part of a bucket that is its own.
struct BucketHooks {
  const BucketTable* table;
  WheelHook& operator()(std::uint32_t slot) const { return (*table)[slot].hook; }
};

}  // namespace drip::datapath
