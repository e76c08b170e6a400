// SPDX-License-Identifier: BSD-3-Clause
// A node's demand for a bucket's rate: the mean of what arrives, and the backlog.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/engine.h"

namespace drip::cluster {

/// Pure, for one thread. The mean covers about the last `memory` seconds. It may fluctuate: unused
/// rate is spread over all nodes anyway, and the backlog counts by itself.
class DemandMeter {
 public:
  /// `seconds` since the last call; the first one only begins to count.
  void update(const ArrivalCounts& counts, double seconds, double memory);
  /// In parts of kWholeRate of `rates`, the larger one of two, at most 1000 whole rates: the mean,
  /// plus the rate that empties the backlog in 250 ms. Of the root of a tree, whose backlog is not
  /// counted: the mean of what departs, and the whole rate for the part of the time in which
  /// something waits.
  [[nodiscard]] std::uint64_t demand(const LeasedRates& rates) const;

 private:
  std::optional<ArrivalCounts> last_;
  double units_per_second_ = 0;
  double bits_per_second_ = 0;
  double waiting_ = 0;  // Part of the time.
};

}  // namespace drip::cluster
