// SPDX-License-Identifier: BSD-3-Clause
#include "cli/fields/change_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "base/quantity.h"
#include "cli/output/output.h"

namespace drip::cli {
namespace {

using nlohmann::ordered_json;

// One that has no fields of its own.
struct Field {
  std::string name;  // "queue.kind"
  std::string text;
  bool says_nothing = false;  // 0, false, or empty.
};
using Fields = std::vector<Field>;

std::string value_text(std::string_view field, const ordered_json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number()) {
    const auto number = value.get<double>();
    if (field.ends_with("_bps")) return number == 0 ? "none" : format_bit_rate(number, 4);
    if (field.ends_with("_ns") && number >= 0) {
      return brief_duration(static_cast<std::uint64_t>(number));
    }
    if (value.is_number_float()) return fmt::format("{}", number);
  }
  return value.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

bool says_nothing(const ordered_json& value) {
  if (value.is_number()) return value.get<double>() == 0;
  if (value.is_boolean()) return !value.get<bool>();
  return value.is_string() ? value.get<std::string>().empty() : value.empty();
}

void flatten(const ordered_json& object, const std::string& path, Fields& fields) {
  for (const auto& [name, value] : object.items()) {
    const std::string here = path.empty() ? name : path + "." + name;
    if (value.is_object()) {
      flatten(value, here, fields);
    } else {
      fields.push_back({here, value_text(name, value), says_nothing(value)});
    }
  }
}

// What it is of is in the target already.
bool names_target(std::string_view field) { return field == "bucket_id" || field == "rule_id"; }

Fields fields_of(const google::protobuf::Message& message) {
  Fields fields;
  flatten(to_json(message), "", fields);
  std::erase_if(fields, [](const Field& field) { return names_target(field.name); });
  return fields;
}

Fields fields_of(const v1::ChangedValue& value) {
  switch (value.value_case()) {
    case v1::ChangedValue::kBucket:
      return fields_of(value.bucket());
    case v1::ChangedValue::kRule:
      return fields_of(value.rule());
    case v1::ChangedValue::kRules:
      return fields_of(value.rules());
    case v1::ChangedValue::kList:
      return fields_of(value.list());
    case v1::ChangedValue::kNote:
    case v1::ChangedValue::VALUE_NOT_SET:
      break;
  }
  return {};
}

const Field* find(const Fields& fields, const std::string& name) {
  const auto found = std::ranges::find(fields, name, &Field::name);
  return found == fields.end() ? nullptr : &*found;
}

std::string settings_text(const v1::ChangedValue& value) {
  std::string text;
  for (const Field& field : fields_of(value)) {
    if (field.says_nothing) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", field.name, field.text);
  }
  return text;
}

std::string difference_text(const v1::ChangedValue& before, const v1::ChangedValue& after) {
  const Fields old_fields = fields_of(before);
  const Fields new_fields = fields_of(after);
  std::string text;
  const auto add = [&](const std::string& name, const std::string& was, const std::string& is) {
    text += fmt::format("{}{} {} -> {}", text.empty() ? "" : ", ", name, or_dash(was), or_dash(is));
  };
  for (const Field& now : new_fields) {
    const Field* const was = find(old_fields, now.name);
    if (was == nullptr ? now.says_nothing : was->text == now.text) continue;
    add(now.name, was == nullptr ? "" : was->text, now.text);
  }
  for (const Field& was : old_fields) {
    if (find(new_fields, was.name) == nullptr && !was.says_nothing) add(was.name, was.text, "");
  }
  return text.empty() ? "changed" : text;
}

std::string method_name(const std::string& method) { return method.substr(method.find('/') + 1); }

}  // namespace

std::string peer_text(const std::string& peer) {
  if (peer.empty()) return "-";
  std::string text = peer;
  for (const std::string_view scheme : {"ipv4:", "ipv6:"}) {
    if (text.starts_with(scheme)) text.erase(0, scheme.size());
  }
  // gRPC writes URIs, in which brackets are encoded.
  for (const auto& [encoded, plain] : {std::pair("%5B", "["), std::pair("%5D", "]")}) {
    if (const auto at = text.find(encoded); at != std::string::npos) text.replace(at, 3, plain);
  }
  return text;
}

std::string target_text(const v1::Change& change) {
  return change.target().empty() ? method_name(change.method()) : change.target();
}

std::string outcome_text(const v1::Change& change) {
  if (change.result() != "OK") return change.result() + ": " + change.error();
  if (change.after().has_note()) {
    return fmt::format("{} {}", method_name(change.method()), change.after().note());
  }
  if (change.has_before() && change.has_after()) {
    return difference_text(change.before(), change.after());
  }
  if (change.has_before()) return "deleted";
  if (!change.has_after()) return method_name(change.method()) + ": nothing to change";
  const std::string settings = settings_text(change.after());
  return settings.empty() ? "created" : "created: " + settings;
}

}  // namespace drip::cli
