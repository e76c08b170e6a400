// SPDX-License-Identifier: BSD-3-Clause
// The part of an item that the timing wheel needs, and a time that other threads may read.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>

#include "drip/time.h"

namespace drip {

/// A point in time that one thread sets and any thread may read.
class PublishedTimePoint {
 public:
  PublishedTimePoint& operator=(TimePoint at) {
    ns_.store(at.ns, std::memory_order_relaxed);
    return *this;
  }
  // NOLINTNEXTLINE(google-explicit-constructor): it is a TimePoint to whoever reads it.
  operator TimePoint() const { return TimePoint{ns_.load(std::memory_order_relaxed)}; }

 private:
  std::atomic<std::uint64_t> ns_{0};
};

/// The part of an item that the wheel needs; it lives in the item, whose hot line is being touched
/// anyway.
struct WheelHook {
  static constexpr std::uint32_t kNowhere = std::numeric_limits<std::uint32_t>::max();

  PublishedTimePoint due;  ///< Set by the caller before insert().
  /// The wheel's own: slot | 2^31 for a slot's first id, else chunk * 16 + index in it.
  std::uint32_t place = kNowhere;

  [[nodiscard]] bool scheduled() const { return place != kNowhere; }
};

}  // namespace drip
