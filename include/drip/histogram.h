// SPDX-License-Identifier: BSD-3-Clause
// A histogram of time spans in powers of two: one writer, readers who do not disturb it.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "drip/counter.h"
#include "drip/time.h"

namespace drip {

inline constexpr std::size_t kHistogramBins = 28;
/// Bin i counts [2^(i+6), 2^(i+7)) ns; the first takes all below 128 ns, the last all from 2^33 ns
/// (8.6 s) on.
inline constexpr unsigned kHistogramFirstBit = 6;

[[nodiscard]] constexpr std::size_t histogram_bin(Duration span) {
  if (span.ns < (std::int64_t{2} << kHistogramFirstBit)) return 0;
  const auto width = static_cast<std::size_t>(std::bit_width(static_cast<std::uint64_t>(span.ns)));
  return std::min(width - 1 - kHistogramFirstBit, kHistogramBins - 1);
}

/// What a reader takes of a histogram; sums of several are made by adding their counts.
struct HistogramCounts {
  std::array<std::uint64_t, kHistogramBins> counts{};
  std::uint64_t sum_ns = 0;
  std::uint64_t max_ns = 0;

  HistogramCounts& operator+=(const HistogramCounts& other) {
    for (std::size_t i = 0; i < kHistogramBins; ++i) counts[i] += other.counts[i];
    sum_ns += other.sum_ns;
    max_ns = std::max(max_ns, other.max_ns);
    return *this;
  }
  [[nodiscard]] std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (const auto count : counts) sum += count;
    return sum;
  }
  /// The span below which a `fraction` (0 to 1) of all lies, by linear interpolation within its bin
  /// and never above the maximum seen; 0 if nothing was counted.
  [[nodiscard]] std::uint64_t quantile_ns(double fraction) const {
    const double wanted = fraction * static_cast<double>(total());
    double below = 0;
    for (std::size_t i = 0; i < kHistogramBins; ++i) {
      const auto here = static_cast<double>(counts[i]);
      if (here > 0 && below + here >= wanted) {
        const double low = i == 0 ? 0 : static_cast<double>(1ULL << (i + kHistogramFirstBit));
        // The last bin has no end of its own.
        const auto high = static_cast<double>(std::max(1ULL << (i + kHistogramFirstBit + 1),
                                                       i + 1 == kHistogramBins ? max_ns : 0ULL));
        const double at = low + (high - low) * std::max(0.0, wanted - below) / here;
        return std::min(static_cast<std::uint64_t>(at), max_ns);
      }
      below += here;
    }
    return max_ns;
  }
};

/// Counts of 32 bits wrap after 4 billion of a kind; a reader that adds differences does not mind.
class Histogram {
 public:
  [[gnu::always_inline]] void record(Duration span) {
    const Duration clamped{std::max<std::int64_t>(span.ns, 0)};
    counts_[histogram_bin(clamped)].add(1);
    sum_ns_.add(static_cast<std::uint64_t>(clamped.ns));
    max_ns_.raise_to(static_cast<std::uint64_t>(clamped.ns));
  }
  [[nodiscard]] HistogramCounts read() const {
    HistogramCounts result;
    for (std::size_t i = 0; i < kHistogramBins; ++i) result.counts[i] = counts_[i].get();
    result.sum_ns = sum_ns_.get();
    result.max_ns = max_ns_.get();
    return result;
  }

 private:
  // 16 + 28 * 4 bytes: two cache lines.
  Counter sum_ns_;
  Counter max_ns_;
  std::array<BasicCounter<std::uint32_t>, kHistogramBins> counts_;
};

static_assert(sizeof(Histogram) == 128);

}  // namespace drip
