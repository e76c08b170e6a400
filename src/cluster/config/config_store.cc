// SPDX-License-Identifier: BSD-3-Clause
// Calls the scripts and decodes their replies.
#include "cluster/config/config_store.h"

#include <algorithm>

#include "base/text.h"
#include "cluster/config/configuration_scripts.h"
#include "cluster/redis/reply_reader.h"
#include "drip/v1/rate_limiter.pb.h"
#include "drip/v1/shaper.pb.h"

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
  LogPage page;
  ReplyReader reader(reply->array());
  ReplyReader head(reader.array());
  page.head = read_config_head(head);
  bool ok = head.ok();
  for (const RedisReply& each : reader.array()) {
    ReplyReader fields(each.array());
    LogEntry entry;
    entry.revision = static_cast<std::uint64_t>(fields.number());
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
  const auto reply = link_.script(read_all_script(), {keys_.config, keys_.buckets}, {},
                                  deadline_in(kWholeTimeout));
  if (!reply.ok()) return reply.status();
  Whole whole;
  ReplyReader reader(reply->array());
  ReplyReader head(reader.array());
  whole.head = read_config_head(head);
  auto rules = decode_rules(reader.text());
  if (!rules.ok()) return rules.status();
  whole.config.rules = *std::move(rules);
  whole.config.rules_revision = static_cast<std::uint64_t>(reader.number());
  const RedisReply::Array& buckets = reader.array();
  for (std::size_t i = 0; i + 1 < buckets.size(); i += 2) {
    const std::string* const id = buckets[i].text();
    const std::string* const bytes = buckets[i + 1].text();
    if (id == nullptr || bytes == nullptr) return unknown_reply();
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
                                                           const StoredConfig& after,
                                                           const std::string& change_id) {
  std::vector<std::string> arguments = {
      base.dataset, joined(base.revision),           base.change_id,
      change_id,    std::string(name_of(change.op)), change.data};
  const bool rules = change.op == ConfigChange::Op::kRules;
  arguments.emplace_back(rules ? "1" : "0");
  arguments.push_back(rules ? encode(after.rules) : std::string());
  if (change.op == ConfigChange::Op::kBuckets) {
    v1::ConfigureBucketsRequest request;
    request.ParseFromString(change.data);
    arguments.push_back(joined(request.buckets_size()));
    for (const v1::BucketConfig& config : request.buckets()) {
      arguments.push_back(config.bucket_id());
      arguments.push_back(encode(config.bucket_id(), after.buckets.at(config.bucket_id())));
    }
  } else {
    arguments.emplace_back("0");
  }
  if (change.op == ConfigChange::Op::kDelete) {
    v1::DeleteBucketRequest request;
    request.ParseFromString(change.data);
    arguments.push_back(request.bucket_id());
  }
  const bool large = arguments.size() > 1000;
  const Deadline deadline = deadline_in(large ? kWholeTimeout : link_.options().command_timeout);
  const auto reply = link_.script(commit_script(), {keys_.config, keys_.buckets, keys_.log},
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
  const auto reply =
      link_.script(recover_script(), {keys_.config, keys_.buckets, keys_.log, keys_.members},
                   std::move(arguments), deadline_in(kWholeTimeout));
  if (!reply.ok()) return reply.status();
  const std::string* const outcome = reply->text();
  if (outcome != nullptr && *outcome == "recovered") return Recovery::kRecovered;
  if (outcome != nullptr && *outcome == "wait") return Recovery::kWait;
  if (outcome != nullptr && *outcome == "written") return Recovery::kWritten;
  return unknown_reply();
}

}  // namespace drip::cluster
