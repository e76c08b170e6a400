// SPDX-License-Identifier: BSD-3-Clause
// The slots of a timing wheel: which ids are in which, in chunks of a cache line.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "drip/cache_line.h"
#include "drip/internal/slot_bitmap.h"
#include "drip/internal/wheel_hook.h"

namespace drip {

/// Knows nothing of time but the due slots that it is given to keep. A slot of the near level is
/// one id and, behind it, a chain of chunks of 13 ids; a slot of the far levels has the chain
/// alone, and a second line of each of its chunks keeps the due slots, so that ids move nearer
/// without a look at their hooks. Not thread safe.
template <class Hooks, std::uint32_t kNearSlots, std::uint32_t kAllSlots>
class WheelSlots {
 public:
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
  static constexpr std::uint32_t kChunkIds = 13;
  static constexpr std::uint32_t kMostItems = 1U << 27;

  /// An id and the low 32 bits of the near slot in which it is due, counted since time 0.
  struct Item {
    std::uint32_t id;
    std::uint32_t due_slot;
  };

  WheelSlots(std::uint32_t max_items, Hooks hooks)
      : hooks_(hooks), slots_(kAllSlots), chunks_(most_chunks(max_items)) {
    assert(max_items < kMostItems);
    for (std::uint32_t i = 0; i < chunks_.size(); ++i) chunks_[i].next = i + 1;
    chunks_.back().next = kNone;
  }

  /// Chunks of which there are always enough. A slot of k ids has at most ceil(k / 13), which is
  /// (k + 12) / 13; and there are no more slots in use than ids.
  [[nodiscard]] static constexpr std::uint32_t most_chunks(std::uint32_t max_items) {
    const std::uint64_t used = max_items < kAllSlots ? max_items : kAllSlots;
    const std::uint64_t chunks = (max_items + (kChunkIds - 1) * used) / kChunkIds;
    return static_cast<std::uint32_t>(chunks == 0 ? 1 : chunks);
  }
  [[nodiscard]] static constexpr std::size_t memory_bytes(std::uint32_t max_items) {
    return kAllSlots * sizeof(Slot) + most_chunks(max_items) * sizeof(Chunk);
  }

  /// The first slot in use from `from` to `to`, or any above `to`. REQUIRES: from <= to.
  [[nodiscard]] std::uint32_t find_used(std::uint32_t from, std::uint32_t to) const {
    return used_.find(from, to);
  }
  /// How many ids are in a far slot.
  [[nodiscard]] std::uint32_t far_count(std::uint32_t number) const {
    return slots_[number].first_or_count;
  }

  [[gnu::always_inline]] void put_near(std::uint32_t number, std::uint32_t id) {
    Slot& slot = slots_[number];
    if (slot.first_or_count == kNone) {
      slot.first_or_count = id;
      hooks_(id).place = kFirstOfSlot | number;
      used_.set(number);
      return;
    }
    append(slot, number, id);
  }
  void put_far(std::uint32_t number, Item item) {
    Slot& slot = slots_[number];
    if (slot.first_or_count++ == 0) used_.set(number);
    Chunk& chunk = append(slot, number, item.id);
    chunk.due_slots[chunk.count - 1] = item.due_slot;
  }

  /// REQUIRES: it is in a slot.
  void take(std::uint32_t id) {
    WheelHook& hook = hooks_(id);
    const std::uint32_t place = hook.place;
    hook.place = WheelHook::kNowhere;
    if ((place & kFirstOfSlot) != 0) return take_first(place & ~kFirstOfSlot);
    Chunk& chunk = chunks_[place / kChunkStride];
    const std::uint32_t number = chunk.slot;
    Slot& slot = slots_[number];
    if (number >= kNearSlots) {
      const Chunk& last = chunks_[slot.chunk];
      chunk.due_slots[place % kChunkStride] = last.due_slots[last.count - 1];
      if (--slot.first_or_count == 0) used_.clear(number);
    }
    take_chunked(slot, chunk, place % kChunkStride);
  }
  /// Takes ids of a near slot, as many as fit; returns how many.
  std::size_t take_all(std::uint32_t number, std::span<std::uint32_t> out) {
    Slot& slot = slots_[number];
    std::size_t count = 0;
    while (count < out.size()) {
      const bool last = slot.chunk == kNone;
      const std::uint32_t id = last ? pop_first(number) : pop_id(slot);
      hooks_(id).place = WheelHook::kNowhere;
      out[count++] = id;
      if (last) break;
    }
    return count;
  }
  /// Takes those ids of a near slot of which `is_due(id)`, as many as fit; returns how many.
  template <class IsDue>
  std::size_t take_if(std::uint32_t number, std::span<std::uint32_t> out, IsDue is_due) {
    Slot& slot = slots_[number];
    std::size_t count = 0;
    std::uint32_t next = kNone;
    for (std::uint32_t at = slot.chunk; at != kNone && count < out.size(); at = next) {
      Chunk& chunk = chunks_[at];
      next = chunk.next;  // The chunk may be released when it has become empty.
      for (std::uint32_t i = 0; i < chunk.count && count < out.size();) {
        const std::uint32_t id = chunk.ids[i];
        if (!is_due(id)) {
          ++i;
          continue;
        }
        hooks_(id).place = WheelHook::kNowhere;
        take_chunked(slot, chunk, i);
        out[count++] = id;
      }
    }
    // What takes the first one's place has been looked at.
    if (const std::uint32_t id = slot.first_or_count;
        id != kNone && count < out.size() && is_due(id)) {
      hooks_(id).place = WheelHook::kNowhere;
      take_first(number);
      out[count++] = id;
    }
    return count;
  }
  /// Takes some items of a far slot; their hooks still say that they are in it. Returns how many;
  /// fewer than out.size() mean no more than that a chunk was empty then.
  std::uint32_t take_far(std::uint32_t number, std::span<Item> out) {
    Slot& slot = slots_[number];
    std::uint32_t count = 0;
    while (slot.chunk != kNone && count < out.size()) {
      const Chunk& chunk = chunks_[slot.chunk];
      const std::uint32_t due_slot = chunk.due_slots[chunk.count - 1];
      out[count++] = {pop_id(slot), due_slot};
    }
    slot.first_or_count -= count;
    if (slot.first_or_count == 0) used_.clear(number);
    return count;
  }
  /// Calls `visit(id)` for the ids of a slot that is in use, until it returns false.
  template <class Visit>
  void visit(std::uint32_t number, Visit visit) const {
    const Slot& slot = slots_[number];
    if (number < kNearSlots && !visit(slot.first_or_count)) return;
    for (std::uint32_t at = slot.chunk; at != kNone; at = chunks_[at].next) {
      for (std::uint32_t i = 0; i < chunks_[at].count; ++i) {
        if (!visit(chunks_[at].ids[i])) return;
      }
    }
  }

