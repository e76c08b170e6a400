// SPDX-License-Identifier: BSD-3-Clause
// Converts any Protobuf message to JSON by reflection, so that new fields of the API need no code.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "cli/output/output.h"

namespace drip::cli {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using nlohmann::ordered_json;

ordered_json enum_to_json(const FieldDescriptor* field, int number) {
  // The server may be newer and have values without a name in this build.
  const auto* value = field->enum_type()->FindValueByNumber(number);
  return value != nullptr ? ordered_json(value->name()) : ordered_json(number);
}

ordered_json singular_to_json(const Message& message, const FieldDescriptor* field) {
  const Reflection& reflection = *message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection.GetInt32(message, field);
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection.GetInt64(message, field);
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection.GetUInt32(message, field);
    case FieldDescriptor::CPPTYPE_UINT64:
      return reflection.GetUInt64(message, field);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection.GetDouble(message, field);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return reflection.GetFloat(message, field);
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.GetBool(message, field);
    case FieldDescriptor::CPPTYPE_ENUM:
      return enum_to_json(field, reflection.GetEnumValue(message, field));
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection.GetString(message, field);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return to_json(reflection.GetMessage(message, field));
  }
  return nullptr;
}

ordered_json element_to_json(const Message& message, const FieldDescriptor* field, int index) {
  const Reflection& reflection = *message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection.GetRepeatedInt32(message, field, index);
    case FieldDescriptor::CPPTYPE_INT64:
      return reflection.GetRepeatedInt64(message, field, index);
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection.GetRepeatedUInt32(message, field, index);
    case FieldDescriptor::CPPTYPE_UINT64:
      return reflection.GetRepeatedUInt64(message, field, index);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection.GetRepeatedDouble(message, field, index);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return reflection.GetRepeatedFloat(message, field, index);
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.GetRepeatedBool(message, field, index);
    case FieldDescriptor::CPPTYPE_ENUM:
      return enum_to_json(field, reflection.GetRepeatedEnumValue(message, field, index));
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection.GetRepeatedString(message, field, index);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return to_json(reflection.GetRepeatedMessage(message, field, index));
  }
  return nullptr;
}

// The API's maps have keys of type string only.
ordered_json map_to_json(const Message& message, const FieldDescriptor* field) {
  std::map<std::string, ordered_json> sorted;
  const Reflection& reflection = *message.GetReflection();
  for (int index = 0; index < reflection.FieldSize(message, field); ++index) {
    const Message& entry = reflection.GetRepeatedMessage(message, field, index);
    sorted[entry.GetReflection()->GetString(entry, entry.GetDescriptor()->map_key())] =
        singular_to_json(entry, entry.GetDescriptor()->map_value());
  }
  ordered_json json = ordered_json::object();
  for (auto& [key, value] : sorted) json[key] = std::move(value);
  return json;
}

}  // namespace

ordered_json to_json(const Message& message) {
  const Reflection& reflection = *message.GetReflection();
  ordered_json json = ordered_json::object();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor* field = message.GetDescriptor()->field(i);
    if (field->is_map()) {
      json[field->name()] = map_to_json(message, field);
    } else if (field->is_repeated()) {
      ordered_json& list = json[field->name()] = ordered_json::array();
      const int size = reflection.FieldSize(message, field);
      for (int index = 0; index < size; ++index) {
        list.push_back(element_to_json(message, field, index));
      }
    } else if (!field->has_presence() || reflection.HasField(message, field)) {
      json[field->name()] = singular_to_json(message, field);
    }
  }
  return json;
}

}  // namespace drip::cli
