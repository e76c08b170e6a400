// SPDX-License-Identifier: BSD-3-Clause
// Redis dies, stands still, comes back empty, or is cut off from one node: what leaves, counted
// where it arrives, stays within the policy's bound, and nothing is replayed. Failovers are in
// exact_failover_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "exact_group.h"
#include "exact_rate.h"
#include "nodes/departure_sink.h"
#include "nodes/holding_proxy.h"
#include "nodes/network_cut.h"
#include "support/redis_server.h"

namespace drip {
namespace {

using Clock = DepartureSink::Clock;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

enum class Fault : std::uint8_t { kKill, kPause };
class ExactPolicy : public testing::TestWithParam<Fault> {};

TEST_P(ExactPolicy, IsKeptWhileRedisIsAwayAndNothingIsReplayed) {
  const bool dies = GetParam() == Fault::kKill;
  RedisServer redis;
  ClusterNodes nodes = three_nodes(redis.url());
  set_exact_bucket(nodes, *nodes[0],
                   fallible_bucket("closed", 1000, kRate, v1::FAILURE_POLICY_CLOSED));
  set_exact_bucket(nodes, *nodes[1], fallible_bucket("open", 1000, kRate, v1::FAILURE_POLICY_OPEN));
  set_exact_bucket(nodes, *nodes[2], fallible_bucket("quiet", 1000, 1, v1::FAILURE_POLICY_CLOSED));
  const auto begin = Clock::now();
  DepartureSink closed("closed");
  DepartureSink open("open");
  for (const auto& node : nodes) {
    closed.feed(*node, 20);
    open.feed(*node, 20);
  }
  wait_for_rate(closed, "the rate is reached");
  wait_for_rate(open, "the rate is reached where it is open on failure");

  if (dies) {
    redis.kill();
  } else {
    redis.pause();
  }
  const auto away = Clock::now();
  wait_until("the policies are applied", [&] {
    return all_are(nodes, "closed", v1::POLICY_STATE_CLOSED) &&
           all_are(nodes, "open", v1::POLICY_STATE_OPEN);
  });
  // A bucket that was not asked about decides by itself, within its time and a little.
  std::vector<std::string> refused;
  for (const auto& node : nodes) {
    for (int i = 0; i < 10; ++i) {
      refused.push_back(node->id() + "-" + std::to_string(i));
      v1::AllowRequestResponse reply;
      const auto asked = Clock::now();
      EXPECT_EQ(try_allow(*node, "quiet", refused.back(), reply).error_code(), grpc::UNAVAILABLE);
      EXPECT_LT(Clock::now() - asked, seconds(3));
    }
    EXPECT_EQ(state_of(*node, "quiet"), v1::POLICY_STATE_CLOSED);
  }
  // And in a stream each entry for itself.
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + seconds(30));
  v1::RateLimiterService::Stub stub(nodes[0]->client().channel());
  const auto stream = stub.AllowRequests(&context);
  v1::AllowRequestsRequest message;
  message.add_entries()->set_bucket_id("quiet");
  message.add_entries()->set_bucket_id("open");
  v1::AllowRequestsResponse answer;
  ASSERT_TRUE(stream->Write(message));
  ASSERT_TRUE(stream->Read(&answer));
  EXPECT_EQ(answer.results(0).code(), grpc::UNAVAILABLE);
  EXPECT_EQ(answer.results(1).code(), grpc::OK) << answer.results(1).error();
  EXPECT_EQ(answer.results(1).admitted(), 1U);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());

  std::this_thread::sleep_for(seconds(2));
  // Those that were admitted have departed at their estimated times; no others have.
  EXPECT_EQ(closed.count_certain(Clock::now() - milliseconds(700), Clock::now()), 0U);
  wait_until("more departs where it is open than one node may",
             [&] { return departures_a_second(open, milliseconds(500)) > 1.5 * kRate; });

