// SPDX-License-Identifier: BSD-3-Clause
// A hierarchical timing wheel of buckets by their next departure, exact to the nanosecond.
//
// After Varghese and Lauck (SOSP 1987, scheme 7), with find-first-set bitmaps as in Eiffel (NSDI
// 2019). Level 0 has 65536 slots of 128 ns (8.4 ms), level 1 8192 of 4.2 ms (34 s), level 2 8192 of
// 17 s (39 h). What is due later waits in the last slot of level 2 and is looked at again there.
//
// Four things are unusual:
// - A slot is one id and, behind it, a chain of chunks of 13 ids, one cache line each, not a linked
//   list through the buckets: walking it misses the cache once in 13 buckets instead of at each,
//   and those to come can be prefetched (docs/decisions/0008-timing-wheel.md has the figures).
// - The one id lies in the slot's own word: where there are more slots than buckets, as at level 0
//   there mostly are, no chunk is needed at all.
// - A slot is 128 ns wide but nothing leaves early: in the slot of the present moment each bucket's
//   own due time decides.
// - Each level has twice the slots that one slot of the level above covers. So the upper slot that
//   comes next can be emptied bit by bit while the present one passes, and no single poll has
//   to move a hundred thousand buckets.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "drip/cache_line.h"
#include "drip/internal/slot_bitmap.h"
#include "drip/internal/wheel_hook.h"
#include "drip/time.h"

namespace drip {

/// Not thread safe: it belongs to one transmitter. Items are ids below `max_items`; `Hooks` is
/// callable as `WheelHook& hooks(std::uint32_t id)`. Insert, remove and collect are O(1) an item
/// and allocate nothing.
template <class Hooks>
class TimingWheel {
 public:
  static constexpr unsigned kSlotShift = 7;
  static constexpr unsigned kNextLevelShift[2] = {kSlotShift + 15, kSlotShift + 15 + 12};
  static constexpr std::uint32_t kLevel0Slots = 1U << 16;
  static constexpr std::uint32_t kUpperSlots = 1U << 13;
  static constexpr Duration kSlotWidth{std::int64_t{1} << kSlotShift};
  static constexpr Duration kHorizon{static_cast<std::int64_t>(kUpperSlots) << kNextLevelShift[1]};

  TimingWheel(std::uint32_t max_items, TimePoint now, Hooks hooks)
      : hooks_(hooks),
        now_ns_(now.ns & ~(kSlotNs - 1)),
        slots_(kAllSlots),
        chunks_(most_chunks(max_items)) {
    assert(max_items < kFirstOfSlot / kChunkStride);
    for (std::uint32_t i = 0; i < chunks_.size(); ++i) chunks_[i].next = i + 1;
    chunks_.back().next = kNone;
  }

  [[nodiscard]] std::uint32_t size() const { return size_; }

  /// Chunks of which there are always enough. A slot of k ids has one in its word and the others in
  /// ceil((k - 1) / 13) chunks, at most (k + 11) / 13; the sum over m slots is at most
  /// (n + 11 m) / 13, and m at most the slots there are, or half of the ids.
  [[nodiscard]] static constexpr std::uint32_t most_chunks(std::uint32_t max_items) {
    const std::uint64_t slots = std::min(max_items / 2, kAllSlots);
    const std::uint64_t chunks = (max_items + (kChunkIds - 2) * slots) / kChunkIds;
    return static_cast<std::uint32_t>(std::max<std::uint64_t>(chunks, 1));
  }
  /// What wheels for so many items take.
  [[nodiscard]] static constexpr std::size_t memory_bytes(std::uint32_t max_items) {
    return kAllSlots * sizeof(Slot) + most_chunks(max_items) * sizeof(Chunk);
  }

  /// Schedules `id` at hooks(id).due; a due time that has passed means as soon as possible.
  /// REQUIRES: not scheduled.
  [[gnu::always_inline]] void insert(std::uint32_t id) { insert_at(id, hooks_(id).due); }
  /// The same for an item that is due already and is not to be looked at again before `when`, to
  /// a slot's width. REQUIRES: hooks(id).due <= when; within level 0.
  void insert_at(std::uint32_t id, TimePoint when) {
    assert(!hooks_(id).scheduled());
    put(id, when);
    ++size_;
  }

  /// REQUIRES: scheduled.
  void remove(std::uint32_t id) {
    assert(hooks_(id).scheduled());
    take(id);
    --size_;
  }

