// SPDX-License-Identifier: BSD-3-Clause
// Converts TSC counts to nanoseconds by a straight line, which is bent towards a reference clock.
#pragma once

#include <algorithm>
#include <cstdint>

#include "drip/time.h"

namespace drip::datapath {

/// ns = origin_ns + (tsc - origin_tsc) * ns_per_tick. The slope has 60 fraction bits, which is
/// exact to 1 part in 10^17 and allows TSCs down to 62.5 MHz. TSC differences are modulo 2^64, so
/// the TSC may wrap.
struct TscLine {
  std::uint64_t origin_tsc = 0;
  std::uint64_t origin_ns = 0;
  std::uint64_t slope = 0;  ///< ns a tick * 2^60.

  static constexpr int kSlopeBits = 60;
  /// The largest correction of the rate; no bucket's rate is off by more.
  static constexpr double kMaxBend = 500e-6;

  static TscLine through(std::uint64_t tsc, std::uint64_t ns, double tsc_hz) {
    return {tsc, ns,
            static_cast<std::uint64_t>(1e9 / tsc_hz * static_cast<double>(1ULL << kSlopeBits))};
  }

  [[nodiscard]] TimePoint at(std::uint64_t tsc) const {
    // Signed: another core's TSC may be a few ticks behind the one that set the origin.
    const auto product = static_cast<Int128>(static_cast<std::int64_t>(tsc - origin_tsc)) *
                         static_cast<Int128>(slope);
    return {origin_ns + static_cast<std::uint64_t>(product >> kSlopeBits)};
  }

  /// A line that continues this one at `tsc` without a jump and has the rate `tsc_hz`, corrected so
  /// that `ahead` (this line minus the reference at present) vanishes within `horizon`.
  [[nodiscard]] TscLine bent_at(std::uint64_t tsc, double tsc_hz, Duration ahead,
                                Duration horizon) const {
    const double bend = std::clamp(-static_cast<double>(ahead.ns) / static_cast<double>(horizon.ns),
                                   -kMaxBend, kMaxBend);
    TscLine line = through(tsc, at(tsc).ns, tsc_hz);
    line.slope = static_cast<std::uint64_t>(static_cast<double>(line.slope) * (1 + bend));
    return line;
  }
};

}  // namespace drip::datapath