  if (dies) {
    redis.start();
  } else {
    redis.resume();
  }
  const auto back = Clock::now();
  wait_until("the buckets are shared again", [&] {
    return all_are(nodes, "closed", v1::POLICY_STATE_SHARED) &&
           all_are(nodes, "open", v1::POLICY_STATE_SHARED);
  });
  std::cout << "away for " << std::chrono::duration_cast<milliseconds>(back - away).count()
            << " ms\n";
  // None of those that were refused is there.
  for (const std::string& id : refused) {
    const auto reply = allow_named(*nodes[0], "quiet", id);
    EXPECT_TRUE(reply.allowed());
    EXPECT_FALSE(reply.duplicate()) << id;
  }
  wait_for_rate(closed, "the rate is as before");
  wait_for_rate(open, "the rate is as before where it was open");
  closed.stop();
  open.stop();
  expect_within(closed, kRate, closed_bound(), begin, "closed");
  // Each node by itself leaks at the rate, and the queue in Redis does.
  expect_within(open, kRate * 4, 4 * closed_bound(), begin, "open, over four times the rate");
  expect_only_unavailable(closed);
  EXPECT_TRUE(open.failures().empty()) << open.failures().front().status.error_message();
  for (const auto& node : nodes) {
    const std::string log = node->process().log();
    EXPECT_EQ(times("bucket closed: closed; Redis does not answer", log), 1U) << log;
    EXPECT_EQ(times("bucket open: open, this node's own queue at the full rate", log), 1U) << log;
    EXPECT_EQ(times("bucket closed: shared; Redis answers again", log), 1U) << log;
    EXPECT_EQ(times("bucket open: shared; Redis answers again", log), 1U) << log;
    EXPECT_EQ(node->client().bucket("closed").policy_changes(), 2U);
  }
}

INSTANTIATE_TEST_SUITE_P(Faults, ExactPolicy, testing::Values(Fault::kKill, Fault::kPause),
                         [](const auto& tested) {
                           return tested.param == Fault::kKill ? "RedisIsKilledAndComesBackEmpty"
                                                               : "RedisStandsStill";
                         });

