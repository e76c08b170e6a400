// SPDX-License-Identifier: BSD-3-Clause
// Tables and times; the conversion to JSON is in message_json.cc.
#include "cli/output/output.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/quantity.h"

namespace drip::cli {

void print_warnings(const google::protobuf::RepeatedPtrField<std::string>& warnings) {
  for (const std::string& warning : warnings) std::cerr << "warning: " << warning << "\n";
}

void print_line(const std::string& line) {
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
}

void print(const nlohmann::ordered_json& json) {
  // Text that is not UTF-8 is replaced, so that the rest is still shown.
  print_line(json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

void print(const google::protobuf::Message& message) { print(to_json(message)); }

void Table::print(bool with_titles) const {
  std::vector<std::vector<std::string>> lines;
  if (with_titles) {
    std::vector<std::string>& titles = lines.emplace_back();
    for (const Column& column : columns_) titles.push_back(column.title);
  }
  lines.insert(lines.end(), rows_.begin(), rows_.end());
  std::vector<std::size_t> widths;
  for (const Column& column : columns_) widths.push_back(column.least_width);
  for (const auto& cells : lines) {
    for (std::size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], cells[i].size());
  }
  for (const auto& cells : lines) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (i > 0) line += "  ";
      const char* const format = columns_[i].align == Align::kLeft ? "{:<{}}" : "{:>{}}";
      line += fmt::format(fmt::runtime(format), cells[i], widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    print_line(line);
  }
}

std::string format_time(std::int64_t milliseconds_since_epoch) {
  if (milliseconds_since_epoch == 0) return "never";
  return fmt::format("{:%Y-%m-%d} {}", fmt::localtime(milliseconds_since_epoch / 1000),
                     format_time_of_day(milliseconds_since_epoch));
}

std::string format_time_of_day(std::int64_t milliseconds_since_epoch) {
  return fmt::format("{:%H:%M:%S}.{:03}", fmt::localtime(milliseconds_since_epoch / 1000),
                     milliseconds_since_epoch % 1000);
}

std::string brief_duration(std::uint64_t nanoseconds) {
  return format_duration(std::chrono::nanoseconds(nanoseconds), 4);
}

std::string brief_bytes(std::uint64_t bytes) { return format_bytes(bytes, 4); }

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

std::string yes_or_no(bool value) { return value ? "yes" : "no"; }

}  // namespace drip::cli
