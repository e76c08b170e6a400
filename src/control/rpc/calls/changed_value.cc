// SPDX-License-Identifier: BSD-3-Clause
#include "control/rpc/calls/changed_value.h"

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <string>

namespace drip::control {
namespace {

using google::protobuf::Message;

std::string json_of(const Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(message, &json, options).ok()) return "{}";
  return json;
}

bool read_json(const std::string& json, Message& message) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;  // Of a log that another version wrote.
  return google::protobuf::util::JsonStringToMessage(json, &message, options).ok();
}

std::string json_of_bytes(std::string_view bytes) {
  v1::ChangedValue value;
  value.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  switch (value.value_case()) {
    case v1::ChangedValue::kBucket:
      return json_of(value.bucket());
    case v1::ChangedValue::kRule:
      return json_of(value.rule());
    case v1::ChangedValue::kRules:
      return json_of(value.rules());
    case v1::ChangedValue::kList:
      return json_of(value.list());
    case v1::ChangedValue::kNote: {
      google::protobuf::Value text;
      text.set_string_value(value.note());
      return json_of(text);
    }
    case v1::ChangedValue::VALUE_NOT_SET:
      break;
  }
  return "{}";
}

}  // namespace

access::AuditValue value_of(const v1::ChangedValue& value) {
  return {value.SerializeAsString(), json_of_bytes};
}

void write_value(const access::AuditValue& value, std::string_view target,
                 v1::ChangedValue& message) {
  if (value.to_json != nullptr && message.ParseFromString(value.bytes)) return;
  const std::string json = value.json();
  message.Clear();
  const auto is = [&](std::string_view kind, Message& part) {
    return target.starts_with(kind) && read_json(json, part);
  };
  if (is("bucket ", *message.mutable_bucket())) return;
  if (is("rule ", *message.mutable_rule())) return;
  if (is("rules", *message.mutable_rules())) return;
  if (is("list ", *message.mutable_list())) return;
  google::protobuf::Value text;
  const bool is_text = read_json(json, text) && text.has_string_value();
  message.set_note(is_text ? text.string_value() : json);
}

}  // namespace drip::control
