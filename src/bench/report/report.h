// SPDX-License-Identifier: BSD-3-Clause
// Results: a line each for people as they come, and all of them as JSON at the end.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "nlohmann/json.hpp"

namespace drip::bench {

/// The same figure from several interleaved runs.
class Samples {
 public:
  void add(double value) { values_.push_back(value); }
  [[nodiscard]] bool empty() const { return values_.empty(); }
  /// 0 without values, as are low() and high().
  [[nodiscard]] double median() const;
  [[nodiscard]] double low() const;
  [[nodiscard]] double high() const;

 private:
  std::vector<double> values_;
};

/// Collects rows. A row has keys (what was measured) and figures (what came out).
class Report {
 public:
  using Keys = std::initializer_list<std::pair<std::string_view, nlohmann::ordered_json>>;

  explicit Report(std::string_view bench);

  /// What the figures depend on: machine, memory, options.
  void context(std::string_view key, const nlohmann::ordered_json& value) {
    document_["context"][std::string(key)] = value;
  }
  /// Begins a row and prints its keys.
  Report& row(Keys keys);
  /// Adds to the row: the median with its range, or a single value.
  Report& figure(std::string_view name, const Samples& samples);
  Report& figure(std::string_view name, double value);
  /// Adds to the row without printing it: curves, histograms.
  Report& series(std::string_view name, const nlohmann::ordered_json& values);
  void end_row();

  /// Writes the JSON; to a file, or nowhere if `path` is empty.
  [[nodiscard]] absl::Status write(const std::string& path) const;

 private:
  nlohmann::ordered_json document_;
  nlohmann::ordered_json row_;
};

}  // namespace drip::bench
