// SPDX-License-Identifier: BSD-3-Clause
// Another Redis becomes the master: with another clock, or beside the former one, which lives on
// and takes no writes. What leaves stays within the rate, goes on within seconds, and all say why.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <string>
#include <vector>

#include "exact_group.h"
#include "exact_rate.h"
#include "nodes/departure_sink.h"
#include "nodes/wall_clock.h"
#include "support/redis_server.h"
#include "support/stall_meter.h"

namespace drip {
namespace {

using Clock = DepartureSink::Clock;
using testing::Contains;
using testing::HasSubstr;

std::vector<std::string> replica_of(const RedisServer& master) {
  return {"--replicaof", "127.0.0.1 " + std::to_string(master.port())};
}

// Threads whose stalls delay what departs.
std::vector<StallMeter::Thread> threads_of(const ClusterNodes& nodes, const RedisServer& redis) {
  std::vector<StallMeter::Thread> threads = {{redis.pid(), "redis-server"}};
  for (const auto& node : nodes) {
    for (const char* const name : {"drip-exact", "drip-turns"}) {
      threads.push_back({node->process().pid(), name});
    }
  }
  return threads;
}

bool are_connected(const ClusterNodes& nodes) {
  return std::ranges::all_of(nodes, [](const auto& node) { return node->status().connected(); });
}

// Seconds by which the new master's clock is off the former one's.
class ExactFailover : public testing::TestWithParam<std::int64_t> {};

TEST_P(ExactFailover, ToAMasterWithAnotherClockKeepsTheRate) {
  const std::int64_t off = GetParam();
  const WallClock clock(off);
  RedisServer master({"--min-replicas-max-lag", "2"});
  RedisServer replica(replica_of(master), nullptr, {}, clock.environment());
  const RedisSentinels sentinels(master);
  sentinels.wait_until_settled(1);
  ClusterNodes nodes = three_nodes(sentinels.url());
  set_exact_bucket(nodes, *nodes[0], fallible_bucket("a", 1000, kRate));
  const auto begin = Clock::now();
  DepartureSink sink("a");
  for (const auto& node : nodes) sink.feed(*node, 100);
  wait_for_rate(sink, "the rate is reached");
  const StallMeter meter(threads_of(nodes, replica));
  master.kill();
  wait_until("the bucket is closed", [&] { return all_are(nodes, "a", v1::POLICY_STATE_CLOSED); });
  wait_until("it is shared by the new master",
             [&] { return all_are(nodes, "a", v1::POLICY_STATE_SHARED); });
  const auto shared = Clock::now();
  wait_for_rate(sink, "the rate is as before");
  std::cout << "at the rate " << std::chrono::duration<double>(Clock::now() - shared).count()
            << " s after the new master answered\n";
  sink.stop();
  expect_within(sink, kRate, closed_bound() + 2 * kRate * meter.longest(), begin,
                "over a failover");
  expect_only_unavailable(sink);
  wait_until("all are connected", [&] { return are_connected(nodes); });
  const std::string said = off > 0 ? "was set forward by " : "was set back by ";
  for (const auto& node : nodes) {
    const v1::GetClusterStatusResponse status = node->status();
    if (off == 0) {
      EXPECT_EQ(status.redis_clock_steps(), 0U);
      continue;
    }
    EXPECT_EQ(status.redis_clock_steps(), 1U);
    EXPECT_NEAR(static_cast<double>(status.redis_clock_last_step_ns()) * 1e-9,
                static_cast<double>(off), 5);
    EXPECT_THAT(status.warnings(), Contains(HasSubstr("Redis's clock " + said)));
    EXPECT_THAT(node->process().log(), HasSubstr("Redis's clock " + said));
  }
}

INSTANTIATE_TEST_SUITE_P(Clocks, ExactFailover, testing::Values(0, 3600, -3600),
                         [](const auto& off) {
                           return off.param == 0  ? "TheSame"
                                  : off.param > 0 ? "AnHourAhead"
                                                  : "AnHourBehind";
                         });

// An operator demotes it by hand, which leaves its connections open, and tells the Sentinels later.
TEST(ExactDemotion, AMasterThatIsDemotedAndLivesIsLeft) {
  RedisServer first;
  RedisServer second(replica_of(first));
  const RedisSentinels sentinels(first);
  sentinels.wait_until_settled(1);
  ClusterNodes nodes = three_nodes(sentinels.url());
  set_exact_bucket(nodes, *nodes[0], fallible_bucket("a", 1000, kRate));
  const auto begin = Clock::now();
  DepartureSink sink("a");
  for (const auto& node : nodes) sink.feed(*node, 100);
  wait_for_rate(sink, "the rate is reached");
  ASSERT_EQ(second.cli({"REPLICAOF", "NO", "ONE"}), "OK\n");
  ASSERT_EQ(first.cli({"REPLICAOF", "127.0.0.1", std::to_string(second.port())}), "OK\n");
  wait_until("the bucket is closed", [&] { return all_are(nodes, "a", v1::POLICY_STATE_CLOSED); });
  wait_until("the cluster knows that it is cut off", [&] {
    return std::ranges::none_of(nodes, [](const auto& node) { return node->status().connected(); });
  });
  wait_until("all say why", [&] {
    return std::ranges::all_of(nodes, [](const auto& node) {
      const std::string reason = node->status().cut_off_reason();
      return reason.find("READONLY") != std::string::npos ||
             reason.find("its role is slave") != std::string::npos;
    });
  });
  sentinels.watch(second);
  wait_until("it is shared by the new master",
             [&] { return all_are(nodes, "a", v1::POLICY_STATE_SHARED); });
  wait_for_rate(sink, "the rate is as before");
  sink.stop();
  expect_within(sink, kRate, closed_bound(), begin, "over a change of masters");
  expect_only_unavailable(sink);
  EXPECT_EQ(first.cli({"PING"}), "PONG\n");
  wait_until("all are connected", [&] { return are_connected(nodes); });
}

// It answers what only reads, and does not learn what the new master is told.
TEST(ExactDemotion, ChangesThatTheNewMasterHasReachNodesThatOnlyRead) {
  RedisServer first;
  RedisServer second(replica_of(first));
  const RedisSentinels sentinels(first);
  sentinels.wait_until_settled(1);
  ClusterNodes nodes = three_nodes(sentinels.url());
  set_exact_bucket(nodes, *nodes[0], fallible_bucket("a", 1000, kRate));
  ASSERT_EQ(second.cli({"REPLICAOF", "NO", "ONE"}), "OK\n");
  ASSERT_EQ(first.cli({"REPLICAOF", "127.0.0.1", std::to_string(free_port())}), "OK\n");
  sentinels.watch(second);
  wait_until("all are connected", [&] { return are_connected(nodes); });
  // Only this node writes.
  set_exact_bucket(nodes, *nodes[0], fallible_bucket("b", 1000, kRate));
  EXPECT_EQ(first.cli({"PING"}), "PONG\n");
}

}  // namespace
}  // namespace drip
