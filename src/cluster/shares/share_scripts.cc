// SPDX-License-Identifier: BSD-3-Clause
// Arguments and replies of shares.lua.
#include "cluster/shares/share_scripts.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/text.h"
#include "cluster/shares/shares_lua.h"

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

// "-" stands for none.
bool read(std::string_view text, std::optional<Shares>& shares) {
  if (text == "-") return true;
  shares = to_shares(text);
  return shares.has_value();
}

}  // namespace

ShareScripts::ShareScripts(std::string_view prefix, std::string leader_key)
    : leader_key_(std::move(leader_key)),
      data_key_(joined(prefix, "shares")),
      sessions_key_(joined(prefix, "shares:sessions")) {}

ScriptCall ShareScripts::call(std::uint64_t epoch, std::string_view operation,
                              std::string_view run_id, std::vector<std::string> more) const {
  ScriptCall call;
  call.script = &shares_script();
  call.keys = {leader_key_, data_key_, sessions_key_};
  call.arguments = {joined(epoch), std::string(operation), std::string(run_id)};
  std::ranges::move(more, std::back_inserter(call.arguments));
  return call;
}

ScriptCall ShareScripts::exchange(std::string_view run_id, std::string_view session,
                                  std::string_view node_id, const ShareHolder::Exchange& exchange,
                                  const Demands& demands) const {
  const bool leased =
      std::ranges::any_of(exchange.held, [](const auto& entry) { return entry.second.leased > 0; });
  return call(
      0, "exchange", run_id,
      {std::string(session), std::string(node_id), joined(exchange.sequence),
       joined(exchange.generation), to_text(exchange.held), leased ? "1" : "0", to_text(demands)});
}

ScriptCall ShareScripts::leave(std::string_view run_id, std::string_view session) const {
  return call(0, "leave", run_id, {std::string(session)});
}

ScriptCall ShareScripts::snapshot(std::string_view run_id, std::uint64_t epoch,
                                  std::uint64_t new_generation) const {
  return call(epoch, "snapshot", run_id, {joined(new_generation)});
}

ScriptCall ShareScripts::look(std::string_view run_id) const {
  return call(0, "snapshot", run_id, {""});
}

ScriptCall ShareScripts::apply_plan(std::string_view run_id, std::uint64_t epoch,
                                    const ShareSnapshot& snapshot, const SharePlan& plan) const {
  std::vector<std::string> more = {joined(snapshot.generation), joined(plan.version),
                                   plan.learned ? "1" : "0", plan.safe_frozen ? "1" : "0"};
  const auto add = [&](const char* what, const std::string& id, std::string sequence,
                       std::string text) {
    for (std::string argument : {std::string(what), id, std::move(sequence), std::move(text)}) {
      more.push_back(std::move(argument));
    }
  };
  for (const auto& [id, sequence] : plan.lost) {
    add("lost", id, joined(sequence), to_text(plan.left.at(id)));
  }
  for (const auto& [id, sequence] : plan.departed) add("departed", id, joined(sequence), "");
  for (const auto& [id, shares] : plan.grants) add("grant", id, "", to_text(shares));
  return call(epoch, "plan", run_id, std::move(more));
}

absl::StatusOr<ExchangeReply> exchange_reply_of(const RedisReply& reply) {
  const auto texts = texts_of(reply);
  ExchangeReply result;
  if (!texts || texts->size() < 2 || !read(texts->at(1), result.generation)) return malformed();
  const std::string_view outcome = texts->front();
  if (outcome == "renewed") {
    result.answer = ExchangeAnswer::kRenewed;
    if (texts->size() != 4 || !read(texts->at(2), result.granted) ||
        !read(texts->at(3), result.epoch)) {
      return malformed();
    }
  } else if (outcome == "stale") {
    result.answer = ExchangeAnswer::kStale;
  } else if (outcome == "lost") {
    result.answer = ExchangeAnswer::kLost;
  } else if (outcome == "forgotten") {
    result.answer = ExchangeAnswer::kForgotten;
  } else if (outcome != "unknown") {
    return malformed();
  }
  return result;
}

absl::StatusOr<ShareSnapshot> snapshot_of(const RedisReply& reply) {
  const auto texts = texts_of(reply);
  ShareSnapshot snapshot;
  if (!texts || texts->size() % 8 != 4 || !read(texts->at(0), snapshot.generation) ||
      !read(texts->at(3), snapshot.version)) {
    return malformed();
  }
  snapshot.learning = texts->at(1) == "1";
  snapshot.safe_frozen = texts->at(2) == "1";
  for (std::size_t i = 4; i < texts->size(); i += 8) {
    ShareSession session;
    session.node_id = std::string(texts->at(i + 1));
    std::optional<Shares> held = to_shares(texts->at(i + 3));
    std::optional<Demands> demands = to_demands(texts->at(i + 7));
    if (!read(texts->at(i + 2), session.sequence) || !held ||
        !read(texts->at(i + 4), session.taken) || !read(texts->at(i + 5), session.granted) ||
        !demands) {
      return malformed();
    }
    session.held = *std::move(held);
    session.lost = texts->at(i + 6) == "1";
    session.demands = *std::move(demands);
    snapshot.sessions.emplace(texts->at(i), std::move(session));
  }
  return snapshot;
}

}  // namespace drip::cluster
