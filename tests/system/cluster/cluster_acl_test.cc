// SPDX-License-Identifier: BSD-3-Clause
// A node as a user of Redis with exactly the rights that docs/cluster.md names.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "exact_group.h"
#include "support/redis_server.h"

namespace drip {
namespace {

// The words of `ACL SETUSER drip ...` in the page.
std::vector<std::string> documented_user() {
  const char* const source = std::getenv("DRIP_SOURCE");
  if (source == nullptr) throw std::runtime_error("DRIP_SOURCE is not set");
  std::ifstream page(std::string(source) + "/docs/cluster.md");
  std::vector<std::string> words;
  bool goes_on = false;
  for (std::string line; std::getline(page, line);) {
    if (!goes_on && line.find("    ACL SETUSER drip ") != 0) continue;
    std::istringstream stream(line);
    goes_on = false;
    for (std::string word; stream >> word;) {
      if (word == "\\") {
        goes_on = true;
      } else {
        words.push_back(word);
      }
    }
  }
  return words;
}

// One call that Redis refuses concerns nobody else.
TEST(ClusterAcl, ARefusedListShutsNoQueue) {
  RedisServer redis;
  redis.cli({"ACL", "SETUSER", "d", "on", ">p", "~*", "&*", "+@all", "-zrange"});
  ClusterNodes nodes;
  nodes.push_back(std::make_unique<ClusterNode>("redis://d:p@" + redis.address(), "n1"));
  set_exact_bucket(nodes, *nodes[0], exact_bucket("b", 100, 0.01));
  allow_named(*nodes[0], "b", "r0");
  v1::GetQueuedRequestsRequest list;
  list.set_bucket_id("b");
  v1::GetQueuedRequestsResponse page;
  const grpc::Status status = nodes[0]->client().status_of(&Limiter::GetQueuedRequests, list, page);
  EXPECT_EQ(status.error_code(), grpc::PERMISSION_DENIED) << status.error_message();
  EXPECT_TRUE(allow_named(*nodes[0], "b", "r1").allowed());
  EXPECT_EQ(nodes[0]->client().bucket("b").policy_changes(), 0U);
  EXPECT_EQ(nodes[0]->status().warnings_size(), 1);
}

TEST(ClusterAcl, WithoutInfoTheNodeSaysWhySharesAreNotLeased) {
  RedisServer redis({"--rename-command", "INFO", ""});
  ClusterNodes nodes;
  nodes.push_back(std::make_unique<ClusterNode>(redis.url(), "n1"));
  wait_until("it says so", [&] {
    const v1::GetClusterStatusResponse status = nodes[0]->status();
    return !status.connected() && status.cut_off_reason().find("refuses INFO") != std::string::npos;
  });
}

TEST(ClusterAcl, TheDocumentedUserMayDoAllThatANodeDoes) {
  RedisServer redis;
  const std::vector<std::string> user = documented_user();
  ASSERT_GT(user.size(), 10U);
  ASSERT_EQ(redis.cli(user), "OK\n");
  const std::string url = "redis://drip:PASSWORD@" + redis.address();
  ClusterNodes nodes;
  nodes.push_back(std::make_unique<ClusterNode>(url, "n1"));
  nodes.push_back(std::make_unique<ClusterNode>(url, "n2"));

  set_exact_bucket(nodes, *nodes[0], exact_bucket("exact", 100, 20));
  for (int i = 0; i < 3; ++i) allow_named(*nodes[1], "exact", "r" + std::to_string(i));
  EXPECT_EQ(queued(*nodes[0], "exact").empty(), false);
  EXPECT_TRUE(Awaited(*nodes[0], "exact", "turn").status().ok());
  set_exact_bucket(nodes, *nodes[1], exact_bucket("slow", 100, 0.01));
  Awaited given_up(*nodes[0], "slow", "a", true);
  wait_until("it waits", [&] { return nodes[1]->client().bucket("slow").queue_size() == 1; });
  given_up.cancel();
  EXPECT_EQ(given_up.status().error_code(), grpc::CANCELLED);
  wait_until("it has given its place up",
             [&] { return nodes[1]->client().bucket("slow").queue_size() == 0; });
  allow_named(*nodes[0], "slow", "b");
  for (const auto& [id, mode] :
       {std::pair{"exact", v1::DELETE_MODE_DRAIN}, std::pair{"slow", v1::DELETE_MODE_DROP}}) {
    v1::DeleteBucketRequest request;
    request.set_bucket_id(id);
    request.set_mode(mode);
    EXPECT_TRUE(nodes[1]->client().call(&Limiter::DeleteBucket, request).deleted());
  }

  v1::ConfigureBucketRequest split = exact_bucket("split", 100, 100);
  split.set_sharing(v1::SHARING_SPLIT);
  set_exact_bucket(nodes, *nodes[0], split);
  wait_until("both have a share", [&] {
    return nodes[0]->client().bucket("split").share_rate() > 0 &&
           nodes[1]->client().bucket("split").share_rate() > 0;
  });
  EXPECT_TRUE(Awaited(*nodes[1], "split", "turn").status().ok());

  EXPECT_EQ(nodes[0]->status().warnings_size(), 0);
  const std::string leader = common_leader(nodes);
  const std::unique_ptr<ClusterNode> stopped = take_leader(nodes, leader);
  stopped->process().stop();
  wait_until("the other one leads", [&] { return epoch_of(nodes[0]->leader() + "@0") > 0; });
  // What it was refused, if anything.
  EXPECT_EQ(redis.cli({"ACL", "LOG"}), "\n");
}

}  // namespace
}  // namespace drip
