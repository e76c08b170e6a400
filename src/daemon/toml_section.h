// SPDX-License-Identifier: BSD-3-Clause
// Reads one table of a TOML file by the names of its keys.
#pragma once

#include <toml++/toml.h>

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/quantity.h"

namespace drip::daemon {

/// INVALID_ARGUMENT with `file:line:column: field: reason`; without line and column if `where` has
/// none.
[[nodiscard]] absl::Status toml_error(const toml::source_region& where, const std::string& field,
                                      const std::string& reason);

/// The value of a node, or an error that names `field`.
[[nodiscard]] absl::StatusOr<std::string> text_of(const toml::node& node, const std::string& field);
[[nodiscard]] absl::StatusOr<std::int64_t> whole_of(const toml::node& node,
                                                    const std::string& field, std::int64_t least,
                                                    std::int64_t most);
/// Text with a unit, such as "20ms".
template <class T>
absl::StatusOr<T> quantity_of(const toml::node& node, const std::string& field,
                              Parsed<T> (*parse)(std::string_view)) {
  const auto text = text_of(node, field);
  if (!text.ok()) return text.status();
  const Parsed<T> parsed = parse(*text);
  if (!parsed) return toml_error(node.source(), field, parsed.error());
  return *parsed;
}

/// Reads keys of a table one by one and keeps the first error, after which it reads nothing more.
class Section {
 public:
  /// `name` is the name of the table in errors, such as "ports[0]".
  Section(const toml::node& node, const std::string& name);

  /// Calls `read(node, field)`, which returns an absl::Status, if the table has `key`.
  template <class Read>
  void with(const char* key, Read read) {
    known_.insert(key);
    if (!status_.ok()) return;
    if (const toml::node* const node = table_->get(key)) status_ = read(*node, path_ + key);
  }
  /// Sets `value` to what `read(node, field)`, an absl::StatusOr, returns, if the table has `key`.
  template <class T, class Read>
  void value(const char* key, T& value, Read read) {
    with(key, [&](const toml::node& node, const std::string& field) -> absl::Status {
      auto result = read(node, field);
      if (!result.ok()) return result.status();
      value = static_cast<T>(*std::move(result));
      return absl::OkStatus();
    });
  }
  void text(const char* key, std::string& text) { value(key, text, text_of); }
  void texts(const char* key, std::vector<std::string>& texts);
  template <class T>
  void whole(const char* key, T& number, std::int64_t least, std::int64_t most) {
    value(key, number, [=](const toml::node& node, const std::string& field) {
      return whole_of(node, field, least, most);
    });
  }
  void cpus(const char* key, std::vector<int>& cpus);

  /// The first error. A key of the table that was not read is an error as well.
  [[nodiscard]] absl::Status finish() const;

 private:
  const toml::table* table_;  // Null only with an error.
  const std::string path_;    // The name with a dot.
  std::set<std::string> known_;
  absl::Status status_;
};

}  // namespace drip::daemon
