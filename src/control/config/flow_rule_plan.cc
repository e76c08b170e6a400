// SPDX-License-Identifier: BSD-3-Clause
// Creates, keeps and removes per-flow rules, and undoes it.
#include "control/config/flow_rule_plan.h"

#include <algorithm>

#include "base/text.h"

namespace drip::control {
namespace {

bool same_place(const FlowRuleSettings& a, const FlowRuleSettings& b) {
  return a.parent == b.parent && a.share == b.share;
}

bool same_settings(const FlowRuleSettings& a, const FlowRuleSettings& b) {
  return a.key == b.key && a.bucket == b.bucket && a.max_flows == b.max_flows &&
         a.idle_timeout == b.idle_timeout && same_place(a, b);
}

// To make the bucket of flows beyond max_flows what `settings` say. `before`: of one that there is.
BucketChange overflow_change(std::optional<BucketRef> bucket, const FlowRuleSettings& settings,
                             const FlowRuleSettings* before) {
  BucketChange change{bucket, settings.bucket};
  if (before == nullptr ? settings.parent.has_value() : !same_place(*before, settings)) {
    change.node = {false, settings.parent, std::nullopt, settings.share};
    change.moves = before != nullptr && before->parent != settings.parent;
  }
  return change;
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
  for (const auto& [before, after] : changed_buckets_) {
    BucketChange change = overflow_change(before->overflow_bucket, before->settings, &after);
    (void)engine_.apply({&change, 1});
  }
  for (const BucketRef bucket : created_buckets_) engine_.remove(bucket, true);
}

FlowRuleSettings FlowRulePlan::settings_of(const RuleSpec::PerFlow& flow) const {
  FlowRuleSettings settings{flow.key, flow.bucket, flow.max_flows, flow.idle_timeout};
  if (flow.place.parent_id.empty()) return settings;
  settings.parent = buckets_.find(flow.place.parent_id)->ref();
  settings.share = flow.place.share;
  return settings;
}

const FlowRule* FlowRulePlan::kept_for(const RuleSpec& rule, const RuleSetSpec& rules) const {
  const FlowRule* renamed = nullptr;
  for (std::size_t i = 0; i < old_rules_.rules.size(); ++i) {
    const RuleSpec& old = old_rules_.rules[i];
    if (!old_flow_rules_[i]) {
      if (old.id == rule.id) return nullptr;
      continue;
    }
    if (old.id == rule.id) return &*old_flow_rules_[i];
    const bool is_the_same = old.same_match(rule) && old.per_flow()->key == rule.per_flow()->key;
    if (!is_the_same || renamed != nullptr) continue;
    const bool is_gone = std::ranges::find(rules.rules, old.id, &RuleSpec::id) == rules.rules.end();
    const bool is_taken =
        std::ranges::any_of(flow_rules_, [&](const std::optional<FlowRule>& taken) {
          return taken && taken->number == old_flow_rules_[i]->number;
        });
    if (is_gone && !is_taken) renamed = &*old_flow_rules_[i];
  }
  return renamed;
}

absl::Status FlowRulePlan::prepare(const RuleSetSpec& rules) {
  for (const RuleSpec& rule : rules.rules) {
    const RuleSpec::PerFlow* const flow = rule.per_flow();
    std::optional<FlowRule>& flow_rule = flow_rules_.emplace_back();
    if (flow == nullptr) continue;
    const FlowRuleSettings wanted = settings_of(*flow);
    const FlowRule* const kept = kept_for(rule, rules);
    if (kept != nullptr) {
      flow_rule = {kept->number, wanted, {}};
      if (!same_settings(kept->settings, wanted)) {
        if (absl::Status status = engine_.change_flow_rule(kept->number, wanted); !status.ok()) {
          return error_of(rule, status);
        }
        changed_.push_back(kept);
      }
    } else {
      const absl::StatusOr<std::uint32_t> number = engine_.create_flow_rule(wanted);
      if (!number.ok()) return error_of(rule, number.status());
      created_.push_back(*number);
      flow_rule = {*number, wanted, {}};
    }
    if (flow->overflow != RuleSpec::Overflow::kShared) continue;
    if (absl::Status status = prepare_overflow(kept, *flow_rule); !status.ok()) {
      return error_of(rule, status);
    }
  }
  return absl::OkStatus();
}

absl::Status FlowRulePlan::prepare_overflow(const FlowRule* kept, FlowRule& flow_rule) {
  const FlowRuleSettings& wanted = flow_rule.settings;
  if (kept != nullptr && kept->overflow_bucket) {
    flow_rule.overflow_bucket = kept->overflow_bucket;
    if (kept->settings.bucket == wanted.bucket && same_place(kept->settings, wanted)) {
      return absl::OkStatus();
    }
    BucketChange change = overflow_change(kept->overflow_bucket, wanted, &kept->settings);
    absl::Status status = engine_.apply({&change, 1});
    if (status.ok()) changed_buckets_.emplace_back(kept, wanted);
    return status;
  }
  BucketChange change = overflow_change(std::nullopt, wanted, nullptr);
  if (absl::Status status = engine_.apply({&change, 1}); !status.ok()) return status;
  created_buckets_.push_back(*change.ref);
  flow_rule.overflow_bucket = change.ref;
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
    if (!old->overflow_bucket) continue;
    const bool keeps_bucket =
        std::ranges::any_of(flow_rules_, [&](const std::optional<FlowRule>& rule) {
          return rule && rule->overflow_bucket == old->overflow_bucket;
        });
    if (!keeps_bucket) engine_.remove(*old->overflow_bucket, false);
  }
  return flow_rules_;
}

}  // namespace drip::control
