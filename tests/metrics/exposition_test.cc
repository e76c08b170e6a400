// SPDX-License-Identifier: BSD-3-Clause
#include "metrics/exposition.h"

#include <gtest/gtest.h>

#include <limits>

#include "metrics/families/latency_family.h"

namespace drip::metrics {
namespace {

std::vector<MetricFamily> some_families() {
  MetricFamily sent{"drip_sent_bytes_total", "Bytes.", kCounter, {}};
  add(sent, {{"bucket", "a\"b\\c\nd"}, {"reason", "full"}}, 9'007'199'254'740'991.0);
  add(sent, {{"bucket", "e"}}, 0);
  MetricFamily drift{"drip_drift_ratio", "Drift.", kGauge, {}};
  add(drift, -2.5e-7);
  MetricFamily odd{"drip_odd", "Odd.", kGauge, {}};
  add(odd, {{"of", "inf"}}, std::numeric_limits<double>::infinity());
  add(odd, {{"of", "nan"}}, std::numeric_limits<double>::quiet_NaN());
  add(odd, {{"of", "much"}}, 1e300);
  MetricFamily late{"drip_late_seconds", "Late.", kHistogram, {}};
  HistogramCounts counts;
  counts.counts[0] = 3;
  counts.sum_ns = 1500;
  constexpr unsigned kBounds[] = {10, 30};
  add_latency(late, {{"lcore", "0"}}, counts, kBounds);
  return {sent, drift, odd, late};
}

TEST(Exposition, PrometheusText) {
  EXPECT_EQ(write_families(some_families(), TextFormat::kPrometheus),
            R"(# HELP drip_sent_bytes_total Bytes.
# TYPE drip_sent_bytes_total counter
drip_sent_bytes_total{bucket="a\"b\\c\nd",reason="full"} 9007199254740991
drip_sent_bytes_total{bucket="e"} 0
# HELP drip_drift_ratio Drift.
# TYPE drip_drift_ratio gauge
drip_drift_ratio -2.5e-07
# HELP drip_odd Odd.
# TYPE drip_odd gauge
drip_odd{of="inf"} +Inf
drip_odd{of="nan"} NaN
drip_odd{of="much"} 1e+300
# HELP drip_late_seconds Late.
# TYPE drip_late_seconds histogram
drip_late_seconds_bucket{lcore="0",le="1.023e-06"} 3
drip_late_seconds_bucket{lcore="0",le="1.073741823"} 3
drip_late_seconds_bucket{lcore="0",le="+Inf"} 3
drip_late_seconds_sum{lcore="0"} 1.5e-06
drip_late_seconds_count{lcore="0"} 3
)");
}

TEST(Exposition, OpenMetricsNamesCountersWithoutTotalAndHasAnEnd) {
  const std::string text = write_families(some_families(), TextFormat::kOpenMetrics);
  EXPECT_EQ(text.substr(0, text.find("\ndrip_drift"))
                .find("# HELP drip_sent_bytes Bytes.\n"
                      "# TYPE drip_sent_bytes counter\n"
                      "drip_sent_bytes_total{"),
            0U);
  EXPECT_TRUE(text.ends_with("} 3\n# EOF\n"));
}

TEST(Exposition, TheClientChoosesTheFormat) {
  EXPECT_EQ(format_accepted(""), TextFormat::kPrometheus);
  EXPECT_EQ(format_accepted("text/plain;version=0.0.4"), TextFormat::kPrometheus);
  EXPECT_EQ(format_accepted("application/openmetrics-text;version=1.0.0,text/plain;q=0.5"),
            TextFormat::kOpenMetrics);
}

}  // namespace
}  // namespace drip::metrics
