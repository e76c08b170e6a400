// SPDX-License-Identifier: BSD-3-Clause
// Compare and set of the cluster's configuration by clients of all nodes, while faults happen: no
// update is lost, and revisions go up in the order in which updates happened.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <regex>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "nodes/node_group.h"
#include "recorded_history.h"
#include "revision_model.h"
#include "support/redis_server.h"

namespace drip {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kClients = 6;
constexpr seconds kSpan{8};
const std::string kRules = "the rules";

using Model = RevisionModel;
using History = RecordedHistory<Model>;
using Op = Operation<Model::Call>;

/// What was seen of a bucket or of the rules: at which revision it had which value. Each value is
/// set once.
class Seen {
 public:
  void note(const std::string& object, std::uint64_t value, std::uint64_t revision) {
    const std::lock_guard lock(mutex_);
    const auto [known, is_new] =
        seen_.try_emplace({object, value}, revision, std::chrono::steady_clock::now());
    EXPECT_TRUE(is_new || known->second.first == revision)
        << object << ", value " << value << ": revisions " << known->second.first << " and "
        << revision;
  }
  /// The revision and when it was first seen.
  std::optional<std::pair<std::uint64_t, std::chrono::steady_clock::time_point>> find(
      const std::string& object, std::uint64_t value) {
    const std::lock_guard lock(mutex_);
    const auto found = seen_.find({object, value});
    if (found == seen_.end()) return std::nullopt;
    return found->second;
  }

 private:
  std::mutex mutex_;
  std::map<std::pair<std::string, std::uint64_t>,
           std::pair<std::uint64_t, std::chrono::steady_clock::time_point>>
      seen_;
};

/// A client that reads from one node and sets through another.
class SettingClient {
 public:
  SettingClient(const ClusterNodes& nodes, History& history, Seen& seen, int number)
      : nodes_(nodes),
        history_(history),
        seen_(seen),
        random_(static_cast<unsigned>(number)),
        next_value_(1000U * static_cast<unsigned>(number + 1)) {}

  void run(const std::atomic<bool>& stop) {
    while (!stop) {
      const std::string object = draw(3) == 0 ? kRules : draw(2) == 0 ? "a" : "b";
      if (const auto revision = read(node(), object)) set(node(), object, *revision);
      std::this_thread::sleep_for(milliseconds(draw(30)));
    }
    // What is not known has happened if it is seen.
    for (const auto& [object, value, op] : unknown_) {
      const auto found = seen_.find(object, value);
      if (found) {
        Op known = op;
        known.call.result = found->first;
        known.end = found->second;
        history_.add(object, known);
      }
    }
  }
  /// The revision of a bucket or of the rules that a node has; none if it does not answer.
  std::optional<std::uint64_t> read(ClusterNode& node, const std::string& object) {
    if (object == kRules) {
      v1::ListRulesResponse reply;
      if (!node.client().status_of(&Shaper::ListRules, v1::ListRulesRequest(), reply).ok()) {
        return std::nullopt;
      }
      if (reply.rules_size() == 1) {
        seen_.note(object, std::stoull(reply.rules(0).rule().rule_id()), reply.revision());
      }
      return reply.revision();
    }
    v1::GetBucketStatusRequest request;
    request.set_bucket_id(object);
    v1::GetBucketStatusResponse reply;
    if (!node.client().status_of(&Limiter::GetBucketStatus, request, reply).ok()) {
      return std::nullopt;
    }
    seen_.note(object, reply.bucket().capacity(), reply.bucket().revision());
    return reply.bucket().revision();
  }

 private:
  int draw(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }
  ClusterNode& node() { return *nodes_[static_cast<std::size_t>(draw(3))]; }

