// SPDX-License-Identifier: BSD-3-Clause
// Who leads three real dripds, through deaths and pauses of the leader, of nodes and of Redis.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "cluster/redis/cluster_keys.h"
#include "cluster/redis/redis_link.h"
#include "cluster/redis_options.h"
#include "cluster/shares/store/share_scripts.h"
#include "nodes/node_group.h"
#include "support/redis_server.h"

namespace drip {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::HasSubstr;

TEST(ClusterLeader, IsAgreedOnAndAnotherTakesOverFromOneThatIsKilled) {
  RedisServer redis;
  ClusterNodes nodes = three_nodes(redis.url());
  wait_until("three nodes agree", [&] { return !common_leader(nodes).empty(); });
  const std::string first = common_leader(nodes);
  auto dead = take_leader(nodes, first);
  dead->process().signal(SIGKILL);
  wait_until("another leads after kill -9 of the leader", [&] {
    const std::string now = common_leader(nodes);
    return !now.empty() && now != first;
  });
  EXPECT_EQ(epoch_of(common_leader(nodes)), epoch_of(first) + 1);
  wait_until("the dead node is UNKNOWN", [&] {
    const auto status = nodes[0]->status();
    for (const auto& node : status.nodes()) {
      if (node.node_id() == dead->id()) return node.state() == v1::NODE_STATE_UNKNOWN;
    }
    return false;
  });
  // It comes back under its name.
  const std::string id = dead->id();
  dead.reset();
  ClusterNode back(redis.url(), id);
  EXPECT_EQ(back.leader(), common_leader(nodes));
}

TEST(ClusterLeader, OneThatStopsInGoodOrderIsReplacedAtOnceAndGone) {
  RedisServer redis;
  ClusterNodes nodes = three_nodes(redis.url());
  wait_until("three nodes agree", [&] { return !common_leader(nodes).empty(); });
  const std::string first = common_leader(nodes);
  auto leaving = take_leader(nodes, first);
  leaving->process().signal(SIGTERM);
  wait_until("another leads after SIGTERM of the leader", [&] {
    const std::string now = common_leader(nodes);
    return !now.empty() && now != first;
  });
  EXPECT_EQ(leaving->process().wait().exit_code, 0);
  wait_until("it is no member any more", [&] { return nodes[0]->status().nodes_size() == 2; });
}

TEST(ClusterLeader, AStaleOneIsRefusedAfterItsPause) {
  RedisServer redis;
  ClusterNodes nodes = three_nodes(redis.url());
  wait_until("three nodes agree", [&] { return !common_leader(nodes).empty(); });
  const std::string first = common_leader(nodes);
  auto paused = take_leader(nodes, first);
  paused->process().signal(SIGSTOP);
  wait_until("another leads after SIGSTOP of the leader", [&] {
    const std::string now = common_leader(nodes);
    return !now.empty() && now != first;
  });
  std::this_thread::sleep_for(std::chrono::seconds(10));

  // What it would write now, under the epoch of its own lease.
  const cluster::ClusterKeys keys("drip");
  const cluster::ScriptCall write =
      cluster::ShareScripts(keys.prefix, keys.leader).begin("stale", epoch_of(first), 1);
  cluster::RedisLink link(cluster::options_of(redis.url()));
  const auto replies = link.scripts(std::span(&write, 1));
  ASSERT_TRUE(replies.ok()) << replies.status();
  const absl::Status stale = cluster::status_of(replies->front());
  EXPECT_TRUE(absl::IsFailedPrecondition(stale)) << stale;
  EXPECT_THAT(std::string(stale.message()), HasSubstr("FENCED"));
  const auto run_id = link.command({"HGET", keys.prefix + "shares:1024:data", "run_id"});
  EXPECT_TRUE(run_id.ok() && (run_id->text() == nullptr || *run_id->text() != "stale"));

  const std::string now = common_leader(nodes);
  paused->process().signal(SIGCONT);
  wait_until("the one that was paused follows", [&] { return paused->leader() == now; });
  std::this_thread::sleep_for(milliseconds(500));
  EXPECT_EQ(common_leader(nodes), now) << "its return changed nothing";
}

TEST(ClusterLeader, RedisDeadStallsNothingLocal) {
  RedisServer redis;
  ClusterNodes nodes = three_nodes(redis.url());
  wait_until("three nodes agree", [&] { return !common_leader(nodes).empty(); });
  wait_until("a new cluster takes changes",
             [&] { return nodes[0]->configure("a", 1000, 1000).ok(); });
  wait_until("all have it", [&] { return all_have(nodes, "a", 1000); });
  const std::string before = common_leader(nodes);

  for (const bool killed : {false, true}) {
    if (killed) {
      redis.kill();
    } else {
      redis.pause();
    }
    wait_until(killed ? "cut off after kill -9 of Redis" : "cut off after SIGSTOP of Redis", [&] {
      return std::ranges::none_of(nodes,
                                  [](const auto& node) { return node->status().connected(); });
    });
    const auto status = nodes[1]->status();
    for (const auto& node : status.nodes()) EXPECT_EQ(node.state(), v1::NODE_STATE_UNKNOWN);
    EXPECT_EQ(nodes[2]->leader(), "");
    const grpc::Status refused = nodes[0]->configure("a", 1000, 500);
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE) << refused.error_message();
    EXPECT_THAT(refused.error_message(), HasSubstr("configuration was not changed"));
    const auto begin = steady_clock::now();
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(nodes[0]->client().allow("a").allowed());
    const auto each = (steady_clock::now() - begin) / 100;
    std::cout << "AllowRequest while Redis is dead: "
              << std::chrono::duration_cast<std::chrono::microseconds>(each).count()
              << " us each\n";
    EXPECT_LT(each, milliseconds(50));
    if (!killed) {
      redis.resume();
      wait_until("in touch after Redis was resumed",
                 [&] { return !common_leader(nodes).empty() && nodes[0]->rate("a") > 0; });
    }
  }
  // Stops within a bound all the same.
  const auto begin = steady_clock::now();
  for (auto& node : nodes) EXPECT_EQ(node->process().stop().exit_code, 0);
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(20));
}

