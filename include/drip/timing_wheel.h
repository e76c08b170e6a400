// SPDX-License-Identifier: BSD-3-Clause
// A hierarchical timing wheel of buckets by their next departure, exact to the nanosecond.
//
// After Varghese and Lauck (SOSP 1987, scheme 7), with find-first-set bitmaps as in Eiffel (NSDI
// 2019). Level 0 has 4096 slots of 128 ns (524 us), levels 1 to 3 have 2048 slots each: of 262 us
// (0.5 s), 268 ms (9 minutes) and 275 s (156 h). What is due later waits in the last slot of level
// 3 and is looked at again there.
//
// Five things are unusual:
// - A slot is not a linked list through the buckets but a chain of chunks of 13 ids, a cache line
//   each: walking it misses the cache once in 13 buckets instead of at each, and those to come can
//   be prefetched (docs/decisions/0008-timing-wheel.md has the figures).
// - All slots together take 80 KiB, so they stay in a core's own caches.
// - The upper levels keep the due slots beside the ids, so that a bucket is moved down without a
//   look at it: with many buckets each look misses the cache.
// - A slot is 128 ns wide but nothing leaves early: in the slot of the present moment each bucket's
//   own due time decides.
// - Each level has twice the slots that one slot of the level above covers. So the upper slot that
//   comes next is emptied bit by bit, at an even pace, while the present one passes, and no single
//   poll has to move a hundred thousand buckets.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>

#include "drip/cache_line.h"
#include "drip/internal/wheel_hook.h"
#include "drip/internal/wheel_slots.h"
#include "drip/time.h"

namespace drip {

/// Not thread safe: it belongs to one transmitter. Items are ids below `max_items`; `Hooks` is
/// callable as `WheelHook& hooks(std::uint32_t id)`. Insert, remove and collect are O(1) an item
/// and allocate nothing.
template <class Hooks>
class TimingWheel {
 public:
  static constexpr unsigned kLevels = 4;
  static constexpr std::array<unsigned, kLevels> kSlotShift = {7, 18, 28, 38};  // Of ns.
  static constexpr std::uint32_t kLevel0Slots = 1U << 12;
  static constexpr std::uint32_t kUpperSlots = 1U << 11;
  static constexpr Duration kSlotWidth{std::int64_t{1} << kSlotShift[0]};

 private:
  static constexpr std::uint32_t kAllSlots = kLevel0Slots + (kLevels - 1) * kUpperSlots;
  using Slots = WheelSlots<Hooks, kLevel0Slots, kAllSlots>;
  using Item = typename Slots::Item;

 public:
  TimingWheel(std::uint32_t max_items, TimePoint now, Hooks hooks)
      : hooks_(hooks), now_ns_(now.ns & ~(kSlotNs - 1)), slots_(max_items, hooks) {}

  [[nodiscard]] std::uint32_t size() const { return size_; }

  [[nodiscard]] static constexpr std::uint32_t most_chunks(std::uint32_t max_items) {
    return Slots::most_chunks(max_items);
  }
  /// What wheels for so many items take.
  [[nodiscard]] static constexpr std::size_t memory_bytes(std::uint32_t max_items) {
    return Slots::memory_bytes(max_items);
  }

  /// Schedules `id` at hooks(id).due; a due time that has passed means as soon as possible.
  /// REQUIRES: not scheduled.
  [[gnu::always_inline]] void insert(std::uint32_t id) { insert_at(id, hooks_(id).due); }
  /// The same for an item that is due already and is not to be looked at again before `when`, to
  /// a slot's width. REQUIRES: hooks(id).due <= when.
  void insert_at(std::uint32_t id, TimePoint when) {
    assert(!hooks_(id).scheduled());
    put(id, when);
    ++size_;
  }

  /// REQUIRES: scheduled.
  void remove(std::uint32_t id) {
    assert(hooks_(id).scheduled());
    slots_.take(id);
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
    if (TimePoint{slot_begin} > TimePoint{now_ns_}) pull_ahead(slot_begin - now_ns_);
    while (count < out.size()) {
      const std::uint64_t block_end = present_block_end();
      const bool block_passed = TimePoint{slot_begin} >= TimePoint{block_end};
      const auto next = next_used_slot(block_passed ? block_end - kSlotNs : slot_begin);
      if (next) {
        now_ns_ = *next;
        const bool whole_slot_due = now_ns_ != slot_begin;
        const std::uint32_t slot = slot_at(0, now_ns_);
        if (whole_slot_due) {
          count += slots_.take_all(slot, out.subspan(count));
          continue;
        }
        count += slots_.take_if(slot, out.subspan(count),
                                [&](std::uint32_t id) { return hooks_(id).due <= now; });
        break;
      }
      if (!block_passed) {
        advance_to(slot_begin);
        break;
      }
      enter_block(TimePoint{slot_begin} < TimePoint{block_end + kBlockNs}
                      ? block_end
                      : next_block_in_use(slot_begin));
    }
    size_ -= static_cast<std::uint32_t>(count);
    return count;
  }

