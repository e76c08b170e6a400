// SPDX-License-Identifier: BSD-3-Clause
// One rate over three real dripds while nodes, the leader and Redis die, stop, are cut off and come
// back: what departs from all of them stays within the rate at every instant.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <thread>

#include "nodes/holding_proxy.h"
#include "nodes/network_cut.h"
#include "split_group.h"
#include "support/redis_server.h"

namespace drip {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr double kRate = 600;

bool steady(const DepartureSink& sink, double least) {
  const double rate = departures_a_second(sink, milliseconds(500));
  return rate >= least * kRate && rate <= 1.05 * kRate;
}

// No call failed on a node other than these.
void expect_failures_only_on(const DepartureSink& sink, const std::set<std::string>& dead) {
  for (const auto& failure : sink.failures()) {
    EXPECT_TRUE(dead.contains(failure.node))
        << failure.node << ": " << failure.status.error_message();
  }
}

ClusterNode& node_of(const ClusterNodes& nodes, const std::string& id) {
  return **std::ranges::find_if(nodes, [&](const auto& node) { return node->id() == id; });
}

std::string leader_id(const ClusterNodes& nodes) {
  wait_until("the nodes agree", [&] { return !common_leader(nodes).empty(); });
  const std::string leader = common_leader(nodes);
  return leader.substr(0, leader.find('@'));
}

// Three nodes, all backlogged, of which what leaves is the whole rate.
class SplitFailure : public testing::Test {
 protected:
  void start(const std::string& redis_url, v1::FailurePolicy policy) {
    start(three_nodes(redis_url), policy);
  }
  void start(ClusterNodes nodes, v1::FailurePolicy policy) {
    nodes_ = std::move(nodes);
    set_split_bucket(nodes_, *nodes_[0], split_bucket("a", kRate, policy));
    begin_ = SinkClock::now();
    for (const auto& node : nodes_) sink_.feed(*node, 100);
    wait_until("the rate is reached", [&] { return steady(sink_, 0.95); });
  }
  void finish(const std::set<std::string>& dead) {
    sink_.stop();
    expect_within_rate(sink_, kRate, 3, begin_);
    expect_failures_only_on(sink_, dead);
    for (const auto& node : nodes_) {
      if (!dead.contains(node->id())) expect_nothing_lost(*node, "a");
    }
  }

