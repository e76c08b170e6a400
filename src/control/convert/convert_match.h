// SPDX-License-Identifier: BSD-3-Clause
// Converts the match of a rule between Protobuf and the classifier's type.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "control/model/rule_spec.h"
#include "drip/v1/shaper.pb.h"

namespace drip::control {

/// Reads all fields into `rule`. INVALID_ARGUMENT as read_rule(). Whether port and lists exist is
/// not checked.
[[nodiscard]] absl::Status read_match(const v1::Match& match, RuleSpec& rule);

void write_match(const RuleSpec& rule, v1::Match& message);

/// "192.0.2.0/24"; INVALID_ARGUMENT naming the field.
[[nodiscard]] absl::StatusOr<IpPrefix> read_prefix(std::string_view field, const std::string& text);

}  // namespace drip::control
