// SPDX-License-Identifier: BSD-3-Clause
// Arguments and replies of shares.lua.
#include "cluster/shares/store/share_scripts.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/text.h"
#include "cluster/shares/store/shares_lua.h"

namespace drip::cluster {
namespace {

const RedisScript& shares_script() {
  static const RedisScript script{std::string(kSharesLua)};
  return script;
}

absl::Status malformed() {
  return absl::InternalError(
      "Redis's reply to a call of leased shares does not have the form of this version of Drip");
}

// All of a reply's texts; none if it has anything else.
std::optional<std::vector<std::string_view>> texts_of(const RedisReply& reply) {
  const RedisReply::Array* const array = reply.array();
  if (array == nullptr) return std::nullopt;
  std::vector<std::string_view> texts;
  for (const RedisReply& element : *array) {
    if (element.text() == nullptr) return std::nullopt;
    texts.emplace_back(*element.text());
  }
  return texts;
}

bool read(std::string_view text, std::uint64_t& number) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  return result.ec == std::errc{} && result.ptr == text.data() + text.size();
}

// "-" stands for none, "=" for those of `held`.
bool read(std::string_view text, const Shares& held, std::optional<Shares>& shares) {
  if (text == "-") return true;
  if (text == "=") {
    shares = held;
    return true;
  }
  shares = to_shares(text);
  return shares.has_value();
}

// The numbers by group that begin at `at`, in pairs.
bool read(const std::vector<std::string_view>& texts, std::size_t at, std::size_t pairs,
          std::map<std::uint32_t, std::uint64_t>& numbers) {
  if (texts.size() < at + 2 * pairs) return false;
  for (std::size_t i = at; i < at + 2 * pairs; i += 2) {
    std::uint64_t group = 0;
    if (!read(texts[i], group) || group >= kShareGroups ||
        !read(texts[i + 1], numbers[static_cast<std::uint32_t>(group)])) {
      return false;
    }
  }
  return true;
}

// Cuts "FIELD " off.
std::string_view cut_field(std::string_view& text, char end) {
  const std::size_t at = std::min(text.find(end), text.size());
  const std::string_view field = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return field;
}

bool read_head(std::string_view text, ShareHead& head) {
  const std::string_view sequence = cut_field(text, ' ');
  head.lost = cut_field(text, ' ') == "1";
  head.node_id = std::string(text);
  return read(sequence, head.sequence);
}

std::optional<ExchangeAnswer> answer_of(std::string_view word) {
  if (word == "renewed") return ExchangeAnswer::kRenewed;
  if (word == "stale") return ExchangeAnswer::kStale;
  if (word == "lost") return ExchangeAnswer::kLost;
  if (word == "forgotten") return ExchangeAnswer::kForgotten;
  if (word == "changed") return ExchangeAnswer::kChanged;
  return std::nullopt;
}

}  // namespace

ShareScripts::ShareScripts(std::string_view prefix, std::string leader_key)
    : leader_key_(std::move(leader_key)), prefix_(joined(prefix, "shares:", kShareGroups, ":")) {}

ScriptCall ShareScripts::call(std::uint64_t epoch, std::string_view operation,
                              std::string_view run_id, std::vector<std::string> more) const {
  ScriptCall call;
  call.script = &shares_script();
  call.keys = {leader_key_, joined(prefix_, "data"), joined(prefix_, "heads"),
               joined(prefix_, "versions"), joined(prefix_, "changes")};
  call.arguments = {joined(epoch), std::string(operation), std::string(run_id)};
  std::ranges::move(more, std::back_inserter(call.arguments));
  return call;
}

void ShareScripts::add_group_key(std::uint32_t group, ScriptCall& call) const {
  call.keys.push_back(joined(prefix_, "group:", group));
}

void ShareScripts::add_all_group_keys(ScriptCall& call) const {
  for (std::uint32_t group = 0; group < kShareGroups; ++group) add_group_key(group, call);
}

ScriptCall ShareScripts::exchange(std::string_view run_id, std::string_view session,
                                  std::string_view node_id, std::uint64_t generation,
                                  std::span<const GroupExchange> exchanges) const {
  ScriptCall call = this->call(0, "exchange", run_id,
                               {std::string(session), std::string(node_id), joined(generation)});
  for (const GroupExchange& each : exchanges) {
    const ShareHolder::Exchange& exchange = each.exchange;
    add_group_key(each.group, call);
    call.arguments.push_back(joined(each.group));
    call.arguments.push_back(joined(exchange.sequence));
    if (exchange.renewal) {
      for (const char* const text : {"=", "", ""}) call.arguments.emplace_back(text);
      continue;
    }
    const bool leased = std::ranges::any_of(
        exchange.held, [](const auto& entry) { return entry.second.leased > 0; });
    call.arguments.push_back(to_text(exchange.held));
    call.arguments.emplace_back(leased ? "1" : "0");
    call.arguments.push_back(to_text(each.demands));
  }
  return call;
}

