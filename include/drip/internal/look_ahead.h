// SPDX-License-Identifier: BSD-3-Clause
// Asks memory for what departures will touch, some microseconds before they are due.
#pragma once

#include <array>
#include <cstdint>

#include "drip/time.h"

namespace drip {

/// A departure touches lines that can only be asked for one after another: the bucket says where
/// its ring is, and the ring where the unit is. With many buckets all of them miss the caches. So
/// each is asked for in a step of its own, 3, 2 and 1 us ahead; and a step never follows the one
/// before it in the same call, as its line would not have come.
///
/// These are hints: what is taken off the wheel or put there meanwhile does not matter. Where
/// departures are late it stays up to kMost buckets ahead of them. Not thread safe.
class LookAhead {
 public:
  static constexpr Duration kStep{1'000};
  static constexpr std::uint32_t kMost = 128;

  explicit LookAhead(TimePoint now) : reached_(now) {}

  /// Calls `first(id)`, `second(id)` and `third(id)` for the items of the wheel whose time for
  /// that has come; first() may be called for an id of which second() never is, not the reverse.
  template <class Wheel, class First, class Second, class Third>
  void run(const Wheel& wheel, TimePoint now, First first, Second second, Third third) {
    while (gone_ != filled_ && at(gone_).begin < wheel.position()) ++gone_;
    if (is_before(second_, gone_)) second_ = gone_;
    if (is_before(third_, gone_)) third_ = gone_;
    const std::uint32_t filled_before = filled_;
    const std::uint32_t second_before = second_;
    const TimePoint third_end = now + kStep;
    for (; third_ != second_before && at(third_).begin <= third_end; ++third_) third(at(third_).id);
    const TimePoint second_end = third_end + kStep;
    for (; second_ != filled_before && at(second_).begin <= second_end; ++second_) {
      second(at(second_).id);
    }
    reached_ = wheel.visit_until(reached_, second_end + kStep, kMost - (filled_ - gone_),
                                 [&](std::uint32_t id, TimePoint begin) {
                                   at(filled_++) = {id, begin};
                                   first(id);
                                 });
  }

 private:
  struct Entry {
    std::uint32_t id;
    TimePoint begin;  // Of its slot.
  };

  // Modulo 2^32.
  [[nodiscard]] static bool is_before(std::uint32_t a, std::uint32_t b) {
    return static_cast<std::int32_t>(a - b) < 0;
  }
  [[nodiscard]] Entry& at(std::uint32_t number) { return entries_[number % kMost]; }

  std::array<Entry, kMost> entries_;
  // Numbers of entries: those before gone_ have been collected, those up to filled_ are here.
  std::uint32_t gone_ = 0;
  std::uint32_t third_ = 0;
  std::uint32_t second_ = 0;
  std::uint32_t filled_ = 0;
  TimePoint reached_;  // Up to where the wheel has been asked.
};

}  // namespace drip
