// SPDX-License-Identifier: BSD-3-Clause
// Output to stdout: messages of the API as JSON, aligned tables, quantities with units.
#pragma once

#include <google/protobuf/message.h>

#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace drip::cli {

// The message with its field names in the order of the .proto. 64-bit integers are numbers, where
// Protobuf's JSON has strings; enums are names. A field without presence is always there, a field
// with presence only if it is set.
nlohmann::ordered_json to_json(const google::protobuf::Message& message);

void print(const nlohmann::ordered_json& json);
void print(const google::protobuf::Message& message);
void print_line(const std::string& line);
// To standard error, a line each.
void print_warnings(const google::protobuf::RepeatedPtrField<std::string>& warnings);

// A table whose columns are as wide as their widest cell.
class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kRight;
    // For tables that are printed one after the other and should line up.
    std::size_t least_width = 0;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // REQUIRES: one cell for each column.
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  void print(bool with_titles = true) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// Lines of a name and a value, for `show`.
class Properties {
 public:
  void add(const std::string& name, const std::string& value) { table_.add({name, value}); }
  void print() const { table_.print(false); }

 private:
  Table table_{{{"", Table::Align::kLeft}, {"", Table::Align::kLeft}}};
};

// Local time with milliseconds; format_time() returns "never" for 0.
std::string format_time(std::int64_t milliseconds_since_epoch);
std::string format_time_of_day(std::int64_t milliseconds_since_epoch);
// Measured values, rounded to four digits.
std::string brief_duration(std::uint64_t nanoseconds);
std::string brief_bytes(std::uint64_t bytes);
// "-" for an empty text.
std::string or_dash(const std::string& text);
std::string yes_or_no(bool value);

}  // namespace drip::cli
