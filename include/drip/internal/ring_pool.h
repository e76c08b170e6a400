// SPDX-License-Identifier: BSD-3-Clause
// The memory of all rings of a Shaper: one allocation, handed out in powers of two.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "drip/bucket_ring.h"
#include "drip/cache_line.h"

namespace drip {

/// A buddy allocator (Knuth, The Art of Computer Programming, volume 1, section 2.5): a block that
/// is released is merged with its neighbour of the same size if that is free as well. Allocates
/// nothing after construction. Not thread safe.
class RingPool {
 public:
  /// `slots` is rounded up to a multiple of BucketRing::kMinSlots. REQUIRES: 1 <= slots <= 2^31.
  explicit RingPool(std::uint32_t slots)
      : lines_((slots + BucketRing::kMinSlots - 1) / BucketRing::kMinSlots),
        memory_(new Line[lines_]) {
    first_free_.fill(kNone);
    blocks_.resize(lines_);
    for (std::uint32_t line = 0; line < lines_;) {
      const auto left = static_cast<unsigned>(std::bit_width(lines_ - line) - 1);
      const unsigned order = line == 0 ? left : std::min<unsigned>(left, std::countr_zero(line));
      link(line, order);
      line += 1U << order;
    }
    free_lines_ = lines_;
  }

  /// Null if there is no block of that size. REQUIRES: `slots` comes from BucketRing::slots_for().
  [[nodiscard]] RingEntry* allocate(std::uint32_t slots) {
    const unsigned wanted = order_of(slots);
    unsigned order = wanted;
    while (order < kOrders && first_free_[order] == kNone) ++order;
    if (order == kOrders) return nullptr;
    const std::uint32_t line = first_free_[order];
    unlink(line);
    while (order > wanted) {
      --order;
      link(line + (1U << order), order);
    }
    free_lines_ -= 1U << wanted;
    return memory_[line].entries.data();
  }
  /// REQUIRES: `ring` was allocated with the same `slots`.
  void release(RingEntry* ring, std::uint32_t slots) {
    unsigned order = order_of(slots);
    auto line = static_cast<std::uint32_t>(reinterpret_cast<Line*>(ring) - memory_.get());
    assert(line < lines_);
    free_lines_ += 1U << order;
    for (; order + 1 < kOrders; ++order) {
      const std::uint32_t buddy = line ^ (1U << order);
      // A block of this order begins at the buddy only if its mark says so.
      if (buddy >= lines_ || blocks_[buddy].free_order != order) break;
      unlink(buddy);
      line = std::min(line, buddy);
    }
    link(line, order);
  }

  [[nodiscard]] std::uint64_t slots() const {
    return std::uint64_t{lines_} * BucketRing::kMinSlots;
  }
  [[nodiscard]] std::uint64_t free_slots() const {
    return std::uint64_t{free_lines_} * BucketRing::kMinSlots;
  }

 private:
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
  static constexpr unsigned kOrders = 30;
  static constexpr std::uint8_t kNotFree = 0xff;

  struct alignas(kCacheLineBytes) Line {
    std::array<RingEntry, BucketRing::kMinSlots> entries;
  };
  static_assert(sizeof(Line) == kCacheLineBytes);
  // By line; meaningful for the first line of a free block.
  struct Block {
    std::uint32_t next = kNone;
    std::uint32_t previous = kNone;
    std::uint8_t free_order = kNotFree;
  };

  static unsigned order_of(std::uint32_t slots) {
    assert(std::has_single_bit(slots) && slots >= BucketRing::kMinSlots);
    return static_cast<unsigned>(std::countr_zero(slots / BucketRing::kMinSlots));
  }
  void link(std::uint32_t line, unsigned order) {
    Block& block = blocks_[line];
    block = {first_free_[order], kNone, static_cast<std::uint8_t>(order)};
    if (block.next != kNone) blocks_[block.next].previous = line;
    first_free_[order] = line;
  }
  void unlink(std::uint32_t line) {
    Block& block = blocks_[line];
    (block.previous != kNone ? blocks_[block.previous].next : first_free_[block.free_order]) =
        block.next;
    if (block.next != kNone) blocks_[block.next].previous = block.previous;
    block.free_order = kNotFree;
  }

  std::uint32_t lines_;
  std::unique_ptr<Line[]> memory_;
  std::vector<Block> blocks_;
  std::array<std::uint32_t, kOrders> first_free_{};
  std::uint32_t free_lines_ = 0;
};

}  // namespace drip
