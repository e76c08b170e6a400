// SPDX-License-Identifier: BSD-3-Clause
// A change, or a call that was refused: who, when, from where, what, with both values.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace drip::access {

/// What is or was set: JSON, or bytes of which JSON is made when somebody wants it. Few records are
/// ever read, and JSON of a change costs more than the change.
struct AuditValue {
  std::string bytes;
  std::string (*to_json)(std::string_view bytes) = nullptr;  ///< Null: they are JSON.

  [[nodiscard]] std::string json() const { return to_json == nullptr ? bytes : to_json(bytes); }

  friend bool operator==(const AuditValue&, const AuditValue&) = default;
};

struct AuditRecord {
  std::chrono::system_clock::time_point time = std::chrono::system_clock::now();
  std::string caller;  ///< Caller::name; empty: nobody was identified.
  std::string peer;    ///< gRPC's name of the connection's other end.
  std::string method;  ///< "ShaperService/SetRule"
  std::string target;  ///< "bucket web", "rule r1"; empty: none.
  // None: there was, or is, nothing.
  std::optional<AuditValue> before;
  std::optional<AuditValue> after;
  std::string result = "OK";  ///< The name of the call's status code.
  std::string error;          ///< Its message.

  [[nodiscard]] bool ok() const { return result == "OK"; }
};

/// One line, with its end. Fields that are empty are left out, but for `caller`.
[[nodiscard]] std::string json_line(const AuditRecord& record);

/// The record of a line with or without its end, values as JSON. None if it is not such a line.
[[nodiscard]] std::optional<AuditRecord> read_json_line(std::string_view line);

}  // namespace drip::access
