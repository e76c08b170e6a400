// SPDX-License-Identifier: BSD-3-Clause
// The packets that wait in the queues of a core: 16 bytes each, linked, from one pool.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "drip/counter.h"
#include "drip/internal/large_array.h"
#include "drip/queue/ecn.h"
#include "drip/time.h"
#include "drip/unit_ref.h"

namespace drip {

/// An index into a pool. 24 bits, so that several fit into one word; 0 is none.
using QueueIndex = std::uint32_t;
inline constexpr QueueIndex kNoIndex = 0;
inline constexpr std::uint32_t kMaxQueueIndex = (1U << 24) - 1;

/// 64 bits unit | 24 bits next slot | 2 bits ECN | 38 bits arrival, in 64 ns. The arrival is known
/// modulo 4.9 hours: what waited longer counts as younger. It is rounded down, so that a packet
/// has never waited for less than it did.
class QueueSlot {
 public:
  static constexpr unsigned kGrainLog2 = 6;

  QueueSlot() = default;
  QueueSlot(UnitRef packet, TimePoint arrival, Ecn ecn, QueueIndex next)
      : unit(packet),
        bits_((arrival.ns >> kGrainLog2) << kArrivalShift |
              static_cast<std::uint64_t>(ecn) << kEcnShift | next) {}

  /// How long it has waited, up to 63 ns more than that.
  [[nodiscard]] Duration sojourn(TimePoint now) const {
    const std::uint64_t grains =
        ((now.ns >> kGrainLog2) - (bits_ >> kArrivalShift)) & (kFieldMax >> kArrivalShift);
    return {static_cast<std::int64_t>(grains << kGrainLog2 | (now.ns & kGrainMask))};
  }
  [[nodiscard]] TimePoint arrival(TimePoint now) const { return now + Duration{-sojourn(now).ns}; }
  /// The last time at which a packet with this arrival() may have come.
  [[nodiscard]] static TimePoint latest(TimePoint arrival) { return {arrival.ns | kGrainMask}; }
  [[nodiscard]] Ecn ecn() const { return static_cast<Ecn>(bits_ >> kEcnShift & 3); }
  [[nodiscard]] QueueIndex next() const { return static_cast<QueueIndex>(bits_ & kMaxQueueIndex); }
  void set_next(QueueIndex next) { bits_ = (bits_ & ~std::uint64_t{kMaxQueueIndex}) | next; }

  UnitRef unit;

 private:
  static constexpr unsigned kEcnShift = 24;
  static constexpr unsigned kArrivalShift = 26;
  static constexpr std::uint64_t kFieldMax = ~std::uint64_t{0};
  static constexpr std::uint64_t kGrainMask = (1U << kGrainLog2) - 1;

  std::uint64_t bits_ = 0;
};
static_assert(sizeof(QueueSlot) == 16, "four slots a cache line");

/// A circular list of slots is known by its last one: last.next is its first.
///
/// Belongs to one thread; others may only read used().
class QueueSlots {
 public:
  /// REQUIRES: 1 <= count <= kMaxQueueIndex.
  explicit QueueSlots(std::uint32_t count, AdviseMemory advise = nullptr)
      : slots_(count + std::size_t{1}, advise), count_(count) {
    assert(count >= 1 && count <= kMaxQueueIndex);
    // All of them now: no packet waits for a page.
    std::uninitialized_value_construct_n(slots_.data(), count + std::size_t{1});
  }

  [[nodiscard]] QueueSlot& operator[](QueueIndex index) { return slots_[index]; }
  [[nodiscard]] const QueueSlot& operator[](QueueIndex index) const { return slots_[index]; }

  /// kNoIndex if all are in use.
  [[nodiscard]] QueueIndex allocate() {
    QueueIndex index = free_;
    if (index != kNoIndex) [[likely]] {
      free_ = slots_[index].next();
    } else if (touched_ < count_) {
      index = ++touched_;
    } else {
      return kNoIndex;
    }
    used_.add(1);
    return index;
  }
  void release(QueueIndex index) {
    slots_[index].set_next(free_);
    free_ = index;
    used_.set(used_.get() - 1);
  }

  /// Fills a slot and appends it to the circular list whose last slot is `last`, of which it
  /// becomes the last one.
  void append(QueueIndex last, QueueIndex index, UnitRef unit, TimePoint arrival, Ecn ecn) {
    const QueueIndex first = last == kNoIndex ? index : slots_[last].next();
    slots_[index] = QueueSlot(unit, arrival, ecn, first);
    if (last != kNoIndex) slots_[last].set_next(index);
  }
  [[nodiscard]] QueueIndex first(QueueIndex last) const { return slots_[last].next(); }
  /// Takes the first slot off; kNoIndex in `last` if it was the only one. REQUIRES: not empty.
  QueueIndex take_first(QueueIndex& last) {
    const QueueIndex index = slots_[last].next();
    if (index == last) {
      last = kNoIndex;
    } else {
      slots_[last].set_next(slots_[index].next());
    }
    return index;
  }

  [[nodiscard]] std::uint32_t count() const { return count_; }
  /// Any thread.
  [[nodiscard]] std::uint32_t used() const { return used_.get(); }

 private:
  LargeArray<QueueSlot> slots_;
  std::uint32_t count_;
  std::uint32_t touched_ = 0;   // Slots above have never been used.
  QueueIndex free_ = kNoIndex;  // A list, linked by next().
  BasicCounter<std::uint32_t> used_;
};

}  // namespace drip
