// SPDX-License-Identifier: BSD-3-Clause
#include "control/rpc/calls/audited_change.h"

#include <cstddef>
#include <optional>
#include <utility>

#include "base/text.h"
#include "control/convert/convert_bucket_config.h"
#include "control/convert/convert_rule.h"
#include "control/rpc/calls/changed_value.h"
#include "drip/v1/bucket.pb.h"
#include "drip/v1/shaper.pb.h"

namespace drip::control {
namespace {

constexpr std::size_t kMostListed = 256;

void add_bucket(const BucketEntryRef& bucket, Snapshot& snapshot) {
  if (bucket == nullptr || !bucket->exists()) return;
  const BucketDefinition definition = bucket->definition();
  v1::ChangedValue value;
  v1::BucketConfig& config = *value.mutable_bucket();
  config.set_bucket_id(bucket->id());
  write_config(definition.settings, config);
  write_place(definition.place, config);
  write_sharing(definition.sharing, config);
  snapshot["bucket " + bucket->id()] = value_of(value);
}

void add_rule(const RuleSpec& rule, Snapshot& snapshot) {
  v1::ChangedValue value;
  write_rule(rule, *value.mutable_rule());
  snapshot["rule " + rule.id] = value_of(value);
}

void add_list(const std::string& name, const std::vector<IpPrefix>& prefixes, Snapshot& snapshot) {
  v1::ChangedValue value;
  value.mutable_list()->set_entries(static_cast<std::uint32_t>(prefixes.size()));
  if (prefixes.size() <= kMostListed) {
    for (const IpPrefix& prefix : prefixes) {
      value.mutable_list()->add_prefixes(prefix.to_text());
    }
  }
  snapshot["list " + name] = value_of(value);
}

}  // namespace

Snapshot snapshot_of_buckets(const ServicesContext& context, const std::vector<std::string>& ids) {
  Snapshot snapshot;
  for (const std::string& id : ids) add_bucket(context.buckets.find(id), snapshot);
  return snapshot;
}

Snapshot snapshot_of_subtree(const ServicesContext& context, const std::string& id) {
  Snapshot snapshot;
  for (const BucketEntryRef& bucket : context.buckets.subtree(id)) {
    add_bucket(bucket, snapshot);
  }
  return snapshot;
}

Snapshot snapshot_of_rule(const ServicesContext& context, const std::string& id) {
  Snapshot snapshot;
  context.configuration.with_rules([&](const RuleStore& store) {
    for (const RuleSpec& rule : store.rules().rules) {
      if (rule.id == id) add_rule(rule, snapshot);
    }
  });
  return snapshot;
}

Snapshot snapshot_of_rules(const ServicesContext& context) {
  Snapshot snapshot;
  context.configuration.with_rules([&](const RuleStore& store) {
    v1::ChangedValue value;
    v1::RuleSet& common = *value.mutable_rules();
    common.set_default_bucket_id(store.rules().default_bucket_id);
    common.set_protect_control_traffic(store.rules().protect_control_traffic);
    for (const std::string& entry : store.rules().control_protocols.entries()) {
      common.add_control_protocols(entry);
    }
    snapshot["rules"] = value_of(value);
    for (const RuleSpec& rule : store.rules().rules) add_rule(rule, snapshot);
    for (const auto& [name, list] : store.rules().lists) add_list(name, *list, snapshot);
  });
  return snapshot;
}

Snapshot snapshot_of_list(const ServicesContext& context, const std::string& name) {
  Snapshot snapshot;
  context.configuration.with_rules([&](const RuleStore& store) {
    const auto list = store.rules().lists.find(name);
    if (list != store.rules().lists.end()) add_list(name, *list->second, snapshot);
  });
  return snapshot;
}

access::AuditRecord record_of(const Admitted& admitted) {
  access::AuditRecord record;
  record.caller = admitted.caller->name;
  record.peer = admitted.peer;
  record.method = joined(admitted.method->service, "/", admitted.method->method);
  return record;
}

void write_audit(access::AuditTrail& trail, const access::AuditRecord& about,
                 const std::string& target, const Snapshot& before, const Snapshot& after,
                 const absl::Status& status) {
  access::AuditRecord record = about;
  record.time = std::chrono::system_clock::now();
  record.target = target;
  if (!status.ok()) {
    record.result = absl::StatusCodeToString(status.code());
    record.error = message_of(status);
    trail.record(record);
    return;
  }
  bool differs = false;
  // Both are in the order of names.
  auto old = before.begin();
  auto now = after.begin();
  while (old != before.end() || now != after.end()) {
    const bool was = old != before.end() && (now == after.end() || old->first <= now->first);
    const bool is = now != after.end() && (old == before.end() || now->first <= old->first);
    record.target = was ? old->first : now->first;
    record.before = was ? std::optional((old++)->second) : std::nullopt;
    record.after = is ? std::optional((now++)->second) : std::nullopt;
    if (record.before == record.after) continue;
    trail.record(record);
    differs = true;
  }
  if (differs) return;
  record.target = target;
  record.before.reset();
  record.after.reset();
  trail.record(record);
}

}  // namespace drip::control
