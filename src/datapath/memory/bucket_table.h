// SPDX-License-Identifier: BSD-3-Clause
// The memory of one transmitter's buckets, on its NUMA node.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "datapath/memory/numa_memory.h"
#include "drip/bucket_array.h"
#include "drip/queue/bucket_queue.h"

namespace drip::datapath {

/// Slots are numbered from 0 and handed out by control; a slot that was never used costs no memory.
class BucketTable {
 public:
  BucketTable(std::uint32_t slots, int numa_node)
      : buckets_(std::size_t{slots} * sizeof(Bucket), numa_node),
        histograms_(std::size_t{slots} * sizeof(LatencyHistograms), numa_node),
        nodes_(std::size_t{slots} * sizeof(TreeNode), numa_node),
        guarantees_(std::size_t{slots} * sizeof(NodeGuarantee), numa_node),
        inner_nodes_(std::size_t{slots} * sizeof(InnerNode), numa_node),
        queues_(std::size_t{slots} * sizeof(BucketQueue), numa_node),
        array_{reinterpret_cast<Bucket*>(buckets_.data()),
               reinterpret_cast<LatencyHistograms*>(histograms_.data()),
               slots,
               {reinterpret_cast<TreeNode*>(nodes_.data()),
                reinterpret_cast<NodeGuarantee*>(guarantees_.data()),
                reinterpret_cast<InnerNode*>(inner_nodes_.data()), slots}},
        histograms_ready_(std::make_unique<std::atomic<bool>[]>(slots)) {}

  [[nodiscard]] const BucketArray& array() const { return array_; }
  [[nodiscard]] std::uint32_t slots() const { return array_.size; }
  [[nodiscard]] Bucket& operator[](std::uint32_t slot) const { return array_[slot]; }
  [[nodiscard]] LatencyHistograms& histograms(std::uint32_t slot) const {
    return array_.histograms[slot];
  }
  /// Control, before it hands out a slot that was never used: the polling thread will not have to
  /// wait for its pages.
  void populate(std::uint32_t slot) const {
    buckets_.populate(std::size_t{slot} * sizeof(Bucket), sizeof(Bucket));
  }
  /// The same before the bucket becomes a node of a tree, or changes as one. Any thread, also while
  /// it is in use: a node lies in one cache line.
  void prepare_node(std::uint32_t slot, bool guaranteed) const {
    nodes_.touch(std::size_t{slot} * sizeof(TreeNode));
    if (guaranteed) guarantees_.touch(std::size_t{slot} * sizeof(NodeGuarantee));
  }
  /// The same before the bucket gets a queue.
  void prepare_queue(std::uint32_t slot) const {
    queues_.touch(std::size_t{slot} * sizeof(BucketQueue));
  }
  /// By slot; memory of zeros where there is none.
  [[nodiscard]] BucketQueue* queues() const {
    return reinterpret_cast<BucketQueue*>(queues_.data());
  }
  /// The same before there are `number` + 1 inner nodes.
  void prepare_inner_node(std::uint32_t number) const {
    inner_nodes_.touch(std::size_t{number} * sizeof(InnerNode));
    // It may reach into the next page.
    inner_nodes_.touch((std::size_t{number} + 1) * sizeof(InnerNode) - 1);
  }
  /// Control, before anything can be admitted to the bucket: the same for its histograms, which
  /// take no memory as long as nothing is sent to it. Any thread, also while the bucket is in use.
  void prepare_histograms(std::uint32_t slot) const {
    if (histograms_ready_[slot].load(std::memory_order_relaxed)) return;
    // Another thread may have done it, and units may have departed since: an atomic write of what
    // is there loses no count of theirs. The histograms lie in one page.
    histograms(slot).sojourn.front().touch();
    histograms_ready_[slot].store(true, std::memory_order_relaxed);
  }

 private:
  NumaMemory buckets_;
  NumaMemory histograms_;
  // Of trees: by slot, but for the inner nodes, which are numbered by themselves.
  NumaMemory nodes_;
  NumaMemory guarantees_;
  NumaMemory inner_nodes_;
  NumaMemory queues_;
  BucketArray array_;
  std::unique_ptr<std::atomic<bool>[]> histograms_ready_;
};

}  // namespace drip::datapath
