// SPDX-License-Identifier: BSD-3-Clause
// A count with one writer and any number of readers, which never disturb it.
#pragma once

#include <atomic>
#include <cstdint>

namespace drip {

/// One thread writes, any may read. A plain load and store, not a locked add: 1 cycle, not 20.
/// Readers see each count whole, but several counts not at one moment, save when the writer rests.
template <class T>
class BasicCounter {
 public:
  // Inline also where GCC has given inlining up: in large units.
  [[gnu::always_inline]] void add(T n) {
    value_.store(static_cast<T>(get() + n), std::memory_order_relaxed);
  }
  [[gnu::always_inline]] void set(T n) { value_.store(n, std::memory_order_relaxed); }
  [[gnu::always_inline]] void raise_to(T n) {
    if (n > get()) set(n);
  }
  /// Any thread: writes to its memory, and leaves the count as it is.
  void touch() { value_.fetch_add(0, std::memory_order_relaxed); }
  [[nodiscard, gnu::always_inline]] T get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<T> value_{0};
};

using Counter = BasicCounter<std::uint64_t>;

}  // namespace drip
