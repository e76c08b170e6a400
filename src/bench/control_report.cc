// SPDX-License-Identifier: BSD-3-Clause
// Gathers and prints the control benchmark's figures.
#include "bench/control_report.h"

#include <cmath>

#include "fmt/format.h"

namespace drip::bench {
namespace {

nlohmann::ordered_json& named(nlohmann::ordered_json& list, const std::string& name,
                              const nlohmann::ordered_json& fresh) {
  for (auto& item : list) {
    if (item["name"] == name) return item;
  }
  list.push_back(fresh);
  list.back()["name"] = name;
  return list.back();
}

// Three significant digits, or all before the point.
std::string text_of(double value) {
  if (value != 0 && std::abs(value) < 100) return fmt::format("{:.3g}", value);
  return fmt::format("{:.0f}", value);
}

}  // namespace

nlohmann::ordered_json& ControlReport::case_of(const std::string& test_case) {
  return named(json_["cases"], test_case,
               {{"name", ""}, {"notes", nlohmann::ordered_json::array()},
                {"rows", nlohmann::ordered_json::array()}});
}

nlohmann::ordered_json& ControlReport::figures(const std::string& test_case,
                                               const std::string& row) {
  return named(case_of(test_case)["rows"], row,
               {{"name", ""}, {"figures", nlohmann::ordered_json::object()}})["figures"];
}

void ControlReport::add(const std::string& test_case, const std::string& row,
                        const std::string& figure, double value) {
  figures(test_case, row)[figure] = {{"median", value}, {"min", value}, {"max", value}};
}

void ControlReport::add(const std::string& test_case, const std::string& row,
                        const std::string& figure, const Series& series) {
  figures(test_case, row)[figure] = {
      {"median", series.median()}, {"min", series.least()}, {"max", series.most()}};
}

void ControlReport::note(const std::string& test_case, std::string text) {
  case_of(test_case)["notes"].push_back(std::move(text));
}

void ControlReport::print() const {
  for (const auto& test_case : json_["cases"]) {
    fmt::print("\n== {}\n", test_case["name"].get<std::string>());
    for (const auto& note : test_case["notes"]) fmt::print("   {}\n", note.get<std::string>());
    for (const auto& row : test_case["rows"]) {
      fmt::print("{}\n", row["name"].get<std::string>());
      for (const auto& [name, figure] : row["figures"].items()) {
        const double least = figure["min"];
        const double most = figure["max"];
        const std::string range =
            least == most ? "" : fmt::format("   ({} to {})", text_of(least), text_of(most));
        fmt::print("    {:<40} {:>12}{}\n", name, text_of(figure["median"]), range);
      }
    }
  }
}

}  // namespace drip::bench