// The connection breaks when Redis has admitted it: it is no duplicate of itself.
TEST(ExactFailure, AnAdmissionWhoseAnswerWasLostIsAnsweredAsIfItWereNot) {
  RedisServer redis;
  HoldingProxy proxy(redis.port());
  ClusterNodes nodes;
  nodes.push_back(std::make_unique<ClusterNode>(redis.url(), "n1"));
  nodes.push_back(
      std::make_unique<ClusterNode>("redis://127.0.0.1:" + std::to_string(proxy.port()), "n2"));
  v1::ConfigureBucketRequest bucket = exact_bucket("a", 10, 1.0 / 3600, v1::FAILURE_POLICY_CLOSED);
  bucket.set_decide_within_ns(5'000'000'000);
  set_exact_bucket(nodes, *nodes[0], bucket);
  EXPECT_EQ(allow_named(*nodes[0], "a", "first").queue_position(), 1U);
  for (int i = 0; i < 3; ++i) {
    const std::string id = "lost" + std::to_string(i);
    proxy.break_after(id);
    const auto reply = allow_named(*nodes[1], "a", id);
    EXPECT_TRUE(reply.allowed());
    EXPECT_FALSE(reply.duplicate()) << id;
    EXPECT_EQ(reply.queue_position(), static_cast<std::uint64_t>(i) + 2) << id;
    EXPECT_TRUE(proxy.has_broken()) << id;
    EXPECT_TRUE(allow_named(*nodes[0], "a", id).duplicate()) << id;
    EXPECT_TRUE(allow_named(*nodes[1], "a", id).duplicate()) << id;
  }
}

// Its data are lost while requests wait: they are admitted again, behind each other.
TEST(ExactFailure, WhoWaitsOutlivesARedisThatComesBackEmpty) {
  RedisServer redis;
  ClusterNodes nodes = three_nodes(redis.url());
  constexpr double kSlow = 5;
  set_exact_bucket(nodes, *nodes[0], fallible_bucket("a", 100, kSlow));
  const auto begin = Clock::now();
  DepartureSink sink("a");
  for (const auto& node : nodes) sink.feed(*node, 10);
  wait_until("thirty wait", [&] { return nodes[0]->client().bucket("a").queue_size() >= 28; });
  for (const auto& node : nodes) sink.starve(node->id());
  const std::size_t left_before = sink.departures().size();
  const v1::Bucket counted = nodes[0]->client().bucket("a");
  redis.restart();
  // One may have left in between, and another one come.
  wait_until("all have left", [&] { return sink.departures().size() >= left_before + 28; });
  expect_within(sink, kSlow, 2 + kSlow * kSlackSeconds, begin, "over a loss of all data");
  EXPECT_TRUE(sink.failures().empty()) << sink.failures().front().status.error_message();
  wait_until("none waits", [&] { return nodes[0]->client().bucket("a").queue_size() == 0; });
  // The queue of the new Redis has counted from 0; nobody sees a counter go back.
  const v1::Bucket now = nodes[0]->client().bucket("a");
  EXPECT_GE(now.allowed_requests(), counted.allowed_requests());
  EXPECT_GE(now.processed_requests(), counted.processed_requests());
  EXPECT_GE(now.total_requests(), counted.total_requests());
}

TEST(ExactFailure, ARedisWithoutMemoryIsAwayUntilItHasSome) {
  RedisServer redis;
  ClusterNodes nodes;
  nodes.push_back(std::make_unique<ClusterNode>(redis.url(), "n1"));
  set_exact_bucket(nodes, *nodes[0], fallible_bucket("open", 1000, kRate, v1::FAILURE_POLICY_OPEN));
  EXPECT_TRUE(nodes[0]->client().allow("open").allowed());
  EXPECT_EQ(redis.cli({"CONFIG", "SET", "maxmemory", "1"}), "OK\n");
  wait_until("the policy is applied", [&] {
    v1::AllowRequestRequest request;
    request.set_bucket_id("open");
    v1::AllowRequestResponse reply;
    const grpc::Status status =
        nodes[0]->client().status_of(&Limiter::AllowRequest, request, reply);
    return status.ok() && reply.allowed() && state_of(*nodes[0], "open") == v1::POLICY_STATE_OPEN;
  });
  EXPECT_EQ(redis.cli({"CONFIG", "SET", "maxmemory", "0"}), "OK\n");
  wait_until("Redis's queue is asked again", [&] {
    return nodes[0]->client().allow("open").allowed() &&
           state_of(*nodes[0], "open") == v1::POLICY_STATE_SHARED;
  });
}

TEST(ExactFailure, ANodeThatIsCutOffIsClosedAndTheOthersHaveTheWholeRate) {
  NetworkCut cut;
  if (!cut.made()) GTEST_SKIP() << "network namespaces cannot be made here (root is needed)";
  SeparableCluster cluster(cut);
  ClusterNodes& nodes = cluster.nodes;
  set_exact_bucket(nodes, *nodes[0], fallible_bucket("a", 1000, kRate));
  const auto begin = Clock::now();
  DepartureSink sink("a");
  for (const auto& node : nodes) sink.feed(*node, 20);
  wait_for_rate(sink, "the rate is reached");

  ASSERT_TRUE(cut.set(false));
  wait_until("the node whose link is cut is closed",
             [&] { return state_of(*nodes[2], "a") == v1::POLICY_STATE_CLOSED; });
  v1::AllowRequestResponse reply;
  EXPECT_EQ(try_allow(*nodes[2], "a", "during", reply).error_code(), grpc::UNAVAILABLE);
  EXPECT_EQ(state_of(*nodes[0], "a"), v1::POLICY_STATE_SHARED);
  std::this_thread::sleep_for(seconds(1));
  wait_for_rate(sink, "the two others have the whole rate");

  ASSERT_TRUE(cut.set(true));
  wait_until("it is shared again after the link was healed",
             [&] { return state_of(*nodes[2], "a") == v1::POLICY_STATE_SHARED; });
  EXPECT_FALSE(allow_named(*nodes[2], "a", "during").duplicate());
  wait_for_rate(sink, "the rate is as before");
  sink.stop();
  expect_within(sink, kRate, closed_bound(), begin, "over a cut");
  for (const auto& failure : sink.failures()) EXPECT_EQ(failure.node, "n3");
  expect_only_unavailable(sink);
}

}  // namespace
}  // namespace drip
