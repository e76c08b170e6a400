// SPDX-License-Identifier: BSD-3-Clause
// The flow sets of a new rule set: those that stay, those that are made, and the way back.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "control/model/rule_spec.h"
#include "engine/engine.h"

namespace drip::control {

/// A per-flow rule as the engine knows it.
struct FlowTable {
  std::uint32_t number = 0;
  FlowRuleSettings settings;
};

/// By rule index; none for a rule that is not per-flow.
using FlowSets = std::vector<std::optional<FlowTable>>;

/// Makes and changes flow sets, and undoes all of it in its destructor unless it was committed.
/// Calls the engine: under the lock that its rules need.
class FlowRulePlan {
 public:
  FlowRulePlan(Engine& engine, const RuleSetSpec& old_rules, const FlowSets& old_sets)
      : engine_(engine), old_rules_(old_rules), old_sets_(old_sets) {}
  ~FlowRulePlan();
  FlowRulePlan(const FlowRulePlan&) = delete;
  FlowRulePlan& operator=(const FlowRulePlan&) = delete;

  /// A rule of the same id keeps its flow set, and so its flows, unless its key or max_flows
  /// changed. The engine's refusal, naming the rule.
  [[nodiscard]] absl::Status prepare(const RuleSetSpec& rules);
  /// By rule of what was prepared.
  [[nodiscard]] const FlowSets& sets() const { return sets_; }
  /// The new rules are in place: removes the old sets that they do not use. Returns sets().
  FlowSets commit();

 private:
  [[nodiscard]] const FlowTable* kept_for(const RuleSpec& rule) const;

  Engine& engine_;
  const RuleSetSpec& old_rules_;
  const FlowSets& old_sets_;
  FlowSets sets_;
  std::vector<std::uint32_t> made_;
  std::vector<const FlowTable*> changed_;  // As they were.
  bool committed_ = false;
};

}  // namespace drip::control
