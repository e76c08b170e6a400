// SPDX-License-Identifier: BSD-3-Clause
// What the control benchmark found: series of runs, printed for people and as JSON.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "nlohmann/json.hpp"

namespace drip::bench {

/// The same figure of several runs.
class Series {
 public:
  void add(double value) { values_.push_back(value); }
  [[nodiscard]] bool empty() const { return values_.empty(); }
  [[nodiscard]] double median() const {
    std::vector<double> sorted = values_;
    std::ranges::sort(sorted);
    const std::size_t middle = sorted.size() / 2;
    if (sorted.empty()) return 0;
    return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }
  [[nodiscard]] double least() const { return values_.empty() ? 0 : *std::ranges::min_element(values_); }
  [[nodiscard]] double most() const { return values_.empty() ? 0 : *std::ranges::max_element(values_); }

 private:
  std::vector<double> values_;
};

/// Rows of one case, in the order in which they were measured. Each row is a name and figures.
class ControlReport {
 public:
  /// Adds a figure to the row of this case, which is made at its first figure. The unit is a part
  /// of the figure's name.
  void add(const std::string& test_case, const std::string& row, const std::string& figure,
           double value);
  void add(const std::string& test_case, const std::string& row, const std::string& figure,
           const Series& series);
  /// What is to be known beside the figures.
  void note(const std::string& test_case, std::string text);

  void print() const;
  /// {"cases": [{"name", "notes", "rows": [{"name", "figures": {figure: {median, min, max}}}]}]}
  [[nodiscard]] nlohmann::ordered_json json() const { return json_; }

 private:
  nlohmann::ordered_json& figures(const std::string& test_case, const std::string& row);
  nlohmann::ordered_json& case_of(const std::string& test_case);

  nlohmann::ordered_json json_ = {{"cases", nlohmann::ordered_json::array()}};
};

}  // namespace drip::bench