TEST(ClusterLeader, TheSecondNodeOfAnIdIsRefused) {
  RedisServer redis;
  ClusterNode first(redis.url(), "n1");
  DripdProcess second({"--listen", "127.0.0.1:0", "--cluster", redis.url(), "--node-id", "n1"});
  const Outcome outcome = second.wait();
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("node id \"n1\" is in use by another node"));
  EXPECT_EQ(first.leader(), "n1@1");
}

TEST(ClusterLeader, FollowsASentinelFailover) {
  RedisServer master;
  RedisServer replica({"--replicaof", "127.0.0.1", std::to_string(master.port())});
  RedisSentinels sentinels(master);
  sentinels.wait_until_settled(1);
  ClusterNodes nodes = three_nodes(sentinels.url());
  wait_until("three nodes agree", [&] { return !common_leader(nodes).empty(); });
  wait_until("a new cluster takes changes", [&] { return nodes[0]->configure("a", 10, 5).ok(); });
  wait_until("all have it", [&] { return all_have(nodes, "a", 5); });
  const std::uint64_t epoch = epoch_of(common_leader(nodes));
  std::this_thread::sleep_for(milliseconds(500));  // The replica has it, too.
  master.kill();
  wait_until("cut off after the master was killed",
             [&] { return !nodes[0]->status().connected(); });
  wait_until("one leader by the new master", [&] { return !common_leader(nodes).empty(); });
  EXPECT_GT(epoch_of(common_leader(nodes)), epoch);
  EXPECT_TRUE(all_have(nodes, "a", 5));
  wait_until("changes by the new master", [&] { return nodes[1]->configure("a", 10, 6).ok(); });
  wait_until("all have that", [&] { return all_have(nodes, "a", 6); });
}

}  // namespace
}  // namespace drip
