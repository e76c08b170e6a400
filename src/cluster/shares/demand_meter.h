// SPDX-License-Identifier: BSD-3-Clause
// What a node could use of a split bucket: the mean of what arrives, and what waits.
#pragma once

#include <cstdint>
#include <optional>

#include "engine/engine.h"

namespace drip::cluster {

/// Counters of one bucket at one moment; `units` and `bytes` of all that came, admitted or not.
struct ArrivalCounts {
  std::uint64_t units = 0;
  std::uint64_t bytes = 0;
  std::uint64_t backlog = 0;
  std::uint64_t backlog_bytes = 0;
};

/// Pure, for one thread. The mean forgets what is older than about `memory` seconds. It may waver:
/// what nobody asks for is spread over all nodes anyway, and what waits counts by itself.
class DemandMeter {
 public:
  /// `seconds` since the last call; the first one only begins to count.
  void update(const ArrivalCounts& counts, double seconds, double memory);
  /// In parts of kWholeRate of `rates`, the larger one of two, at most 1000 whole rates: the mean,
  /// and so much that what waits were gone in 250 ms.
  [[nodiscard]] std::uint64_t demand(const LeasedRates& rates) const;

 private:
  std::optional<ArrivalCounts> last_;
  double units_per_second_ = 0;
  double bits_per_second_ = 0;
};

}  // namespace drip::cluster
