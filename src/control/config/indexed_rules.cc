// SPDX-License-Identifier: BSD-3-Clause
#include "control/config/indexed_rules.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace drip::control {

void IndexedRules::assign(RuleSetSpec rules, FlowRulesByIndex flow_rules) {
  rules_ = std::move(rules);
  flow_rules_ = std::move(flow_rules);
  end_ = static_cast<std::uint32_t>(rules_.rules.size());
  indices_.resize(end_);
  std::iota(indices_.begin(), indices_.end(), 0U);
  erased_.clear();
  by_id_.clear();
  for (std::uint32_t i = 0; i < end_; ++i) by_id_.emplace(rules_.rules[i].id, i);
}

void IndexedRules::append(RuleSpec rule) {
  by_id_.emplace(rule.id, end_);
  rules_.rules.push_back(std::move(rule));
  flow_rules_.emplace_back();
  indices_.push_back(end_++);
  if (!erased_.empty()) erased_.push_back(false);
}

void IndexedRules::erase(std::uint32_t index) {
  const std::size_t position = *position_of(index);
  by_id_.erase(rules_.rules[position].id);
  erased_.resize(rules_.rules.size());
  erased_[position] = true;
}

std::optional<std::uint32_t> IndexedRules::find(std::string_view id) const {
  const auto found = by_id_.find(std::string(id));
  return found == by_id_.end() ? std::nullopt : std::optional(found->second);
}

const RuleSpec* IndexedRules::at(std::uint32_t index) const {
  const auto position = position_of(index);
  if (!position || (!erased_.empty() && erased_[*position])) return nullptr;
  return &rules_.rules[*position];
}

std::optional<std::size_t> IndexedRules::position_of(std::uint32_t index) const {
  const auto found = std::ranges::lower_bound(indices_, index);
  if (found == indices_.end() || *found != index) return std::nullopt;
  return static_cast<std::size_t>(found - indices_.begin());
}

void IndexedRules::compact() const {
  if (erased_.empty()) return;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < erased_.size(); ++i) {
    if (erased_[i]) continue;
    if (kept != i) {
      rules_.rules[kept] = std::move(rules_.rules[i]);
      flow_rules_[kept] = flow_rules_[i];
      indices_[kept] = indices_[i];
    }
    ++kept;
  }
  rules_.rules.resize(kept);
  flow_rules_.resize(kept);
  indices_.resize(kept);
  erased_.clear();
}

}  // namespace drip::control
