// SPDX-License-Identifier: BSD-3-Clause
// Converts to the API's messages and back.
#include "cluster/config/stored_form.h"

#include <utility>

#include "base/errors.h"
#include "base/text.h"
#include "control/convert/convert_bucket_config.h"
#include "control/convert/convert_rule.h"
#include "drip/v1/rate_limiter.pb.h"

namespace drip::cluster {

absl::Status unreadable(std::string_view what) {
  return absl::InternalError(
      joined("the cluster's configuration holds ", what, " that this version of Drip cannot read"));
}

void write_stored(const std::string& id, const StoredBucket& bucket, v1::BucketConfig& config) {
  control::write_config(bucket.settings, config);
  control::write_place(bucket.place, config);
  control::write_sharing(bucket.sharing, config);
  config.set_bucket_id(id);
}

absl::StatusOr<StoredBucket> read_stored(const v1::BucketConfig& config) {
  const auto patch = control::read_patch(config, "");
  if (!patch.ok()) return patch.status();
  return define_bucket(*patch, nullptr);
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

absl::StatusOr<StoredForm> stored_form(const ConfigChange& change, const StoredConfig& before) {
  StoredForm form;
  if (change.op == ConfigChange::Op::kBuckets) {
    v1::ConfigureBucketsRequest request;
    if (!request.ParseFromString(change.data)) return unreadable("a change of buckets");
    for (const v1::BucketConfig& config : request.buckets()) {
      auto bucket = read_stored(config);
      if (!bucket.ok()) return unreadable(joined("bucket ", quoted(config.bucket_id())));
      bucket->revision = before.revision + 1;
      form.buckets.emplace_back(config.bucket_id(), encode(config.bucket_id(), *bucket));
    }
  } else if (change.op == ConfigChange::Op::kDelete) {
    v1::DeleteBucketRequest request;
    if (!request.ParseFromString(change.data)) return unreadable("a deletion");
    form.removed = deleted_by(request, before);
  } else if (change.op == ConfigChange::Op::kRules) {
    v1::SetRulesRequest request;
    if (!request.ParseFromString(change.data)) return unreadable("a change of rules");
    form.all_rules = request.rule_set().SerializeAsString();
  } else if (before.stores_rules_next()) {
    StoredConfig after;
    after.set_rules(before.rules);
    if (absl::Status status = apply_rule_change(change, after); !status.ok()) return status;
    form.all_rules = encode(after.rules);
  }
  return form;
}

std::string encode(const std::string& id, const StoredBucket& bucket) {
  v1::Bucket message;
  write_stored(id, bucket, *message.mutable_config());
  message.set_revision(bucket.revision);
  return message.SerializeAsString();
}

absl::StatusOr<StoredBucket> decode_bucket(const std::string& bytes) {
  v1::Bucket message;
  if (!message.ParseFromString(bytes)) return unreadable("a bucket");
  auto bucket = read_stored(message.config());
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
