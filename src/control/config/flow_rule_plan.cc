// SPDX-License-Identifier: BSD-3-Clause
// Creates, keeps and removes per-flow rules, and undoes it.
#include "control/config/flow_rule_plan.h"

#include <algorithm>

#include "base/text.h"

namespace drip::control {
namespace {

bool same_settings(const FlowRuleSettings& a, const FlowRuleSettings& b) {
  return a.key == b.key && a.bucket == b.bucket && a.max_flows == b.max_flows &&
         a.idle_timeout == b.idle_timeout;
}

absl::Status error_of(const RuleSpec& rule, const absl::Status& status) {
  return {status.code(), joined(rule.path, "per_flow: ", message_of(status))};
}

}  // namespace

FlowRulePlan::~FlowRulePlan() {
  if (committed_) return;
  for (const std::uint32_t number : created_) engine_.remove_flow_rule(number);
  for (const FlowRule* const before : changed_) {
    // Cannot fail: the old settings had enough memory, and nothing took it in the meantime.
    (void)engine_.change_flow_rule(before->number, before->settings);
  }
}

const FlowRule* FlowRulePlan::kept_for(const RuleSpec& rule) const {
  for (std::size_t i = 0; i < old_rules_.rules.size(); ++i) {
    if (old_rules_.rules[i].id != rule.id || !old_flow_rules_[i]) continue;
    const FlowRule& old = *old_flow_rules_[i];
    const RuleSpec::PerFlow& flow = *rule.per_flow();
    const bool can_stay = old.settings.key == flow.key && old.settings.max_flows == flow.max_flows;
    return can_stay ? &old : nullptr;
  }
  return nullptr;
}

absl::Status FlowRulePlan::prepare(const RuleSetSpec& rules) {
  for (const RuleSpec& rule : rules.rules) {
    const RuleSpec::PerFlow* const flow = rule.per_flow();
    std::optional<FlowRule>& flow_rule = flow_rules_.emplace_back();
    if (flow == nullptr) continue;
    const FlowRuleSettings wanted{flow->key, flow->bucket, flow->max_flows, flow->idle_timeout};
    if (const FlowRule* const kept = kept_for(rule)) {
      flow_rule = {kept->number, wanted};
      if (same_settings(kept->settings, wanted)) continue;
      if (absl::Status status = engine_.change_flow_rule(kept->number, wanted); !status.ok()) {
        return error_of(rule, status);
      }
      changed_.push_back(kept);
      continue;
    }
    const absl::StatusOr<std::uint32_t> number = engine_.create_flow_rule(wanted);
    if (!number.ok()) return error_of(rule, number.status());
    created_.push_back(*number);
    flow_rule = {*number, wanted};
  }
  return absl::OkStatus();
}

FlowRulesByIndex FlowRulePlan::commit() {
  committed_ = true;
  for (const std::optional<FlowRule>& old : old_flow_rules_) {
    if (!old) continue;
    const bool used = std::ranges::any_of(flow_rules_, [&](const std::optional<FlowRule>& rule) {
      return rule && rule->number == old->number;
    });
    if (!used) engine_.remove_flow_rule(old->number);
  }
  return flow_rules_;
}

}  // namespace drip::control
