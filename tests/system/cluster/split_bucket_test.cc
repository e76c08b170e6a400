// SPDX-License-Identifier: BSD-3-Clause
// One rate, three real dripds, no faults: shares follow demand and weights, and what departs from
// all of them stays within the rate.
#include <gtest/gtest.h>

#include "split_group.h"
#include "support/redis_server.h"

namespace drip {
namespace {

using std::chrono::milliseconds;

TEST(SplitBucket, TheRateGoesWhereTheDemandIs) {
  constexpr double kRate = 600;
  RedisServer redis;
  ClusterNodes nodes = three_nodes(redis.url());
  set_split_bucket(nodes, *nodes[1], split_bucket("a", kRate, v1::FAILURE_POLICY_SAFE_SHARE));
  const auto begin = SinkClock::now();
  DepartureSink sink("a");
  // A node that nobody asks keeps its safe share, a third of the reserve of a tenth.
  sink.feed(*nodes[0], 100);
  wait_until("n1, which alone has work, has all but the safe shares of the others",
             [&] { return nodes[0]->client().bucket("a").share_rate() > 0.93 * kRate; });
  wait_until("that much departs", [&] {
    const double rate = departures_a_second(sink, milliseconds(500));
    return rate > 0.9 * kRate && rate < 1.02 * kRate;
  });
  sink.feed(*nodes[2], 100);
  wait_until("n3, which has work as well, has as much as n1", [&] {
    const auto shares = shares_of(nodes, "a");
    return shares.at("n3") > 0.45 * kRate && shares.at("n1") > 0.45 * kRate;
  });
  sink.starve("n1");
  wait_until("n1 has none, and n3 all of it", [&] {
    const auto shares = shares_of(nodes, "a");
    return shares.at("n3") > 0.93 * kRate && shares.at("n1") < 0.05 * kRate;
  });
  const auto shares = shares_of(nodes, "a");
  EXPECT_LE(shares.at("n1") + shares.at("n2") + shares.at("n3"), kRate * (1 + 1e-6));
  sink.stop();
  expect_within_rate(sink, kRate, nodes.size(), begin);
  EXPECT_TRUE(sink.failures().empty()) << sink.failures().front().status.error_message();
  for (const auto& node : nodes) expect_nothing_lost(*node, "a");
}

TEST(SplitBucket, WeightsDivideWhatIsNotEnoughForAll) {
  constexpr double kRate = 600;
  RedisServer redis;
  ClusterNodes nodes = three_nodes(redis.url());
  v1::ConfigureBucketRequest request = split_bucket("a", kRate, v1::FAILURE_POLICY_LAST_SHARE);
  (*request.mutable_weights())["n1"] = 4;
  set_split_bucket(nodes, *nodes[0], request);
  const auto begin = SinkClock::now();
  DepartureSink sink("a");
  for (const auto& node : nodes) sink.feed(*node, 100);
  wait_until("all of the rate departs", [&] {
    const double rate = departures_a_second(sink, milliseconds(500));
    return rate > 0.9 * kRate && rate < 1.02 * kRate;
  });
  wait_until("four parts in six for n1", [&] {
    const auto shares = shares_of(nodes, "a");
    return std::abs(shares.at("n1") - kRate * 4 / 6) < 1 &&
           std::abs(shares.at("n2") - kRate / 6) < 1 && std::abs(shares.at("n3") - kRate / 6) < 1;
  });
  // Not only said: n1 leaks four times what n2 does.
  const auto then = SinkClock::now();
  wait_until("four times as much from n1", [&] {
    std::map<std::string, double> from;
    for (const auto& departure : sink.departures()) {
      if (departure.when >= then) ++from[departure.node];
    }
    return from["n2"] > 100 && std::abs(from["n1"] / from["n2"] - 4) < 0.3;
  });
  sink.stop();
  expect_within_rate(sink, kRate, nodes.size(), begin);
}

TEST(SplitBucket, ARateThatIsChangedWhileAllAreBackloggedHoldsOverAll) {
  constexpr double kBefore = 900;
  constexpr double kAfter = 300;
  RedisServer redis;
  ClusterNodes nodes = three_nodes(redis.url());
  set_split_bucket(nodes, *nodes[0], split_bucket("a", kBefore, v1::FAILURE_POLICY_SAFE_SHARE));
  const auto begin = SinkClock::now();
  DepartureSink sink("a");
  for (const auto& node : nodes) sink.feed(*node, 200);
  wait_until("the first rate is reached", [&] {
    const double rate = departures_a_second(sink, milliseconds(500));
    return rate > 0.9 * kBefore && rate < 1.02 * kBefore;
  });
  ASSERT_TRUE(nodes[2]->configure("a", 4096, kAfter).ok());
  const auto changed = SinkClock::now();
  wait_until("the second rate is active on all", [&] { return all_have(nodes, "a", kAfter); });
  wait_until("shares of it", [&] {
    const auto shares = shares_of(nodes, "a");
    return shares.at("n1") + shares.at("n2") + shares.at("n3") <= kAfter * (1 + 1e-6);
  });
  wait_until("the second rate is reached", [&] {
    const double rate = departures_a_second(sink, milliseconds(500));
    return rate > 0.9 * kAfter && rate < 1.05 * kAfter;
  });
  ASSERT_TRUE(nodes[1]->configure("a", 4096, kBefore).ok());
  wait_until("the first rate again", [&] {
    const double rate = departures_a_second(sink, milliseconds(500));
    return rate > 0.9 * kBefore && rate < 1.02 * kBefore;
  });
  sink.stop();
  expect_within_rate(sink, kBefore, nodes.size(), begin, changed);
  expect_within_rate(sink, kBefore, nodes.size(), begin);
  for (const auto& node : nodes) expect_nothing_lost(*node, "a");
}

TEST(SplitBucket, OneThatBecomesTheClustersKeepsWhatWaitsAndGivesItBack) {
  constexpr double kRate = 200;
  RedisServer redis;
  ClusterNodes nodes = three_nodes(redis.url());
  wait_until("the cluster takes a bucket of each node",
             [&] { return nodes[0]->configure("a", 4096, kRate).ok(); });
  wait_until("all have it", [&] { return all_have(nodes, "a", kRate); });
  DepartureSink sink("a");
  for (const auto& node : nodes) sink.feed(*node, 100);
  wait_until("each node leaks the full rate",
             [&] { return departures_a_second(sink, milliseconds(500)) > 0.9 * kRate * 3; });
  set_split_bucket(nodes, *nodes[0], split_bucket("a", kRate, v1::FAILURE_POLICY_SAFE_SHARE));
  const auto shared = SinkClock::now();
  wait_until("all together leak it", [&] {
    const double rate = departures_a_second(sink, milliseconds(1000));
    return rate > 0.9 * kRate && rate < 1.05 * kRate;
  });
  expect_within_rate(sink, kRate, nodes.size(), shared);
  v1::ConfigureBucketRequest back;
  back.set_bucket_id("a");
  back.set_scope(v1::SCOPE_NODE);
  v1::ConfigureBucketResponse reply;
  ASSERT_TRUE(nodes[1]->client().status_of(&Limiter::ConfigureBucket, back, reply).ok());
  wait_until("each node leaks the full rate again",
             [&] { return departures_a_second(sink, milliseconds(500)) > 0.9 * kRate * 3; });
  EXPECT_TRUE(sink.failures().empty()) << sink.failures().front().status.error_message();
  sink.stop();
  for (const auto& node : nodes) expect_nothing_lost(*node, "a");
}

}  // namespace
}  // namespace drip
