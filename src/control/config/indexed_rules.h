// SPDX-License-Identifier: BSD-3-Clause
// The rules as configured, each with its index in the workers' snapshot, which it keeps while
// others come and go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "control/config/flow_rule_plan.h"
#include "control/model/rule_spec.h"

namespace drip::control {

/// Indices grow with the order of the rules. Erasing only marks a rule; the marked ones are taken
/// out, all at once, when somebody asks for the whole set. So erasing all rules one by one takes
/// time in proportion to their number. Not thread safe, not even the const methods: the caller
/// holds a lock.
class IndexedRules {
 public:
  /// Indices are those in `rules`. REQUIRES: as many elements in both.
  void assign(RuleSetSpec rules, FlowRulesByIndex flow_rules);
  /// Adds a rule that is not per-flow at the end, with index end(). REQUIRES: its id is new.
  void append(RuleSpec rule);
  /// REQUIRES: at(index) is not null.
  void erase(std::uint32_t index);

  /// Without the erased ones. Pointers into it are valid until a rule is added or erased.
  [[nodiscard]] const RuleSetSpec& rules() const {
    compact();
    return rules_;
  }
  /// By position in rules().rules, as are indices(), which tells the index of each.
  [[nodiscard]] const FlowRulesByIndex& flow_rules() const {
    compact();
    return flow_rules_;
  }
  [[nodiscard]] const std::vector<std::uint32_t>& indices() const {
    compact();
    return indices_;
  }
  [[nodiscard]] std::size_t size() const { return by_id_.size(); }
  /// One more than the last index that was given since assign().
  [[nodiscard]] std::uint32_t end() const { return end_; }
  [[nodiscard]] std::optional<std::uint32_t> find(std::string_view id) const;
  /// Null if there is no such rule, or none any more.
  [[nodiscard]] const RuleSpec* at(std::uint32_t index) const;
  [[nodiscard]] const AddressLists& lists() const { return rules_.lists; }
  [[nodiscard]] const std::string& default_bucket_id() const { return rules_.default_bucket_id; }

 private:
  // The position of an index in the vectors below, erased or not.
  [[nodiscard]] std::optional<std::size_t> position_of(std::uint32_t index) const;
  void compact() const;

  mutable RuleSetSpec rules_;
  mutable FlowRulesByIndex flow_rules_;
  mutable std::vector<std::uint32_t> indices_;  // Ascending.
  mutable std::vector<bool> erased_;            // By position; empty: none is.
  std::unordered_map<std::string, std::uint32_t> by_id_;
  std::uint32_t end_ = 0;
};

}  // namespace drip::control
