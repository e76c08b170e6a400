// SPDX-License-Identifier: BSD-3-Clause
#include "metrics/families/family.h"

#include <iterator>

namespace drip::metrics {

std::vector<MetricFamily> Families::take() {
  std::vector<MetricFamily> taken;
  for (MetricFamily& family : families_) {
    if (!family.metric.empty()) taken.push_back(std::move(family));
  }
  families_.clear();
  return taken;
}

void add(MetricFamily& family, Labels labels, double value) {
  ClientMetric& metric = family.metric.emplace_back();
  metric.label = std::move(labels);
  if (family.type == kCounter) {
    metric.counter.value = value;
  } else {
    metric.gauge.value = value;
  }
}

}  // namespace drip::metrics