  /// Takes up to out.size() items that are due at `now` off the wheel, in order of slots; returns
  /// how many. Fewer than out.size() means that nothing more is due.
  [[nodiscard]] std::size_t collect(TimePoint now, std::span<std::uint32_t> out) {
    const std::uint64_t slot_begin = now.ns & ~(kSlotNs - 1);
    if (size_ == 0) {
      advance_to(slot_begin);
      return 0;
    }
    std::size_t count = 0;
    pull_ahead(TimePoint{slot_begin} > TimePoint{now_ns_} ? slot_begin - now_ns_ : 0);
    while (count < out.size()) {
      const std::uint64_t block_end = present_block_end();
      const bool block_passed = TimePoint{slot_begin} >= TimePoint{block_end};
      const auto next = next_used_slot(block_passed ? block_end - kSlotNs : slot_begin);
      if (next) {
        now_ns_ = *next;
        const bool whole_slot_due = now_ns_ != slot_begin;
        const std::uint32_t slot = level0_slot(now_ns_);
        count += whole_slot_due ? take_all(slot, out.subspan(count))
                                : take_due(slot, now, out.subspan(count));
        if (!whole_slot_due) break;
        continue;
      }
      if (!block_passed) {
        advance_to(slot_begin);
        break;
      }
      enter_block(block_end);
    }
    size_ -= static_cast<std::uint32_t>(count);
    return count;
  }

  /// When the next item is due, exactly if that is in the present slot of level 1 (4.2 ms);
  /// otherwise idle_until().
  [[nodiscard]] std::optional<TimePoint> next_due() const {
    if (size_ > 0) {
      const auto next = next_used_slot(present_block_end() - kSlotNs);
      if (next) return earliest_in(level0_slot(*next));
    }
    return idle_until();
  }
  /// A time before which nothing is due, at most 17 s from now, for a core that would sleep; none
  /// if nothing is scheduled.
  [[nodiscard]] std::optional<TimePoint> idle_until() const {
    if (size_ == 0) return std::nullopt;
    const std::uint64_t block_end = present_block_end();
    if (const auto next = next_used_slot(block_end - kSlotNs)) return TimePoint{*next};
    // Level 0 may also hold all of the next block and some of the one after it. Nothing in level 2
    // is due before its next slot begins.
    const std::uint64_t level2_begin = (now_ns_ | (upper_slot_ns(2) - 1)) + 1;
    std::uint64_t begin = block_end;
    while (begin != level2_begin && slots_[upper_slot(1, begin)].empty()) {
      if (begin - block_end <= kBlockNs && any_used_in_block(begin)) break;
      begin += kBlockNs;
    }
    return TimePoint{begin};
  }

 private:
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
  static constexpr std::uint32_t kAllSlots = kLevel0Slots + 2 * kUpperSlots;
  static constexpr std::uint32_t kChunkIds = 13;
  static constexpr std::uint32_t kChunkStride = 16;
  static constexpr std::uint32_t kFirstOfSlot = 1U << 31;
  static constexpr std::uint64_t kSlotNs = std::uint64_t{1} << kSlotShift;
  // A block is what one slot of level 1 covers: half of level 0.
  static constexpr std::uint64_t kBlockNs = std::uint64_t{1} << kNextLevelShift[0];
  // What a poll pulls ahead at the least.
  static constexpr std::uint64_t kPulledAPoll = 16;
  static constexpr std::uint64_t kEverything = std::numeric_limits<std::uint64_t>::max();

  // Has chunks only behind a first id.
  struct Slot {
    std::uint32_t first = kNone;
    std::uint32_t chunk = kNone;  // Of a chain, of which only this one may be partly filled.

    [[nodiscard]] bool empty() const { return first == kNone; }
  };
  struct alignas(kCacheLineBytes) Chunk {
    std::uint32_t next;  // In the slot's chain, or in the free list.
    std::uint32_t count = 0;
    std::uint32_t slot;
    std::array<std::uint32_t, kChunkIds> ids;
  };
  static_assert(sizeof(Chunk) == kCacheLineBytes);

  // Slots are numbered over all levels: level 0 first. All times are modulo 2^64 ns, which the
  // slots of each level divide.
  [[nodiscard]] static std::uint32_t level0_slot(std::uint64_t ns) {
    return static_cast<std::uint32_t>((ns >> kSlotShift) % kLevel0Slots);
  }
  [[nodiscard]] static std::uint32_t upper_slot(unsigned level, std::uint64_t ns) {
    return kLevel0Slots + (level - 1) * kUpperSlots +
           static_cast<std::uint32_t>((ns >> kNextLevelShift[level - 1]) % kUpperSlots);
  }
  [[nodiscard]] static std::uint64_t upper_slot_ns(unsigned level) {
    return std::uint64_t{1} << kNextLevelShift[level - 1];
  }
  [[nodiscard]] std::uint64_t present_block_end() const { return (now_ns_ | (kBlockNs - 1)) + 1; }

