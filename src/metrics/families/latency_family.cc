// SPDX-License-Identifier: BSD-3-Clause
#include "metrics/families/latency_family.h"

#include <limits>

namespace drip::metrics {
namespace {

// Counts are read one after another while their thread adds to them, and a histogram may start
// later than its owner's count of events. Far below the 2^32 of a wrap.
constexpr std::uint64_t kReadingSlack = std::uint64_t{1} << 26;

}  // namespace

void add_latency(MetricFamily& family, Labels labels, const HistogramCounts& counts,
                 std::span<const unsigned> bounds) {
  ClientMetric& metric = family.metric.emplace_back();
  metric.label = std::move(labels);
  ClientMetric::Histogram& histogram = metric.histogram;
  histogram.bucket.reserve(bounds.size() + 1);
  std::uint64_t below = 0;
  std::size_t bin = 0;
  for (const unsigned power : bounds) {
    // Bin i ends at 2^(i + 1 + kHistogramFirstBit) ns.
    for (; bin + 1 + kHistogramFirstBit <= power && bin + 1 < kHistogramBins; ++bin) {
      below += counts.counts[bin];
    }
    histogram.bucket.push_back({below, bound_seconds(power)});
  }
  for (; bin < kHistogramBins; ++bin) below += counts.counts[bin];
  histogram.bucket.push_back({below, std::numeric_limits<double>::infinity()});
  histogram.sample_count = below;
  histogram.sample_sum = seconds_of_ns(number(counts.sum_ns));
}

const HistogramCounts& WideHistogram::update(const HistogramCounts& counts, std::uint64_t events) {
  HistogramCounts next = wide_;
  std::uint64_t added = 0;
  for (std::size_t i = 0; i < kHistogramBins; ++i) {
    const auto difference = static_cast<std::uint32_t>(counts.counts[i] - last_.counts[i]);
    next.counts[i] += difference;
    added += difference;
  }
  const bool same = counts.sum_ns >= last_.sum_ns && events >= last_events_ &&
                    added <= events - last_events_ + kReadingSlack;
  wide_ = same ? next : counts;
  wide_.sum_ns = counts.sum_ns;
  wide_.max_ns = counts.max_ns;
  last_ = counts;
  last_events_ = events;
  return wide_;
}

}  // namespace drip::metrics
