// SPDX-License-Identifier: BSD-3-Clause
// Pages of buckets, filters, and buckets of per-flow rules.
#include "control/config/bucket_listing.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "configuration_fixture.h"

namespace drip::control {
namespace {

TEST_F(ConfigurationTest, PagesStayRightWhenBucketsChangeInBetween) {
  std::vector<std::string> configs;
  for (int i = 10; i < 40; ++i) {
    configs.push_back(joined("bucket_id: 'b", i, "' capacity: 1 leak_rate: 1"));
  }
  ASSERT_TRUE(configure(configs).ok());
  const BucketListing listing(engine_, buckets_, configuration_);
  const auto first = listing.page({}, "", 10);
  ASSERT_EQ(first->states.size(), 10U);
  EXPECT_FALSE(first->last);
  EXPECT_EQ(first->states.back().id, "b19");
  // The cursor's bucket is deleted, one is created before it and one after.
  ASSERT_TRUE(configuration_.delete_bucket("b19", true).ok());
  ASSERT_TRUE(configuration_.delete_bucket("b20", true).ok());
  ASSERT_TRUE(configure({"bucket_id: 'b05' capacity: 1 leak_rate: 1",
                         "bucket_id: 'b21a' capacity: 1 leak_rate: 1"})
                  .ok());
  const auto second = listing.page({}, "b19", 100);
  EXPECT_TRUE(second->last);
  ASSERT_EQ(second->states.size(), 20U);
  EXPECT_EQ(second->states[0].id, "b21");
  EXPECT_EQ(second->states[1].id, "b21a");
  EXPECT_EQ(second->states.back().id, "b39");
  EXPECT_TRUE(listing.page({}, "", 30)->last) << "exactly one page";
}

TEST_F(ConfigurationTest, Filters) {
  ASSERT_TRUE(configure({"bucket_id: 'a1' capacity: 9 leak_rate: 1",
                         "bucket_id: 'a2' capacity: 9 leak_rate: 1",
                         "bucket_id: 'b1' capacity: 9 leak_rate: 1"})
                  .ok());
  engine_.offer_packet(buckets_.find("a2")->ref(), 0);
  const BucketListing listing(engine_, buckets_, configuration_);
  const auto ids = [&](const BucketFilter& filter) {
    std::string text;
    const auto page = listing.page(filter, "", 100);
    if (!page.ok()) return std::string(message_of(page.status()));
    for (const BucketState& state : page->states) text += state.id + " ";
    return text;
  };
  EXPECT_EQ(ids({}), "a1 a2 b1 ");
  EXPECT_EQ(ids({.id_prefix = "a"}), "a1 a2 ");
  EXPECT_EQ(ids({.id_prefix = "c"}), "");
  EXPECT_EQ(ids({.backlogged = true}), "a2 ");
  EXPECT_EQ(ids({.ids = {"b1", "a1", "b1"}}), "a1 b1 ");
  EXPECT_EQ(ids({.id_prefix = "a", .ids = {"b1", "a1"}}), "a1 ");
  EXPECT_EQ(ids({.ids = {"a1", "zz"}}), "filter.bucket_ids[1]: no bucket is named \"zz\"");
}

TEST_F(ConfigurationTest, FlowsAreListedAmongBuckets) {
  ASSERT_TRUE(configure({"bucket_id: 'a' capacity: 9 leak_rate: 1",
                         "bucket_id: 'z' capacity: 9 leak_rate: 1"})
                  .ok());
  ASSERT_TRUE(set_rule(kFlowRule).ok());
  engine_.flows = {{.flow = "10.0.0.2/32", .transmitter = 3}, {.flow = "10.0.0.1/32"}};
  const BucketListing listing(engine_, buckets_, configuration_);
  const auto page = listing.page({.include_flows = true}, "", 3);
  ASSERT_EQ(page->states.size(), 3U);
  EXPECT_FALSE(page->last);
  EXPECT_EQ(page->states[1].id, "f/10.0.0.1/32");
  EXPECT_EQ(page->states[2].id, "f/10.0.0.2/32");
  EXPECT_EQ(page->states[2].rule_id, "f");
  EXPECT_EQ(page->states[2].flow, "10.0.0.2/32");
  EXPECT_EQ(page->states[2].transmitter, 3U);
  EXPECT_EQ(page->states[2].settings.capacity, 1U);
  // The other flow, the bucket of flows beyond the maximum, and z.
  EXPECT_EQ(listing.page({.include_flows = true}, "f/10.0.0.1/32", 10)->states.size(), 3U);
  const auto overflow = listing.page({.ids = {"f/overflow"}, .include_flows = true}, "", 9);
  ASSERT_EQ(overflow->states.size(), 1U);
  EXPECT_EQ(overflow->states[0].rule_id, "f");
  EXPECT_EQ(overflow->states[0].flow, "overflow");
  EXPECT_EQ(listing.page({.id_prefix = "f/10", .include_flows = true}, "", 10)->states.size(), 2U);
  EXPECT_EQ(listing.page({.ids = {"f/10.0.0.1/32"}, .include_flows = true}, "", 9)->states.size(),
            1U);
  EXPECT_EQ(listing.page({}, "", 10)->states.size(), 2U);
}

}  // namespace
}  // namespace drip::control
