// SPDX-License-Identifier: BSD-3-Clause
// Compiles rules to a snapshot, swaps the workers' snapshot, and keeps the hit counters. Changes of
// single rules are in rule_store_changes.cc.
#include "control/config/rule_store.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "base/errors.h"
#include "base/text.h"
#include "classifier/classifier.h"
#include "control/config/rule_warnings.h"
#include "control/config/spare_rules.h"
#include "control/model/expand_rule.h"

namespace drip::control {
namespace {

HitTotals operator+(HitTotals a, HitTotals b) { return {a.packets + b.packets, a.bytes + b.bytes}; }

// Each bucket once, because the engine reserves mbufs for every element.
std::vector<BucketRef> packet_buckets_of(const RuleSnapshot& snapshot) {
  std::vector<BucketRef> result;
  const auto add = [&](const RuleAction& action) {
    if (action.kind == RuleAction::Kind::kBucket) result.push_back(action.bucket);
  };
  std::for_each(snapshot.actions.begin(), snapshot.actions.end(), add);
  add(snapshot.fallback);
  for (const FlowPath& path : snapshot.flow_paths) add(path.overflow);
  const auto position = [](BucketRef ref) { return std::pair(ref.transmitter, ref.slot); };
  std::ranges::sort(result, {}, position);
  result.erase(std::unique(result.begin(), result.end()), result.end());
  return result;
}

RuleAction overflow_of(const RuleSpec::PerFlow& rule, const FlowRule& flow_rule,
                       const RuleAction& fallback) {
  switch (rule.overflow) {
    case RuleSpec::Overflow::kShared:
      return {RuleAction::Kind::kBucket, *flow_rule.overflow_bucket, 0};
    case RuleSpec::Overflow::kDrop:
      return {RuleAction::Kind::kDrop, {}, 0};
    case RuleSpec::Overflow::kPass:
      return {RuleAction::Kind::kPass, {}, 0};
    case RuleSpec::Overflow::kDefault:
      break;
  }
  return fallback;
}

// Those of a tree are with their parent, unless that is spread.
std::uint32_t transmitter_of(const RuleSpec::PerFlow& rule, const BucketRegistry& buckets) {
  if (rule.place.parent_id.empty()) return FlowPath::kAnyTransmitter;
  const BucketEntryRef parent = buckets.find(rule.place.parent_id);
  return parent->place().spread ? FlowPath::kAnyTransmitter : parent->ref().transmitter;
}

// Gives the actions of per-flow rules the numbers that they have in the engine.
void set_flow_rules(const RuleSetSpec& rules, const FlowRulesByIndex& flow_rules,
                    const BucketRegistry& buckets, RuleSnapshot& snapshot) {
  for (std::size_t i = 0; i < rules.rules.size(); ++i) {
    if (!flow_rules[i]) continue;
    const std::uint32_t number = flow_rules[i]->number;
    snapshot.actions[i].flow_rule = number;
    if (number >= snapshot.flow_paths.size()) snapshot.flow_paths.resize(number + 1);
    snapshot.flow_paths[number] = {
        flow_rules[i]->settings.key,
        overflow_of(*rules.rules[i].per_flow(), *flow_rules[i], snapshot.fallback),
        transmitter_of(*rules.rules[i].per_flow(), buckets)};
  }
}

}  // namespace

absl::Status RuleStore::start() {
  if (snapshot_ != nullptr) return absl::OkStatus();
  absl::Status status = replace({});
  revision_ = 0;
  return status;
}

absl::StatusOr<BucketRef> RuleStore::bucket_named(std::string_view field,
                                                  std::string_view id) const {
  const BucketEntryRef bucket = buckets_.find(id);
  if (bucket == nullptr) return not_found(field, "bucket", id);
  if (bucket->sharing().exact()) {
    return absl::FailedPreconditionError(
        joined(field, ": ", quoted(id),
               " is an exact bucket of the cluster, which asks Redis for each unit and takes no "
               "packets; share it with SHARING_SPLIT"));
  }
  if (bucket->inner()) return inner_node_error(field, id, "packets");
  return bucket->ref();
}

absl::StatusOr<RuleAction> RuleStore::action_of(const RuleSpec& rule) const {
  RuleAction action;
  if (rule.per_flow() != nullptr) {
    action.kind = RuleAction::Kind::kFlows;
  } else if (const RuleSpec::ToBucket* const to = rule.to_bucket()) {
    const absl::StatusOr<BucketRef> bucket =
        bucket_named(joined(rule.path, "bucket_id"), to->bucket_id);
    if (!bucket.ok()) return bucket.status();
    action.kind = RuleAction::Kind::kBucket;
    action.bucket = *bucket;
  } else if (std::holds_alternative<RuleSpec::Drop>(rule.action)) {
    action.kind = RuleAction::Kind::kDrop;
  }
  if (rule.set_dscp) action.dscp = *rule.set_dscp;
  return action;
}

absl::Status RuleStore::add_matches(const RuleSpec& rule, const AddressLists& lists,
                                    std::uint32_t index, std::size_t most,
                                    std::vector<ClassifierRule>& classified) const {
  std::optional<std::uint16_t> port;
  if (!rule.ingress_port.empty()) {
    port = engine_.find_port(rule.ingress_port);
    if (!port) {
      return not_found(joined(rule.path, "match.ingress_port"), "port", rule.ingress_port);
    }
  }
  absl::StatusOr<std::vector<Match>> matches = expand_rule(rule, lists, most);
  if (!matches.ok()) return matches.status();
  for (Match& match : *matches) {
    match.ingress_port = port;
    classified.push_back({match, rule.priority, index});
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<RuleSnapshot>> RuleStore::compile(const RuleSetSpec& rules,
                                                                 std::size_t& matches) const {
  auto snapshot = std::make_shared<RuleSnapshot>();
  std::vector<ClassifierRule> classified;
  for (std::uint32_t index = 0; index < rules.rules.size(); ++index) {
    const RuleSpec& rule = rules.rules[index];
    if (absl::Status status =
            add_matches(rule, rules.lists, index, kMaxMatches - classified.size(), classified);
        !status.ok()) {
      return status;
    }
    const absl::StatusOr<RuleAction> action = action_of(rule);
    if (!action.ok()) return action.status();
    snapshot->actions.push_back(*action);
  }
  matches = classified.size();
  absl::StatusOr<Classifier> classifier = Classifier::build(classified);
  if (!classifier.ok()) return classifier.status();
  snapshot->classifier = *std::move(classifier);

  if (!rules.default_bucket_id.empty()) {
    const absl::StatusOr<BucketRef> bucket =
        bucket_named(joined(rules.path, "default_bucket_id"), rules.default_bucket_id);
    if (!bucket.ok()) return bucket.status();
    snapshot->fallback.kind = RuleAction::Kind::kBucket;
    snapshot->fallback.bucket = *bucket;
  }
  snapshot->control_protocols =
      rules.protect_control_traffic ? rules.control_protocols : ControlProtocols::none();
  return snapshot;
}

absl::Status RuleStore::replace(RuleSetSpec rules) {
  std::size_t matches = 0;
  // First, so that nothing is reserved for rules that do not compile.
  absl::StatusOr<std::shared_ptr<RuleSnapshot>> compiled = compile(rules, matches);
  if (!compiled.ok()) return compiled.status();
  if (absl::Status status = buckets_.check_flow_rules(rules); !status.ok()) return status;
  FlowRulePlan plan(engine_, buckets_, rules_.rules(), rules_.flow_rules());
  if (absl::Status status = plan.prepare(rules); !status.ok()) return status;
  set_flow_rules(rules, plan.flow_rules(), buckets_, **compiled);
  (*compiled)->prepare_workers(engine_.worker_count(), spare_of(rules.rules.size()));
  for (std::size_t i = 0; i < rules.rules.size(); ++i) {
    (*compiled)->priorities[i] = rules.rules[i].priority;
  }
  std::shared_ptr<const RuleSnapshot> snapshot = *std::move(compiled);
  const auto before = engine_.swap_rules(snapshot, packet_buckets_of(*snapshot));
  if (!before.ok()) return before.status();

  keep_hits(rules);
  warnings_.reset();
  FlowRulesByIndex flow_rules = plan.commit();
  buckets_.set_flow_rules(rules);
  snapshot_ = std::move(snapshot);
  bucket_uses_.clear();
  covers_.clear();
  if (!rules.default_bucket_id.empty()) ++bucket_uses_[rules.default_bucket_id];
  for (const RuleSpec& rule : rules.rules) {
    count_uses(rule);
    covers_.push_back(cover_of(rule, rules.lists));
  }
  rules_.assign(std::move(rules), std::move(flow_rules));
  matches_ = matches;
  added_.clear();
  changes_ = changes_before_ = 0;
  ++revision_;
  return absl::OkStatus();
}

void RuleStore::count_uses(const RuleSpec& rule) {
  if (const RuleSpec::ToBucket* const to = rule.to_bucket()) ++bucket_uses_[to->bucket_id];
}

BucketEntryRef RuleStore::bucket_of(std::size_t snapshot_index) const {
  if (snapshot_ != nullptr && snapshot_index >= snapshot_->rule_slots) {
    return buckets_.find(rules_.default_bucket_id());
  }
  const RuleSpec* const rule = rule_at(snapshot_index);
  const RuleSpec::ToBucket* const to = rule == nullptr ? nullptr : rule->to_bucket();
  return to == nullptr ? nullptr : buckets_.find(to->bucket_id);
}

HitTotals RuleStore::snapshot_hits(std::size_t index) const {
  HitTotals sum;
  if (snapshot_ == nullptr) return sum;
  for (const std::shared_ptr<WorkerRule[]>& worker : snapshot_->workers) {
    sum = sum + HitTotals{worker[index].packets.get(), worker[index].bytes.get()};
  }
  return sum;
}

void RuleStore::keep_hits(const RuleSetSpec& next) {
  if (snapshot_ == nullptr) return;
  std::map<std::string, HitTotals> sums;
  for (const std::uint32_t index : rules_.indices()) {
    const std::string& id = rules_.at(index)->id;
    sums[id] = kept_hits_[id] + snapshot_hits(index);
  }
  kept_hits_.clear();
  for (const RuleSpec& rule : next.rules) {
    if (const auto sum = sums.find(rule.id); sum != sums.end()) kept_hits_.insert(*sum);
  }
  for (std::size_t kind = 0; kind < kPacketKinds; ++kind) {
    kept_default_[kind] = kept_default_[kind] +
                          snapshot_hits(snapshot_->fallback_index(static_cast<PacketKind>(kind)));
  }
  kept_protected_ = kept_protected_ + snapshot_hits(snapshot_->protected_index());
}

const std::vector<std::vector<std::string>>& RuleStore::warnings() const {
  if (!warnings_) warnings_ = warnings_of_rules(rules_.rules(), longest_frame_of(engine_));
  return *warnings_;
}

std::vector<std::string> RuleStore::warnings_of(std::string_view id) const {
  const auto index = rules_.find(id);
  if (!index) return {};
  const auto position = std::ranges::lower_bound(rules_.indices(), *index);
  return warnings_of_rule(rules_.rules(),
                          static_cast<std::size_t>(position - rules_.indices().begin()),
                          longest_frame_of(engine_));
}

std::vector<RuleState> RuleStore::list() const {
  std::vector<RuleState> states;
  const std::vector<RuleSpec>& rules = rules_.rules().rules;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    RuleState& state = states.emplace_back();
    state.rule = &rules[i];
    state.hits = snapshot_hits(rules_.indices()[i]);
    state.warnings = warnings()[i];
    if (const auto kept = kept_hits_.find(state.rule->id); kept != kept_hits_.end()) {
      state.hits = state.hits + kept->second;
    }
    if (const auto& flows = rules_.flow_rules()[i]) {
      state.flows = engine_.read_flow_rule(flows->number);
    }
  }
  std::ranges::stable_sort(states, std::greater{},
                           [](const RuleState& state) { return state.rule->priority; });
  return states;
}

HitTotals RuleStore::default_hits(PacketKind kind) const {
  const HitTotals kept = kept_default_[static_cast<std::size_t>(kind)];
  return snapshot_ == nullptr ? kept : kept + snapshot_hits(snapshot_->fallback_index(kind));
}

HitTotals RuleStore::default_hits() const {
  HitTotals sum;
  for (std::size_t kind = 0; kind < kPacketKinds; ++kind) {
    sum = sum + default_hits(static_cast<PacketKind>(kind));
  }
  return sum;
}

HitTotals RuleStore::protected_hits() const {
  return snapshot_ == nullptr ? kept_protected_
                              : kept_protected_ + snapshot_hits(snapshot_->protected_index());
}

std::vector<std::string> users_of(const RuleSetSpec& rules, std::string_view bucket_id) {
  std::vector<std::string> users;
  for (const RuleSpec& rule : rules.rules) {
    const RuleSpec::ToBucket* const to = rule.to_bucket();
    if (to != nullptr && to->bucket_id == bucket_id) {
      users.push_back(joined("rule ", quoted(rule.id)));
    }
    const RuleSpec::PerFlow* const flows = rule.per_flow();
    if (flows != nullptr && flows->place.parent_id == bucket_id) {
      users.push_back(joined("the flows of rule ", quoted(rule.id)));
    }
  }
  if (rules.default_bucket_id == bucket_id) users.emplace_back("the default");
  return users;
}

}  // namespace drip::control