 private:
  static constexpr std::uint32_t kChunkStride = 16;
  static constexpr std::uint32_t kFirstOfSlot = 1U << 31;

  struct Slot {
    std::uint32_t first_or_count;  // The near level's first id or kNone; else how many ids.
    std::uint32_t chunk = kNone;   // Of a chain, of which only this one may be partly filled.
  };
  struct alignas(kCacheLineBytes) Chunk {
    std::uint32_t next;  // In the slot's chain, or in the free list.
    std::uint32_t count = 0;
    std::uint32_t slot;
    std::array<std::uint32_t, kChunkIds> ids;
    // Of the far levels only. The near one, to which all come, does not touch this line.
    std::array<std::uint32_t, kChunkIds> due_slots;
  };
  static_assert(sizeof(Chunk) == 2 * kCacheLineBytes);
  // All slots as they are when nothing is in them.
  class Slots {
   public:
    explicit Slots(std::uint32_t count) : slots_(count, Slot{0, kNone}) {
      for (std::uint32_t i = 0; i < kNearSlots; ++i) slots_[i].first_or_count = kNone;
    }
    Slot& operator[](std::uint32_t number) { return slots_[number]; }
    const Slot& operator[](std::uint32_t number) const { return slots_[number]; }

   private:
    std::vector<Slot> slots_;
  };

  [[gnu::always_inline]] Chunk& append(Slot& slot, std::uint32_t number, std::uint32_t id) {
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
    hooks_(id).place = slot.chunk * kChunkStride + chunk.count;
    chunk.ids[chunk.count++] = id;
    return chunk;
  }
  // Takes the last id of the slot's chunks. REQUIRES: it has one.
  std::uint32_t pop_id(Slot& slot) {
    Chunk& chunk = chunks_[slot.chunk];
    const std::uint32_t id = chunk.ids[--chunk.count];
    if (chunk.count == 0) release_chunk(slot);
    return id;
  }
  // Takes the id at `index` of one of the slot's chunks: one of its partly filled chunk takes the
  // place that becomes free.
  void take_chunked(Slot& slot, Chunk& chunk, std::uint32_t index) {
    const std::uint32_t id = chunk.ids[index];
    const std::uint32_t moved = pop_id(slot);
    if (moved == id) return;
    chunk.ids[index] = moved;
    hooks_(moved).place =
        static_cast<std::uint32_t>(&chunk - chunks_.data()) * kChunkStride + index;
  }
  void release_chunk(Slot& slot) {
    const std::uint32_t emptied = slot.chunk;
    slot.chunk = chunks_[emptied].next;
    chunks_[emptied].next = free_;
    free_ = emptied;
  }
  // Takes a near slot's only id.
  std::uint32_t pop_first(std::uint32_t number) {
    Slot& slot = slots_[number];
    const std::uint32_t id = slot.first_or_count;
    slot.first_or_count = kNone;
    used_.clear(number);
    return id;
  }
  void take_first(std::uint32_t number) {
    Slot& slot = slots_[number];
    if (slot.chunk == kNone) {
      pop_first(number);
      return;
    }
    slot.first_or_count = pop_id(slot);
    hooks_(slot.first_or_count).place = kFirstOfSlot | number;
  }

  Hooks hooks_;
  std::uint32_t free_ = 0;  // Head of the free chunks.
  Slots slots_;
  std::vector<Chunk> chunks_;
  SlotBitmap<(kAllSlots + 4095) / 4096 * 4096> used_;
};

}  // namespace drip
