// SPDX-License-Identifier: BSD-3-Clause
// Changes computed on what is in memory, and applied to it.
#include "cluster/config/stored_config.h"

#include <algorithm>
#include <set>

#include "base/errors.h"
#include "base/text.h"
#include "cluster/config/stored_form.h"
#include "cluster/config/stored_trees.h"
#include "control/config/rule_store.h"
#include "control/convert/convert_bucket_config.h"
#include "control/convert/convert_rule.h"
#include "control/model/expand_rule.h"
#include "drip/v1/rate_limiter.pb.h"
#include "drip/v1/shaper.pb.h"

namespace drip::cluster {
namespace {

using control::BucketPatch;

// So many changes of single rules are cheap to read, however few rules there are.
constexpr std::size_t kFewRuleChanges = 128;

// Whether the changed buckets can be where they are to be in trees.
absl::Status check_trees_of(const StoredConfig& config, std::span<const BucketPatch> patches,
                            std::span<const StoredBucket> buckets) {
  std::vector<control::BucketDefinition> after;
  for (const StoredBucket& bucket : buckets) {
    after.push_back({bucket.settings, bucket.sharing, bucket.place});
  }
  std::vector<control::TreeChange> changes;
  for (std::size_t i = 0; i < patches.size(); ++i) {
    const auto known = config.buckets.find(patches[i].id);
    const bool was_in_tree = known != config.buckets.end() && known->second.place.in_tree();
    if (!was_in_tree && !after[i].place.in_tree()) continue;
    changes.push_back({patches[i].id, patches[i].path, &after[i]});
  }
  if (changes.empty()) return absl::OkStatus();
  return control::check_trees(StoredTrees(config), changes).status();
}

ConfigChange deletion(std::string_view id, bool drop_backlog, bool recursive = false) {
  v1::DeleteBucketRequest request;
  request.set_recursive(recursive);
  request.set_bucket_id(std::string(id));
  request.set_mode(drop_backlog ? v1::DELETE_MODE_DROP : v1::DELETE_MODE_DRAIN);
  return {ConfigChange::Op::kDelete, request.SerializeAsString()};
}

// Whether a rule may send packets to the bucket.
absl::Status check_target(const StoredConfig& config, std::string_view field,
                          std::string_view bucket_id) {
  const auto bucket = config.buckets.find(bucket_id);
  if (bucket == config.buckets.end()) return not_found(field, "bucket", bucket_id);
  if (bucket->second.place.inner) return control::inner_node_error(field, bucket_id, "packets");
  return absl::OkStatus();
}

absl::Status check_rule(const StoredConfig& config, const control::RuleSpec& rule,
                        const control::AddressLists& lists) {
  if (const auto* const to = rule.to_bucket()) {
    absl::Status status = check_target(config, joined(rule.path, "bucket_id"), to->bucket_id);
    if (!status.ok()) return status;
  }
  // Lists that there are not.
  return control::expand_rule(rule, lists).status();
}

ConfigChange setting_of(const control::RuleSpec& rule) {
  v1::SetRuleRequest request;
  control::write_rule(rule, *request.mutable_rule());
  return {ConfigChange::Op::kRule, request.SerializeAsString()};
}

ConfigChange rule_deletion(std::string_view id) {
  v1::DeleteRuleRequest request;
  request.set_rule_id(std::string(id));
  return {ConfigChange::Op::kDeleteRule, request.SerializeAsString()};
}

ConfigChange whole(const control::RuleSetSpec& rules) {
  v1::SetRulesRequest request;
  *request.mutable_rule_set() = message_of_rules(rules);
  return {ConfigChange::Op::kRules, request.SerializeAsString()};
}

}  // namespace

absl::StatusOr<StoredBucket> define_bucket(const BucketPatch& patch, const StoredBucket* present) {
  absl::StatusOr<control::BucketPlace> place =
      control::apply_place(patch, present == nullptr ? nullptr : &present->place);
  if (!place.ok()) return place.status();
  absl::StatusOr<BucketSettings> settings =
      control::apply_patch(patch, present == nullptr ? nullptr : &present->settings, place->inner);
  if (!settings.ok()) return settings.status();
  absl::StatusOr<control::BucketSharing> sharing =
      control::apply_sharing(patch, *settings, present == nullptr ? nullptr : &present->sharing);
  if (!sharing.ok()) return sharing.status();
  return StoredBucket{*settings, *std::move(sharing), *std::move(place), 0};
}

std::string_view name_of(ConfigChange::Op op) {
  switch (op) {
    case ConfigChange::Op::kBuckets:
      return "buckets";
    case ConfigChange::Op::kDelete:
      return "delete";
    case ConfigChange::Op::kRules:
      return "rules";
    case ConfigChange::Op::kRule:
      return "rule";
    case ConfigChange::Op::kDeleteRule:
      return "delete_rule";
  }
  return "";
}

std::optional<ConfigChange::Op> op_named(std::string_view name) {
  for (const auto op :
       {ConfigChange::Op::kBuckets, ConfigChange::Op::kDelete, ConfigChange::Op::kRules,
        ConfigChange::Op::kRule, ConfigChange::Op::kDeleteRule}) {
    if (name_of(op) == name) return op;
  }
  return std::nullopt;
}

BucketPatch patch_of(const std::string& id, const StoredBucket& bucket) {
  v1::BucketConfig config;
  write_stored(id, bucket, config);
  // What was written reads back.
  BucketPatch patch = control::read_patch(config, "").value();
  return patch;
}

void StoredConfig::set_rules(control::RuleSetSpec next) {
  rules = std::move(next);
  rule_changes = 0;
  rule_indices_.clear();
  for (std::size_t i = 0; i < rules.rules.size(); ++i) rule_indices_.emplace(rules.rules[i].id, i);
}

bool StoredConfig::stores_rules_next() const {
  return rule_changes + 1 >= std::max(kFewRuleChanges, rules.rules.size() / 2);
}

void StoredConfig::set_rule(control::RuleSpec rule) {
  const auto [present, created] = rule_indices_.emplace(rule.id, rules.rules.size());
  if (created) {
    rules.rules.push_back(std::move(rule));
  } else {
    rules.rules[present->second] = std::move(rule);
  }
}

void StoredConfig::erase_rule(std::string_view id) {
  const auto present = rule_indices_.find(std::string(id));
  if (present == rule_indices_.end()) return;
  const std::size_t erased = present->second;
  rules.rules.erase(rules.rules.begin() + static_cast<std::ptrdiff_t>(erased));
  rule_indices_.erase(present);
  for (auto& [name, index] : rule_indices_) {
    if (index > erased) --index;
  }
}

const control::RuleSpec* StoredConfig::find_rule(std::string_view id) const {
  const auto present = rule_indices_.find(std::string(id));
  return present == rule_indices_.end() ? nullptr : &rules.rules[present->second];
}

control::SharedConfig StoredConfig::wanted() const {
  control::SharedConfig result;
  for (const auto& [id, bucket] : buckets) {
    result.buckets.push_back({patch_of(id, bucket), bucket.revision});
  }
  result.rules = rules;
  result.rules_revision = rules_revision;
  return result;
}

absl::StatusOr<ConfigChange> change_buckets(const StoredConfig& config,
                                            std::span<const BucketPatch> patches) {
  v1::ConfigureBucketsRequest request;
  std::vector<StoredBucket> after;
  std::map<std::string_view, const BucketPatch*> seen;
  for (const BucketPatch& patch : patches) {
    const auto [first, fresh] = seen.try_emplace(patch.id, &patch);
    if (!fresh) {
      return not_allowed(joined(patch.path, "bucket_id"), quoted(patch.id),
                         joined("each id once, and ", first->second->path, "bucket_id has it"));
    }
    const auto known = config.buckets.find(patch.id);
    const StoredBucket* const present = known == config.buckets.end() ? nullptr : &known->second;
    absl::Status status = control::check_revision(patch.path, patch.id, patch.expected_revision,
                                                  present == nullptr ? 0 : present->revision);
    if (!status.ok()) return status;
    const auto bucket = define_bucket(patch, present);
    if (!bucket.ok()) return bucket.status();
    write_stored(patch.id, *bucket, *request.add_buckets());
    after.push_back(*bucket);
  }
  if (absl::Status status = check_trees_of(config, patches, after); !status.ok()) return status;
  return ConfigChange{ConfigChange::Op::kBuckets, request.SerializeAsString()};
}

absl::StatusOr<ConfigChange> change_by_deleting(const StoredConfig& config, std::string_view id,
                                                bool drop_backlog, bool recursive,
                                                std::optional<std::uint64_t> expected_revision) {
  const auto known = config.buckets.find(id);
  if (known == config.buckets.end()) {
    if (absl::Status name = check_name("bucket_id", id); !name.ok()) return name;
    return not_found("bucket_id", "bucket", id);
  }
  absl::Status status = control::check_revision("", id, expected_revision, known->second.revision);
  if (!status.ok()) return status;
  const StoredTrees trees(config);
  if (!recursive) {
    status = control::check_childless("bucket_id", id, trees.forest().children_of(id));
  }
  for (const std::string& below : trees.forest().subtree(id)) {
    if (status.ok()) status = control::check_unused("bucket_id", below, config.rules);
  }
  if (!status.ok()) return status;
  return deletion(id, drop_backlog, recursive);
}

absl::StatusOr<ConfigChange> change_rules(const StoredConfig& config,
                                          const control::RuleSetSpec& rules) {
  for (const control::RuleSpec& rule : rules.rules) {
    if (absl::Status status = check_rule(config, rule, rules.lists); !status.ok()) return status;
  }
  if (!rules.default_bucket_id.empty()) {
    absl::Status status =
        check_target(config, joined(rules.path, "default_bucket_id"), rules.default_bucket_id);
    if (!status.ok()) return status;
  }
  return whole(rules);
}

absl::StatusOr<ConfigChange> change_rule(const StoredConfig& config,
                                         const control::RuleSpec& rule) {
  if (absl::Status status = check_rule(config, rule, config.rules.lists); !status.ok()) {
    return status;
  }
  return setting_of(rule);
}

absl::StatusOr<ConfigChange> change_by_deleting_rule(const StoredConfig& config,
                                                     std::string_view id) {
  if (config.find_rule(id) == nullptr) return not_found("rule_id", "rule", id);
  return rule_deletion(id);
}

std::vector<ConfigChange> inverse_of(const ConfigChange& change, const StoredConfig& before) {
  std::vector<ConfigChange> result;
  if (change.op == ConfigChange::Op::kRule) {
    v1::SetRuleRequest request;
    request.ParseFromString(change.data);
    const std::string& id = request.rule().rule_id();
    const control::RuleSpec* const former = before.find_rule(id);
    result.push_back(former == nullptr ? rule_deletion(id) : setting_of(*former));
    return result;
  }
  // A rule that was deleted returns to its place, which only all rules together tell.
  if (change.op == ConfigChange::Op::kRules || change.op == ConfigChange::Op::kDeleteRule) {
    result.push_back(whole(before.rules));
    return result;
  }
  v1::ConfigureBucketsRequest changed;
  v1::ConfigureBucketsRequest restored;
  if (change.op == ConfigChange::Op::kDelete) {
    v1::DeleteBucketRequest request;
    request.ParseFromString(change.data);
    for (const std::string& id : deleted_by(request, before)) {
      changed.add_buckets()->set_bucket_id(id);
    }
  } else {
    changed.ParseFromString(change.data);
  }
  for (const v1::BucketConfig& config : changed.buckets()) {
    const auto known = before.buckets.find(config.bucket_id());
    if (known == before.buckets.end()) {
      result.push_back(deletion(config.bucket_id(), true));
    } else {
      write_stored(known->first, known->second, *restored.add_buckets());
    }
  }
  if (restored.buckets_size() > 0) {
    result.push_back({ConfigChange::Op::kBuckets, restored.SerializeAsString()});
  }
  return result;
}

std::vector<std::string> deleted_by(const v1::DeleteBucketRequest& request,
                                    const StoredConfig& before) {
  if (!request.recursive()) return {request.bucket_id()};
  return StoredTrees(before).forest().subtree(request.bucket_id());
}

absl::Status apply_rule_change(const ConfigChange& change, StoredConfig& config) {
  if (change.op == ConfigChange::Op::kDeleteRule) {
    v1::DeleteRuleRequest request;
    if (!request.ParseFromString(change.data)) return unreadable("a deletion of a rule");
    config.erase_rule(request.rule_id());
  } else {
    v1::SetRuleRequest request;
    if (!request.ParseFromString(change.data)) return unreadable("a change of a rule");
    auto rule = control::read_rule(request.rule(), "rule.");
    if (!rule.ok()) return unreadable(joined("rule ", quoted(request.rule().rule_id())));
    config.set_rule(*std::move(rule));
  }
  return absl::OkStatus();
}

absl::Status apply_change(const ConfigChange& change, std::uint64_t revision,
                          StoredConfig& config) {
  switch (change.op) {
    case ConfigChange::Op::kBuckets: {
      v1::ConfigureBucketsRequest request;
      if (!request.ParseFromString(change.data)) return unreadable("a change of buckets");
      for (const v1::BucketConfig& each : request.buckets()) {
        auto bucket = read_stored(each);
        if (!bucket.ok()) return unreadable(joined("bucket ", quoted(each.bucket_id())));
        bucket->revision = revision;
        config.buckets.insert_or_assign(each.bucket_id(), *std::move(bucket));
      }
      break;
    }
    case ConfigChange::Op::kDelete: {
      v1::DeleteBucketRequest request;
      if (!request.ParseFromString(change.data)) return unreadable("a deletion");
      for (const std::string& id : deleted_by(request, config)) config.buckets.erase(id);
      break;
    }
    case ConfigChange::Op::kRules: {
      v1::SetRulesRequest request;
      if (!request.ParseFromString(change.data)) return unreadable("a change of rules");
      auto rules = control::read_rule_set(request.rule_set(), "rule_set.");
      if (!rules.ok()) return unreadable("rules");
      config.set_rules(*std::move(rules));
      config.rules_revision = revision;
      break;
    }
    case ConfigChange::Op::kRule:
    case ConfigChange::Op::kDeleteRule: {
      const std::size_t changes = config.stores_rules_next() ? 0 : config.rule_changes + 1;
      if (absl::Status status = apply_rule_change(change, config); !status.ok()) return status;
      config.rule_changes = changes;
      config.rules_revision = revision;
      break;
    }
  }
  config.revision = revision;
  return absl::OkStatus();
}

}  // namespace drip::cluster
