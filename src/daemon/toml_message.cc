// SPDX-License-Identifier: BSD-3-Clause
// TOML to protobuf by reflection.
#include "daemon/toml_message.h"

#include <google/protobuf/descriptor.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>

#include "base/quantity.h"
#include "fmt/format.h"

namespace drip::daemon {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

[[noreturn]] void fail(const toml::node& node, const std::string& field, std::string reason) {
  throw TomlFault{field, std::move(reason), node.source().begin};
}

bool ends_with(const std::string& name, std::string_view end) { return name.ends_with(end); }

// Text with a unit, in the field's own unit.
std::optional<double> number_of_text(const std::string& name, const toml::node& node,
                                     const std::string& path) {
  const auto text = node.value<std::string>();
  if (!text || !node.is_string()) return std::nullopt;
  const auto take = [&](const auto& parsed) {
    if (!parsed) fail(node, path, parsed.error());
    return *parsed;
  };
  if (ends_with(name, "_bps")) return take(parse_bit_rate(*text));
  if (name == "leak_rate") return take(parse_unit_rate(*text));
  if (ends_with(name, "_bytes")) return static_cast<double>(take(parse_bytes(*text)));
  if (ends_with(name, "_ns")) return static_cast<double>(take(parse_duration(*text)).count());
  if (ends_with(name, "_ms")) {
    return static_cast<double>(take(parse_duration(*text)).count()) / 1e6;
  }
  return std::nullopt;
}

double number(const FieldDescriptor& field, const toml::node& node, const std::string& path) {
  if (const auto value = number_of_text(field.name(), node, path)) return *value;
  if (node.is_floating_point() || node.is_integer()) return *node.value<double>();
  fail(node, path, "a number is needed");
}

template <class T>
T whole_number(const FieldDescriptor& field, const toml::node& node, const std::string& path) {
  // An integer of TOML may have more digits than a double.
  const bool is_exact = node.is_integer();
  const std::int64_t exact = is_exact ? node.value_or(std::int64_t{0}) : 0;
  const double value = is_exact ? static_cast<double>(exact) : number(field, node, path);
  const auto least = static_cast<double>(std::numeric_limits<T>::min());
  const auto most = static_cast<double>(std::numeric_limits<T>::max());
  if (!(value >= least && value <= most) || std::trunc(value) != value) {
    fail(node, path,
         fmt::format("{} is not allowed: a whole number from {} to {}", value,
                     std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  }
  return is_exact ? static_cast<T>(exact) : static_cast<T>(value);
}

std::string text(const toml::node& node, const std::string& path) {
  if (!node.is_string()) fail(node, path, "text in quotes is needed");
  return *node.value<std::string>();
}

void set_enum(const FieldDescriptor& field, const toml::node& node, const std::string& path,
              Message& message) {
  const auto* const value = field.enum_type()->FindValueByName(text(node, path));
  if (value == nullptr) {
    std::string names;
    for (int i = 1; i < field.enum_type()->value_count(); ++i) {
      names += (i > 1 ? ", " : "") + field.enum_type()->value(i)->name();
    }
    fail(node, path, fmt::format("one of {} is needed", names));
  }
  message.GetReflection()->SetEnum(&message, &field, value);
}

void set_field(const FieldDescriptor& field, const toml::node& node, const std::string& path,
               Message& message) {
  const Reflection& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection.SetDouble(&message, &field, number(field, node, path));
    case FieldDescriptor::CPPTYPE_UINT64:
      return reflection.SetUInt64(&message, &field, whole_number<std::uint64_t>(field, node, path));
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection.SetUInt32(&message, &field, whole_number<std::uint32_t>(field, node, path));
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection.SetInt32(&message, &field, whole_number<std::int32_t>(field, node, path));
    case FieldDescriptor::CPPTYPE_BOOL:
      if (!node.is_boolean()) fail(node, path, "true or false is needed");
      return reflection.SetBool(&message, &field, *node.value<bool>());
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection.SetString(&message, &field, text(node, path));
    case FieldDescriptor::CPPTYPE_ENUM:
      return set_enum(field, node, path, message);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      if (!node.is_table()) fail(node, path, "a table is needed");
      return fill_message(*node.as_table(), path + ".",
                          *reflection.MutableMessage(&message, &field));
    default:
      fail(node, path, "cannot be set from a file");
  }
}

// In the order of the API.
std::string field_names(const google::protobuf::Descriptor& message) {
  std::string names;
  for (int i = 0; i < message.field_count(); ++i) {
    names += (i > 0 ? ", " : "") + message.field(i)->name();
  }
  return names;
}

// A table of which each key is an entry.
void fill_map(const FieldDescriptor& field, const toml::node& node, const std::string& path,
              Message& message) {
  if (!node.is_table()) fail(node, path, "a table is needed");
  for (const auto& [key, value] : *node.as_table()) {
    Message& entry = *message.GetReflection()->AddMessage(&message, &field);
    entry.GetReflection()->SetString(&entry, entry.GetDescriptor()->map_key(),
                                     std::string(key.str()));
    set_field(*entry.GetDescriptor()->map_value(), value, fmt::format("{}.{}", path, key.str()),
              entry);
  }
}

}  // namespace

void fill_field(const toml::node& node, const std::string& field, Message& message) {
  set_field(*message.GetDescriptor()->FindFieldByName(field), node, field, message);
}

void fill_message(const toml::table& table, const std::string& path, Message& message) {
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    const FieldDescriptor* const field = message.GetDescriptor()->FindFieldByName(name);
    if (field == nullptr) {
      throw TomlFault{path + name,
                      fmt::format("there is no such field; known are {}",
                                  field_names(*message.GetDescriptor())),
                      key.source().begin};
    }
    if (!field->is_repeated()) {
      if (const auto* const oneof = field->real_containing_oneof();
          oneof != nullptr && message.GetReflection()->HasOneof(message, oneof)) {
        throw TomlFault{path + name, "another one of its kind is set already", key.source().begin};
      }
      set_field(*field, node, path + name, message);
      continue;
    }
    if (field->is_map()) {
      fill_map(*field, node, path + name, message);
      continue;
    }
    if (!node.is_array()) fail(node, path + name, "a list is needed");
    std::size_t index = 0;
    for (const toml::node& element : *node.as_array()) {
      const std::string element_path = fmt::format("{}{}[{}]", path, name, index++);
      if (!element.is_table()) fail(element, element_path, "a table is needed");
      fill_message(*element.as_table(), element_path + ".",
                   *message.GetReflection()->AddMessage(&message, field));
    }
  }
}

}  // namespace drip::daemon
