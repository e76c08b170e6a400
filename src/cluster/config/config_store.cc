// SPDX-License-Identifier: BSD-3-Clause
// Calls the scripts and decodes their replies.
#include "cluster/config/config_store.h"

#include <algorithm>

#include "base/errors.h"
#include "base/text.h"
#include "cluster/config/configuration_scripts.h"
#include "cluster/config/stored_form.h"
#include "cluster/redis/reply_reader.h"

namespace drip::cluster {
namespace {

// For a whole configuration, which may be megabytes.
constexpr std::chrono::milliseconds kWholeTimeout{5000};

absl::Status unknown_reply() {
  return absl::InternalError("Redis's reply does not have the form of this version of Drip");
}

}  // namespace

absl::StatusOr<ConfigStore::LogPage> ConfigStore::read_log(std::uint64_t from_revision) {
  const auto reply =
      link_.script(read_log_script(), {keys_.config, keys_.log}, {joined(from_revision)});
  if (!reply.ok()) return reply.status();
  return page_of(*reply);
}

absl::StatusOr<ConfigStore::LogPage> ConfigStore::page_of(const RedisReply& reply) {
  LogPage page;
  ReplyReader reader(reply.array());
  ReplyReader head(reader.array());
  page.head = read_config_head(head);
  bool ok = head.ok();
  for (const RedisReply& each : reader.array()) {
    ReplyReader fields(each.array());
    LogEntry entry;
    entry.revision = fields.count();
    entry.op = fields.text();
    entry.data = fields.text();
    entry.change_id = fields.text();
    ok = ok && fields.ok();
    page.entries.push_back(std::move(entry));
  }
  if (!ok || !reader.ok()) return unknown_reply();
  return page;
}

absl::StatusOr<ConfigStore::Whole> ConfigStore::read_all() {
  const auto reply =
      link_.script(read_all_script(), {keys_.config, keys_.buckets, keys_.rule_changes}, {},
                   deadline_in(kWholeTimeout));
  if (!reply.ok()) return reply.status();
  return whole_of(*reply);
}

absl::StatusOr<ConfigStore::Whole> ConfigStore::whole_of(const RedisReply& reply) {
  Whole whole;
  ReplyReader reader(reply.array());
  ReplyReader head(reader.array());
  whole.head = read_config_head(head);
  auto rules = decode_rules(reader.text());
  if (!rules.ok()) return rules.status();
  whole.config.set_rules(*std::move(rules));
  const std::uint64_t rules_revision = reader.count();
  for (const RedisReply& each : reader.array()) {
    ReplyReader fields(each.array());
    const std::optional<ConfigChange::Op> op = op_named(fields.text());
    const ConfigChange change{op.value_or(ConfigChange::Op::kRules), fields.text()};
    if (!op || !is_of_one_rule(*op) || !fields.ok()) return unknown_reply();
    if (absl::Status status = apply_change(change, rules_revision, whole.config); !status.ok()) {
      return status;
    }
  }
  whole.config.rules_revision = rules_revision;
  const RedisReply::Array& buckets = reader.array();
  for (std::size_t i = 0; i + 1 < buckets.size(); i += 2) {
    const std::string* const id = buckets[i].text();
    const std::string* const bytes = buckets[i + 1].text();
    if (id == nullptr || bytes == nullptr || !check_name("", *id).ok()) return unknown_reply();
    auto bucket = decode_bucket(*bytes);
    if (!bucket.ok()) return bucket.status();
    whole.config.buckets.emplace(*id, *std::move(bucket));
  }
  if (!reader.ok() || !head.ok()) return unknown_reply();
  whole.config.dataset = whole.head.dataset;
  whole.config.revision = whole.head.revision;
  whole.config.change_id = whole.head.change_id;
  return whole;
}

absl::StatusOr<ConfigStore::Committed> ConfigStore::commit(const StoredConfig& base,
                                                           const ConfigChange& change,
                                                           const std::string& change_id) {
  const absl::StatusOr<StoredForm> form = stored_form(change, base);
  if (!form.ok()) return form.status();
  std::vector<std::string> arguments = {
      base.dataset,
      joined(base.revision),
      base.change_id,
      change_id,
      std::string(name_of(change.op)),
      change.data,
      form->all_rules ? "all" : (is_of_one_rule(change.op) ? "one" : ""),
      form->all_rules.value_or(""),
      joined(form->buckets.size())};
  for (const auto& [id, bytes] : form->buckets) {
    arguments.push_back(id);
    arguments.push_back(bytes);
  }
  arguments.insert(arguments.end(), form->removed.begin(), form->removed.end());
  const bool large = arguments.size() > 1000 || form->all_rules.has_value();
  const Deadline deadline = deadline_in(large ? kWholeTimeout : link_.options().command_timeout);
  const auto reply =
      link_.script(commit_script(), {keys_.config, keys_.buckets, keys_.log, keys_.rule_changes},
                   std::move(arguments), deadline);
  if (!reply.ok()) return reply.status();
  const std::string* const outcome = reply->text();
  if (outcome != nullptr && *outcome == "done") return Committed::kDone;
  if (outcome != nullptr && *outcome == "conflict") return Committed::kConflict;
  if (outcome != nullptr && *outcome == "recovering") return Committed::kRecovering;
  return unknown_reply();
}

absl::StatusOr<ConfigStore::Recovery> ConfigStore::recover(const StoredConfig& mine,
                                                           std::uint64_t applied,
                                                           const std::string& change_id,
                                                           std::chrono::milliseconds lease) {
  std::vector<std::string> arguments = {joined(lease.count()), joined(applied), change_id,
                                        encode(mine.rules), joined(mine.rules_revision)};
  for (const auto& [id, bucket] : mine.buckets) {
    arguments.push_back(id);
    arguments.push_back(encode(id, bucket));
  }
  const auto reply = link_.script(
      recover_script(), {keys_.config, keys_.buckets, keys_.log, keys_.members, keys_.rule_changes},
      std::move(arguments), deadline_in(kWholeTimeout));
  if (!reply.ok()) return reply.status();
  const std::string* const outcome = reply->text();
  if (outcome != nullptr && *outcome == "recovered") return Recovery::kRecovered;
  if (outcome != nullptr && *outcome == "wait") return Recovery::kWait;
  if (outcome != nullptr && *outcome == "written") return Recovery::kWritten;
  return unknown_reply();
}

}  // namespace drip::cluster
