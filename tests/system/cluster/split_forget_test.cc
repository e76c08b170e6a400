// SPDX-License-Identifier: BSD-3-Clause
// A node that is gone for good is forgotten, and its part of the reserve is free; shares in pages.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "split_group.h"
#include "support/redis_server.h"

namespace drip {
namespace {

using testing::HasSubstr;

constexpr double kRate = 600;

grpc::Status forget(ClusterNode& node, const std::string& id, v1::ForgetNodeResponse& reply) {
  v1::ForgetNodeRequest request;
  request.set_node_id(id);
  return node.client().status_of(&Limiter::ForgetNode, request, reply);
}

// Of bucket "a" on all nodes but n3, by the leader's plan.
std::set<long> safe_shares(ClusterNode& node) {
  v1::GetClusterSharesRequest request;
  request.set_bucket_id("a");
  std::set<long> shares;
  const auto reply = node.client().call(&Limiter::GetClusterShares, request);
  for (const v1::BucketShares& bucket : reply.buckets()) {
    for (const v1::NodeShare& share : bucket.nodes()) {
      if (share.node_id() != "n3") shares.insert(std::lround(share.safe_share() * 1e4));
    }
  }
  return shares;
}

TEST(SplitForget, ADeadNodesReserveIsFreeForThoseThatLive) {
  RedisServer redis;
  ClusterNodes nodes = three_nodes(redis.url());
  v1::ForgetNodeResponse reply;
  wait_until("all know one leader", [&] { return !common_leader(nodes).empty(); });
  wait_until("the cluster has all three", [&] { return nodes[0]->status().nodes_size() == 3; });
  EXPECT_EQ(forget(*nodes[0], "n3", reply).error_code(), grpc::StatusCode::FAILED_PRECONDITION)
      << "it lives, though it has no shares";
  set_split_bucket(nodes, *nodes[0], split_bucket("a", kRate, v1::FAILURE_POLICY_SAFE_SHARE));
  wait_until("a third of the reserve each",
             [&] { return safe_shares(*nodes[0]) == std::set<long>{333}; });

  const grpc::Status living = forget(*nodes[0], "n3", reply);
  EXPECT_EQ(living.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(forget(*nodes[0], "n9", reply).error_code(), grpc::StatusCode::NOT_FOUND);

  nodes[2]->process().signal(SIGKILL);
  nodes.pop_back();
  wait_until("it is forgotten", [&] { return forget(*nodes[1], "n3", reply).ok(); });
  EXPECT_TRUE(reply.listed());
  EXPECT_TRUE(reply.had_shares());
  wait_until("those that live have half of the reserve each",
             [&] { return safe_shares(*nodes[0]) == std::set<long>{500}; });
  EXPECT_EQ(nodes[0]->status().nodes_size(), 2);
  EXPECT_THAT(nodes[1]->process().log(), HasSubstr("cluster: n3 is forgotten"));
  EXPECT_EQ(forget(*nodes[1], "n3", reply).error_code(), grpc::StatusCode::NOT_FOUND);
  // It may come back as any other node.
  nodes.push_back(std::make_unique<ClusterNode>(redis.url(), "n3"));
  wait_until("a third of the reserve each again",
             [&] { return safe_shares(*nodes[0]) == std::set<long>{333}; });
}

TEST(SplitForget, SharesAreListedInPages) {
  RedisServer redis;
  ClusterNodes nodes;
  nodes.push_back(std::make_unique<ClusterNode>(redis.url(), "n1"));
  v1::ConfigureBucketsRequest configure;
  for (int i = 10; i < 35; ++i) {
    v1::BucketConfig& bucket = *configure.add_buckets();
    bucket.set_bucket_id("b" + std::to_string(i));
    bucket.set_capacity(10);
    bucket.set_leak_rate(10);
    bucket.set_scope(v1::SCOPE_CLUSTER);
    bucket.set_sharing(v1::SHARING_SPLIT);
  }
  v1::ConfigureBucketsResponse configured;
  wait_until("a new cluster takes changes", [&] {
    return nodes[0]->client().status_of(&Shaper::ConfigureBuckets, configure, configured).ok();
  });
  v1::GetClusterSharesRequest request;
  request.set_page_size(10);
  std::vector<std::string> ids;
  int pages = 0;
  do {
    const auto page = nodes[0]->client().call(&Limiter::GetClusterShares, request);
    for (const v1::BucketShares& bucket : page.buckets()) ids.push_back(bucket.bucket_id());
    request.set_page_token(page.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(ids.size(), 25U);
  EXPECT_TRUE(std::ranges::is_sorted(ids));
}

}  // namespace
}  // namespace drip
