// SPDX-License-Identifier: BSD-3-Clause
// Converts between an enum of Drip and the enum of the API by a table of both.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "base/errors.h"
#include "base/text.h"

namespace drip::control {

/// A value of Drip's enum and the number of the API's enum value that stands for it.
template <typename Value>
struct EnumPair {
  Value value;
  int number;
};

/// Sets `result` to the value of `number`; 0 (unset) leaves it as it is. not_allowed() with
/// `allowed` for any other number.
template <typename Value, std::size_t kCount>
absl::Status read_enum(std::string_view field, int number, const EnumPair<Value> (&table)[kCount],
                       std::string_view allowed, std::optional<Value>& result) {
  if (number == 0) return absl::OkStatus();
  for (const EnumPair<Value>& pair : table) {
    if (pair.number != number) continue;
    result = pair.value;
    return absl::OkStatus();
  }
  return not_allowed(field, joined(number), allowed);
}

/// The API's value for `value`; its 0 if the table has none.
template <typename Message, typename Value, std::size_t kCount>
Message write_enum(Value value, const EnumPair<Value> (&table)[kCount]) {
  for (const EnumPair<Value>& pair : table) {
    if (pair.value == value) return static_cast<Message>(pair.number);
  }
  return static_cast<Message>(0);
}

}  // namespace drip::control
