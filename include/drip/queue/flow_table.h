// SPDX-License-Identifier: BSD-3-Clause
// The flow queues of all leaves of a core: a bounded pool, and a hash table in the same memory.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "drip/counter.h"
#include "drip/internal/large_array.h"
#include "drip/queue/flow_record.h"

namespace drip {

/// Chained hashing whose chain heads lie in the records themselves: a flow costs one cache line and
/// nothing else. A new flow takes the record that its hash says if that is free ("coalesced
/// hashing", Knuth, TAOCP 3, section 6.4, without the coalescing), so a look-up mostly touches one
/// line. Keys are compared whole: two flows never share a record.
///
/// Belongs to one thread; others may only read used().
class FlowTable {
 public:
  /// REQUIRES: 1 <= count <= kMaxQueueIndex.
  explicit FlowTable(std::uint32_t count, AdviseMemory advise = nullptr)
      : records_(count + std::size_t{1}, advise), count_(count) {
    assert(count >= 1 && count <= kMaxQueueIndex);
    std::uninitialized_value_construct_n(records_.data(), count + std::size_t{1});
    for (QueueIndex index = count; index >= 1; --index) make_free(index);
  }

  [[nodiscard]] FlowRecord& operator[](QueueIndex index) { return records_[index]; }
  [[nodiscard]] const FlowRecord& operator[](QueueIndex index) const { return records_[index]; }

  /// The record that a hash says.
  [[nodiscard]] QueueIndex home(std::uint32_t hash) const {
    return static_cast<QueueIndex>(std::uint64_t{hash} * count_ >> 32) + 1;
  }
  /// kNoIndex if there is no such flow. `hash`: of key and owner.
  [[nodiscard]] QueueIndex find(const ShortKey& key, FlowOwner owner, std::uint32_t hash) const {
    QueueIndex index = static_cast<QueueIndex>(records_[home(hash)].chain_head);
    while (index != kNoIndex && !(records_[index].key == key && records_[index].owner == owner)) {
      index = static_cast<QueueIndex>(records_[index].chain_next);
    }
    return index;
  }
  [[nodiscard]] bool full() const { return free_ == kNoIndex; }
  /// A flow that is not in the table, with all else at its initial value. Its state is kFree still.
  /// REQUIRES: !full().
  QueueIndex insert(const ShortKey& key, FlowOwner owner, std::uint32_t hash) {
    const QueueIndex at = home(hash);
    const QueueIndex index = records_[at].flow_state() == FlowState::kFree ? at : free_;
    FlowRecord& record = records_[index];
    unlink_free(record);
    const auto head = static_cast<QueueIndex>(record.chain_head & kMaxQueueIndex);
    record = FlowRecord{};
    record.chain_head = head & kMaxQueueIndex;
    record.key = key;
    record.owner = owner;
    record.chain_next = records_[at].chain_head;
    records_[at].chain_head = index & kMaxQueueIndex;
    used_.add(1);
    return index;
  }
  /// REQUIRES: the flow is in no list.
  void erase(QueueIndex index, std::uint32_t hash) {
    FlowRecord& first = records_[home(hash)];
    const FlowRecord& erased = records_[index];
    if (first.chain_head == index) {
      first.chain_head = erased.chain_next;
    } else {
      QueueIndex before = static_cast<QueueIndex>(first.chain_head);
      while (records_[before].chain_next != index) {
        before = static_cast<QueueIndex>(records_[before].chain_next);
      }
      records_[before].chain_next = erased.chain_next;
    }
    make_free(index);
    used_.set(used_.get() - 1);
  }

  [[nodiscard]] std::uint32_t count() const { return count_; }
  /// Any thread.
  [[nodiscard]] std::uint32_t used() const { return used_.get(); }

 private:
  void make_free(QueueIndex index) {
    FlowRecord& record = records_[index];
    record.set_state(FlowState::kFree);
    record.previous = kNoIndex;
    record.next = free_ & kMaxQueueIndex;
    if (free_ != kNoIndex) records_[free_].previous = index & kMaxQueueIndex;
    free_ = index;
  }
  void unlink_free(const FlowRecord& record) {
    if (record.next != kNoIndex) records_[record.next].previous = record.previous;
    if (record.previous != kNoIndex) {
      records_[record.previous].next = record.next;
    } else {
      free_ = static_cast<QueueIndex>(record.next);
    }
  }

  LargeArray<FlowRecord> records_;
  std::uint32_t count_;
  QueueIndex free_ = kNoIndex;
  BasicCounter<std::uint32_t> used_;
};

}  // namespace drip
