// SPDX-License-Identifier: BSD-3-Clause
// Values of TOML nodes, and errors with their line and column.
#include "daemon/toml_section.h"

#include <utility>

#include "fmt/format.h"

namespace drip::daemon {
namespace {

absl::Status check_is_list(const toml::node& node, const std::string& field, const char* of_what) {
  if (node.is_array()) return absl::OkStatus();
  return toml_error(node.source(), field, fmt::format("a list of {} is needed", of_what));
}

}  // namespace

absl::Status toml_error(const toml::source_region& where, const std::string& field,
                        const std::string& reason) {
  const std::string file = where.path != nullptr ? *where.path : "";
  if (!where.begin) {
    return absl::InvalidArgumentError(fmt::format("{}: {}: {}", file, field, reason));
  }
  return absl::InvalidArgumentError(
      fmt::format("{}:{}:{}: {}: {}", file, where.begin.line, where.begin.column, field, reason));
}

absl::StatusOr<std::string> text_of(const toml::node& node, const std::string& field) {
  if (!node.is_string()) return toml_error(node.source(), field, "text in quotes is needed");
  return *node.value<std::string>();
}

absl::StatusOr<std::int64_t> whole_of(const toml::node& node, const std::string& field,
                                      std::int64_t least, std::int64_t most) {
  const auto value = node.is_integer() ? node.value<std::int64_t>() : std::nullopt;
  if (!value || *value < least || *value > most) {
    return toml_error(node.source(), field,
                      fmt::format("a whole number from {} to {} is needed", least, most));
  }
  return *value;
}

Section::Section(const toml::node& node, const std::string& name)
    : table_(node.as_table()), path_(name + ".") {
  if (table_ == nullptr) status_ = toml_error(node.source(), name, "a table is needed");
}

void Section::texts(const char* key, std::vector<std::string>& texts) {
  with(key, [&](const toml::node& node, const std::string& field) {
    if (auto status = check_is_list(node, field, "texts"); !status.ok()) return status;
    texts.clear();
    for (const toml::node& one : *node.as_array()) {
      auto text = text_of(one, field);
      if (!text.ok()) return text.status();
      texts.push_back(*std::move(text));
    }
    return absl::OkStatus();
  });
}

void Section::cpus(const char* key, std::vector<int>& cpus) {
  with(key, [&](const toml::node& node, const std::string& field) {
    if (auto status = check_is_list(node, field, "CPU numbers"); !status.ok()) return status;
    cpus.clear();
    for (const toml::node& one : *node.as_array()) {
      const auto cpu = whole_of(one, field, 0, 4095);
      if (!cpu.ok()) return cpu.status();
      cpus.push_back(static_cast<int>(*cpu));
    }
    return absl::OkStatus();
  });
}

absl::Status Section::finish() const {
  if (!status_.ok()) return status_;
  for (const auto& [key, node] : *table_) {
    if (known_.contains(std::string(key.str()))) continue;
    return toml_error(key.source(), path_ + std::string(key.str()),
                      fmt::format("there is no such field; known are {}", fmt::join(known_, ", ")));
  }
  return absl::OkStatus();
}

}  // namespace drip::daemon
