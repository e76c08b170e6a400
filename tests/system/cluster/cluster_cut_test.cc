// SPDX-License-Identifier: BSD-3-Clause
// One of three real dripds loses its link to Redis, in network namespaces, and gets it back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "nodes/network_cut.h"
#include "nodes/node_group.h"
#include "support/redis_server.h"

namespace drip {
namespace {

TEST(ClusterCut, TheNodeSaysSoTheOthersGoOnAndItCatchesUp) {
  NetworkCut link;
  if (!link.made()) GTEST_SKIP() << "network namespaces cannot be made here (root is needed)";
  SeparableCluster cluster(link);
  ClusterNodes& nodes = cluster.nodes;
  wait_until("three nodes agree", [&] { return !common_leader(nodes).empty(); });
  wait_until("a new cluster takes changes", [&] { return nodes[0]->configure("a", 10, 5).ok(); });
  wait_until("all have it", [&] { return all_have(nodes, "a", 5); });
  const std::string leader = common_leader(nodes);

  ASSERT_TRUE(link.set(false));
  wait_until("the node whose link is cut says so", [&] { return !nodes[2]->status().connected(); });
  EXPECT_EQ(nodes[2]->leader(), "");
  EXPECT_TRUE(nodes[2]->client().allow("a").allowed()) << "its own queues go on";
  wait_until("the others see it as UNKNOWN", [&] {
    const auto status = nodes[0]->status();
    return status.nodes_size() == 3 && status.nodes(2).state() == v1::NODE_STATE_UNKNOWN;
  });
  EXPECT_EQ(nodes[0]->leader(), leader);
  ASSERT_TRUE(nodes[1]->configure("a", 10, 6).ok());
  EXPECT_EQ(nodes[2]->rate("a"), 5);

  ASSERT_TRUE(link.set(true));
  wait_until("it is back after its link was healed",
             [&] { return common_leader(nodes) == leader; });
  wait_until("it has what was changed meanwhile", [&] { return all_have(nodes, "a", 6); });
}

}  // namespace
}  // namespace drip
