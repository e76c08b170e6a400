// SPDX-License-Identifier: BSD-3-Clause
#include "control/recorder/flow_rows.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace drip::control {
namespace {

class Rows {
 public:
  Rows(const Engine& engine, std::vector<BucketRow> old) : engine_(engine), old_(std::move(old)) {
    by_bucket_.reserve(old_.size());
    for (std::size_t i = 0; i < old_.size(); ++i) by_bucket_[old_[i].flow->bucket] = i;
  }

  void add(const std::shared_ptr<const FlowRuleOfRows>& rule, BucketRef bucket,
           const std::optional<FlowKey>& key) {
    if (const auto known = by_bucket_.find(bucket); known != by_bucket_.end()) {
      FlowOfRow& flow = *old_[known->second].flow;
      if (flow.key == key && flow.rule->id == rule->id) {
        flow.rule = rule;
        rows_.push_back(std::move(old_[known->second]));
        by_bucket_.erase(known);
        return;
      }
    }
    const std::string text = key ? engine_.flow_text(*key) : std::string(FlowRule::kOverflowName);
    rows_.emplace_back().flow =
        std::make_unique<FlowOfRow>(FlowOfRow{rule->id + "/" + text, rule, bucket, key});
  }

  std::vector<BucketRow> sorted() {
    std::ranges::sort(rows_, {}, &BucketRow::id);
    return std::move(rows_);
  }

 private:
  const Engine& engine_;
  std::vector<BucketRow> old_;
  absl::flat_hash_map<BucketRef, std::size_t> by_bucket_;  // Index in old_.
  std::vector<BucketRow> rows_;
};

}  // namespace

std::vector<BucketRow> flow_rows(const Engine& engine, const RuleStore& rules,
                                 std::vector<BucketRow> old) {
  Rows rows(engine, std::move(old));
  for (std::size_t i = 0; i < rules.flow_rules().size(); ++i) {
    const std::optional<FlowRule>& flow_rule = rules.flow_rules()[i];
    if (!flow_rule) continue;
    const RuleSpec& spec = rules.rules().rules[i];
    const auto rule = std::make_shared<const FlowRuleOfRows>(FlowRuleOfRows{
        spec.id, flow_rule->number, flow_rule->settings.bucket, spec.per_flow()->place});
    for (const FlowPlace& flow : engine.find_flows(flow_rule->number)) {
      rows.add(rule, flow.bucket, flow.key);
    }
    if (flow_rule->overflow_bucket) rows.add(rule, *flow_rule->overflow_bucket, std::nullopt);
  }
  return rows.sorted();
}

}  // namespace drip::control
