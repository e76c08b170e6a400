// SPDX-License-Identifier: BSD-3-Clause
// Compiles rules to a snapshot, swaps the workers' snapshot, and keeps the hit counters.
#include "control/config/rule_store.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <utility>

#include "base/errors.h"
#include "base/text.h"
#include "classifier/classifier.h"
#include "control/config/rule_warnings.h"
#include "control/model/expand_rule.h"

namespace drip::control {
namespace {

// For how many rules more a snapshot has room, until all rules are compiled anew: so many that both
// what an added rule costs, which is a classifier of those added before, and its part of compiling
// all are some sqrt(rules).
std::size_t spare_of(std::size_t rules) {
  constexpr double kLeast = 32;
  return static_cast<std::size_t>(std::max(kLeast, 2 * std::sqrt(static_cast<double>(rules))));
}
// On average, at most.
constexpr std::size_t kMatchesOfAnAddedRule = 4;

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

// Gives the actions of per-flow rules the numbers that they have in the engine.
void set_flow_rules(const RuleSetSpec& rules, const FlowRulesByIndex& flow_rules,
                    RuleSnapshot& snapshot) {
  for (std::size_t i = 0; i < rules.rules.size(); ++i) {
    if (!flow_rules[i]) continue;
    const std::uint32_t number = flow_rules[i]->number;
    snapshot.actions[i].flow_rule = number;
    if (number >= snapshot.flow_paths.size()) snapshot.flow_paths.resize(number + 1);
    snapshot.flow_paths[number] = {
        flow_rules[i]->settings.key,
        overflow_of(*rules.rules[i].per_flow(), *flow_rules[i], snapshot.fallback),
        flow_rules[i]->settings.parent ? flow_rules[i]->settings.parent->transmitter
                                       : FlowPath::kAnyTransmitter};
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
  FlowRulePlan plan(engine_, buckets_, rules_, flow_rules_);
  if (absl::Status status = plan.prepare(rules); !status.ok()) return status;
  set_flow_rules(rules, plan.flow_rules(), **compiled);
  (*compiled)->prepare_workers(engine_.worker_count(), spare_of(rules.rules.size()));
  for (std::size_t i = 0; i < rules.rules.size(); ++i) {
    (*compiled)->priorities[i] = rules.rules[i].priority;
  }
  std::shared_ptr<const RuleSnapshot> snapshot = *std::move(compiled);
  const auto before = engine_.swap_rules(snapshot, packet_buckets_of(*snapshot));
  if (!before.ok()) return before.status();

  keep_hits(rules);
  warnings_.reset();
  flow_rules_ = plan.commit();
  buckets_.set_flow_rules(rules);
  snapshot_ = std::move(snapshot);
  rules_ = std::move(rules);
  matches_ = matches;
  added_.clear();
  added_before_ = 0;
  indices_.clear();
  for (std::size_t i = 0; i < rules_.rules.size(); ++i) indices_.emplace(rules_.rules[i].id, i);
  ++revision_;
  return absl::OkStatus();
}

absl::StatusOr<bool> RuleStore::append(const RuleSpec& rule) {
  const std::size_t index = rules_.rules.size();
  if (snapshot_ == nullptr || rule.per_flow() != nullptr || index >= snapshot_->rule_slots) {
    return false;
  }
  const std::size_t before = added_.size();
  const absl::StatusOr<bool> appended = append_at(static_cast<std::uint32_t>(index), rule);
  if (!appended.ok() || !*appended) {
    added_.resize(before);
    return appended;
  }
  matches_ += added_.size() - before;
  rules_.rules.push_back(rule);
  flow_rules_.emplace_back();
  indices_.emplace(rule.id, index);
  warnings_.reset();
  ++revision_;
  return true;
}

absl::StatusOr<bool> RuleStore::append_at(std::uint32_t index, const RuleSpec& rule) {
  absl::Status status = add_matches(rule, rules_.lists, index, kMaxMatches - matches_, added_);
  if (!status.ok()) return status;
  if (added_.size() > kMatchesOfAnAddedRule * spare_of(index)) return false;
  const absl::StatusOr<RuleAction> action = action_of(rule);
  if (!action.ok()) return action.status();
  absl::StatusOr<Classifier> classifier = Classifier::build(added_);
  if (!classifier.ok()) return classifier.status();
  auto snapshot = RuleSnapshot::with_rule(snapshot_, index, *action, rule.priority);
  snapshot->classifier = *std::move(classifier);
  const bool to_bucket = action->kind == RuleAction::Kind::kBucket;
  const auto former =
      engine_.append_rule(snapshot, to_bucket ? std::optional(action->bucket) : std::nullopt);
  if (!former.ok()) return former.status();
  snapshot_ = std::move(snapshot);
  return true;
}

absl::StatusOr<bool> RuleStore::set(RuleSpec rule) {
  const auto present = indices_.find(rule.id);
  const bool created = present == indices_.end();
  if (created) {
    absl::StatusOr<bool> appended = append(rule);
    if (!appended.ok() || *appended) return appended;
  }
  RuleSetSpec next = rules_;
  if (created) {
    next.rules.push_back(std::move(rule));
  } else {
    next.rules[present->second] = std::move(rule);
  }
  if (absl::Status status = replace(std::move(next)); !status.ok()) return status;
  return created;
}

absl::Status RuleStore::erase(std::string_view id) {
  const auto present = indices_.find(std::string(id));
  if (present == indices_.end()) return not_found("rule_id", "rule", id);
  RuleSetSpec next = rules_;
  next.rules.erase(next.rules.begin() + static_cast<std::ptrdiff_t>(present->second));
  return replace(std::move(next));
}

void RuleStore::merge_added() {
  const std::size_t added = added_.size();
  if (added != added_before_ || added == 0) {
    added_before_ = added;
    return;
  }
  const std::uint64_t revision = revision_;
  // Cannot fail but for memory; then the rules stay in two classifiers.
  if (replace(RuleSetSpec(rules_)).ok()) revision_ = revision;
}

BucketEntryRef RuleStore::bucket_of(std::size_t snapshot_index) const {
  if (snapshot_ != nullptr && snapshot_index >= snapshot_->rule_slots) {
    return buckets_.find(rules_.default_bucket_id);
  }
  if (snapshot_index >= rules_.rules.size()) return nullptr;
  const RuleSpec::ToBucket* const to = rules_.rules[snapshot_index].to_bucket();
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
  for (std::size_t i = 0; i < rules_.rules.size(); ++i) {
    sums[rules_.rules[i].id] = kept_hits_[rules_.rules[i].id] + snapshot_hits(i);
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
  if (!warnings_) warnings_ = warnings_of_rules(rules_, longest_frame_of(engine_));
  return *warnings_;
}

std::vector<std::string> RuleStore::warnings_of(std::string_view id) const {
  const auto index = indices_.find(std::string(id));
  if (index == indices_.end()) return {};
  return warnings_of_rule(rules_, index->second, longest_frame_of(engine_));
}

std::vector<RuleState> RuleStore::list() const {
  std::vector<RuleState> states;
  for (std::size_t i = 0; i < rules_.rules.size(); ++i) {
    RuleState& state = states.emplace_back();
    state.rule = &rules_.rules[i];
    state.hits = snapshot_hits(i);
    state.warnings = warnings()[i];
    if (const auto kept = kept_hits_.find(state.rule->id); kept != kept_hits_.end()) {
      state.hits = state.hits + kept->second;
    }
    if (flow_rules_[i]) state.flows = engine_.read_flow_rule(flow_rules_[i]->number);
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
