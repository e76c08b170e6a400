// SPDX-License-Identifier: BSD-3-Clause
// Looks for what is probably not as the operator means it.
#include "control/config/rule_warnings.h"

#include "base/text.h"

namespace drip::control {
namespace {

constexpr Duration kRecently{60'000'000'000};

std::string_view overflow_in_words(RuleSpec::Overflow overflow) {
  switch (overflow) {
    case RuleSpec::Overflow::kShared:
      return "share one bucket";
    case RuleSpec::Overflow::kDrop:
      return "are dropped";
    case RuleSpec::Overflow::kPass:
      return "pass unshaped";
    case RuleSpec::Overflow::kDefault:
      break;
  }
  return "go to the default";
}

}  // namespace

std::vector<std::string> warnings_of_refused_flows(const std::vector<RuleState>& rules,
                                                   TimePoint now) {
  std::vector<std::string> warnings;
  for (const RuleState& state : rules) {
    const RuleSpec::PerFlow* const per_flow = state.rule->per_flow();
    if (per_flow == nullptr || state.flows.refused == 0) continue;
    if (now - state.flows.last_refused > kRecently) continue;
    warnings.push_back(joined("rule ", state.rule->id, ": packets of flows beyond max_flows ",
                              per_flow->max_flows, " ", overflow_in_words(per_flow->overflow), ": ",
                              state.flows.refused, " so far"));
  }
  return warnings;
}

}  // namespace drip::control
