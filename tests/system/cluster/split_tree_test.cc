// SPDX-License-Identifier: BSD-3-Clause
// A tree whose root is split: the nodes share its rate, and on each node leaves share what the node
// has of it.
#include <gtest/gtest.h>

#include <vector>

#include "split_group.h"
#include "support/redis_server.h"

namespace drip {
namespace {

using std::chrono::milliseconds;

constexpr double kRate = 600;

v1::ConfigureBucketRequest leaf(const std::string& id, std::uint32_t weight) {
  v1::ConfigureBucketRequest request;
  request.set_bucket_id(id);
  request.set_parent_id("root");
  request.set_capacity(4096);
  request.set_leak_rate(kRate);
  request.set_weight(weight);
  return request;
}

void set_leaf(const ClusterNodes& nodes, const v1::ConfigureBucketRequest& request) {
  wait_until("the cluster takes " + request.bucket_id(), [&] {
    v1::ConfigureBucketResponse reply;
    return nodes[1]->client().status_of(&Limiter::ConfigureBucket, request, reply).ok();
  });
  wait_until("all have " + request.bucket_id(),
             [&] { return all_have(nodes, request.bucket_id(), kRate); });
}

// Of both leaves, as they came.
std::vector<DepartureSink::Departure> together(const DepartureSink& a, const DepartureSink& b) {
  std::vector<DepartureSink::Departure> all = a.departures();
  const auto more = b.departures();
  all.insert(all.end(), more.begin(), more.end());
  std::ranges::sort(all, {}, &DepartureSink::Departure::when);
  return all;
}

double count_of(const DepartureSink& sink, const std::string& node, SinkClock::time_point since) {
  double count = 0;
  for (const auto& departure : sink.departures()) {
    count += departure.node == node && departure.when >= since ? 1 : 0;
  }
  return count;
}

TEST(SplitTree, NodesShareTheRootAndLeavesWhatTheirNodeHas) {
  RedisServer redis;
  ClusterNodes nodes = three_nodes(redis.url());
  v1::ConfigureBucketRequest root = split_bucket("root", kRate, v1::FAILURE_POLICY_SAFE_SHARE);
  root.clear_capacity();
  root.set_inner(true);
  set_split_bucket(nodes, *nodes[0], root);
  set_leaf(nodes, leaf("a", 3));
  set_leaf(nodes, leaf("b", 1));

  const auto begin = SinkClock::now();
  DepartureSink a("a");
  DepartureSink b("b");
  const auto rate = [&] {
    return departures_a_second(a, milliseconds(500)) + departures_a_second(b, milliseconds(500));
  };
  a.feed(*nodes[0], 100);
  b.feed(*nodes[0], 100);
  wait_until("n1, which alone has work, has all but the safe shares of the others",
             [&] { return nodes[0]->client().bucket("root").share_rate() > 0.93 * kRate; });
  wait_until("its leaves use it", [&] { return rate() > 0.9 * kRate && rate() < 1.02 * kRate; });
  const auto alone = SinkClock::now();
  wait_until("three parts in four are a's", [&] {
    const double of_b = count_of(b, "n1", alone);
    return of_b > 100 && std::abs(count_of(a, "n1", alone) / of_b - 3) < 0.2;
  });
  // The other leaf alone has work elsewhere: the rate is divided by nodes, then by leaves.
  b.feed(*nodes[2], 100);
  wait_until("n3 has as much as n1", [&] {
    const auto shares = shares_of(nodes, "root");
    return shares.at("n3") > 0.45 * kRate && shares.at("n1") > 0.45 * kRate;
  });
  wait_until("all of the rate departs", [&] { return rate() > 0.9 * kRate; });
  const auto both = SinkClock::now();
  wait_until("on n1 three parts in four are still a's, on n3 all are b's", [&] {
    const double of_b = count_of(b, "n1", both);
    return of_b > 50 && std::abs(count_of(a, "n1", both) / of_b - 3) < 0.3 &&
           std::abs(count_of(b, "n3", both) / (of_b + count_of(a, "n1", both)) - 1) < 0.2;
  });
  a.stop();
  b.stop();
  const double worst = certain_excess(together(a, b), kRate, begin);
  std::cout << "worst excess over the rate: " << worst << " units\n";
  EXPECT_LE(worst, allowed_excess(kRate, nodes.size()));
  for (const auto& node : nodes) {
    expect_nothing_lost(*node, "a");
    expect_nothing_lost(*node, "b");
  }
}

// A rule whose flows are leaves of the shared tree reaches all nodes, and goes again.
TEST(SplitTree, APerFlowRuleBelowItsRootIsOnAllNodes) {
  RedisServer redis;
  ClusterNodes nodes = three_nodes(redis.url());
  v1::ConfigureBucketRequest root = split_bucket("root", kRate, v1::FAILURE_POLICY_SAFE_SHARE);
  root.clear_capacity();
  root.set_inner(true);
  set_split_bucket(nodes, *nodes[0], root);
  v1::SetRuleRequest request;
  v1::Rule& rule = *request.mutable_rule();
  rule.set_rule_id("flows");
  v1::FlowTemplate& flows = *rule.mutable_per_flow();
  flows.set_key(v1::FLOW_KEY_SOURCE);
  flows.set_max_flows(16);
  flows.mutable_bucket()->set_capacity(10);
  flows.mutable_bucket()->set_leak_rate(5);
  flows.mutable_bucket()->set_parent_id("root");
  flows.mutable_bucket()->set_weight(7);
  v1::SetRuleResponse reply;
  const grpc::Status status =
      nodes[2]->client().status_of(&v1::ShaperService::Stub::SetRule, request, reply);
  ASSERT_TRUE(status.ok()) << status.error_message();
  for (const auto& node : nodes) {
    wait_until(node->id() + " has the rule", [&] {
      v1::ListRulesResponse list;
      const bool ok =
          node->client()
              .status_of(&v1::ShaperService::Stub::ListRules, v1::ListRulesRequest(), list)
              .ok();
      return ok && list.rules_size() == 1 &&
             list.rules(0).rule().per_flow().bucket().parent_id() == "root" &&
             list.rules(0).rule().per_flow().bucket().weight() == 7;
    });
  }
  v1::DeleteBucketRequest remove;
  remove.set_bucket_id("root");
  v1::DeleteBucketResponse removed;
  const grpc::Status refused =
      nodes[1]->client().status_of(&Limiter::DeleteBucket, remove, removed);
  EXPECT_EQ(refused.error_code(), grpc::FAILED_PRECONDITION);
  EXPECT_NE(refused.error_message().find("the flows of rule \"flows\""), std::string::npos)
      << refused.error_message();
}

}  // namespace
}  // namespace drip
