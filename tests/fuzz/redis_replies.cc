// SPDX-License-Identifier: BSD-3-Clause
// Any bytes as what a Redis server answers, through hiredis into all that reads replies: what is
// accepted is in range, and everything else is an error.
//
// The first two bytes: how many bytes come at a time, and how many calls are answered.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "cluster/config/config_store.h"
#include "cluster/config/stored_form.h"
#include "cluster/membership/heartbeat_view.h"
#include "cluster/queue/queue_calls.h"
#include "cluster/queue/queue_clock.h"
#include "cluster/redis/redis_connection.h"
#include "cluster/shares/store/share_scripts.h"
#include "fuzz/support/byte_source.h"
#include "fuzz/support/fuzz_target.h"

namespace drip::fuzz {
namespace {

using cluster::Deadline;
using cluster::RedisReply;

// 146 years, so that the sum of such a span and a time is in range.
constexpr std::int64_t kLongestNs = std::int64_t{1} << 62;

class GivenBytes final : public cluster::ByteStream {
 public:
  GivenBytes(std::string_view bytes, std::size_t piece) : bytes_(bytes), piece_(piece) {}

  absl::Status write(std::string_view, Deadline) override { return absl::OkStatus(); }
  absl::StatusOr<std::size_t> read(std::span<char> into, Deadline) override {
    const std::size_t count = std::min({into.size(), piece_, bytes_.size()});
    if (count == 0) return absl::UnavailableError("closed");
    std::memcpy(into.data(), bytes_.data(), count);
    bytes_.remove_prefix(count);
    return count;
  }

