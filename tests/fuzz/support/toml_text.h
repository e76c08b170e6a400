// SPDX-License-Identifier: BSD-3-Clause
// Writes messages of the API as TOML, field by field.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string>
#include <string_view>

namespace drip::fuzz {

/// `text` in quotes.
[[nodiscard]] std::string toml_of_text(std::string_view text);
/// The fields that the message has, as `{a = 1, b = "x"}`.
[[nodiscard]] std::string inline_table(const google::protobuf::Message& message);
/// The same, a line each: the body of a table.
[[nodiscard]] std::string table_lines(const google::protobuf::Message& message);

}  // namespace drip::fuzz
