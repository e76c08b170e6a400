// SPDX-License-Identifier: BSD-3-Clause
// Which bucket a sample is of, while buckets and rules come, move and go.
#include "control/traffic/bucket_names.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "control/config/configuration_fixture.h"

namespace drip::control {
namespace {

class BucketNamesTest : public ConfigurationTest {
 protected:
  BucketNamesTest() {
    EXPECT_TRUE(configure({"bucket_id: 'a' capacity: 4 leak_rate: 1",
                           "bucket_id: 'b' capacity: 4 leak_rate: 1"})
                    .ok());
    names_.refresh();
  }
  std::string find(RuleAction::Kind target, BucketRef bucket) {
    PacketSample sample;
    sample.target = target;
    sample.bucket = bucket;
    return std::string(names_.find(sample));
  }
  BucketRef ref(const std::string& id) { return buckets_.find(id)->ref(); }

  BucketNames names_{engine_, buckets_, configuration_};
};

TEST_F(BucketNamesTest, OfBuckets) {
  EXPECT_EQ(find(RuleAction::Kind::kBucket, ref("a")), "a");
  EXPECT_EQ(find(RuleAction::Kind::kBucket, ref("b")), "b");
  EXPECT_FALSE(names_.stale());
  // A rule that sends nothing into a bucket.
  EXPECT_EQ(find(RuleAction::Kind::kPass, ref("a")), "");
  EXPECT_EQ(find(RuleAction::Kind::kDrop, ref("a")), "");
  EXPECT_FALSE(names_.stale());
}

TEST_F(BucketNamesTest, ANewOneIsKnownAfterARefresh) {
  ASSERT_TRUE(configure({"bucket_id: 'c' capacity: 4 leak_rate: 1"}).ok());
  EXPECT_EQ(find(RuleAction::Kind::kBucket, ref("c")), "");
  EXPECT_TRUE(names_.stale());
  names_.refresh();
  EXPECT_EQ(find(RuleAction::Kind::kBucket, ref("c")), "c");
}

TEST_F(BucketNamesTest, ADeletedOneIsNotTakenForTheOneInItsSlot) {
  const BucketRef slot = ref("a");
  ASSERT_TRUE(configuration_.delete_bucket("a", true).ok());
  EXPECT_EQ(find(RuleAction::Kind::kBucket, slot), "");
  EXPECT_TRUE(names_.stale());
}

TEST_F(BucketNamesTest, ARefreshTellsWhoWasDeletedThoughThereIsOneOfItsNameAgain) {
  ASSERT_TRUE(configuration_.delete_bucket("a", true).ok());
  ASSERT_TRUE(configure({"bucket_id: 'a' capacity: 4 leak_rate: 1"}).ok());
  EXPECT_EQ(names_.refresh(), std::vector<std::string>{"a"});
  EXPECT_TRUE(names_.refresh().empty());
  EXPECT_EQ(find(RuleAction::Kind::kBucket, ref("a")), "a");
}

TEST_F(BucketNamesTest, ManyOfThem) {
  std::vector<std::string> configs;
  for (int i = 0; i < 2500; ++i) {
    configs.push_back("bucket_id: 'm" + std::to_string(i) + "' capacity: 4 leak_rate: 1");
  }
  ASSERT_TRUE(configure(configs).ok());
  names_.refresh();
  for (const int i : {0, 999, 1000, 1001, 2499}) {
    const std::string id = "m" + std::to_string(i);
    EXPECT_EQ(find(RuleAction::Kind::kBucket, ref(id)), id);
  }
}

TEST_F(BucketNamesTest, OfFlowsByTheirRule) {
  ASSERT_TRUE(set_rules("rules { rule_id: 'hosts' per_flow { key: 2 max_flows: 8 "
                        "bucket { capacity: 4 leak_rate: 1 } } }")
                  .ok());
  std::uint32_t number = 0;
  configuration_.with_rules(
      [&](const RuleStore& rules) { number = rules.flow_rules().at(0)->number; });
  PacketSample sample;
  sample.target = RuleAction::Kind::kFlows;
  sample.flow_rule = number;
  sample.rule_flow.kind = FlowKeyKind::kDestination;
  sample.rule_flow.ip_version = IpVersion::kV4;
  sample.rule_flow.dst_address = {10, 0, 0, 7};
  sample.rule_flow.prefix_length = 32;
  EXPECT_EQ(names_.find(sample), "");
  EXPECT_TRUE(names_.stale());
  names_.refresh();
  EXPECT_EQ(names_.find(sample), "hosts/10.0.0.7/32");
}

}  // namespace
}  // namespace drip::control
