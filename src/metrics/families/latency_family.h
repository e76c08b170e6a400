// SPDX-License-Identifier: BSD-3-Clause
// Latency histograms as Prometheus has them: cumulative, in seconds, with bounds that never change.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "drip/histogram.h"
#include "metrics/families/family.h"

namespace drip::metrics {

/// The powers of two, in nanoseconds, of which the bounds are one nanosecond below: spans are whole
/// nanoseconds and are counted between powers of two, so a count of spans up to such a bound is
/// exact. A factor of 4 from bound to bound: 1.023 us, 4.095 us, ... 4.294967295 s.
inline constexpr std::array<unsigned, 12> kCoarseBounds = {10, 12, 14, 16, 18, 20,
                                                           22, 24, 26, 28, 30, 32};
/// A factor of 2, for families of few series: 127 ns to 8.589934591 s.
inline constexpr std::array<unsigned, 27> kFineBounds = {7,  8,  9,  10, 11, 12, 13, 14, 15,
                                                         16, 17, 18, 19, 20, 21, 22, 23, 24,
                                                         25, 26, 27, 28, 29, 30, 31, 32, 33};

/// The bound of one of the above, in seconds.
[[nodiscard]] constexpr double bound_seconds(unsigned power) {
  return static_cast<double>((std::uint64_t{1} << power) - 1) / 1e9;
}

/// Adds a series of cumulative counts up to each bound. The sum is that of all spans, to the
/// nanosecond.
void add_latency(MetricFamily& family, Labels labels, const HistogramCounts& counts,
                 std::span<const unsigned> bounds);

/// The counts of a histogram as they would be if its bins had 64 bits: they have 32 and wrap after
/// 4 billion spans, which Prometheus would take for a restart. Right as long as fewer than 4
/// billion spans of a bin come from one scrape to the next.
class WideHistogram {
 public:
  /// `events`: how many spans the histogram's owner has counted in 64 bits. Where these or the sum
  /// of spans have become less, or less than the bins tell, it is the histogram of another bucket.
  const HistogramCounts& update(const HistogramCounts& counts, std::uint64_t events);

 private:
  HistogramCounts wide_;
  HistogramCounts last_;
  std::uint64_t last_events_ = 0;
};

}  // namespace drip::metrics
