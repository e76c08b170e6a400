// SPDX-License-Identifier: BSD-3-Clause
// What tests look up in the families of a scrape.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "metrics/families/family.h"

namespace drip::metrics {

using LabelList = std::vector<std::pair<std::string, std::string>>;

/// The series of this family that has these labels among its own; null if there is none.
inline const ClientMetric* find_series(const std::vector<MetricFamily>& families,
                                       const std::string& name, const LabelList& labels = {}) {
  for (const MetricFamily& family : families) {
    if (family.name != name) continue;
    for (const ClientMetric& metric : family.metric) {
      std::size_t found = 0;
      for (const ClientMetric::Label& label : metric.label) {
        for (const auto& [key, value] : labels) found += label.name == key && label.value == value;
      }
      if (found == labels.size()) return &metric;
    }
  }
  return nullptr;
}

/// Of a counter or gauge; none if there is no such series.
inline std::optional<double> value_of(const std::vector<MetricFamily>& families,
                                      const std::string& name, const LabelList& labels = {}) {
  const ClientMetric* const metric = find_series(families, name, labels);
  if (metric == nullptr) return std::nullopt;
  for (const MetricFamily& family : families) {
    if (family.name == name && family.type == kCounter) return metric->counter.value;
  }
  return metric->gauge.value;
}

inline bool has_family(const std::vector<MetricFamily>& families, const std::string& name) {
  return find_series(families, name) != nullptr;
}

}  // namespace drip::metrics
