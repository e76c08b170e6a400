// SPDX-License-Identifier: BSD-3-Clause
// Rules between protobuf and Drip's own types, with all validation of single fields.
#pragma once

#include <string_view>

#include "absl/status/statusor.h"
#include "control/model/rule_spec.h"
#include "drip/v1/shaper.pb.h"

namespace drip::control {

/// INVALID_ARGUMENT naming field, value and what is allowed. `path` is where the message stands in
/// the request, with a dot at its end.
[[nodiscard]] absl::StatusOr<RuleSpec> read_rule(const v1::Rule& rule, std::string_view path);
/// Also refuses a rule_id that is there twice.
[[nodiscard]] absl::StatusOr<RuleSetSpec> read_rule_set(const v1::RuleSet& rule_set,
                                                        std::string_view path);

void write_rule(const RuleSpec& spec, v1::Rule& rule);

}  // namespace drip::control
