// SPDX-License-Identifier: BSD-3-Clause
// dripctl and trees: flags to requests, states of buckets to a table.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "dripctl_fixture.h"

namespace drip {
namespace {

using testing::HasSubstr;

class DripctlTreeTest : public DripctlTest {
 protected:
  // A node after it has sent `bytes`.
  static v1::Bucket node(const std::string& id, const std::string& parent, v1::TreeNodeState state,
                         std::uint64_t backlog, std::uint64_t bytes) {
    v1::Bucket bucket;
    bucket.set_bucket_id(id);
    bucket.set_queue_size(backlog);
    bucket.set_processed_bytes(bytes);
    bucket.set_processed_requests(bytes / 1000);
    bucket.set_tree_node_state(state);
    v1::BucketConfig& config = *bucket.mutable_config();
    config.set_parent_id(parent);
    config.set_leak_rate_bps(1e6);
    config.set_weight(3);
    return bucket;
  }
  // What each of these waits for, by the table.
  std::map<std::string, std::string> blockers(const std::vector<v1::Bucket>& nodes) {
    v1::ListBucketsResponse page;
    for (const v1::Bucket& bucket : nodes) *page.add_buckets() = bucket;
    server_->reply(page);
    server_->reply(page);
    std::map<std::string, std::string> result;
    const auto shown = json("tree --interval 1ms");
    for (const auto& each : shown["nodes"]) {
      result[each["bucket_id"]] = each["blocked_by"];
    }
    return result;
  }
};

TEST_F(DripctlTreeTest, FlagsOfANode) {
  dripctl(
      "bucket set c --parent up --guarantee 20mbit --guarantee 5/s --weight 7 --priority 3 "
      "--tolerance 2ms --rate 100mbit --capacity 9");
  const auto request = asked<v1::ConfigureBucketRequest>();
  EXPECT_EQ(request.parent_id(), "up");
  EXPECT_EQ(request.guarantee_bps(), 20e6);
  EXPECT_EQ(request.guarantee(), 5);
  EXPECT_EQ(request.weight(), 7U);
  EXPECT_EQ(request.priority(), 3U);
  EXPECT_EQ(request.tolerance_ns(), 2'000'000U);
  EXPECT_FALSE(request.has_inner());
  dripctl("bucket set c --parent - --inner --weight n1=2");
  const auto second = server_->asked<v1::ConfigureBucketRequest>().back();
  EXPECT_TRUE(second.has_parent_id());
  EXPECT_EQ(second.parent_id(), "");
  EXPECT_TRUE(second.inner());
  EXPECT_FALSE(second.has_weight());
  EXPECT_EQ(second.weights().at("n1"), 2U);
  dripctl("bucket delete c --recursive");
  EXPECT_TRUE(asked<v1::DeleteBucketRequest>().recursive());
}

TEST_F(DripctlTreeTest, NodesStandBelowTheirParentsWithTheirRates) {
  v1::ListBucketsResponse page;
  *page.add_buckets() = node("a", "up", v1::TREE_NODE_STATE_PARKED, 4, 0);
  *page.add_buckets() = node("b", "site", v1::TREE_NODE_STATE_IDLE, 0, 0);
  *page.add_buckets() = node("site", "up", v1::TREE_NODE_STATE_IDLE, 0, 0);
  *page.add_buckets() = node("up", "", v1::TREE_NODE_STATE_IDLE, 0, 0);
  server_->reply(page);
  // A megabyte in half a second of the server's clock.
  page.mutable_buckets(3)->set_processed_bytes(1'000'000);
  page.set_monotonic_ns(500'000'000);
  server_->reply(page);
  const auto table = lines(dripctl("tree --interval 1ms").out);
  ASSERT_EQ(table.size(), 5U);
  EXPECT_TRUE(table[1].starts_with("up ")) << table[1];
  EXPECT_TRUE(table[2].starts_with("├─ a ")) << table[2];
  EXPECT_TRUE(table[3].starts_with("└─ site ")) << table[3];
  EXPECT_TRUE(table[4].starts_with("   └─ b ")) << table[4];
  EXPECT_THAT(table[2], HasSubstr("itself"));
  EXPECT_THAT(table[1], HasSubstr("16mbit"));
  for (const v1::ListBucketsRequest& request : server_->asked<v1::ListBucketsRequest>()) {
    EXPECT_TRUE(request.filter().in_tree());
  }
  // A part of it.
  server_->reply(page);
  server_->reply(page);
  EXPECT_EQ(lines(dripctl("tree site --interval 1ms").out).size(), 3U);
  server_->reply(page);
  server_->reply(page);
  const Outcome wrong = dripctl("tree nobody --interval 1ms");
  EXPECT_EQ(wrong.exit_code, 4);
  EXPECT_EQ(wrong.err, "dripctl: NOT_FOUND: 'nobody' is no node of a tree\n");
}

TEST_F(DripctlTreeTest, ASpreadRootHasALineForEachThread) {
  dripctl("bucket set up --inner --spread --rate 1gbit");
  EXPECT_TRUE(asked<v1::ConfigureBucketRequest>().spread());
  v1::ListBucketsResponse page;
  *page.add_buckets() = node("a", "up", v1::TREE_NODE_STATE_READY, 4, 0);
  v1::Bucket& up = *page.add_buckets();
  up = node("up", "", v1::TREE_NODE_STATE_READY, 0, 0);
  for (std::uint32_t i = 0; i < 2; ++i) {
    v1::CoreShare& share = *up.add_core_shares();
    share.set_transmitter(i);
    share.set_share_rate_bps(i == 0 ? 3e8 : 7e8);
  }
  server_->reply(page);
  page.mutable_buckets(1)->mutable_core_shares(1)->set_processed_bytes(1'000'000);
  page.set_monotonic_ns(500'000'000);
  server_->reply(page);
  const auto table = lines(dripctl("tree --interval 1ms").out);
  ASSERT_EQ(table.size(), 5U);
  EXPECT_TRUE(table[2].starts_with("· on transmitter 0")) << table[2];
  EXPECT_THAT(table[2], HasSubstr("300mbit"));
  EXPECT_TRUE(table[3].starts_with("· on transmitter 1")) << table[3];
  EXPECT_THAT(table[3], HasSubstr("16mbit"));
  EXPECT_THAT(table[3], HasSubstr("700mbit"));
  server_->reply(page);
  server_->reply(page);
  const auto shown = json("tree --interval 1ms");
  EXPECT_EQ(shown["nodes"].size(), 2U);
  EXPECT_EQ(shown["nodes"][0]["core_shares"].size(), 2U);
}

TEST_F(DripctlTreeTest, ANodeWaitsForItselfAnAncestorOrItsTurn) {
  auto by = blockers({node("up", "", v1::TREE_NODE_STATE_PARKED, 0, 0),
                      node("a", "up", v1::TREE_NODE_STATE_READY, 2, 0),
                      node("b", "up", v1::TREE_NODE_STATE_PARKED, 2, 0),
                      node("c", "up", v1::TREE_NODE_STATE_HELD, 2, 0),
                      node("d", "up", v1::TREE_NODE_STATE_IDLE, 0, 0)});
  EXPECT_EQ(by["up"], "itself");
  EXPECT_EQ(by["a"], "up");
  EXPECT_EQ(by["b"], "itself");
  EXPECT_EQ(by["c"], "egress");
  EXPECT_EQ(by["d"], "");
  by = blockers({node("up", "", v1::TREE_NODE_STATE_READY, 0, 0),
                 node("a", "up", v1::TREE_NODE_STATE_READY, 2, 0)});
  EXPECT_EQ(by["a"], "siblings");
  by = blockers({node("up", "", v1::TREE_NODE_STATE_STOPPED, 0, 0),
                 node("a", "up", v1::TREE_NODE_STATE_READY, 2, 0)});
  EXPECT_EQ(by["up"], "no lease");
  EXPECT_EQ(by["a"], "up");
}

}  // namespace
}  // namespace drip
