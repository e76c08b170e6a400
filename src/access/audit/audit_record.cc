// SPDX-License-Identifier: BSD-3-Clause
#include "access/audit/audit_record.h"

#include <fmt/chrono.h>

#include <array>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace drip::access {
namespace {

using nlohmann::ordered_json;
using std::chrono::milliseconds;
using std::chrono::system_clock;

// Of values: those of the API have five levels.
constexpr int kMostDepth = 32;

// RFC 8259, section 7.
void append_text(std::string& json, std::string_view text) {
  json += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      json += fmt::format("\\u{:04x}", byte);
    } else {
      json += c;
    }
  }
  json += '"';
}

void append_field(std::string& json, std::string_view name, std::string_view text) {
  json += joined(",\"", name, "\":");
  append_text(json, text);
}

std::string time_text(system_clock::time_point time) {
  const auto since_epoch =
      std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(system_clock::to_time_t(time)),
                     since_epoch % 1000);
}

// What time_text() has written.
std::optional<system_clock::time_point> read_time(const std::string& text) {
  std::tm parts{};
  int thousandths = 0;
  int read = 0;
  const int count = std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &parts.tm_year,
                                &parts.tm_mon, &parts.tm_mday, &parts.tm_hour, &parts.tm_min,
                                &parts.tm_sec, &thousandths, &read);
  if (count != 7 || static_cast<std::size_t>(read) != text.size()) return std::nullopt;
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  const system_clock::time_point time =
      system_clock::from_time_t(timegm(&parts)) + milliseconds(thousandths);
  // timegm() takes a month 13 for the next January.
  return time_text(time) == text ? std::optional(time) : std::nullopt;
}

std::optional<AuditValue> value_of(const ordered_json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) return std::nullopt;
  return AuditValue{found->dump(-1, ' ', false, ordered_json::error_handler_t::replace), nullptr};
}

}  // namespace

std::string json_line(const AuditRecord& record) {
  std::string json = joined("{\"time\":\"", time_text(record.time), "\"");
  append_field(json, "caller", record.caller);
  append_field(json, "peer", record.peer);
  append_field(json, "method", record.method);
  if (!record.target.empty()) append_field(json, "target", record.target);
  if (record.before) json += joined(",\"before\":", record.before->json());
  if (record.after) json += joined(",\"after\":", record.after->json());
  append_field(json, "result", record.result);
  if (!record.error.empty()) append_field(json, "error", record.error);
  return json + "}\n";
}

std::optional<AuditRecord> read_json_line(std::string_view line) {
  const auto not_too_deep = [](int depth, ordered_json::parse_event_t, ordered_json&) {
    return depth <= kMostDepth;
  };
  const ordered_json object = ordered_json::parse(line, not_too_deep, /*allow_exceptions=*/false);
  if (!object.is_object()) return std::nullopt;
  const auto text = [&](const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const auto time = read_time(text("time"));
  AuditRecord record;
  record.caller = text("caller");
  record.peer = text("peer");
  record.method = text("method");
  record.target = text("target");
  record.before = value_of(object, "before");
  record.after = value_of(object, "after");
  record.result = text("result");
  record.error = text("error");
  if (!time || record.method.empty() || record.result.empty()) return std::nullopt;
  record.time = *time;
  return record;
}

}  // namespace drip::access
