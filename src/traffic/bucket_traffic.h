// SPDX-License-Identifier: BSD-3-Clause
// What the sampled packets of one bucket tell.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "drip/histogram.h"
#include "drip/time.h"
#include "traffic/recent_spans.h"
#include "traffic/top_flows.h"

namespace drip::traffic {

/// Where a round trip goes from the node: to whom the bucket's packets come from, or to whom they
/// go. The latter passes the bucket, and so includes what packets wait in it.
enum class Side : std::uint8_t { kSource, kDestination };
inline constexpr std::size_t kSides = 2;

/// Round trips to one side.
struct RoundTrips {
  HistogramCounts all;
  RecentSpans recent;

  void add(Duration span, TimePoint at) {
    ++all.counts[histogram_bin(span)];
    all.sum_ns += static_cast<std::uint64_t>(span.ns);
    all.max_ns = std::max(all.max_ns, static_cast<std::uint64_t>(span.ns));
    recent.add(span, at);
  }
};

/// Bytes by flow, over windows of equal length.
class FlowWindows {
 public:
  static constexpr Duration kWindow{10'000'000'000};

  void add(const FlowKey& key, std::uint64_t bytes, TimePoint at) {
    advance(at);
    now_.add(key, bytes);
  }

  struct Reading {
    std::vector<TopFlows::Flow> flows;  ///< By what they surely sent, most first.
    std::uint64_t total_bytes = 0;
    Duration span;  ///< In which they came.

    [[nodiscard]] double bits_per_second(std::uint64_t bytes) const {
      return span.ns <= 0 ? 0 : static_cast<double>(bytes) * 8e9 / static_cast<double>(span.ns);
    }
  };
  /// Of the last window that is complete; of the first one what there is.
  [[nodiscard]] Reading read(TimePoint at) {
    advance(at);
    const bool complete = last_span_.ns > 0;
    const TopFlows& flows = complete ? last_ : now_;
    return {flows.sorted(), flows.total_bytes(), complete ? last_span_ : at - begun_};
  }

 private:
  void advance(TimePoint at) {
    if (begun_.ns == 0) begun_ = at;
    const Duration passed = at - begun_;
    if (passed < kWindow) return;
    // After a pause nothing came in the window before.
    last_ = passed < kWindow + kWindow ? now_ : TopFlows{};
    last_span_ = passed < kWindow + kWindow ? passed : kWindow;
    now_ = {};
    begun_ = at;
  }

  TopFlows now_;
  TopFlows last_;
  TimePoint begun_{};
  Duration last_span_{};
};

struct BucketTraffic {
  std::array<RoundTrips, kSides> round_trips;  ///< By Side.
  std::uint64_t segments = 0;                  ///< Of TCP that take sequence space; sampled.
  std::uint64_t retransmitted_segments = 0;    ///< Of these.
  FlowWindows flows;
  TimePoint last{};           ///< When the last sample came.
  std::uint32_t samples = 0;  ///< How many came.
};

}  // namespace drip::traffic