  /// Calls `visit(id, begin)` for at most `most` items on level 0, in the order of their slots,
  /// which begin at `from` or later and before `to`. Returns up to where; what was left of a slot
  /// then is passed over.
  template <class Visit>
  TimePoint visit_until(TimePoint from, TimePoint to, std::uint32_t most, Visit visit) const {
    std::uint64_t at = std::max(TimePoint{from.ns & ~(kSlotNs - 1)}, TimePoint{now_ns_}).ns;
    const TimePoint reach{now_ns_ + (std::uint64_t{kLevel0Slots} << kSlotShift[0])};
    const TimePoint end = std::min(to, reach);
    std::uint32_t left = most;
    while (left > 0 && TimePoint{at} < end) {
      const std::uint32_t first = slot_at(0, at);
      const std::uint64_t slots = (end.ns - at + kSlotNs - 1) >> kSlotShift[0];
      const auto beyond =
          static_cast<std::uint32_t>(std::min<std::uint64_t>(first + slots, kLevel0Slots));
      const std::uint32_t found = std::min(slots_.find_used(first, beyond - 1), beyond);
      at += std::uint64_t{found - first} << kSlotShift[0];
      if (found == beyond) continue;
      slots_.visit(found, [&](std::uint32_t id) {
        visit(id, TimePoint{at});
        return --left > 0;
      });
      at += kSlotNs;
    }
    return std::max(TimePoint{at}, from);
  }
  /// Nothing is in a slot that ends before this time.
  [[nodiscard]] TimePoint position() const { return TimePoint{now_ns_}; }

  /// When the next item is due, exactly within 9 minutes, of one to be looked at later to a slot's
  /// width; beyond that a time before it. Looks at all items of at most one slot of each level.
  [[nodiscard]] std::optional<TimePoint> next_due() const {
    std::optional<TimePoint> earliest;
    for (unsigned level = 0; level < kLevels; ++level) {
      const std::optional<std::uint64_t> begin = first_used(level);
      if (!begin || (earliest && *earliest <= TimePoint{*begin})) continue;
      TimePoint due{*begin + slot_ns(level)};
      slots_.visit(slot_at(level, *begin), [&](std::uint32_t id) {
        due = std::min<TimePoint>(due, hooks_(id).due);
        return true;
      });
      due = std::max(due, TimePoint{*begin});
      if (!earliest || due < *earliest) earliest = due;
    }
    return earliest;
  }
  /// A time before which nothing is due, for a core that would sleep; none if nothing is scheduled.
  /// It is the begin of a slot in use, of any level.
  [[nodiscard]] std::optional<TimePoint> idle_until() const {
    return size_ == 0 ? std::nullopt : first_used();
  }

 private:
  static constexpr std::uint64_t kSlotNs = std::uint64_t{1} << kSlotShift[0];
  // A block is what one slot of level 1 covers: half of level 0.
  static constexpr std::uint64_t kBlockNs = std::uint64_t{1} << kSlotShift[1];
  static constexpr std::uint64_t kEverything = std::numeric_limits<std::uint64_t>::max();

  // Slots are numbered over all levels: level 0 first. All times are modulo 2^64 ns, which the
  // slots of each level divide.
  [[nodiscard]] static constexpr std::uint32_t first_of(unsigned level) {
    return level == 0 ? 0 : kLevel0Slots + (level - 1) * kUpperSlots;
  }
  [[nodiscard]] static constexpr std::uint32_t slots_of(unsigned level) {
    return level == 0 ? kLevel0Slots : kUpperSlots;
  }
  [[nodiscard]] static std::uint32_t slot_at(unsigned level, std::uint64_t ns) {
    return first_of(level) +
           static_cast<std::uint32_t>((ns >> kSlotShift[level]) % slots_of(level));
  }
  [[nodiscard]] static constexpr std::uint64_t slot_ns(unsigned level) {
    return std::uint64_t{1} << kSlotShift[level];
  }
  [[nodiscard]] std::uint64_t present_block_end() const { return (now_ns_ | (kBlockNs - 1)) + 1; }

  void advance_to(std::uint64_t slot_begin) {
    if (TimePoint{slot_begin} > TimePoint{now_ns_}) now_ns_ = slot_begin;
  }

  [[gnu::always_inline]] void put(std::uint32_t id, TimePoint when) {
    if (when < TimePoint{now_ns_}) return slots_.put_near(slot_at(0, now_ns_), id);
    if ((when.ns - now_ns_) >> kSlotShift[0] < kLevel0Slots) {
      return slots_.put_near(slot_at(0, when.ns), id);
    }
    put_far(id, when);
  }
  // Not inlined: the path of what is due soon stays short.
  [[gnu::noinline]] void put_far(std::uint32_t id, TimePoint when) {
    slots_.put_far(upper_slot_for(when),
                   {id, static_cast<std::uint32_t>(when.ns >> kSlotShift[0])});
  }
  [[nodiscard]] std::uint32_t upper_slot_for(TimePoint when) const {
    for (unsigned level = 1; level < kLevels; ++level) {
      const std::uint64_t present = now_ns_ & ~(slot_ns(level) - 1);
      if ((when.ns - present) >> kSlotShift[level] < kUpperSlots) return slot_at(level, when.ns);
    }
    return slot_at(kLevels - 1, now_ns_ + (kUpperSlots - 1) * slot_ns(kLevels - 1));
  }