ScriptCall ShareScripts::leave(std::string_view run_id, std::string_view session,
                               std::span<const std::uint32_t> groups) const {
  ScriptCall call = this->call(0, "leave", run_id, {std::string(session)});
  for (const std::uint32_t group : groups) {
    add_group_key(group, call);
    call.arguments.push_back(joined(group));
  }
  return call;
}

ScriptCall ShareScripts::poll(std::string_view run_id, bool with_changes) const {
  return call(0, "poll", run_id, {with_changes ? "1" : "0"});
}

ScriptCall ShareScripts::heads(std::string_view run_id) const {
  return call(0, "heads", run_id, {});
}

ScriptCall ShareScripts::read(std::string_view run_id,
                              std::span<const std::uint32_t> groups) const {
  ScriptCall call = this->call(0, "read", run_id, {});
  for (const std::uint32_t group : groups) {
    add_group_key(group, call);
    call.arguments.push_back(joined(group));
  }
  return call;
}

ScriptCall ShareScripts::forget(std::string_view run_id, std::string_view node_id,
                                const std::string& members_key) const {
  ScriptCall call = this->call(0, "forget", run_id, {std::string(node_id)});
  add_all_group_keys(call);
  call.keys.push_back(members_key);
  for (std::uint32_t group = 0; group < kShareGroups; ++group) {
    call.arguments.push_back(joined(group));
  }
  return call;
}

ScriptCall ShareScripts::begin(std::string_view run_id, std::uint64_t epoch,
                               std::uint64_t generation) const {
  ScriptCall call = this->call(epoch, "begin", run_id, {joined(generation)});
  add_all_group_keys(call);
  return call;
}

ScriptCall ShareScripts::step(std::string_view run_id, std::uint64_t epoch,
                              std::uint64_t generation, ShareLearning::Step step) const {
  return call(epoch, step == ShareLearning::Step::kLearned ? "learned" : "thawed", run_id,
              {joined(generation)});
}

ScriptCall ShareScripts::apply(std::string_view run_id, std::uint64_t epoch,
                               std::uint64_t generation, std::span<const GroupPlan> plans) const {
  ScriptCall call = this->call(epoch, "plan", run_id, {joined(generation)});
  for (const GroupPlan& each : plans) {
    const SharePlan& plan = each.plan;
    add_group_key(each.group, call);
    const std::size_t entries = plan.lost.size() + plan.departed.size() + plan.grants.size();
    for (const std::uint64_t number : {std::uint64_t{each.group}, plan.version, entries}) {
      call.arguments.push_back(joined(number));
    }
    const auto add = [&](const char* what, const std::string& id, std::string sequence,
                         std::string text) {
      for (std::string argument : {std::string(what), id, std::move(sequence), std::move(text)}) {
        call.arguments.push_back(std::move(argument));
      }
    };
    for (const auto& [id, sequence] : plan.lost) {
      add("lost", id, joined(sequence), to_text(plan.left.at(id)));
    }
    for (const auto& [id, sequence] : plan.departed) add("departed", id, joined(sequence), "");
    for (const auto& [id, shares] : plan.grants) add("grant", id, "", to_text(shares));
  }
  return call;
}

absl::StatusOr<ExchangeReplies> exchange_replies_of(const RedisReply& reply,
                                                    std::size_t exchanges) {
  const auto texts = texts_of(reply);
  ExchangeReplies result;
  if (!texts || texts->size() < 2 || !read(texts->at(1), result.generation)) return malformed();
  result.groups.resize(exchanges);
  if (texts->front() == "unknown") return result;
  if (texts->front() != "done" || texts->size() != 3 + 2 * exchanges ||
      !read(texts->at(2), result.epoch)) {
    return malformed();
  }
  for (std::size_t i = 0; i < exchanges; ++i) {
    const std::optional<ExchangeAnswer> answer = answer_of(texts->at(3 + 2 * i));
    const std::string_view granted = texts->at(4 + 2 * i);
    ExchangeReply& group = result.groups[i];
    if (!answer) return malformed();
    group.answer = *answer;
    group.as_held = granted == "=";
    if (!group.as_held && !read(granted, {}, group.granted)) return malformed();
  }
  return result;
}