  ClusterNodes nodes_;
  DepartureSink sink_{"a"};
  SinkClock::time_point begin_;
};

TEST_F(SplitFailure, ANodeIsKilledAndComesBack) {
  RedisServer redis;
  start(redis.url(), v1::FAILURE_POLICY_LAST_SHARE);
  const std::string leader = leader_id(nodes_);
  const std::string id = leader == "n1" ? "n2" : "n1";
  node_of(nodes_, id).process().signal(SIGKILL);
  wait_until("the others leak its share after kill -9 of a node", [&] {
    const auto now = SinkClock::now();
    return now - begin_ > seconds(1) && steady(sink_, 0.95) &&
           node_of(nodes_, leader).client().bucket("a").share_rate() > 0.45 * kRate;
  });
  const auto dead =
      std::ranges::find_if(nodes_, [&](const auto& node) { return node->id() == id; });
  sink_.starve(id);
  dead->reset();
  *dead = std::make_unique<ClusterNode>(redis.url(), id);
  wait_until("it has the bucket again", [&] { return (*dead)->rate("a") == kRate; });
  sink_.feed(**dead, 100);
  wait_until("a third of the rate for the one that is back", [&] {
    const auto shares = shares_of(nodes_, "a");
    return std::ranges::all_of(
        shares, [](const auto& share) { return std::abs(share.second - kRate / 3) < 1; });
  });
  wait_until("the rate departs again", [&] { return steady(sink_, 0.95); });
  finish({id});
}

TEST_F(SplitFailure, TheLeaderIsKilled) {
  RedisServer redis;
  start(redis.url(), v1::FAILURE_POLICY_LAST_SHARE);
  const std::string id = leader_id(nodes_);
  node_of(nodes_, id).process().signal(SIGKILL);
  sink_.starve(id);
  wait_until("the others leak its share after kill -9 of the leader", [&] {
    return std::ranges::all_of(nodes_, [&](const auto& node) {
      return node->id() == id || node->client().bucket("a").share_rate() > 0.49 * kRate;
    });
  });
  wait_until("the rate departs again", [&] { return steady(sink_, 0.95); });
  finish({id});
}

TEST_F(SplitFailure, TheLeaderStandsStillForTenSeconds) {
  RedisServer redis;
  start(redis.url(), v1::FAILURE_POLICY_SAFE_SHARE);
  const std::string id = leader_id(nodes_);
  node_of(nodes_, id).process().signal(SIGSTOP);
  const auto stopped = SinkClock::now();
  wait_until("the others leak its share after SIGSTOP of the leader", [&] {
    // Its safe share stays its own.
    return std::ranges::all_of(nodes_, [&](const auto& node) {
      return node->id() == id || node->client().bucket("a").share_rate() > 0.47 * kRate;
    });
  });
  std::this_thread::sleep_until(stopped + seconds(10));
  node_of(nodes_, id).process().signal(SIGCONT);
  wait_until("a third of the rate for each after SIGCONT", [&] {
    const auto shares = shares_of(nodes_, "a");
    return std::ranges::all_of(
        shares, [](const auto& share) { return std::abs(share.second - kRate / 3) < 1; });
  });
  wait_until("the rate departs again", [&] { return steady(sink_, 0.95); });
  finish({});
}

TEST_F(SplitFailure, WhatAStaleLeaderGrantsArrivesLateAndIsRefused) {
  RedisServer redis;
  std::map<std::string, std::unique_ptr<HoldingProxy>> networks;
  ClusterNodes nodes;
  for (const char* const id : {"n1", "n2", "n3"}) {
    networks[id] = std::make_unique<HoldingProxy>(redis.port());
    nodes.push_back(std::make_unique<ClusterNode>(
        "redis://127.0.0.1:" + std::to_string(networks[id]->port()), id));
  }
  start(std::move(nodes), v1::FAILURE_POLICY_SAFE_SHARE);
  const auto error_counts = [&redis] { return redis.cli({"INFO", "errorstats"}); };
  ASSERT_THAT(error_counts(), testing::Not(testing::HasSubstr("FENCED")));
  const std::string id = leader_id(nodes_);
  const std::uint64_t epoch = epoch_of(common_leader(nodes_));
  // Redis's protocol frames each argument; this one is what the leader writes.
  networks[id]->hold_at("\r\nplan\r\n");
  // Demand that changes is granted for.
  const std::string other = id == "n1" ? "n2" : "n1";
  sink_.starve(other);
  wait_until("a grant of the leader is under way", [&] { return networks[id]->holds(); });
  wait_until("the others have another leader", [&] {
    return std::ranges::all_of(nodes_, [&](const auto& node) {
      if (node->id() == id) return true;
      const std::string leader = node->leader();
      return !leader.empty() && epoch_of(leader) > epoch;
    });
  });
  ASSERT_THAT(error_counts(), testing::Not(testing::HasSubstr("FENCED")));
  networks[id]->release_held();
  wait_until("the stale grant is refused",
             [&] { return error_counts().find("errorstat_FENCED:count=") != std::string::npos; });
  sink_.feed(node_of(nodes_, other), 100);
  wait_until("the one that was stale follows",
             [&] { return !common_leader(nodes_).empty() && leader_id(nodes_) != id; });
  wait_until("a third of the rate for each", [&] {
    const auto shares = shares_of(nodes_, "a");
    return std::ranges::all_of(
        shares, [](const auto& share) { return std::abs(share.second - kRate / 3) < 1; });
  });
  finish({});
}

TEST_F(SplitFailure, RedisIsKilledAndComesBackWithoutItsData) {
  RedisServer redis;
  start(redis.url(), v1::FAILURE_POLICY_SAFE_SHARE);
  redis.kill();
  wait_until("safe shares after kill -9 of Redis", [&] {
    return std::ranges::all_of(nodes_, [](const auto& node) {
      return node->client().bucket("a").policy_state() == v1::POLICY_STATE_SAFE_SHARE;
    });
  });
  const auto safe = SinkClock::now();
  std::this_thread::sleep_for(seconds(3));
  // All that was set aside for this, a tenth, and not more.
  const double leaked = static_cast<double>(sink_.count(safe, safe + seconds(3)));
  EXPECT_GT(leaked, 0.8 * 3 * kRate / 10);
  EXPECT_LE(certain_excess(sink_.departures(), kRate / 10, safe), allowed_excess(kRate / 10, 3));
  redis.start();
  wait_until("shares by lease again, Redis empty", [&] {
    return std::ranges::all_of(nodes_, [](const auto& node) {
      return node->client().bucket("a").policy_state() == v1::POLICY_STATE_SHARED;
    });
  });
  wait_until("the rate departs again", [&] { return steady(sink_, 0.95); });
  finish({});
}

TEST_F(SplitFailure, RedisIsReplacedBySentinel) {
  RedisServer master;
  RedisServer replica({"--replicaof", "127.0.0.1", std::to_string(master.port())});
  RedisSentinels sentinels(master);
  sentinels.wait_until_settled(1);
  start(sentinels.url(), v1::FAILURE_POLICY_SAFE_SHARE);
  std::this_thread::sleep_for(milliseconds(500));  // The replica has all of it.
  master.kill();
  wait_until("safe shares after the master was killed", [&] {
    return std::ranges::all_of(nodes_, [](const auto& node) {
      return node->client().bucket("a").policy_state() == v1::POLICY_STATE_SAFE_SHARE;
    });
  });
  wait_until("shares by lease from the new master", [&] {
    return std::ranges::all_of(nodes_, [](const auto& node) {
      return node->client().bucket("a").policy_state() == v1::POLICY_STATE_SHARED;
    });
  });
  wait_until("the rate departs again", [&] { return steady(sink_, 0.95); });
  finish({});
}

TEST_F(SplitFailure, ANodeIsCutOffFromRedisAndHealed) {
  NetworkCut link;
  if (!link.made()) GTEST_SKIP() << "network namespaces cannot be made here (root is needed)";
  SeparableCluster cluster(link);
  start(std::move(cluster.nodes), v1::FAILURE_POLICY_SAFE_SHARE);
  ASSERT_TRUE(link.set(false));
  wait_until("a safe share for the node whose link was cut", [&] {
    return nodes_[2]->client().bucket("a").policy_state() == v1::POLICY_STATE_SAFE_SHARE;
  });
  wait_until("the others leak the rest of it", [&] {
    return nodes_[0]->client().bucket("a").share_rate() > 0.47 * kRate &&
           nodes_[1]->client().bucket("a").share_rate() > 0.47 * kRate && steady(sink_, 0.95);
  });
  EXPECT_EQ(nodes_[0]->client().bucket("a").policy_state(), v1::POLICY_STATE_SHARED);
  ASSERT_TRUE(link.set(true));
  wait_until("a third of the rate for each after the link was healed", [&] {
    const auto shares = shares_of(nodes_, "a");
    return std::ranges::all_of(
        shares, [](const auto& share) { return std::abs(share.second - kRate / 3) < 1; });
  });
  wait_until("the rate departs again", [&] { return steady(sink_, 0.95); });
  finish({});
}

}  // namespace
}  // namespace drip
