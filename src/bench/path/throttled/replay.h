// SPDX-License-Identifier: BSD-3-Clause
// How long single loops take by what they do, whatever the machine does meanwhile.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "bench/path/throttled/load.h"
#include "bench/path/throttled/subject.h"

namespace drip::bench {

/// Cycles of loops, each the least of several replays of it.
struct LoopTimes {
  std::uint64_t loops = 0;
  double longest = 0;
  double p999 = 0;
  double p50 = 0;
  double withheld = 0;     ///< Loops of one replay that took much longer than in the others.
  std::uint64_t left = 0;  ///< Packets, in each of the replays.
  std::uint64_t missed = 0;
};

/// dripd's whole loop (Path::kWhole), or the loop of a tree of which all leaves are children of one
/// congested root (Path::kTree), in virtual time, one each 2 us, full queues, for `seconds` of that
/// time.
/// Every replay does the same in each of its loops; the machine withholds the CPU now here and now
/// there. So the least time of a loop is its own, as long as it was let run once. `stall`: every 10
/// ms so much time passes at once, as when the machine stalls: what has become due meanwhile is
/// caught up.
[[nodiscard]] absl::StatusOr<LoopTimes> replay_loops(Path path, const Load& load, double seconds,
                                                     Duration stall);

}  // namespace drip::bench
