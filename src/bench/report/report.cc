// SPDX-License-Identifier: BSD-3-Clause
// Prints and writes rows.
#include "bench/report/report.h"

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "fmt/format.h"

namespace drip::bench {
namespace {

std::string text_of(double value) {
  const double size = value < 0 ? -value : value;
  if (size != 0 && size < 0.01) return fmt::format("{:.2g}", value);
  if (size < 100) return fmt::format("{:.2f}", value);
  return fmt::format("{:.0f}", value);
}

}  // namespace

double Samples::median() const {
  if (values_.empty()) return 0;
  std::vector<double> sorted = values_;
  std::sort(sorted.begin(), sorted.end());
  const std::size_t middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
double Samples::low() const {
  return values_.empty() ? 0 : *std::min_element(values_.begin(), values_.end());
}
double Samples::high() const {
  return values_.empty() ? 0 : *std::max_element(values_.begin(), values_.end());
}

Report::Report(std::string_view bench) {
  document_["bench"] = bench;
  document_["context"] = nlohmann::ordered_json::object();
  document_["rows"] = nlohmann::ordered_json::array();
}

Report& Report::row(Keys keys) {
  row_ = nlohmann::ordered_json::object();
  std::string line;
  for (const auto& [key, value] : keys) {
    row_[std::string(key)] = value;
    line += fmt::format("{:<14} ", value.is_string() ? value.get<std::string>() : value.dump());
  }
  fmt::print("{}", line);
  return *this;
}

Report& Report::figure(std::string_view name, const Samples& samples) {
  row_[std::string(name)] = {
      {"median", samples.median()}, {"low", samples.low()}, {"high", samples.high()}};
  fmt::print(" {} {} ({} to {})", name, text_of(samples.median()), text_of(samples.low()),
             text_of(samples.high()));
  return *this;
}

Report& Report::figure(std::string_view name, double value) {
  row_[std::string(name)] = value;
  fmt::print(" {} {}", name, text_of(value));
  return *this;
}

Report& Report::series(std::string_view name, const nlohmann::ordered_json& values) {
  row_[std::string(name)] = values;
  return *this;
}

void Report::end_row() {
  document_["rows"].push_back(row_);
  fmt::print("\n");
  (void)std::fflush(stdout);
}

absl::Status Report::write(const std::string& path) const {
  if (path.empty()) return absl::OkStatus();
  std::ofstream file(path);
  file << document_.dump(1) << "\n";
  file.flush();
  if (!file) return absl::UnavailableError(fmt::format("--json: cannot write {}", path));
  return absl::OkStatus();
}

}  // namespace drip::bench