absl::StatusOr<SharePoll> poll_of(const RedisReply& reply) {
  const auto texts = texts_of(reply);
  SharePoll poll;
  std::uint64_t versions = 0;
  if (!texts || texts->size() < 4 || !read(texts->at(0), poll.data.generation) ||
      !read(texts->at(3), versions) || versions > kShareGroups) {
    return malformed();
  }
  poll.data.learning = texts->at(1) == "1";
  poll.data.safe_frozen = texts->at(2) == "1";
  if (!read(*texts, 4, versions, poll.versions)) return malformed();
  const std::size_t rest = texts->size() - 4 - 2 * versions;
  if (rest % 2 != 0 || !read(*texts, 4 + 2 * versions, rest / 2, poll.changes)) {
    return malformed();
  }
  return poll;
}

absl::StatusOr<std::map<std::uint32_t, ShareHeads>> heads_of(const RedisReply& reply) {
  const auto texts = texts_of(reply);
  if (!texts || texts->size() % 2 != 0) return malformed();
  std::map<std::uint32_t, ShareHeads> heads;
  for (std::size_t i = 0; i < texts->size(); i += 2) {
    std::string_view session = texts->at(i);
    std::uint64_t group = 0;
    ShareHead head;
    if (!read(cut_field(session, ':'), group) || group >= kShareGroups ||
        !read_head(texts->at(i + 1), head)) {
      return malformed();
    }
    heads[static_cast<std::uint32_t>(group)].emplace(session, std::move(head));
  }
  return heads;
}

absl::StatusOr<std::map<std::uint32_t, ShareSnapshot>> snapshots_of(const RedisReply& reply) {
  const auto texts = texts_of(reply);
  std::uint64_t generation = 0;
  if (!texts || texts->size() < 3 || !read(texts->at(0), generation)) return malformed();
  std::map<std::uint32_t, ShareSnapshot> snapshots;
  for (std::size_t i = 3; i < texts->size();) {
    std::uint64_t group = 0;
    std::uint64_t sessions = 0;
    ShareSnapshot snapshot;
    if (texts->size() < i + 4 || !read(texts->at(i), group) || group >= kShareGroups ||
        !read(texts->at(i + 1), snapshot.version) || !read(texts->at(i + 2), snapshot.changes) ||
        !read(texts->at(i + 3), sessions) || (texts->size() - i - 4) / 8 < sessions) {
      return malformed();
    }
    snapshot.generation = generation;
    snapshot.learning = texts->at(1) == "1";
    snapshot.safe_frozen = texts->at(2) == "1";
    i += 4;
    for (; sessions > 0; --sessions, i += 8) {
      ShareSession session;
      session.node_id = std::string(texts->at(i + 1));
      std::optional<Shares> held = to_shares(texts->at(i + 4));
      std::optional<Demands> demands = to_demands(texts->at(i + 7));
      if (!read(texts->at(i + 2), session.sequence) || !held || !demands ||
          !read(texts->at(i + 5), *held, session.taken) ||
          !read(texts->at(i + 6), *held, session.granted)) {
        return malformed();
      }
      session.lost = texts->at(i + 3) == "1";
      session.held = *std::move(held);
      session.demands = *std::move(demands);
      snapshot.sessions.emplace(texts->at(i), std::move(session));
    }
    snapshots.emplace(static_cast<std::uint32_t>(group), std::move(snapshot));
  }
  return snapshots;
}

absl::StatusOr<std::vector<bool>> applied_of(const RedisReply& reply, std::size_t plans) {
  const auto texts = texts_of(reply);
  if (!texts || texts->empty()) return malformed();
  std::vector<bool> applied(plans, false);
  if (texts->front() == "outdated") return applied;
  if (texts->size() != 1 + plans) return malformed();
  for (std::size_t i = 0; i < plans; ++i) applied[i] = texts->at(1 + i) == "done";
  return applied;
}

absl::StatusOr<ForgetReply> forgotten_of(const RedisReply& reply) {
  const auto texts = texts_of(reply);
  if (!texts || texts->empty()) return malformed();
  if (texts->front() == "living") {
    return absl::FailedPreconditionError("the node lives, or was heard of so lately that it may");
  }
  ForgetReply forgotten;
  if (texts->size() != 3 || !read(texts->at(1), forgotten.sessions)) return malformed();
  forgotten.listed = texts->at(2) == "1";
  return forgotten;
}

}  // namespace drip::cluster