  void advance_to(std::uint64_t slot_begin) {
    if (TimePoint{slot_begin} > TimePoint{now_ns_}) now_ns_ = slot_begin;
  }

  [[nodiscard]] std::uint32_t slot_for(TimePoint due) const {
    if (due < TimePoint{now_ns_}) return level0_slot(now_ns_);
    if ((due.ns - now_ns_) >> kSlotShift < kLevel0Slots) return level0_slot(due.ns);
    for (unsigned level = 1; level <= 2; ++level) {
      const std::uint64_t present = now_ns_ & ~(upper_slot_ns(level) - 1);
      if ((due.ns - present) >> kNextLevelShift[level - 1] < kUpperSlots) {
        return upper_slot(level, due.ns);
      }
    }
    return upper_slot(2, now_ns_ + (kUpperSlots - 1) * upper_slot_ns(2));
  }

  [[gnu::always_inline]] void put(std::uint32_t id, TimePoint when) {
    WheelHook& hook = hooks_(id);
    const std::uint32_t number = slot_for(when);
    Slot& slot = slots_[number];
    if (slot.empty()) {
      slot.first = id;
      hook.place = kFirstOfSlot | number;
      if (number < kLevel0Slots) used_.set(number);
      return;
    }
    if (slot.chunk == kNone || chunks_[slot.chunk].count == kChunkIds) {
      const std::uint32_t fresh = free_;
      assert(fresh != kNone);
      Chunk& chunk = chunks_[fresh];
      free_ = chunk.next;
      chunk.next = slot.chunk;
      chunk.count = 0;
      chunk.slot = number;
      slot.chunk = fresh;
    }
    Chunk& chunk = chunks_[slot.chunk];
    hook.place = slot.chunk * kChunkStride + chunk.count;
    chunk.ids[chunk.count++] = id;
  }

  // Takes an id off the slot's chunks. REQUIRES: it has one.
  std::uint32_t pop_chunked(Slot& slot) {
    Chunk& chunk = chunks_[slot.chunk];
    const std::uint32_t id = chunk.ids[--chunk.count];
    if (chunk.count == 0) {
      const std::uint32_t emptied = slot.chunk;
      slot.chunk = chunk.next;
      chunk.next = free_;
      free_ = emptied;
    }
    return id;
  }
  // Takes the slot's only id.
  std::uint32_t pop_first(std::uint32_t number) {
    Slot& slot = slots_[number];
    const std::uint32_t id = slot.first;
    slot.first = kNone;
    if (number < kLevel0Slots) used_.clear(number);
    return id;
  }

  void take(std::uint32_t id) {
    WheelHook& hook = hooks_(id);
    const std::uint32_t place = hook.place;
    hook.place = WheelHook::kNowhere;
    const bool is_first = (place & kFirstOfSlot) != 0;
    const std::uint32_t number =
        is_first ? place & ~kFirstOfSlot : chunks_[place / kChunkStride].slot;
    Slot& slot = slots_[number];
    if (slot.chunk == kNone) {
      pop_first(number);
      return;
    }
    // One of the slot's partly filled chunk takes the place that becomes free.
    const std::uint32_t moved = pop_chunked(slot);
    if (moved == id) return;
    if (is_first) {
      slot.first = moved;
    } else {
      chunks_[place / kChunkStride].ids[place % kChunkStride] = moved;
    }
    hooks_(moved).place = place;
  }
  // Takes items of a level-0 slot that has passed, as many as fit.
  std::size_t take_all(std::uint32_t number, std::span<std::uint32_t> out) {
    Slot& slot = slots_[number];
    std::size_t count = 0;
    while (count < out.size()) {
      const bool last = slot.chunk == kNone;
      const std::uint32_t id = last ? pop_first(number) : pop_chunked(slot);
      hooks_(id).place = WheelHook::kNowhere;
      out[count++] = id;
      if (last) break;
    }
    return count;
  }
  // Takes items of the present slot that are due at `now`, as many as fit.
  std::size_t take_due(std::uint32_t number, TimePoint now, std::span<std::uint32_t> out) {
    std::size_t count = 0;
    std::uint32_t next = kNone;
    for (std::uint32_t at = slots_[number].chunk; at != kNone && count < out.size(); at = next) {
      Chunk& chunk = chunks_[at];
      next = chunk.next;  // take() may release the chunk when it has become empty.
      for (std::uint32_t i = 0; i < chunk.count && count < out.size();) {
        const std::uint32_t id = chunk.ids[i];
        if (hooks_(id).due > now) {
          ++i;
          continue;
        }
        take(id);
        out[count++] = id;
      }
    }
    // What takes the first one's place has been looked at.
    if (const std::uint32_t id = slots_[number].first;
        id != kNone && count < out.size() && hooks_(id).due <= now) {
      take(id);
      out[count++] = id;
    }
    return count;
  }

