// SPDX-License-Identifier: BSD-3-Clause
#include "fuzz/session/message_mutator.h"

#include <google/protobuf/descriptor.h>

#include <array>
#include <cstdint>
#include <limits>
#include <vector>

namespace drip::fuzz {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr int kMostDepth = 3;  // Of messages that are made anew in one step.
constexpr int kMostElements = 40;

// The message and all that are in it.
void collect(Message& message, std::vector<Message*>& all) {
  all.push_back(&message);
  const Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* const field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      collect(*reflection.MutableMessage(&message, field), all);
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
      collect(*reflection.MutableRepeatedMessage(&message, field, i), all);
    }
  }
}

}  // namespace

std::uint64_t MessageMutator::whole(std::uint64_t present) {
  static constexpr std::array<std::uint64_t, 22> kUsual = {
      0,          1,
      2,          3,
      4,          5,
      10,         63,
      64,         255,
      1000,       4095,
      4096,       4097,
      65535,      65536,
      1 << 20,    1000000,
      1000000000, 0x7fffffff,
      0xffffffff, std::numeric_limits<std::uint64_t>::max()};
  switch (below(6)) {
    case 0:
      return present + 1;
    case 1:
      return present - 1;
    case 2:
      return std::uint64_t{1} << below(64);
    case 3:
      return std::uint64_t{random_()} << 32 | random_();
    default:
      return kUsual[below(kUsual.size())];
  }
}

double MessageMutator::fraction(double present) {
  static constexpr std::array<double, 20> kUsual = {0,
                                                    -0.0,
                                                    1,
                                                    -1,
                                                    0.5,
                                                    10,
                                                    100,
                                                    1e3,
                                                    1e6,
                                                    1e9,
                                                    1e12,
                                                    1e13,
                                                    1e15,
                                                    1e-300,
                                                    1e308,
                                                    1.0 / 3600,
                                                    1e-9,
                                                    0.1,
                                                    std::numeric_limits<double>::infinity(),
                                                    std::numeric_limits<double>::quiet_NaN()};
  switch (below(5)) {
    case 0:
      return present * 2;
    case 1:
      return present / 3;
    case 2:
      return static_cast<double>(random_() % 100000) / 7;
    default:
      return kUsual[below(kUsual.size())];
  }
}

std::string MessageMutator::text(const std::string& present, bool is_text) {
  const std::span<const std::string> known = is_text ? texts_ : bytes_;
  if (below(8) != 0 || present.empty()) return known[below(known.size())];
  std::string changed = present;
  const std::size_t at = below(changed.size());
  switch (below(3)) {
    case 0:
      changed[at] = static_cast<char>(below(128));
      break;
    case 1:
      changed.erase(at, 1);
      break;
    default:
      changed.insert(at, 1, static_cast<char>(below(128)));
  }
  return changed;
}

void MessageMutator::put(Message& message, const FieldDescriptor& field) {
  const Reflection& reflection = *message.GetReflection();
  const bool is_list = field.is_repeated();
  const auto store = [&](auto set, auto add, auto get, auto change) {
    if (is_list) {
      (reflection.*add)(&message, &field, change({}));
    } else {
      (reflection.*set)(&message, &field, change((reflection.*get)(message, &field)));
    }
  };
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_UINT32:
      return store(&Reflection::SetUInt32, &Reflection::AddUInt32, &Reflection::GetUInt32,
                   [&](std::uint32_t now) { return static_cast<std::uint32_t>(whole(now)); });
    case FieldDescriptor::CPPTYPE_INT32:
      return store(&Reflection::SetInt32, &Reflection::AddInt32, &Reflection::GetInt32,
                   [&](std::int32_t now) {
                     return static_cast<std::int32_t>(whole(static_cast<std::uint32_t>(now)));
                   });
    case FieldDescriptor::CPPTYPE_UINT64:
      return store(&Reflection::SetUInt64, &Reflection::AddUInt64, &Reflection::GetUInt64,
                   [&](std::uint64_t now) { return whole(now); });
    case FieldDescriptor::CPPTYPE_INT64:
      return store(&Reflection::SetInt64, &Reflection::AddInt64, &Reflection::GetInt64,
                   [&](std::int64_t now) {
                     return static_cast<std::int64_t>(whole(static_cast<std::uint64_t>(now)));
                   });
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return store(&Reflection::SetDouble, &Reflection::AddDouble, &Reflection::GetDouble,
                   [&](double now) { return fraction(now); });
    case FieldDescriptor::CPPTYPE_BOOL:
      return store(&Reflection::SetBool, &Reflection::AddBool, &Reflection::GetBool,
                   [&](bool now) { return !now; });
    case FieldDescriptor::CPPTYPE_ENUM: {
      const int values = field.enum_type()->value_count();
      return store(&Reflection::SetEnumValue, &Reflection::AddEnumValue, &Reflection::GetEnumValue,
                   [&](int) {
                     // Sometimes one that this version does not know.
                     return static_cast<int>(below(static_cast<std::size_t>(values) + 1));
                   });
    }
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string value =
          text(is_list ? std::string() : reflection.GetString(message, &field),
               field.type() == FieldDescriptor::TYPE_STRING);
      if (is_list) {
        reflection.AddString(&message, &field, value);
      } else {
        reflection.SetString(&message, &field, value);
      }
      return;
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return fill(*(is_list ? reflection.AddMessage(&message, &field)
                            : reflection.MutableMessage(&message, &field)),
                  depth_ + 1);
    default:
      return;
  }
}

void MessageMutator::fill(Message& message, int depth) {
  const int fields = message.GetDescriptor()->field_count();
  if (fields == 0 || depth > kMostDepth) return;
  const int before = depth_;
  depth_ = depth;
  for (std::size_t count = 1 + below(4); count > 0; --count) {
    put(message,
        *message.GetDescriptor()->field(static_cast<int>(below(static_cast<std::size_t>(fields)))));
  }
  depth_ = before;
}

void MessageMutator::change_list(Message& message, const FieldDescriptor& field) {
  const Reflection& reflection = *message.GetReflection();
  const int size = reflection.FieldSize(message, &field);
  if (size == 0 || (size < kMostElements && below(3) == 0)) {
    put(message, field);
    if (size == 0) return;
    reflection.SwapElements(&message, &field, size,
                            static_cast<int>(below(static_cast<std::size_t>(size) + 1)));
    return;
  }
  const int one = static_cast<int>(below(static_cast<std::size_t>(size)));
  reflection.SwapElements(&message, &field, one, size - 1);
  if (below(2) == 0) reflection.RemoveLast(&message, &field);
}

void MessageMutator::change_field(Message& message, const FieldDescriptor& field) {
  if (field.is_repeated()) return change_list(message, field);
  if (message.GetReflection()->HasField(message, &field) && below(4) == 0) {
    return message.GetReflection()->ClearField(&message, &field);
  }
  put(message, field);
}

void MessageMutator::mutate(Message& message) {
  std::vector<Message*> all;
  collect(message, all);
  Message& one = *all[below(all.size())];
  if (below(8) == 0) {
    // Not of a message that is in itself.
    for (int tries = 0; tries < 8; ++tries) {
      const Message& other = *all[below(all.size())];
      if (&other == &one || other.GetDescriptor() != one.GetDescriptor()) continue;
      const std::string bytes = other.SerializeAsString();
      one.ParseFromString(bytes);
      return;
    }
  }
  const int fields = one.GetDescriptor()->field_count();
  if (fields == 0) return;
  change_field(
      one, *one.GetDescriptor()->field(static_cast<int>(below(static_cast<std::size_t>(fields)))));
}

}  // namespace drip::fuzz
