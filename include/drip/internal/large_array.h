// SPDX-License-Identifier: BSD-3-Clause
// An array of very many records that are reached at random.
#pragma once

#include <algorithm>
#include <cstddef>
#include <new>
#include <type_traits>

#include "drip/cache_line.h"

namespace drip {

/// Told of memory before it is touched, so that it can be put on huge pages.
using AdviseMemory = void (*)(void* memory, std::size_t bytes);

/// From 2 MiB on it begins on a huge page: on small pages each access would miss the TLB too, which
/// takes a virtual machine as long as the memory itself.
///
/// The memory is not touched, nor initialised: who owns the array makes the records.
template <class Record>
class LargeArray {
 public:
  static_assert(std::is_trivially_destructible_v<Record>);

  /// `advise` is called for arrays of 2 MiB and more; null: it is not. Throws std::bad_alloc.
  explicit LargeArray(std::size_t count, AdviseMemory advise = nullptr)
      : alignment_(alignment_of(count * sizeof(Record))) {
    const std::size_t bytes = count * sizeof(Record);
    records_ = static_cast<Record*>(::operator new (bytes, std::align_val_t{alignment_}));
    if (alignment_ == kHugePage && advise != nullptr) advise(records_, bytes);
  }
  ~LargeArray() { ::operator delete (records_, std::align_val_t{alignment_}); }
  LargeArray(const LargeArray&) = delete;
  LargeArray& operator=(const LargeArray&) = delete;

  [[nodiscard]] Record& operator[](std::size_t index) { return records_[index]; }
  [[nodiscard]] const Record& operator[](std::size_t index) const { return records_[index]; }
  [[nodiscard]] Record* data() { return records_; }

 private:
  static constexpr std::size_t kHugePage = std::size_t{2} << 20;

  static std::size_t alignment_of(std::size_t bytes) {
    return bytes < kHugePage ? std::max(alignof(Record), kCacheLineBytes) : kHugePage;
  }

  std::size_t alignment_;
  Record* records_;
};

}  // namespace drip
