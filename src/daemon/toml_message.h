// SPDX-License-Identifier: BSD-3-Clause
// Fills a Protobuf message from a TOML table that has the message's field names.
#pragma once

#include <google/protobuf/message.h>
#include <toml++/toml.h>

#include <string>

#include "absl/status/status.h"

namespace drip::daemon {

/// Fills `message`. INVALID_ARGUMENT, as made by toml_error(), for an unknown key or a value that
/// the field cannot hold. A field whose name ends with its unit (_bps, _bytes, _ns, _ms), and a
/// leak rate, may also be text with a unit. `path` is the path of the table in the file, for
/// errors.
[[nodiscard]] absl::Status fill_message(const toml::table& table, const std::string& path,
                                        google::protobuf::Message& message);
/// The same for one field that is not repeated. REQUIRES: the message has it.
[[nodiscard]] absl::Status fill_field(const toml::node& node, const std::string& field,
                                      google::protobuf::Message& message);

}  // namespace drip::daemon
