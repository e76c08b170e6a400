// SPDX-License-Identifier: BSD-3-Clause
// A bounded lock-free ring between one producer thread and one consumer thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

#include "drip/cache_line.h"

namespace drip {

/// Exactly one thread pushes and exactly one pops at a time; both in bursts. Each side keeps its
/// own copy of the other side's index and looks at the shared one only when the copy says full or
/// empty, so that a burst costs one cache line of traffic (after B. Wang et al., B-Queue, and E.
/// Rigtorp's SPSCQueue). Order is kept. Nothing is allocated after construction.
template <class T>
class SpscRing {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  /// `capacity` is rounded up to a power of two. REQUIRES: 1 <= capacity <= 2^31.
  explicit SpscRing(std::size_t capacity)
      : mask_(std::bit_ceil(capacity) - 1), slots_(std::make_unique<T[]>(mask_ + 1)) {}

  [[nodiscard]] std::size_t capacity() const { return mask_ + 1; }

  /// Producer only. Appends as many of `items` as fit, first ones first; returns how many.
  [[nodiscard]] std::size_t push(std::span<const T> items) {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (free_slots(tail) < items.size()) producer_head_ = head_.load(std::memory_order_acquire);
    const std::size_t count = std::min(items.size(), free_slots(tail));
    for (std::size_t i = 0; i < count; ++i) slots_[(tail + i) & mask_] = items[i];
    tail_.store(tail + count, std::memory_order_release);
    return count;
  }
  [[nodiscard]] bool push(const T& item) { return push(std::span<const T>(&item, 1)) == 1; }

  /// Consumer only. Moves up to out.size() of the oldest items into `out`; returns how many.
  [[nodiscard]] std::size_t pop(std::span<T> out) {
    std::size_t count = 0;
    return pop_each(out.size(), [&](const T& item) { out[count++] = item; });
  }
  /// The same: calls `use(const T&)` with each of up to `most` of the oldest items, in its place;
  /// all leave the ring after the last call.
  template <class Use>
  std::size_t pop_each(std::size_t most, Use use) {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    if (consumer_tail_ - head < most) consumer_tail_ = tail_.load(std::memory_order_acquire);
    const std::size_t count = std::min(most, consumer_tail_ - head);
    for (std::size_t i = 0; i < count; ++i) use(std::as_const(slots_[(head + i) & mask_]));
    head_.store(head + count, std::memory_order_release);
    return count;
  }

  /// Any thread: how many items have been popped, ever. What the consumer did before it popped them
  /// has happened.
  [[nodiscard]] std::size_t popped() const { return head_.load(std::memory_order_acquire); }

  /// Any thread. Exact only for a thread that is both ends; a moment's view for others.
  [[nodiscard]] std::size_t size() const {
    const std::size_t head = head_.load(std::memory_order_acquire);
    return tail_.load(std::memory_order_acquire) - head;
  }
  [[nodiscard]] bool empty() const { return size() == 0; }

 private:
  [[nodiscard]] std::size_t free_slots(std::size_t tail) const {
    return mask_ + 1 - (tail - producer_head_);
  }

  // Read by both, written by none.
  const std::size_t mask_;
  const std::unique_ptr<T[]> slots_;
  // Written by the producer, read by both.
  alignas(kCacheLineBytes) std::atomic<std::size_t> tail_{0};
  std::size_t producer_head_ = 0;  // The producer's alone.
  // Written by the consumer, read by both.
  alignas(kCacheLineBytes) std::atomic<std::size_t> head_{0};
  std::size_t consumer_tail_ = 0;  // The consumer's alone.
};

}  // namespace drip
