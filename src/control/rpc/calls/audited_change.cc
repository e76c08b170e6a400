// SPDX-License-Identifier: BSD-3-Clause
#include "control/rpc/calls/audited_change.h"

#include <google/protobuf/util/json_util.h>

#include <cstddef>
#include <optional>
#include <set>
#include <utility>

#include "base/text.h"
#include "control/convert/convert_bucket.h"
#include "control/convert/convert_rule.h"
#include "control/model/epoch_clock.h"
#include "drip/v1/bucket.pb.h"
#include "drip/v1/shaper.pb.h"

namespace drip::control {
namespace {

constexpr std::size_t kMostListed = 256;

std::string json_of(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(message, &json, options).ok()) return "{}";
  return json;
}

void add_bucket(const ServicesContext& context, const BucketEntryRef& bucket, Snapshot& snapshot) {
  if (bucket == nullptr) return;
  const std::optional<BucketState> state = bucket->state();
  if (!state) return;
  v1::Bucket message;
  write_bucket(*state, EpochClock(context.engine), message);
  snapshot["bucket " + bucket->id()] = json_of(message.config());
}

void add_rule(const RuleSpec& rule, Snapshot& snapshot) {
  v1::Rule message;
  write_rule(rule, message);
  snapshot["rule " + rule.id] = json_of(message);
}

void add_list(const std::string& name, const std::vector<IpPrefix>& prefixes, Snapshot& snapshot) {
  std::string json = joined("{\"entries\":", prefixes.size());
  if (prefixes.size() <= kMostListed) {
    json += ",\"prefixes\":[";
    for (const IpPrefix& prefix : prefixes) {
      json += joined(&prefix == prefixes.data() ? "\"" : ",\"", prefix.to_text(), "\"");
    }
    json += "]";
  }
  snapshot["list " + name] = json + "}";
}

}  // namespace

Snapshot snapshot_of_buckets(const ServicesContext& context, const std::vector<std::string>& ids) {
  Snapshot snapshot;
  for (const std::string& id : ids) add_bucket(context, context.buckets.find(id), snapshot);
  return snapshot;
}

Snapshot snapshot_of_subtree(const ServicesContext& context, const std::string& id) {
  Snapshot snapshot;
  for (const BucketEntryRef& bucket : context.buckets.subtree(id)) {
    add_bucket(context, bucket, snapshot);
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
    v1::RuleSet common;
    common.set_default_bucket_id(store.rules().default_bucket_id);
    common.set_protect_control_traffic(store.rules().protect_control_traffic);
    for (const std::string& entry : store.rules().control_protocols.entries()) {
      common.add_control_protocols(entry);
    }
    snapshot["rules"] = json_of(common);
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

access::AuditRecord record_of(const Admitted& admitted, const std::string& peer) {
  access::AuditRecord record;
  record.caller = admitted.caller->name;
  record.peer = peer;
  record.method = joined(admitted.method->service, "/", admitted.method->method);
  return record;
}

void write_audit(access::AuditLog& log, const access::AuditRecord& about, const std::string& target,
                 const Snapshot& before, const Snapshot& after, const absl::Status& status) {
  access::AuditRecord record = about;
  record.time = std::chrono::system_clock::now();
  record.target = target;
  if (!status.ok()) {
    record.result = absl::StatusCodeToString(status.code());
    record.error = message_of(status);
    log.record(record);
    return;
  }
  std::set<std::string> names;
  for (const auto& [name, json] : before) names.insert(name);
  for (const auto& [name, json] : after) names.insert(name);
  const auto value = [](const Snapshot& snapshot, const std::string& name) {
    const auto found = snapshot.find(name);
    return found == snapshot.end() ? std::string() : found->second;
  };
  bool differs = false;
  for (const std::string& name : names) {
    record.before = value(before, name);
    record.after = value(after, name);
    if (record.before == record.after) continue;
    record.target = name;
    log.record(record);
    differs = true;
  }
  if (differs) return;
  record.before.clear();
  record.after.clear();
  log.record(record);
}

}  // namespace drip::control
