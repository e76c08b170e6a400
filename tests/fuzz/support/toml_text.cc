// SPDX-License-Identifier: BSD-3-Clause
#include "fuzz/support/toml_text.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace drip::fuzz {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

std::string number_text(double number) {
  if (number == 0 && std::signbit(number)) return "-0.0";
  return fmt::format("{}", number);
}

// TOML has no whole number beyond 63 bits; where a message has one it was a fraction in the file.
std::string whole_text(std::uint64_t number) {
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  return number <= kMost ? fmt::format("{}", number)
                         : fmt::format("{:.17e}", static_cast<double>(number));
}

// Element `index` of a list; below 0: of a field that is none.
std::string value_text(const Message& message, const FieldDescriptor& field, int index) {
  const Reflection& reflection = *message.GetReflection();
  const auto get = [&](auto one, auto many) {
    return index < 0 ? (reflection.*one)(message, &field)
                     : (reflection.*many)(message, &field, index);
  };
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return number_text(get(&Reflection::GetDouble, &Reflection::GetRepeatedDouble));
    case FieldDescriptor::CPPTYPE_UINT64:
      return whole_text(get(&Reflection::GetUInt64, &Reflection::GetRepeatedUInt64));
    case FieldDescriptor::CPPTYPE_UINT32:
      return fmt::format("{}", get(&Reflection::GetUInt32, &Reflection::GetRepeatedUInt32));
    case FieldDescriptor::CPPTYPE_INT32:
      return fmt::format("{}", get(&Reflection::GetInt32, &Reflection::GetRepeatedInt32));
    case FieldDescriptor::CPPTYPE_BOOL:
      return get(&Reflection::GetBool, &Reflection::GetRepeatedBool) ? "true" : "false";
    case FieldDescriptor::CPPTYPE_STRING:
      return toml_of_text(get(&Reflection::GetString, &Reflection::GetRepeatedString));
    case FieldDescriptor::CPPTYPE_ENUM:
      return toml_of_text(get(&Reflection::GetEnum, &Reflection::GetRepeatedEnum)->name());
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return inline_table(index < 0 ? reflection.GetMessage(message, &field)
                                    : reflection.GetRepeatedMessage(message, &field, index));
    default:
      return "\"no such type\"";
  }
}

std::string map_text(const Message& message, const FieldDescriptor& field) {
  std::string text;
  const Reflection& reflection = *message.GetReflection();
  for (int i = 0; i < reflection.FieldSize(message, &field); ++i) {
    const Message& entry = reflection.GetRepeatedMessage(message, &field, i);
    const google::protobuf::Descriptor& type = *entry.GetDescriptor();
    text += (i > 0 ? ", " : "") + value_text(entry, *type.map_key(), -1) + " = " +
            value_text(entry, *type.map_value(), -1);
  }
  return "{" + text + "}";
}

std::string list_text(const Message& message, const FieldDescriptor& field) {
  std::string text;
  for (int i = 0; i < message.GetReflection()->FieldSize(message, &field); ++i) {
    text += (i > 0 ? ", " : "") + value_text(message, field, i);
  }
  return "[" + text + "]";
}

std::vector<std::string> fields_of(const Message& message) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  std::vector<std::string> texts;
  for (const FieldDescriptor* const field : fields) {
    texts.push_back(field->name() + " = " +
                    (field->is_map()        ? map_text(message, *field)
                     : field->is_repeated() ? list_text(message, *field)
                                            : value_text(message, *field, -1)));
  }
  return texts;
}

}  // namespace

std::string toml_of_text(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += {'\\', c};
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      quoted += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

std::string inline_table(const Message& message) {
  return fmt::format("{{{}}}", fmt::join(fields_of(message), ", "));
}

std::string table_lines(const Message& message) {
  return fmt::format("{}\n", fmt::join(fields_of(message), "\n"));
}

}  // namespace drip::fuzz
