// SPDX-License-Identifier: BSD-3-Clause
// Since when a queue that is not first in, first out has had something, in O(1).
#pragma once

#include <cstdint>

#include "drip/time.h"

namespace drip {

/// A leaky bucket's service begins at max(arrival, end of the last service), of the unit that has
/// waited longest: an idle server accumulates no credit. Where packets depart in another order the
/// oldest is not known. This knows a time by which it had arrived, never too early, so that no
/// credit is given: waiting packets are counted that had arrived by the first of two marks. When
/// none is left the second mark becomes the first, and the newest arrival the second. So the first
/// mark lies at least one generation of packets in the past. If nothing has arrived for a while,
/// which is the case where a polling thread was held up, the second mark moves to the arrival
/// before that: then all are counted that had arrived by then, and the time is made up for.
class ArrivalMarks {
 public:
  /// A packet arrives; `others` wait.
  void arrive(TimePoint now, std::uint32_t others) {
    if (others == 0) {
      first_ = second_ = now;
      by_first_ = 1;
      by_second_ = 0;
    } else if (now - newest_ > kGap) {
      second_ = newest_;
      by_second_ = others - by_first_;
    }
    newest_ = now;
  }
  /// A packet that arrived at `arrival` is taken; `left` others wait.
  void take(TimePoint arrival, std::uint32_t left) {
    if (arrival <= first_) {
      by_first_ -= static_cast<std::uint32_t>(by_first_ > 0);
    } else if (arrival <= second_) {
      by_second_ -= static_cast<std::uint32_t>(by_second_ > 0);
    }
    if (by_first_ > 0) return;
    first_ = second_;
    by_first_ = by_second_;
    second_ = newest_;
    by_second_ = left - by_first_;
    if (by_first_ > 0) return;
    first_ = second_;
    by_first_ = by_second_;
    by_second_ = 0;
  }
  /// By then the oldest packet had arrived. REQUIRES: one waits.
  [[nodiscard]] TimePoint since() const { return first_; }
  /// When the last one arrived.
  [[nodiscard]] TimePoint newest() const { return newest_; }

 private:
  // Some loops of a polling thread.
  static constexpr Duration kGap{2'000};

  TimePoint first_;
  TimePoint second_;
  TimePoint newest_;
  std::uint32_t by_first_ = 0;   // Of those that wait, how many had arrived by the first mark,
  std::uint32_t by_second_ = 0;  // and how many more by the second one.
};

}  // namespace drip
