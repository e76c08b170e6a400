// SPDX-License-Identifier: BSD-3-Clause
// A bounded pool of records that are known by a number.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "drip/queue/queue_slots.h"

namespace drip {

/// Belongs to one thread. The memory of records that have never been used is not touched.
template <class Record>
class RecordPool {
 public:
  explicit RecordPool(std::uint32_t count)
      : records_(std::make_unique_for_overwrite<Storage[]>(count + std::size_t{1})), count_(count) {
    assert(count >= 1 && count <= kMaxQueueIndex);
  }

  [[nodiscard]] Record& operator[](QueueIndex index) { return records_[index].record; }
  /// A record at its initial value; kNoIndex if all are in use.
  [[nodiscard]] QueueIndex allocate() {
    QueueIndex index = free_;
    if (index != kNoIndex) {
      free_ = records_[index].next_free;
    } else if (touched_ < count_) {
      index = ++touched_;
    } else {
      return kNoIndex;
    }
    new (&records_[index].record) Record;
    return index;
  }
  void release(QueueIndex index) {
    new (&records_[index].next_free) QueueIndex(free_);
    free_ = index;
  }

 private:
  union Storage {
    Storage() {}  // NOLINT(modernize-use-equals-default): not deleted.
    Record record;
    QueueIndex next_free;
  };

  std::unique_ptr<Storage[]> records_;
  std::uint32_t count_;
  std::uint32_t touched_ = 0;
  QueueIndex free_ = kNoIndex;
};

}  // namespace drip