  // Moves some items of the next slot of each upper level down, so that it is empty an eighth
  // before it begins, at an even pace.
  void pull_ahead(std::uint64_t elapsed_ns) {
    for (unsigned level = 1; level < kLevels; ++level) {
      const std::uint64_t begin = (now_ns_ | (slot_ns(level) - 1)) + 1;
      const std::uint32_t number = slot_at(level, begin);
      const std::uint64_t left = slots_.far_count(number);
      if (left == 0) [[likely]]
        continue;
      const std::uint64_t spare = slot_ns(level) / 8;
      const std::uint64_t time_left = begin - now_ns_;
      const bool all = time_left <= elapsed_ns + spare;
      // In slots, so that the product fits.
      pull(level, begin,
           all ? left
               : left * (elapsed_ns >> kSlotShift[0]) / ((time_left - spare) >> kSlotShift[0]) + 1);
    }
  }
  // Moves items of the upper slot that begins at `begin` down.
  [[gnu::noinline]] void pull(unsigned level, std::uint64_t begin, std::uint64_t budget) {
    const std::uint32_t number = slot_at(level, begin);
    const auto first_due = static_cast<std::uint32_t>(begin >> kSlotShift[0]);
    while (budget > 0) {
      // Taken out before any is put: put() may use the chunk that becomes free.
      std::array<Item, Slots::kChunkIds> items;
      const std::size_t most = std::min<std::uint64_t>(items.size(), budget);
      const std::uint32_t count = slots_.take_far(number, std::span(items).first(most));
      if (count == 0) return;
      budget -= count;
      for (std::uint32_t i = 0; i < count; ++i) prefetch_to_write(&hooks_(items[i].id));
      for (const Item& item : std::span(items).first(count)) {
        // The last level may hold what is due later than its slot says.
        put(item.id,
            level == kLevels - 1
                ? TimePoint(hooks_(item.id).due)
                : TimePoint{begin + (std::uint64_t{item.due_slot - first_due} << kSlotShift[0])});
      }
    }
  }

  // Time passes into a block: what is left of the slots that begin there must be moved down now.
  // REQUIRES: nothing is in a slot before it.
  void enter_block(std::uint64_t block_begin) {
    now_ns_ = block_begin;
    for (unsigned level = kLevels - 1; level > 0; --level) {
      if (block_begin % slot_ns(level) == 0) pull(level, block_begin, kEverything);
    }
  }
  // The block of the first slot in use, or that of `slot_begin` if that is sooner.
  [[nodiscard]] std::uint64_t next_block_in_use(std::uint64_t slot_begin) const {
    const auto used = first_used();
    const TimePoint first = used ? std::min(*used, TimePoint{slot_begin}) : TimePoint{slot_begin};
    return first.ns & ~(kBlockNs - 1);
  }

  // The begin of the first slot in use, of any level.
  [[nodiscard]] std::optional<TimePoint> first_used() const {
    std::optional<TimePoint> first;
    for (unsigned level = 0; level < kLevels; ++level) {
      const std::optional<std::uint64_t> begin = first_used(level);
      if (begin && (!first || TimePoint{*begin} < *first)) first = TimePoint{*begin};
    }
    return first;
  }
  [[nodiscard]] std::optional<std::uint64_t> first_used(unsigned level) const {
    const std::uint32_t present = slot_at(level, now_ns_);
    const std::uint32_t end = first_of(level) + slots_of(level);
    std::uint32_t found = slots_.find_used(present, end - 1);
    if (found >= end) {
      found = slots_.find_used(first_of(level), present);
      if (found >= present) return std::nullopt;
    }
    const std::uint32_t ahead = (found - present) % slots_of(level);
    return (now_ns_ & ~(slot_ns(level) - 1)) + (std::uint64_t{ahead} << kSlotShift[level]);
  }
  // The begin of the first slot in use from now_ns_ to `last` (in the same block). A block is half
  // of level 0 and begins at a multiple of its size, so it never wraps around the bitmap.
  [[nodiscard]] std::optional<std::uint64_t> next_used_slot(std::uint64_t last) const {
    if (TimePoint{last} < TimePoint{now_ns_}) return std::nullopt;
    const std::uint32_t from = slot_at(0, now_ns_);
    const std::uint32_t to = from + static_cast<std::uint32_t>((last - now_ns_) >> kSlotShift[0]);
    const std::uint32_t slot = slots_.find_used(from, to);
    if (slot > to) return std::nullopt;
    return now_ns_ + (std::uint64_t{slot - from} << kSlotShift[0]);
  }

  Hooks hooks_;
  std::uint64_t now_ns_;  // Begin of a slot; every slot of level 0 before it is empty.
  std::uint32_t size_ = 0;
  Slots slots_;
};

}  // namespace drip