 private:
  std::string_view bytes_;
  const std::size_t piece_;
};

bool is_span(Duration span) { return span.ns >= 0 && span.ns <= kLongestNs; }
// May be negative: Redis's clock may have been set.
bool is_difference(std::chrono::milliseconds span) {
  return std::abs(span.count()) <= kLongestNs / 1'000'000;
}
bool is_count(std::uint64_t count) {
  return count <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
}

void check_queue(const RedisReply& reply) {
  if (const auto tickets = cluster::tickets_of(reply); tickets.ok()) {
    for (const control::SharedTicket& ticket : *tickets) {
      require(is_span(ticket.wait) && is_span(ticket.until_departure), "a wait is a span");
      require(is_count(ticket.position), "a position is a count");
    }
  }
  if (const auto status = cluster::status_of_request(reply); status.ok()) {
    require(is_span(status->until_departure), "what a request has to wait is a span");
  }
  control::SharedBuckets::Bucket bucket;
  bucket.settings.units_per_second = 10;
  if (const auto stats = cluster::stats_of(reply, bucket); stats.ok()) {
    require(is_span(stats->until_departure) && is_span(stats->since_last_departure),
            "a bucket is busy for a span");
    require(is_count(stats->stats.admitted) && is_count(stats->stats.backlog) &&
                is_count(stats->stats.departed) && is_count(stats->stats.dropped),
            "what is counted is a count");
  }
  if (const auto page = cluster::page_of(reply); page.ok()) {
    for (const control::SharedQueueEntry& entry : page->entries) {
      require(is_span(entry.wait) && is_span(entry.since_arrival), "waits are spans");
      require(is_count(entry.position), "a position is a count");
    }
  }
  if (const auto removal = cluster::removal_of(reply); removal.ok()) {
    require(is_count(removal->dropped) && is_count(removal->draining), "units are counted");
  }
}

void check_clock(const RedisReply& first, const RedisReply& second) {
  cluster::QueueClock clock("p:");
  const cluster::NodeTime now{1'000'000'000'000, 1'700'000'000'000'000};
  (void)clock.call(now);
  if (!clock.on_reply(first, now).ok()) return;
  (void)clock.call(now);
  (void)clock.on_reply(second, {now.elapsed_ns + 1'000'000, now.wall_us + 1000});
  (void)clock.take_step();
}

void check_shares(const RedisReply& reply, std::size_t count) {
  if (const auto replies = cluster::exchange_replies_of(reply, count); replies.ok()) {
    require(replies->groups.size() == count, "one answer an exchange");
  }
  if (const auto applied = cluster::applied_of(reply, count); applied.ok()) {
    require(applied->size() == count, "one answer a plan");
  }
  if (const auto poll = cluster::poll_of(reply); poll.ok()) {
    for (const auto& [group, version] : poll->versions) {
      require(group < cluster::kShareGroups, "a group is one of those that there are");
    }
  }
  if (const auto heads = cluster::heads_of(reply); heads.ok()) {
    for (const auto& [group, sessions] : *heads) {
      require(group < cluster::kShareGroups, "a group is one of those that there are");
    }
  }
  if (const auto snapshots = cluster::snapshots_of(reply); snapshots.ok()) {
    for (const auto& [group, snapshot] : *snapshots) {
      require(group < cluster::kShareGroups, "a group is one of those that there are");
      for (const auto& [id, session] : snapshot.sessions) {
        require(cluster::to_shares(cluster::to_text(session.held)) == session.held,
                "shares are written as they were read");
      }
    }
  }
  (void)cluster::forgotten_of(reply);
}

void check_config(const RedisReply& reply) {
  (void)cluster::ConfigStore::page_of(reply);
  const auto whole = cluster::ConfigStore::whole_of(reply);
  if (!whole.ok()) return;
  for (const auto& [id, bucket] : whole->config.buckets) {
    const std::string bytes = cluster::encode(id, bucket);
    const auto again = cluster::decode_bucket(bytes);
    require(again.ok() && cluster::encode(id, *again) == bytes,
            "a bucket is stored as it was read");
  }
  const std::string rules = cluster::encode(whole->config.rules);
  const auto again = cluster::decode_rules(rules);
  require(again.ok() && cluster::encode(*again) == rules, "rules are stored as they were read");
}

void check_membership(const RedisReply& reply) {
  const Deadline sent{std::chrono::hours(1000)};
  const auto view = cluster::read_heartbeat(reply, sent);
  if (!view.ok()) return;
  require(is_difference(view->lease_left), "when a lease ends is a time");
  require((view->sent + view->lease_left > sent) == (view->lease_left.count() > 0),
          "a lease that is not over ends after its heartbeat");
  for (const cluster::HeartbeatView::Member& member : view->members) {
    require(is_difference(member.silent) && is_difference(member.lease), "spans are in range");
    require(view->now_ms - member.silent.count() <= 2 * (kLongestNs / 1'000'000),
            "when a node was heard of is a time");
  }
}

void check_status(const RedisReply& reply) {
  const absl::Status status = cluster::status_of(reply);
  require(status.ok() == (reply.error() == nullptr), "an error is an error");
  require(!cluster::is_from_wrong_server(reply) || cluster::is_refused_to_all(status),
          "a wrong server serves nobody");
}

}  // namespace

std::vector<std::string> seeds() {
  const auto bulk = [](const std::string& text) {
    return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
  };
  const auto list = [&bulk](const std::vector<std::string>& texts) {
    std::string bytes = "*" + std::to_string(texts.size()) + "\r\n";
    for (const std::string& text : texts) bytes += bulk(text);
    return bytes;
  };
  const std::string head = "*5\r\n" + bulk("ds") + ":7\r\n" + bulk("id") + ":6\r\n:-1\r\n";
  v1::ClusterNode node;
  node.set_node_id("n1");
  node.set_address("h:1");
  const std::string heartbeat = "*7\r\n:1700000000000\r\n:3\r\n" + bulk("n1") + bulk("inc") +
                                ":700\r\n" + head + "*1\r\n*6\r\n" + bulk("n1") + bulk("inc") +
                                ":10\r\n:700\r\n" + bulk("up") + bulk(node.SerializeAsString());
  cluster::StoredBucket bucket;
  bucket.settings.units_per_second = 10;
  bucket.settings.capacity = 5;
  v1::SetRuleRequest rule;
  rule.mutable_rule()->set_rule_id("r");
  rule.mutable_rule()->set_pass(true);
  const std::string one_change = "*1\r\n*2\r\n" + bulk("rule") + bulk(rule.SerializeAsString());
  const std::string whole = "*5\r\n" + head + bulk(cluster::encode(control::RuleSetSpec{})) +
                            ":4\r\n" + one_change + "*2\r\n" + bulk("a") +
                            bulk(cluster::encode("a", bucket));
  const std::string log = "*2\r\n" + head + "*1\r\n*4\r\n:7\r\n" + bulk("rule") +
                          bulk(rule.SerializeAsString()) + bulk("c");
  std::vector<std::string> all = {
      "+OK\r\n",
      ":-5\r\n",
      "$-1\r\n",
      "*-1\r\n",
      "-NOSCRIPT No matching script\r\n-READONLY You can't write\r\n",
      "-ERR Error running script (call to f_0123): @user_script:7: @user_script: 7: -OOM x\r\n",
      list({"tickets", "i", "1", "0", "7", "1", "1000", "2000"}),
      list({"tickets", "i", "1", "0", "7", "1", "-1000", "9223372036854775807"}),
      list({"waits", "-5000"}),
      list({"read", "1", "2", "3", "4", "-5", "6", "7", "8"}),
      list({"deleted"}),
      list({"late"}),
      list({"waits", "5000"}),
      list({"departed"}),
      list({"read", "1", "2", "3", "4", "5", "6", "7", "8"}),
      list({"list", "9", "id", "7", "1", "1000", "2000"}),
      list({"removed", "1", "2"}),
      "*3\r\n" + bulk("id") + ":1700000000000000\r\n:1700000000000001\r\n*3\r\n" + bulk("id") +
          ":1700000000000900\r\n:1700000000000901\r\n",
      list({"done", "5", "6", "renewed", "="}),
      list({"done", "5", "6", "changed", "a 500 0 10 0\n"}),
      list({"unknown", "5"}),
      list({"5", "1", "0", "1", "3", "7", "4", "9"}),
      list({"3:s", "7 0 n1"}),
      list({"5", "0", "0", "3", "7", "1", "1", "s", "n1", "4", "0", "a 500 1 10 0\nb 2 0 10 0\n",
            "=", "-", "a 9\n"}),
      list({"done", "done"}),
      list({"done", "2", "1"}),
      heartbeat,
      whole,
      log,
      "+OK\r\n+PONG\r\n*4\r\n" + bulk("version") + bulk("7.0.15") + bulk("mode") +
          bulk("standalone") + list({"master", "0"}),
      "*2\r\n*2\r\n*1\r\n:1\r\n:2\r\n%1\r\n+a\r\n:1\r\n"};
  for (std::string& seed : all) seed.insert(0, "\x10\x01");
  all.push_back("\x01\x01" + heartbeat);
  return all;
}

}  // namespace drip::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace drip;        // NOLINT(google-build-using-namespace)
  using namespace drip::fuzz;  // NOLINT(google-build-using-namespace)
  if (size < 2) return 0;
  const std::string_view bytes = text_of({data + 2, size - 2});
  const std::size_t piece = std::size_t{1} + data[0] * 8U;
  const auto connect = [&] {
    return cluster::RedisConnection(std::make_unique<GivenBytes>(bytes, piece), "peer");
  };
  cluster::RedisConnection connection = connect();
  RedisReply last{RedisReply::Nil{}};
  for (int i = 0; i < 8; ++i) {
    const auto reply = connection.receive({});
    if (!reply.ok()) break;
    check_status(*reply);
    check_queue(*reply);
    check_clock(last, *reply);
    check_shares(*reply, data[1] % 4);
    check_config(*reply);
    check_membership(*reply);
    last = *reply;
  }
  cluster::RedisConnection greeting = connect();
  cluster::RedisOptions options;
  options.url.database = data[1] % 2;
  if (greeting.greet(options, {}).ok()) (void)greeting.check_is_master({});
  return 0;
}
