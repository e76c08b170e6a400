// SPDX-License-Identifier: BSD-3-Clause
// The API's messages as the stored form, and changes computed on a copy in memory.
#include "cluster/config/stored_config.h"

#include <algorithm>
#include <set>

#include "base/errors.h"
#include "base/text.h"
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

absl::StatusOr<StoredBucket> define(const BucketPatch& patch, const StoredBucket* present) {
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

void write(const std::string& id, const StoredBucket& bucket, v1::BucketConfig& config) {
  control::write_config(bucket.settings, config);
  control::write_place(bucket.place, config);
  control::write_sharing(bucket.sharing, config);
  config.set_bucket_id(id);
}

absl::StatusOr<StoredBucket> read(const v1::BucketConfig& config) {
  const auto patch = control::read_patch(config, "");
  if (!patch.ok()) return patch.status();
  return define(*patch, nullptr);
}

v1::RuleSet message_of_rules(const control::RuleSetSpec& rules) {
  v1::RuleSet message;
  for (const control::RuleSpec& rule : rules.rules) control::write_rule(rule, *message.add_rules());
  message.set_default_bucket_id(rules.default_bucket_id);
  message.set_protect_control_traffic(rules.protect_control_traffic);
  for (const std::string& entry : rules.control_protocols.entries()) {
    message.add_control_protocols(entry);
  }
  for (const auto& [name, prefixes] : rules.lists) {
    v1::AddressList& list = *message.add_address_lists();
    list.set_name(name);
    for (const IpPrefix& prefix : *prefixes) list.add_prefixes(prefix.to_text());
  }
  return message;
}

absl::Status unreadable(std::string_view what) {
  return absl::InternalError(
      joined("the cluster's configuration holds ", what, " that this version of Drip cannot read"));
}

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

std::vector<std::string> deleted_by(const v1::DeleteBucketRequest& request,
                                    const StoredConfig& before) {
  if (!request.recursive()) return {request.bucket_id()};
  return StoredTrees(before).forest().subtree(request.bucket_id());
}

}  // namespace

std::string_view name_of(ConfigChange::Op op) {
  switch (op) {
    case ConfigChange::Op::kBuckets:
      return "buckets";
    case ConfigChange::Op::kDelete:
      return "delete";
    case ConfigChange::Op::kRules:
      return "rules";
  }
  return "";
}

std::optional<ConfigChange::Op> op_named(std::string_view name) {
  for (const auto op :
       {ConfigChange::Op::kBuckets, ConfigChange::Op::kDelete, ConfigChange::Op::kRules}) {
    if (name_of(op) == name) return op;
  }
  return std::nullopt;
}

BucketPatch patch_of(const std::string& id, const StoredBucket& bucket) {
  v1::BucketConfig config;
  write(id, bucket, config);
  // What was written reads back.
  BucketPatch patch = control::read_patch(config, "").value();
  return patch;
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
    const auto bucket = define(patch, present);
    if (!bucket.ok()) return bucket.status();
    write(patch.id, *bucket, *request.add_buckets());
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
    const auto* const to = rule.to_bucket();
    if (to == nullptr) continue;
    absl::Status status = check_target(config, joined(rule.path, "bucket_id"), to->bucket_id);
    if (!status.ok()) return status;
  }
  if (!rules.default_bucket_id.empty()) {
    absl::Status status =
        check_target(config, joined(rules.path, "default_bucket_id"), rules.default_bucket_id);
    if (!status.ok()) return status;
  }
  // Lists that there are not.
  for (const control::RuleSpec& rule : rules.rules) {
    const auto matches = control::expand_rule(rule, rules.lists);
    if (!matches.ok()) return matches.status();
  }
  v1::SetRulesRequest request;
  *request.mutable_rule_set() = message_of_rules(rules);
  return ConfigChange{ConfigChange::Op::kRules, request.SerializeAsString()};
}

std::vector<ConfigChange> inverse_of(const ConfigChange& change, const StoredConfig& before) {
  std::vector<ConfigChange> result;
  if (change.op == ConfigChange::Op::kRules) {
    v1::SetRulesRequest request;
    *request.mutable_rule_set() = message_of_rules(before.rules);
    result.push_back({ConfigChange::Op::kRules, request.SerializeAsString()});
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
      write(known->first, known->second, *restored.add_buckets());
    }
  }
  if (restored.buckets_size() > 0) {
    result.push_back({ConfigChange::Op::kBuckets, restored.SerializeAsString()});
  }
  return result;
}

absl::Status apply_change(const ConfigChange& change, std::uint64_t revision,
                          StoredConfig& config) {
  switch (change.op) {
    case ConfigChange::Op::kBuckets: {
      v1::ConfigureBucketsRequest request;
      if (!request.ParseFromString(change.data)) return unreadable("a change of buckets");
      for (const v1::BucketConfig& each : request.buckets()) {
        auto bucket = read(each);
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
      config.rules = *std::move(rules);
      config.rules_revision = revision;
      break;
    }
  }
  config.revision = revision;
  return absl::OkStatus();
}

std::string encode(const std::string& id, const StoredBucket& bucket) {
  v1::Bucket message;
  write(id, bucket, *message.mutable_config());
  message.set_revision(bucket.revision);
  return message.SerializeAsString();
}

absl::StatusOr<StoredBucket> decode_bucket(const std::string& bytes) {
  v1::Bucket message;
  if (!message.ParseFromString(bytes)) return unreadable("a bucket");
  auto bucket = read(message.config());
  if (!bucket.ok()) return unreadable(joined("bucket ", quoted(message.config().bucket_id())));
  bucket->revision = message.revision();
  return bucket;
}

std::string encode(const control::RuleSetSpec& rules) {
  return message_of_rules(rules).SerializeAsString();
}

absl::StatusOr<control::RuleSetSpec> decode_rules(const std::string& bytes) {
  v1::RuleSet message;
  if (!message.ParseFromString(bytes)) return unreadable("rules");
  auto rules = control::read_rule_set(message, "rule_set.");
  if (!rules.ok()) return unreadable("rules");
  return rules;
}

}  // namespace drip::cluster
