// SPDX-License-Identifier: BSD-3-Clause
// The lock-free ring of one bucket: what waits in it, in the order in which it came.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cassert>
#include <cstdint>

#include "drip/cache_line.h"
#include "drip/time.h"
#include "drip/unit_ref.h"

namespace drip {

/// One ring slot: the unit and when it arrived.
struct RingEntry {
  UnitRef unit;
  TimePoint arrival;
};
static_assert(sizeof(RingEntry) == 16, "four slots a cache line");

/// Single producer (push), single consumer (all else that changes it); the two may be one thread or
/// two. Head and tail count all units that ever went through, modulo 2^32, so the ring is full at
/// slot_count() without a wasted slot; compact() alone moves units to other sequences. The slots
/// are memory of whoever configures the bucket: the ring does not own them, so that a bucket is a
/// few cache lines in a slab and its ring is placed on the NUMA node of the core that serves it.
class BucketRing {
 public:
  static constexpr std::uint32_t kMinSlots = 4;  // One cache line.

  /// The size of a ring for a bucket of this capacity: a slot for each unit, rounded up to a power
  /// of two. REQUIRES: capacity <= 2^31.
  [[nodiscard]] static constexpr std::uint32_t slots_for(std::uint32_t capacity) {
    return std::max(std::bit_ceil(capacity), kMinSlots);
  }

  BucketRing() = default;
  /// REQUIRES: slot_count is a power of two up to 2^31 and `slots` has so many. Head and tail begin
  /// at `first_sequence`.
  BucketRing(RingEntry* slots, std::uint32_t slot_count, std::uint32_t first_sequence = 0)
      : slots_(slots),
        head_(first_sequence),
        tail_(first_sequence),
        slots_log2_(static_cast<std::uint8_t>(std::countr_zero(slot_count))) {
    assert(std::has_single_bit(slot_count));
  }
  BucketRing(const BucketRing&) = delete;
  BucketRing& operator=(const BucketRing&) = delete;

  /// Producer. False if full.
  [[nodiscard]] bool push(RingEntry entry) {
    const std::uint32_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) > mask()) return false;
    slots_[tail & mask()] = entry;
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  /// Consumer. The oldest entry. REQUIRES: !empty() seen by the consumer.
  [[nodiscard]] const RingEntry& front() const {
    return slots_[head_.load(std::memory_order_relaxed) & mask()];
  }
  /// Consumer. REQUIRES: !empty().
  void pop() { head_.store(head_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }
  /// Consumer. The entry with the given tail() value at its push. REQUIRES: still in the ring.
  [[nodiscard]] RingEntry& at(std::uint32_t sequence) {
    assert(sequence - head() < size());
    return slots_[sequence & mask()];
  }
  [[nodiscard]] const RingEntry& at(std::uint32_t sequence) const {
    assert(sequence - head() < size());
    return slots_[sequence & mask()];
  }

  /// Consumer. Takes the slots of released units back: those that wait move behind them, towards
  /// the tail, in their order. Calls `moved(UnitRef, sequence)` for each unit that has a new
  /// sequence. Returns how many slots became free. O(size()).
  template <class Moved>
  std::uint32_t compact(Moved moved) {
    const std::uint32_t begin = head();
    std::uint32_t to = tail();
    for (std::uint32_t from = to; from != begin;) {
      const RingEntry& entry = slots_[--from & mask()];
      if (entry.unit.is_released() || --to == from) continue;
      slots_[to & mask()] = entry;
      moved(entry.unit, to);
    }
    head_.store(to, std::memory_order_release);
    return to - begin;
  }

  /// Both ends at rest: moves what waits into another ring memory, keeping head and tail, and
  /// returns the old memory. REQUIRES: slot_count is a power of two and not below size().
  RingEntry* move_to(RingEntry* slots, std::uint32_t slot_count) {
    assert(std::has_single_bit(slot_count) && slot_count >= size());
    for (std::uint32_t i = head(); i != tail(); ++i) {
      slots[i & (slot_count - 1)] = slots_[i & mask()];
    }
    RingEntry* const old = slots_;
    slots_ = slots;
    slots_log2_ = static_cast<std::uint8_t>(std::countr_zero(slot_count));
    return old;
  }

  [[nodiscard]] std::uint32_t head() const { return head_.load(std::memory_order_acquire); }
  [[nodiscard]] std::uint32_t tail() const { return tail_.load(std::memory_order_acquire); }
  [[nodiscard]] std::uint32_t size() const {
    const std::uint32_t head = head_.load(std::memory_order_acquire);
    return tail_.load(std::memory_order_acquire) - head;
  }
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] std::uint32_t slot_count() const { return 1U << slots_log2_; }
  [[nodiscard]] RingEntry* memory() const { return slots_; }

  void prefetch_front() const {
    prefetch_to_read(&slots_[head_.load(std::memory_order_relaxed) & mask()]);
  }
  /// The same and the one behind it, which is the front when that has gone.
  void prefetch_front_two() const {
    const std::uint32_t head = head_.load(std::memory_order_relaxed);
    prefetch_to_read(&slots_[head & mask()]);
    prefetch_to_read(&slots_[(head + 1) & mask()]);
  }
  void prefetch_back() const {
    prefetch_to_write(&slots_[tail_.load(std::memory_order_relaxed) & mask()]);
  }

 private:
  [[nodiscard]] std::uint32_t mask() const { return slot_count() - 1; }

  RingEntry* slots_ = nullptr;
  std::atomic<std::uint32_t> head_{0};  // The consumer writes, both read.
  std::atomic<std::uint32_t> tail_{0};  // The producer writes, both read.
  std::uint8_t slots_log2_ = 0;
};
static_assert(sizeof(BucketRing) == 24, "part of a bucket's first cache line");

}  // namespace drip