  // Moves some items of the next slot of each upper level down, so that it is empty by the time it
  // begins: if all items were in it, at twice the pace at which the present slot passes.
  void pull_ahead(std::uint64_t elapsed_ns) {
    for (unsigned level = 1; level <= 2; ++level) {
      const std::uint64_t passed_ns = std::min(elapsed_ns, upper_slot_ns(level));
      pull(upper_slot(level, now_ns_ + upper_slot_ns(level)),
           kPulledAPoll + (2 * passed_ns * size_ >> kNextLevelShift[level - 1]));
    }
  }
  void pull(std::uint32_t number, std::uint64_t budget) {
    Slot& slot = slots_[number];
    while (budget > 0 && !slot.empty()) {
      // Taken out before any is put: put() may use the chunk that becomes free.
      std::array<std::uint32_t, kChunkIds> ids;
      std::uint32_t count = 0;
      while (slot.chunk != kNone && count < kChunkIds && budget > 0) {
        ids[count++] = pop_chunked(slot);
        --budget;
      }
      if (slot.chunk == kNone && count < kChunkIds && budget > 0) {
        ids[count++] = pop_first(number);
        --budget;
      }
      for (std::uint32_t i = 0; i < count; ++i) prefetch_to_write(&hooks_(ids[i]));
      for (std::uint32_t i = 0; i < count; ++i) put(ids[i], hooks_(ids[i]).due);
    }
  }

  // Time passes into the next block: what is left of the slots that begin there must be moved down
  // now.
  void enter_block(std::uint64_t block_begin) {
    now_ns_ = block_begin;
    if (block_begin % upper_slot_ns(2) == 0) pull(upper_slot(2, now_ns_), kEverything);
    pull(upper_slot(1, now_ns_), kEverything);
  }

  // Whether level 0 holds anything of the block that begins at `begin`.
  [[nodiscard]] bool any_used_in_block(std::uint64_t begin) const {
    return used_.any_in_words(level0_slot(begin) / 64, kBlockNs / kSlotNs / 64);
  }

  // The begin of the first slot in use from now_ns_ to `last` (in the same block). A block is half
  // of level 0 and begins at a multiple of its size, so it never wraps around the bitmap.
  [[nodiscard]] std::optional<std::uint64_t> next_used_slot(std::uint64_t last) const {
    if (TimePoint{last} < TimePoint{now_ns_}) return std::nullopt;
    const std::uint32_t from = level0_slot(now_ns_);
    const std::uint32_t to = from + static_cast<std::uint32_t>((last - now_ns_) >> kSlotShift);
    const std::uint32_t slot = used_.find(from, to);
    if (slot > to) return std::nullopt;
    return now_ns_ + (static_cast<std::uint64_t>(slot - from) << kSlotShift);
  }

  // The earliest due time in a slot of level 0 that is in use.
  [[nodiscard]] TimePoint earliest_in(std::uint32_t number) const {
    const Slot& slot = slots_[number];
    TimePoint earliest = hooks_(slot.first).due;
    for (std::uint32_t at = slot.chunk; at != kNone; at = chunks_[at].next) {
      for (std::uint32_t i = 0; i < chunks_[at].count; ++i) {
        earliest = std::min<TimePoint>(earliest, hooks_(chunks_[at].ids[i]).due);
      }
    }
    return earliest;
  }

  Hooks hooks_;
  std::uint64_t now_ns_;  // Begin of a slot; every slot of level 0 before it is empty.
  std::uint32_t size_ = 0;
  std::uint32_t free_ = 0;  // Head of the free chunks.
  std::vector<Slot> slots_;
  std::vector<Chunk> chunks_;
  SlotBitmap<kLevel0Slots> used_;  // Slots of level 0 that are not empty.
};

}  // namespace drip