  grpc::Status call(ClusterNode& node, const std::string& object, std::uint64_t expected,
                    std::uint64_t value, std::uint64_t& revision) {
    if (object == kRules) {
      v1::SetRulesRequest request;
      request.set_expected_revision(expected);
      v1::Rule& rule = *request.mutable_rule_set()->add_rules();
      rule.set_rule_id(std::to_string(value));
      rule.set_drop(true);
      v1::SetRulesResponse reply;
      const grpc::Status status = node.client().status_of(&Shaper::SetRules, request, reply);
      revision = reply.revision();
      return status;
    }
    v1::ConfigureBucketRequest request;
    request.set_bucket_id(object);
    request.set_capacity(value);
    request.set_leak_rate(10);
    request.set_expected_revision(expected);
    v1::ConfigureBucketResponse reply;
    const grpc::Status status = node.client().status_of(&Limiter::ConfigureBucket, request, reply);
    revision = reply.bucket().revision();
    return status;
  }
  void set(ClusterNode& node, const std::string& object, std::uint64_t expected) {
    const std::uint64_t value = next_value_++;
    Op op;
    op.call.expected = expected;
    op.begin = History::now();
    const grpc::Status status = call(node, object, expected, value, op.call.result);
    op.end = History::now();
    if (status.ok()) {
      seen_.note(object, value, op.call.result);
      history_.add(object, op);
    } else if (status.error_code() == grpc::ABORTED) {
      std::smatch present;
      const std::string text = status.error_message();
      const std::regex revision(R"((?:at revision|which is) (\d+)$)");
      if (std::regex_search(text, present, revision)) {
        op.call.result = 0;
        op.call.present = std::stoull(present[1]);
        history_.add(object, op);
      } else {
        // It has not been compared at all.
        EXPECT_EQ(text, "other nodes keep changing the configuration");
      }
    } else {
      EXPECT_TRUE(status.error_code() == grpc::UNAVAILABLE ||
                  status.error_code() == grpc::DEADLINE_EXCEEDED)
          << status.error_message();
      unknown_.emplace_back(object, value, op);
    }
  }

  const ClusterNodes& nodes_;
  History& history_;
  Seen& seen_;
  std::mt19937 random_;
  std::uint64_t next_value_;
  std::vector<std::tuple<std::string, std::uint64_t, Op>> unknown_;
};

void expect_no_lost_update(ClusterNodes& nodes, const std::function<void()>& faults) {
  for (const char* id : {"a", "b"}) {
    wait_until("the cluster takes a bucket", [&] { return nodes[0]->configure(id, 7, 10).ok(); });
  }
  wait_until("all have both", [&] { return all_have(nodes, "a", 10) && all_have(nodes, "b", 10); });
  History history;
  Seen seen;
  std::map<std::string, std::uint64_t> initial;
  SettingClient reader(nodes, history, seen, 99);
  for (const std::string& object : {std::string("a"), std::string("b"), kRules}) {
    initial[object] = reader.read(*nodes[0], object).value();
  }
  std::atomic<bool> stop{false};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kClients; ++i) {
      threads.emplace_back([&, i] { SettingClient(nodes, history, seen, i).run(stop); });
    }
    const auto end = History::now() + kSpan;
    while (History::now() < end) faults();
    stop = true;
  }
  history.expect_linearizable([&](const std::string& object) { return initial[object]; });
  for (const auto& [object, operations] : history.objects()) {
    EXPECT_GT(operations.size(), 10U) << object;
  }
}

TEST(RevisionHistory, WithoutFaults) {
  RedisServer redis;
  ClusterNodes nodes = three_nodes(redis.url());
  expect_no_lost_update(nodes, [] { std::this_thread::sleep_for(milliseconds(100)); });
}

TEST(RevisionHistory, WhileRedisStandsStillAndGoesOn) {
  RedisServer redis;
  ClusterNodes nodes = three_nodes(redis.url());
  std::mt19937 random(3);
  expect_no_lost_update(nodes, [&] {
    std::this_thread::sleep_for(milliseconds(400 + random() % 600));
    redis.pause();
    std::this_thread::sleep_for(milliseconds(200 + random() % 2500));
    redis.resume();
  });
}

// What it had begun to write when it stood still must not be written over what its successor wrote.
TEST(RevisionHistory, WhileLeadersStandStillAndGoOn) {
  RedisServer redis;
  ClusterNodes nodes = three_nodes(redis.url());
  std::mt19937 random(4);
  expect_no_lost_update(nodes, [&] {
    std::this_thread::sleep_for(milliseconds(1500 + random() % 1000));
    const std::string leader = nodes[random() % nodes.size()]->leader();
    for (const auto& node : nodes) {
      if (!leader.starts_with(node->id() + "@")) continue;
      node->process().signal(SIGSTOP);
      std::this_thread::sleep_for(milliseconds(random() % 6000));
      node->process().signal(SIGCONT);
    }
  });
}

}  // namespace
}  // namespace drip
