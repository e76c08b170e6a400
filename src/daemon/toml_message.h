// SPDX-License-Identifier: BSD-3-Clause
// Fills a protobuf message from a TOML table with the message's own field names.
#pragma once

#include <google/protobuf/message.h>
#include <toml++/toml.h>

#include <string>

#include "absl/status/status.h"

namespace drip::daemon {

/// Fills `message`. INVALID_ARGUMENT, as toml_error(), for an unknown key or a value that the field
/// cannot hold. In a field whose name says its unit (_bps, _bytes, _ns, _ms) or that is a leak
/// rate, text with a unit is read as well. `path` is where the table stands, for the error.
[[nodiscard]] absl::Status fill_message(const toml::table& table, const std::string& path,
                                        google::protobuf::Message& message);
/// The same for one field that is not repeated. REQUIRES: the message has it.
[[nodiscard]] absl::Status fill_field(const toml::node& node, const std::string& field,
                                      google::protobuf::Message& message);

}  // namespace drip::daemon
