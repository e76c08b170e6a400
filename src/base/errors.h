// SPDX-License-Identifier: BSD-3-Clause
// The words of a refusal: every message names the field, the value and what is allowed.
//
// A field is written as in the protobuf message, from the request down: `capacity`,
// `buckets[3].leak_rate`, `rule_set.rules[0].match.src_prefix`. The text before the first ": " is
// always such a path, so that whoever built the request can find the place.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace drip::control {

/// `text` in quotes, with unprintable bytes escaped, cut after 40 bytes (then with its length).
[[nodiscard]] std::string quoted(std::string_view text);

/// INVALID_ARGUMENT, "<field>: <value> is not allowed: <allowed>".
[[nodiscard]] absl::Status not_allowed(std::string_view field, std::string_view value,
                                       std::string_view allowed);
/// INVALID_ARGUMENT, "<field>: missing: <needed>".
[[nodiscard]] absl::Status missing(std::string_view field, std::string_view needed);
/// NOT_FOUND, "<field>: no <noun> is named <name in quotes>".
[[nodiscard]] absl::Status not_found(std::string_view field, std::string_view noun,
                                     std::string_view name);

/// OK or not_allowed() with "<least> to <most><unit>", e.g. unit " bytes".
[[nodiscard]] absl::Status check_range(std::string_view field, std::uint64_t value,
                                       std::uint64_t least, std::uint64_t most,
                                       std::string_view unit);
[[nodiscard]] absl::Status check_range(std::string_view field, std::int64_t value,
                                       std::int64_t least, std::int64_t most,
                                       std::string_view unit);

/// A bucket's or rule's name: 1 to 128 of A-Z a-z 0-9 . _ : / @ -, beginning with a letter or
/// digit.
[[nodiscard]] absl::Status check_name(std::string_view field, std::string_view name);
/// 0 to 128 printable ASCII characters.
[[nodiscard]] absl::Status check_request_id(std::string_view field, std::string_view id);

}  // namespace drip::control
