// SPDX-License-Identifier: BSD-3-Clause
// Converts TOML to Protobuf by reflection.
#include "daemon/toml_message.h"

#include <google/protobuf/descriptor.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "base/quantity.h"
#include "daemon/toml_section.h"
#include "fmt/format.h"

namespace drip::daemon {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

absl::Status error(const toml::node& node, const std::string& path, const std::string& reason) {
  return toml_error(node.source(), path, reason);
}

// Text with a unit, in the field's own unit; none if the field takes no text.
std::optional<absl::StatusOr<double>> number_of_text(const std::string& name,
                                                     const toml::node& node,
                                                     const std::string& path) {
  if (!node.is_string()) return std::nullopt;
  const auto divided = [&](auto parse, double divisor) -> absl::StatusOr<double> {
    const auto value = quantity_of(node, path, parse);
    if (!value.ok()) return value.status();
    if constexpr (requires { value->count(); }) {
      return static_cast<double>(value->count()) / divisor;
    } else {
      return static_cast<double>(*value) / divisor;
    }
  };
  if (name.ends_with("_bps")) return quantity_of(node, path, parse_bit_rate);
  if (name == "leak_rate") return quantity_of(node, path, parse_unit_rate);
  if (name.ends_with("_bytes")) return divided(parse_bytes, 1);
  if (name.ends_with("_ns")) return divided(parse_duration, 1);
  if (name.ends_with("_ms")) return divided(parse_duration, 1e6);
  return std::nullopt;
}

absl::StatusOr<double> number(const FieldDescriptor& field, const toml::node& node,
                              const std::string& path) {
  if (const auto value = number_of_text(field.name(), node, path)) return *value;
  if (node.is_floating_point() || node.is_integer()) return *node.value<double>();
  return error(node, path, "a number is needed");
}

template <class T>
absl::StatusOr<T> whole_number(const FieldDescriptor& field, const toml::node& node,
                               const std::string& path) {
  // An integer of TOML may have more digits than a double.
  const bool is_exact = node.is_integer();
  const std::int64_t exact = is_exact ? node.value_or(std::int64_t{0}) : 0;
  const auto value = is_exact ? static_cast<double>(exact) : number(field, node, path);
  if (!value.ok()) return value.status();
  const auto least = static_cast<double>(std::numeric_limits<T>::min());
  // A power of 2, which a double has, as it has not the number below: it would round up to this.
  const double beyond = std::ldexp(1.0, std::numeric_limits<T>::digits);
  if (!(*value >= least && *value < beyond) || std::trunc(*value) != *value) {
    return error(node, path,
                 fmt::format("{} is not allowed: a whole number from {} to {}", *value,
                             std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  }
  return is_exact ? static_cast<T>(exact) : static_cast<T>(*value);
}

absl::StatusOr<bool> truth(const toml::node& node, const std::string& path) {
  if (!node.is_boolean()) return error(node, path, "true or false is needed");
  return *node.value<bool>();
}

absl::Status set_enum(const FieldDescriptor& field, const toml::node& node, const std::string& path,
                      Message& message) {
  const auto name = text_of(node, path);
  if (!name.ok()) return name.status();
  const auto* const value = field.enum_type()->FindValueByName(*name);
  if (value == nullptr) {
    std::string names;
    for (int i = 1; i < field.enum_type()->value_count(); ++i) {
      names += (i > 1 ? ", " : "") + field.enum_type()->value(i)->name();
    }
    return error(node, path, fmt::format("one of {} is needed", names));
  }
  message.GetReflection()->SetEnum(&message, &field, value);
  return absl::OkStatus();
}

absl::Status set_field(const FieldDescriptor& field, const toml::node& node,
                       const std::string& path, Message& message) {
  const Reflection& reflection = *message.GetReflection();
  const auto set = [&](auto setter, auto value) -> absl::Status {
    if (!value.ok()) return value.status();
    (reflection.*setter)(&message, &field, *std::move(value));
    return absl::OkStatus();
  };
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return set(&Reflection::SetDouble, number(field, node, path));
    case FieldDescriptor::CPPTYPE_UINT64:
      return set(&Reflection::SetUInt64, whole_number<std::uint64_t>(field, node, path));
    case FieldDescriptor::CPPTYPE_UINT32:
      return set(&Reflection::SetUInt32, whole_number<std::uint32_t>(field, node, path));
    case FieldDescriptor::CPPTYPE_INT32:
      return set(&Reflection::SetInt32, whole_number<std::int32_t>(field, node, path));
    case FieldDescriptor::CPPTYPE_BOOL:
      return set(&Reflection::SetBool, truth(node, path));
    case FieldDescriptor::CPPTYPE_STRING:
      return set(&Reflection::SetString, text_of(node, path));
    case FieldDescriptor::CPPTYPE_ENUM:
      return set_enum(field, node, path, message);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      if (!node.is_table()) return error(node, path, "a table is needed");
      return fill_message(*node.as_table(), path + ".",
                          *reflection.MutableMessage(&message, &field));
    default:
      return error(node, path, "cannot be set from a file");
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

// One element of a list of text, the only lists of the API that are not of messages.
absl::Status add_text(const FieldDescriptor& field, const toml::node& node, const std::string& path,
                      Message& message) {
  const auto text = text_of(node, path);
  if (!text.ok()) return text.status();
  message.GetReflection()->AddString(&message, &field, *text);
  return absl::OkStatus();
}

// A table of which each key is an entry.
absl::Status fill_map(const FieldDescriptor& field, const toml::node& node, const std::string& path,
                      Message& message) {
  if (!node.is_table()) return error(node, path, "a table is needed");
  for (const auto& [key, value] : *node.as_table()) {
    Message& entry = *message.GetReflection()->AddMessage(&message, &field);
    entry.GetReflection()->SetString(&entry, entry.GetDescriptor()->map_key(),
                                     std::string(key.str()));
    auto status = set_field(*entry.GetDescriptor()->map_value(), value,
                            fmt::format("{}.{}", path, key.str()), entry);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status fill_list(const FieldDescriptor& field, const toml::node& node,
                       const std::string& path, Message& message) {
  if (!node.is_array()) return error(node, path, "a list is needed");
  std::size_t index = 0;
  for (const toml::node& element : *node.as_array()) {
    const std::string element_path = fmt::format("{}[{}]", path, index++);
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      if (auto status = add_text(field, element, element_path, message); !status.ok()) {
        return status;
      }
      continue;
    }
    if (!element.is_table()) return error(element, element_path, "a table is needed");
    auto status = fill_message(*element.as_table(), element_path + ".",
                               *message.GetReflection()->AddMessage(&message, &field));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status fill_key(const toml::key& key, const toml::node& node, const std::string& path,
                      Message& message) {
  const std::string name(key.str());
  const FieldDescriptor* const field = message.GetDescriptor()->FindFieldByName(name);
  if (field == nullptr) {
    return toml_error(
        key.source(), path + name,
        fmt::format("there is no such field; known are {}", field_names(*message.GetDescriptor())));
  }
  if (field->is_map()) return fill_map(*field, node, path + name, message);
  if (field->is_repeated()) return fill_list(*field, node, path + name, message);
  if (const auto* const oneof = field->real_containing_oneof();
      oneof != nullptr && message.GetReflection()->HasOneof(message, oneof)) {
    return toml_error(key.source(), path + name, "another one of its kind is set already");
  }
  return set_field(*field, node, path + name, message);
}

}  // namespace

absl::Status fill_field(const toml::node& node, const std::string& field, Message& message) {
  const FieldDescriptor& descriptor = *message.GetDescriptor()->FindFieldByName(field);
  return descriptor.is_repeated() ? fill_list(descriptor, node, field, message)
                                  : set_field(descriptor, node, field, message);
}

absl::Status fill_message(const toml::table& table, const std::string& path, Message& message) {
  for (const auto& [key, node] : table) {
    if (auto status = fill_key(key, node, path, message); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace drip::daemon
