// SPDX-License-Identifier: BSD-3-Clause
// What an operator should know of the rules, as sentences.
#pragma once

#include <string>
#include <vector>

#include "control/config/rule_store.h"
#include "drip/time.h"

namespace drip::control {

/// A warning for each per-flow rule of which packets were refused within the last minute because
/// max_flows was reached.
[[nodiscard]] std::vector<std::string> warnings_of_refused_flows(
    const std::vector<RuleState>& rules, TimePoint now);

}  // namespace drip::control
