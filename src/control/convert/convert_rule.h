// SPDX-License-Identifier: BSD-3-Clause
// Converts rules between Protobuf and the model, and checks the range of every field.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "control/model/rule_spec.h"
#include "drip/v1/shaper.pb.h"

namespace drip::control {

/// INVALID_ARGUMENT as read_rule().
[[nodiscard]] absl::StatusOr<AddressList> read_address_list(const v1::AddressList& list,
                                                            std::string_view path);
/// INVALID_ARGUMENT, naming field, value and what is allowed, if a field is out of range. `path` is
/// the path of the message in the request, with a dot at its end.
[[nodiscard]] absl::StatusOr<RuleSpec> read_rule(const v1::Rule& rule, std::string_view path);
/// As read_rule(); INVALID_ARGUMENT also if two rules have the same rule_id.
[[nodiscard]] absl::StatusOr<RuleSetSpec> read_rule_set(const v1::RuleSet& rule_set,
                                                        std::string_view path);

void write_rule(const RuleSpec& spec, v1::Rule& rule);

}  // namespace drip::control
