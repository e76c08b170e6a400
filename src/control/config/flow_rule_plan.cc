// SPDX-License-Identifier: BSD-3-Clause
// Prepares, commits and unwinds flow sets.
#include "control/config/flow_rule_plan.h"

#include <algorithm>

#include "base/text.h"

namespace drip::control {
namespace {

bool same_settings(const FlowRuleSettings& a, const FlowRuleSettings& b) {
  return a.key == b.key && a.bucket == b.bucket && a.max_flows == b.max_flows &&
         a.idle_timeout == b.idle_timeout;
}

absl::Status named(const RuleSpec& rule, const absl::Status& status) {
  return {status.code(), joined(rule.path, "per_flow: ", message_of(status))};
}

}  // namespace

FlowRulePlan::~FlowRulePlan() {
  if (committed_) return;
  for (const std::uint32_t number : made_) engine_.remove_flow_rule(number);
  for (const FlowTable* const before : changed_) {
    // What was there before fitted then, and nothing took its memory meanwhile.
    (void)engine_.change_flow_rule(before->number, before->settings);
  }
}

const FlowTable* FlowRulePlan::kept_for(const RuleSpec& rule) const {
  for (std::size_t i = 0; i < old_rules_.rules.size(); ++i) {
    if (old_rules_.rules[i].id != rule.id || !old_sets_[i]) continue;
    const FlowTable& old_set = *old_sets_[i];
    const RuleSpec::PerFlow& flow = *rule.per_flow();
    const bool fits =
        old_set.settings.key == flow.key && old_set.settings.max_flows == flow.max_flows;
    return fits ? &old_set : nullptr;
  }
  return nullptr;
}

absl::Status FlowRulePlan::prepare(const RuleSetSpec& rules) {
  for (const RuleSpec& rule : rules.rules) {
    const RuleSpec::PerFlow* const flow = rule.per_flow();
    std::optional<FlowTable>& set = sets_.emplace_back();
    if (flow == nullptr) continue;
    const FlowRuleSettings wanted{flow->key, flow->bucket, flow->max_flows, flow->idle_timeout};
    if (const FlowTable* const kept = kept_for(rule)) {
      set = {kept->number, wanted};
      if (same_settings(kept->settings, wanted)) continue;
      if (absl::Status status = engine_.change_flow_rule(kept->number, wanted); !status.ok()) {
        return named(rule, status);
      }
      changed_.push_back(kept);
      continue;
    }
    const absl::StatusOr<std::uint32_t> number = engine_.create_flow_rule(wanted);
    if (!number.ok()) return named(rule, number.status());
    made_.push_back(*number);
    set = {*number, wanted};
  }
  return absl::OkStatus();
}

FlowSets FlowRulePlan::commit() {
  committed_ = true;
  for (const std::optional<FlowTable>& old_set : old_sets_) {
    if (!old_set) continue;
    const bool used = std::any_of(sets_.begin(), sets_.end(), [&](const auto& set) {
      return set && set->number == old_set->number;
    });
    if (!used) engine_.remove_flow_rule(old_set->number);
  }
  return sets_;
}

}  // namespace drip::control
