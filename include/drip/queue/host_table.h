// SPDX-License-Identifier: BSD-3-Clause
// The hosts of the flows that are isolated by hosts: how many flows each has.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "drip/internal/large_array.h"
#include "drip/queue/flow_record.h"

namespace drip {

/// One address on one side of one tin of a leaf, while a flow of it has a record.
struct HostRecord {
  ShortKey key;
  std::uint32_t owner = 0;           // FlowOwner::bits() with the side in the epoch's place.
  std::uint32_t flows = 0;           // Flow records that refer to it.
  std::uint32_t old_flows = 0;       // Of these, in the rounds and with packets.
  QueueIndex chain_next = kNoIndex;  // Of the table; among the free ones.
};
static_assert(sizeof(HostRecord) == 32);

/// A hash table of a bounded pool. Belongs to one thread.
class HostTable {
 public:
  explicit HostTable(std::uint32_t count, AdviseMemory advise = nullptr)
      : records_(count + std::size_t{1}, advise),
        heads_(count + std::size_t{1}, advise),
        count_(count) {
    assert(count <= kMaxQueueIndex);
    std::uninitialized_value_construct_n(heads_.data(), count + std::size_t{1});
    std::uninitialized_value_construct_n(records_.data(), count + std::size_t{1});
    for (QueueIndex index = count; index >= 1; --index) {
      records_[index].chain_next = free_;
      free_ = index;
    }
  }

  [[nodiscard]] HostRecord& operator[](QueueIndex index) { return records_[index]; }
  [[nodiscard]] QueueIndex find(const ShortKey& key, std::uint32_t owner,
                                std::uint32_t hash) const {
    QueueIndex index = heads_[home(hash)];
    while (index != kNoIndex && !(records_[index].key == key && records_[index].owner == owner)) {
      index = records_[index].chain_next;
    }
    return index;
  }
  /// Finds or inserts; the host is released again by release(). kNoIndex if the pool is used up.
  [[nodiscard]] QueueIndex acquire(const ShortKey& key, std::uint32_t owner, std::uint32_t hash) {
    QueueIndex index = find(key, owner, hash);
    if (index == kNoIndex) {
      if (free_ == kNoIndex) return kNoIndex;
      index = free_;
      free_ = records_[index].chain_next;
      records_[index] = {key, owner, 0, 0, heads_[home(hash)]};
      heads_[home(hash)] = index;
    }
    ++records_[index].flows;
    return index;
  }
  /// A flow less refers to it.
  void release(QueueIndex index, std::uint32_t hash) {
    if (--records_[index].flows > 0) return;
    QueueIndex* link = &heads_[home(hash)];
    while (*link != index) link = &records_[*link].chain_next;
    *link = records_[index].chain_next;
    records_[index].chain_next = free_;
    free_ = index;
  }

 private:
  [[nodiscard]] std::size_t home(std::uint32_t hash) const {
    return static_cast<std::size_t>(std::uint64_t{hash} * count_ >> 32);
  }

  LargeArray<HostRecord> records_;
  LargeArray<QueueIndex> heads_;
  std::uint32_t count_;
  QueueIndex free_ = kNoIndex;
};

}  // namespace drip
