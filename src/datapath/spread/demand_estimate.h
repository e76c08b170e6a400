// SPDX-License-Identifier: BSD-3-Clause
// How much of a spread root's rate one transmitter could use, by what departed there and whether
// something waits.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>

#include "datapath/spread/spread_root.h"

namespace drip::datapath {

/// The bytes that wait below a root are counted nowhere, for a packet that joins a queue touches no
/// ancestor. So demand is found by trying. A transmitter that uses up its share and still has
/// packets claims more, and each time twice as much more; one that does not claims what it has used
/// lately and little beyond, so that it holds nearly nothing that others could use. What it lacks
/// then waits meanwhile and is sent soon after: so the rate is used, and the delay is some
/// intervals. Pure, for one thread.
class DemandEstimate {
 public:
  /// Intervals that the mean of what was used covers.
  static constexpr std::size_t kIntervals = 8;

  /// All but the last in parts of the whole, as rates over the interval.
  struct Interval {
    std::uint64_t used = 0;
    std::uint64_t unit = 0;  ///< What one more unit would have been.
    std::uint64_t held = 0;
    bool waits = false;  ///< At its end something waits for the share, and not for the thread.
  };
  /// What it could use, 0 to kWholeShare.
  std::uint64_t update(const Interval& interval) {
    // What ends all at once is not to be held for as long as the mean remembers it.
    if (interval.used * kIntervals < mean()) used_.fill(interval.used);
    used_[next_++ % kIntervals] = interval.used;
    // Of bursts something may wait for a moment; a thread that was stopped has not used its share.
    const bool used_up = interval.used + interval.unit >= interval.held - interval.held / 8;
    const bool is_short = interval.waits && (used_up || waited_);
    waited_ = interval.waits;
    if (is_short) {
      growth_ = std::min(std::max(2 * growth_, kWholeShare / 64), kWholeShare);
      return std::min(std::max(mean(), interval.held) + growth_, kWholeShare);
    }
    growth_ = 0;
    return std::min(mean() + mean() / 32 + kWholeShare / 256, kWholeShare);
  }

 private:
  [[nodiscard]] std::uint64_t mean() const {
    return std::accumulate(used_.begin(), used_.end(), std::uint64_t{0}) / kIntervals;
  }

  std::array<std::uint64_t, kIntervals> used_{};
  std::size_t next_ = 0;
  std::uint64_t growth_ = 0;
  bool waited_ = false;  // At the end of the interval before.
};

}  // namespace drip::datapath
