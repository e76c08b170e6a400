// SPDX-License-Identifier: BSD-3-Clause
#include "control/traffic/bucket_names.h"

#include <optional>

#include "base/text.h"

namespace drip::control {
namespace {

constexpr std::size_t kBucketsAtOnce = 1000;

}  // namespace

std::string_view BucketNames::find(const PacketSample& sample) {
  switch (sample.target) {
    case RuleAction::Kind::kBucket: {
      const auto found = by_ref_.find(sample.bucket);
      // It may have moved or been deleted, and another one have its slot.
      if (found != by_ref_.end() && found->second->exists() &&
          found->second->ref() == sample.bucket) {
        return found->second->id_view();
      }
      break;
    }
    case RuleAction::Kind::kFlows: {
      const auto found = rules_.find(sample.flow_rule);
      if (found != rules_.end()) {
        text_ = joined(found->second, "/", to_text(sample.rule_flow, ports_));
        return text_;
      }
      break;
    }
    case RuleAction::Kind::kPass:
    case RuleAction::Kind::kDrop:
      return {};
  }
  stale_ = true;
  return {};
}

std::vector<std::string> BucketNames::refresh() {
  stale_ = false;
  std::vector<std::string> deleted;
  for (const auto& [ref, bucket] : by_ref_) {
    if (!bucket->exists()) deleted.push_back(bucket->id());
  }
  by_ref_.clear();
  std::string after;
  for (bool more = true; more;) {
    const std::vector<BucketEntryRef> page = buckets_.list("", after, kBucketsAtOnce);
    for (const BucketEntryRef& bucket : page) by_ref_[bucket->ref()] = bucket;
    more = page.size() == kBucketsAtOnce;
    if (more) after = page.back()->id();
  }
  rules_.clear();
  configuration_.with_rules([&](const RuleStore& store) {
    for (std::size_t i = 0; i < store.flow_rules().size(); ++i) {
      const std::optional<FlowRule>& flow_rule = store.flow_rules()[i];
      if (flow_rule) rules_[flow_rule->number] = store.rules().rules[i].id;
    }
  });
  ports_.clear();
  for (PortStats& port : engine_.ports()) ports_.push_back(std::move(port.name));
  return deleted;
}

}  // namespace drip::control
