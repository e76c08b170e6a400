// SPDX-License-Identifier: BSD-3-Clause
// The change of the engine's per-flow rules when the rule set is replaced.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "control/config/bucket_registry.h"
#include "control/model/rule_spec.h"
#include "engine/engine.h"

namespace drip::control {

/// A per-flow rule in the engine: its number there, and the settings it has.
struct FlowRule {
  /// The name of overflow_bucket among the rule's flows. No flow has this text.
  static constexpr std::string_view kOverflowName = "overflow";

  std::uint32_t number = 0;
  FlowRuleSettings settings;
  /// The bucket of packets of flows beyond max_flows, if they have one.
  std::optional<BucketRef> overflow_bucket;
};

/// By the index of the rule in its rule set; none for a rule that is not per-flow.
using FlowRulesByIndex = std::vector<std::optional<FlowRule>>;

/// Creates and changes per-flow rules in the engine for a new rule set. The destructor undoes all
/// of it unless commit() was called. Not thread safe: the caller holds the lock for changes of
/// rules.
class FlowRulePlan {
 public:
  FlowRulePlan(Engine& engine, const BucketRegistry& buckets, const RuleSetSpec& old_rules,
               const FlowRulesByIndex& old_flow_rules)
      : engine_(engine),
        buckets_(buckets),
        old_rules_(old_rules),
        old_flow_rules_(old_flow_rules) {}
  ~FlowRulePlan();
  FlowRulePlan(const FlowRulePlan&) = delete;
  FlowRulePlan& operator=(const FlowRulePlan&) = delete;

  /// Reserves what `rules` need. A rule with the id of an old one keeps that rule's number and its
  /// flows; so does one with a new id if an old rule that is gone had the same match and key. On
  /// failure returns the engine's error, naming the rule. REQUIRES:
  /// buckets.check_flow_rules(rules).
  [[nodiscard]] absl::Status prepare(const RuleSetSpec& rules);
  /// The per-flow rules of the rule set that was prepared.
  [[nodiscard]] const FlowRulesByIndex& flow_rules() const { return flow_rules_; }
  /// To be called when the workers use the new rules: removes the old per-flow rules that the new
  /// ones do not use. Returns flow_rules().
  FlowRulesByIndex commit();

 private:
  [[nodiscard]] FlowRuleSettings settings_of(const RuleSpec::PerFlow& flow) const;
  // The old per-flow rule that `rule` keeps; null if there is none.
  [[nodiscard]] const FlowRule* kept_for(const RuleSpec& rule, const RuleSetSpec& rules) const;
  // Makes or changes the bucket for flows beyond max_flows. `kept`: the old rule, if it is kept.
  [[nodiscard]] absl::Status prepare_overflow(const FlowRule* kept, FlowRule& flow_rule);

  Engine& engine_;
  const BucketRegistry& buckets_;
  const RuleSetSpec& old_rules_;
  const FlowRulesByIndex& old_flow_rules_;
  FlowRulesByIndex flow_rules_;
  std::vector<std::uint32_t> created_;    // By number.
  std::vector<const FlowRule*> changed_;  // As they were before.
  std::vector<BucketRef> created_buckets_;
  // Their rules as they were before, and what the buckets became.
  std::vector<std::pair<const FlowRule*, FlowRuleSettings>> changed_buckets_;
  bool committed_ = false;
};

}  // namespace drip::control
