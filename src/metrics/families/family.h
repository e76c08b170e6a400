// SPDX-License-Identifier: BSD-3-Clause
// A metric family as it is described, and the families of one scrape as they are filled.
#pragma once

#include <prometheus/client_metric.h>
#include <prometheus/metric_family.h>

#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace drip::metrics {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using Labels = std::vector<ClientMetric::Label>;

/// What does not change from scrape to scrape. Units are base units (seconds, bytes, ratio), as
/// Prometheus's "Metric and label naming" asks for.
struct FamilySpec {
  const char* name;
  prometheus::MetricType type;
  const char* unit;    ///< For the page of metrics: "bytes", "packets", "seconds".
  const char* labels;  ///< The same: "bucket, reason"; empty: none.
  const char* help;    ///< One line, without quotes and backslashes.
};

inline constexpr prometheus::MetricType kCounter = prometheus::MetricType::Counter;
inline constexpr prometheus::MetricType kGauge = prometheus::MetricType::Gauge;
inline constexpr prometheus::MetricType kHistogram = prometheus::MetricType::Histogram;

/// The families of one scrape, in the order in which they were begun.
class Families {
 public:
  /// The reference is valid until take().
  MetricFamily& begin(const FamilySpec& spec) {
    return families_.emplace_back(MetricFamily{spec.name, spec.help, spec.type, {}});
  }
  /// Those that have at least one series: what nobody knows is left out.
  [[nodiscard]] std::vector<MetricFamily> take();

 private:
  std::deque<MetricFamily> families_;
};

/// Adds a series to a family of counters or gauges.
void add(MetricFamily& family, Labels labels, double value);
inline void add(MetricFamily& family, double value) { add(family, {}, value); }

/// 64-bit counts are exact in a double up to 2^53.
template <class Integer>
[[nodiscard]] constexpr double number(Integer value) {
  return static_cast<double>(value);
}
[[nodiscard]] constexpr double seconds_of_ns(double ns) { return ns / 1e9; }

}  // namespace drip::metrics
