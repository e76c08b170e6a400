// SPDX-License-Identifier: BSD-3-Clause
// Makes the text of an error: of an RPC, of the configuration file, of a flag.
//
// An error names the field, its value and what is allowed, so that whoever made the request can
// correct it without a look at the documentation:
//
//     buckets[3].capacity: 0 is not allowed: 1 to 1048576 units
//
// A field is written as in the Protobuf message, from the request down: `capacity`,
// `buckets[3].leak_rate`, `rule_set.rules[0].match.src_prefix`. The text before the first ": " is
// always such a path; daemon/config_file.h uses it to find the line of the file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace drip {

/// `text` in quotes for an error's text: unprintable bytes are escaped, and a text of more than 40
/// bytes is cut and followed by its length.
[[nodiscard]] std::string quoted(std::string_view text);

/// INVALID_ARGUMENT, "<field>: <value> is not allowed: <allowed>".
[[nodiscard]] absl::Status not_allowed(std::string_view field, std::string_view value,
                                       std::string_view allowed);
/// INVALID_ARGUMENT, "<field>: missing: <needed>".
[[nodiscard]] absl::Status missing(std::string_view field, std::string_view needed);
/// NOT_FOUND, "<field>: no <kind> is named <name in quotes>". `kind` is "bucket", "rule" or "port".
[[nodiscard]] absl::Status not_found(std::string_view field, std::string_view kind,
                                     std::string_view name);

/// UNAVAILABLE: the node stops before it can do what was asked.
[[nodiscard]] absl::Status node_stopping();
/// ABORTED: of several callers that await one request, another one released it.
[[nodiscard]] absl::Status released_by_another();

/// not_allowed() with "<least> to <most><unit>" unless `value` is in that range. `unit` begins with
/// a blank, " bytes", or is empty.
[[nodiscard]] absl::Status check_range(std::string_view field, std::uint64_t value,
                                       std::uint64_t least, std::uint64_t most,
                                       std::string_view unit);
[[nodiscard]] absl::Status check_range(std::string_view field, std::int64_t value,
                                       std::int64_t least, std::int64_t most,
                                       std::string_view unit);

/// not_allowed() unless `name` can be the name of a bucket or rule: 1 to 128 of A-Z a-z 0-9 . _ : /
/// @ -, beginning with a letter or digit.
[[nodiscard]] absl::Status check_name(std::string_view field, std::string_view name);
/// not_allowed() unless `id` can be the id of a request: 0 to 128 printable ASCII characters.
[[nodiscard]] absl::Status check_request_id(std::string_view field, std::string_view id);

/// The text of an error about one argument of a command line, which the parser of the command line
/// puts behind the name of the flag: "'<text>' is not allowed; allowed: <allowed>".
[[nodiscard]] std::string argument_error(std::string_view text, std::string_view allowed);

}  // namespace drip
