// SPDX-License-Identifier: BSD-3-Clause
// The last time spans of a kind, for their quantiles.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "drip/time.h"

namespace drip::traffic {

/// Up to kMost time spans of the last kAge, in microseconds: at most 71 minutes.
class RecentSpans {
 public:
  static constexpr std::size_t kMost = 64;
  static constexpr Duration kAge{60'000'000'000};

  void add(Duration span, TimePoint at) {
    const std::int64_t us = std::clamp<std::int64_t>(span.ns / 1000, 0, UINT32_MAX);
    values_[added_++ % kMost] = {at, static_cast<std::uint32_t>(us)};
  }
  /// Those not older than kAge at `now`, in ascending order.
  [[nodiscard]] std::vector<std::uint32_t> sorted_us(TimePoint now) const {
    return sorted_if([now](TimePoint at) { return now - at <= kAge; });
  }
  /// Those that were added with a time from `begin` on and before `end`, in ascending order.
  [[nodiscard]] std::vector<std::uint32_t> sorted_us_between(TimePoint begin, TimePoint end) const {
    return sorted_if([begin, end](TimePoint at) { return begin <= at && at < end; });
  }

 private:
  template <class IsWanted>
  [[nodiscard]] std::vector<std::uint32_t> sorted_if(IsWanted is_wanted) const {
    std::vector<std::uint32_t> spans;
    for (std::size_t i = 0; i < std::min(added_, kMost); ++i) {
      if (is_wanted(values_[i].at)) spans.push_back(values_[i].us);
    }
    std::ranges::sort(spans);
    return spans;
  }

  struct Value {
    TimePoint at;
    std::uint32_t us = 0;
  };
  std::array<Value, kMost> values_{};
  std::size_t added_ = 0;
};

}  // namespace drip::traffic
