// SPDX-License-Identifier: BSD-3-Clause
// Converts the match of a rule between Protobuf and the classifier's type.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "classifier/match.h"
#include "drip/v1/shaper.pb.h"

namespace drip::control {

/// Reads all fields but ingress_port, whose name the caller keeps. INVALID_ARGUMENT as read_rule().
/// `rule_path` is the path of the rule in the request, with a dot at its end.
[[nodiscard]] absl::StatusOr<Match> read_match(const v1::Match& match, std::string_view rule_path);

void write_match(const Match& match, const std::string& ingress_port, v1::Match& message);

}  // namespace drip::control
