// SPDX-License-Identifier: BSD-3-Clause
// Trees of buckets as they are configured: what fits, in which order the engine learns of it, and
// how they are deleted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "configuration_fixture.h"

namespace drip::control {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class TreeTest : public ConfigurationTest {
 protected:
  std::string refusal(const std::vector<std::string>& configs) {
    const std::size_t before = buckets_.size();
    const absl::Status status = configure(configs);
    EXPECT_FALSE(status.ok());
    EXPECT_EQ(buckets_.size(), before);
    return std::string(message_of(status));
  }
  std::vector<std::string> below(const std::string& id) {
    std::vector<std::string> names;
    for (const BucketEntryRef& bucket : buckets_.subtree(id)) names.push_back(bucket->id());
    return names;
  }
  std::string parent(const std::string& id) { return buckets_.find(id)->place().parent_id; }

  // Three levels with guarantees.
  void make_tree() {
    ASSERT_TRUE(configure({"bucket_id: 'up' inner: true leak_rate_bps: 1e9",
                           "bucket_id: 'ap' inner: true parent_id: 'up' leak_rate_bps: 4e8 "
                           "guarantee_bps: 2e8",
                           "bucket_id: 'c1' parent_id: 'ap' leak_rate_bps: 1e8 capacity: 10 "
                           "guarantee_bps: 1e8 weight: 4 priority: 7",
                           "bucket_id: 'c2' parent_id: 'ap' leak_rate_bps: 1e8 capacity: 10 "
                           "guarantee_bps: 6e7"})
                    .ok());
  }
};

TEST_F(TreeTest, ParentsComeFirstInWhateverOrderTheyAreNamed) {
  ASSERT_TRUE(configure({"bucket_id: 'leaf' parent_id: 'mid' leak_rate: 1 capacity: 1",
                         "bucket_id: 'mid' inner: true parent_id: 'top'",
                         "bucket_id: 'flat' leak_rate: 1 capacity: 1",
                         "bucket_id: 'top' inner: true leak_rate: 5"})
                  .ok());
  EXPECT_THAT(below("top"), ElementsAre("top", "mid", "leaf"));
  // The engine has been given the buckets that were created by their index.
  std::vector<std::optional<std::size_t>> parents;
  for (const BucketChange& change : engine_.last_changes) {
    ASSERT_TRUE(change.ref.has_value());
    if (change.node) parents.push_back(change.node->parent_change);
  }
  ASSERT_EQ(parents.size(), 3U);
  EXPECT_EQ(parents[0], std::nullopt);
  for (std::size_t i = 1; i < engine_.last_changes.size(); ++i) {
    const auto& node = engine_.last_changes[i].node;
    if (!node || !node->parent_change) continue;
    EXPECT_LT(*node->parent_change, i);
  }
  // One that stays where it is is no change of a node.
  ASSERT_TRUE(configure({"bucket_id: 'leaf' leak_rate: 2"}).ok());
  EXPECT_FALSE(engine_.last_changes.front().node.has_value());
}

TEST_F(TreeTest, WhatAnInnerNodeAndALeafMayHave) {
  EXPECT_EQ(refusal({"bucket_id: 'x' inner: true capacity: 5"}),
            "buckets[0].capacity: 5 is not allowed: 0 or none for an inner node: units wait in "
            "leaves only");
  EXPECT_THAT(refusal({"bucket_id: 'x' parent_id: 'none' leak_rate: 1 capacity: 1"}),
              HasSubstr("buckets[0].parent_id: no bucket is named \"none\""));
  make_tree();
  EXPECT_THAT(refusal({"bucket_id: 'x' parent_id: 'c1' leak_rate: 1 capacity: 1"}),
              HasSubstr("buckets[0].parent_id: \"c1\" is not allowed: an inner node"));
  EXPECT_THAT(refusal({"bucket_id: 'c1' inner: true"}),
              HasSubstr("buckets[0].inner: true is not allowed: false, as \"c1\" was created"));
  EXPECT_THAT(
      refusal({"bucket_id: 'c1' weight: 4", "bucket_id: 'c2' guarantee_bps: 2e8"}),
      HasSubstr("buckets[1].guarantee_bps: 200000000 is not allowed: at most the bucket's own"));
}

TEST_F(TreeTest, WhatASpreadRootMayBe) {
  EXPECT_EQ(refusal({"bucket_id: 'x' spread: true leak_rate: 1 capacity: 1"}),
            "buckets[0].spread: true is not allowed: false for a leaf; true for a root that is an "
            "inner node");
  EXPECT_THAT(refusal({"bucket_id: 'x' spread: true inner: true"}),
              HasSubstr("buckets[0].spread: true is not allowed: false without leak_rate and"));
  EXPECT_THAT(refusal({"bucket_id: 'x' spread: true inner: true leak_rate: 4.9"}),
              HasSubstr("buckets[0].leak_rate: 4.9 is not allowed: at least 5 with spread"));
  EXPECT_THAT(refusal({"bucket_id: 'x' spread: true inner: true leak_rate: 5 leak_rate_bps: 9"}),
              HasSubstr("buckets[0].leak_rate_bps: 9 is not allowed: at least 16384 with spread"));
  make_tree();
  EXPECT_THAT(
      refusal({"bucket_id: 'x' spread: true inner: true leak_rate: 1 parent_id: 'up'"}),
      HasSubstr("buckets[0].spread: true is not allowed: false below a parent; true for a root"));
  ASSERT_TRUE(configure({"bucket_id: 'wide' spread: true inner: true leak_rate_bps: 1e9",
                         "bucket_id: 'w1' parent_id: 'wide' leak_rate_bps: 1e9 capacity: 9 "
                         "guarantee_bps: 9e8"})
                  .ok());
  EXPECT_TRUE(engine_.last_changes.front().node->spread);
  EXPECT_FALSE(engine_.last_changes.back().node->spread);
  EXPECT_TRUE(buckets_.find("wide")->place().spread);
  // It is fixed, and what is not said of it stays.
  EXPECT_TRUE(
      configure({"bucket_id: 'wide' leak_rate_bps: 2e9", "bucket_id: 'w1' weight: 2"}).ok());
  EXPECT_TRUE(buckets_.find("wide")->place().spread);
  EXPECT_EQ(refusal({"bucket_id: 'wide' spread: false"}),
            "buckets[0].spread: false is not allowed: true, as \"wide\" was created; delete it and "
            "create it anew");
  EXPECT_THAT(refusal({"bucket_id: 'up' spread: true"}),
              HasSubstr("buckets[0].spread: true is not allowed: false, as \"up\" was created"));
  EXPECT_THAT(refusal({"bucket_id: 'wide' parent_id: 'up'"}),
              HasSubstr("buckets[0].spread: true is not allowed: false below a parent"));
  EXPECT_THAT(refusal({"bucket_id: 'wide' leak_rate_bps: 0"}),
              HasSubstr("buckets[0].spread: true is not allowed: false without leak_rate and"));
  // Guarantees are those of one root, wherever the children are.
  EXPECT_THAT(refusal({"bucket_id: 'w2' parent_id: 'wide' leak_rate_bps: 2e9 capacity: 9 "
                       "guarantee_bps: 1.2e9"}),
              HasSubstr("the children of \"wide\" would be guaranteed 2100000000 bits a second"));
}

TEST_F(TreeTest, NoCyclesAndNoMoreThanEightLevels) {
  make_tree();
  EXPECT_EQ(refusal({"bucket_id: 'up' parent_id: 'up'"}),
            "buckets[0].parent_id: \"up\" is not allowed: a bucket other than itself");
  EXPECT_EQ(refusal({"bucket_id: 'up' parent_id: 'ap'"}),
            "buckets[0].parent_id: \"ap\" is not allowed: one that is not below \"up\"");
  std::vector<std::string> chain;
  for (int level = 0; level < 7; ++level) {
    chain.push_back("bucket_id: 'n" + std::to_string(level) + "' inner: true" +
                    (level == 0 ? "" : " parent_id: 'n" + std::to_string(level - 1) + "'"));
  }
  ASSERT_TRUE(configure(chain).ok());
  ASSERT_TRUE(configure({"bucket_id: 'deepest' parent_id: 'n6' leak_rate: 1 capacity: 1"}).ok());
  EXPECT_THAT(refusal({"bucket_id: 'n7' inner: true parent_id: 'n6'",
                       "bucket_id: 'x' parent_id: 'n7' leak_rate: 1 capacity: 1"}),
              HasSubstr("at most 8 levels"));
  // What is below a node goes with it.
  EXPECT_THAT(refusal({"bucket_id: 'n0' parent_id: 'up'"}), HasSubstr("at most 8 levels"));
  EXPECT_EQ(parent("n0"), "");
  // A node above others that there are.
  ASSERT_TRUE(configure({"bucket_id: 'above' inner: true parent_id: 'up' guarantee_bps: 3e8",
                         "bucket_id: 'ap' parent_id: 'above'"})
                  .ok());
  EXPECT_THAT(below("up"), ElementsAre("up", "above", "ap", "c1", "c2"));
  EXPECT_TRUE(engine_.last_changes.back().moves);
  EXPECT_FALSE(engine_.last_changes.front().moves);
}

TEST_F(TreeTest, GuaranteesOfChildrenFitIntoTheirParents) {
  make_tree();
  const std::string text = refusal(
      {"bucket_id: 'c3' parent_id: 'ap' leak_rate_bps: 1e8 capacity: 9 guarantee_bps: 5e7"});
  EXPECT_EQ(text,
            "buckets[0].guarantee_bps: the children of \"ap\" would be guaranteed 210000000 bits a "
            "second together, and \"ap\" is guaranteed 200000000 bits a second");
  EXPECT_EQ(configure({"bucket_id: 'c3' parent_id: 'ap' leak_rate_bps: 1e8 capacity: 9 "
                       "guarantee_bps: 5e7"})
                .code(),
            absl::StatusCode::kFailedPrecondition);
  // Both at once, so that they fit in the end.
  EXPECT_TRUE(configure({"bucket_id: 'c3' parent_id: 'ap' leak_rate_bps: 1e8 capacity: 9 "
                         "guarantee_bps: 5e7",
                         "bucket_id: 'c2' guarantee_bps: 5e7"})
                  .ok());
  // The other way round: less for the parent, or a lower rate of the root.
  EXPECT_THAT(refusal({"bucket_id: 'ap' guarantee_bps: 1.9e8"}),
              HasSubstr("the children of \"ap\" would be guaranteed 200000000"));
  EXPECT_THAT(
      refusal({"bucket_id: 'up' leak_rate_bps: 1e8"}),
      HasSubstr("the children of \"up\" would be guaranteed 200000000 bits a second together, "
                "and \"up\" has a rate of 100000000"));
  // A child that has gone leaves its guarantee to others.
  ASSERT_TRUE(configuration_.delete_bucket("c1", true).ok());
  EXPECT_TRUE(configure({"bucket_id: 'c3' guarantee_bps: 1e8"}).ok());
}

TEST_F(TreeTest, ATreeIsDeletedAsAWholeOrFromItsLeavesOn) {
  make_tree();
  EXPECT_EQ(message_of(configuration_.delete_bucket("ap", true).status()),
            "bucket_id: \"ap\" has 2 children; delete or move them first, or delete it with them "
            "(recursive)");
  ASSERT_TRUE(set_rules("rules { rule_id: 'x' bucket_id: 'c2' }").ok());
  EXPECT_EQ(message_of(configuration_.delete_bucket("up", true, {}, true).status()),
            "bucket_id: \"c2\" still gets packets from rule \"x\"");
  EXPECT_EQ(buckets_.size(), 4U);
  ASSERT_TRUE(set_rules("").ok());
  EXPECT_TRUE(configuration_.delete_bucket("up", true, {}, true).ok());
  EXPECT_EQ(buckets_.size(), 0U);
  // Children before their parents; slots are in the order of creation.
  const std::uint32_t first = engine_.removed.back();
  EXPECT_THAT(engine_.removed, ElementsAre(first + 3, first + 2, first + 1, first));
}

TEST_F(TreeTest, RulesAndRequestsNameLeaves) {
  make_tree();
  EXPECT_EQ(message_of(set_rules("rules { rule_id: 'x' bucket_id: 'ap' }")),
            "rule_set.rules[0].bucket_id: \"ap\" is an inner node of a tree, which holds no "
            "packets; name one of its leaves");
  EXPECT_FALSE(set_rules("default_bucket_id: 'up'").ok());
  EXPECT_TRUE(set_rules("default_bucket_id: 'c1'").ok());
  EXPECT_EQ(buckets_.get_leaf("bucket_id", "ap").status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(buckets_.get_leaf("bucket_id", "c1").ok());
}

// A rule whose flows are leaves below `parent`.
std::string flows_below(const std::string& parent, const std::string& more,
                        const std::string& rule = "") {
  return "rules { rule_id: 'f' per_flow { key: 2 max_flows: 9 " + rule +
         " bucket { capacity: 1 leak_rate_bps: 1e6 parent_id: '" + parent + "' " + more + " } } }";
}

TEST_F(TreeTest, FlowsOfARuleAreLeavesBelowItsParent) {
  make_tree();
  ASSERT_TRUE(set_rules(flows_below("ap", "weight: 3")).ok());
  const FlowRuleSettings& settings = engine_.flow_rules().begin()->second;
  ASSERT_TRUE(settings.parent.has_value());
  EXPECT_EQ(*settings.parent, buckets_.find("ap")->ref());
  EXPECT_EQ(settings.node().weight, 3U);
  EXPECT_EQ(settings.node().parent, buckets_.find("ap")->ref().slot);
  // What flows beyond the maximum share is there as well, or the tree would not bound it.
  ASSERT_TRUE(engine_.last_changes.front().node.has_value());
  EXPECT_EQ(engine_.last_changes.front().node->parent, buckets_.find("ap")->ref());
  EXPECT_EQ(engine_.last_changes.front().node->share.weight, 3U);
  // All flows move with the rule.
  ASSERT_TRUE(set_rules(flows_below("up", "")).ok());
  EXPECT_EQ(*engine_.flow_rules().begin()->second.parent, buckets_.find("up")->ref());
  EXPECT_TRUE(engine_.last_changes.front().moves);
  // The parent stays as long as the rule.
  EXPECT_EQ(message_of(configuration_.delete_bucket("up", true, {}, true).status()),
            "bucket_id: \"up\" still gets packets from the flows of rule \"f\"");
  ASSERT_TRUE(set_rules("").ok());
  EXPECT_TRUE(configuration_.delete_bucket("up", true, {}, true).ok());
}

TEST_F(TreeTest, FlowsOfARuleHaveAPlaceThatABucketCouldHave) {
  make_tree();
  const auto error = [&](const std::string& rules) {
    const absl::Status status = set_rules(rules);
    EXPECT_FALSE(status.ok());
    EXPECT_TRUE(engine_.flow_rules().empty());
    return std::string(message_of(status));
  };
  const std::string path = "rule_set.rules[0].per_flow.bucket.";
  EXPECT_EQ(error(flows_below("none", "")), path + "parent_id: no bucket is named \"none\"");
  EXPECT_THAT(error(flows_below("c1", "")),
              HasSubstr(path + "parent_id: \"c1\" is not allowed: an inner node"));
  EXPECT_THAT(error(flows_below("ap", "guarantee_bps: 2e6")),
              HasSubstr(path + "guarantee_bps: 2000000 is not allowed: at most the bucket's own "
                               "leak_rate_bps of 1000000"));
  // 'ap' is guaranteed 2e8, its children 1.6e8: 4e7 are left for 9 flows and the shared bucket.
  EXPECT_EQ(error("rules { rule_id: 'f' per_flow { key: 2 max_flows: 9 bucket { capacity: 1 "
                  "leak_rate_bps: 1e9 parent_id: 'ap' guarantee_bps: 4.1e6 } } }"),
            path +
                "guarantee_bps: the children of \"ap\" would be guaranteed 201000000 bits a "
                "second together, and \"ap\" is guaranteed 200000000 bits a second");
  EXPECT_TRUE(set_rules("rules { rule_id: 'f' per_flow { key: 2 max_flows: 9 overflow: "
                        "FLOW_OVERFLOW_DROP bucket { capacity: 1 leak_rate_bps: 1e9 parent_id: "
                        "'ap' guarantee_bps: 4.1e6 } } }")
                  .ok());
  // Buckets have what the flows leave.
  EXPECT_THAT(refusal({"bucket_id: 'c3' parent_id: 'ap' leak_rate_bps: 1e8 capacity: 9 "
                       "guarantee_bps: 5e6"}),
              HasSubstr("the children of \"ap\" would be guaranteed 201900000"));
  ASSERT_TRUE(set_rules("").ok());
  EXPECT_TRUE(configure({"bucket_id: 'c3' parent_id: 'ap' leak_rate_bps: 1e8 capacity: 9 "
                         "guarantee_bps: 5e6"})
                  .ok());
}

TEST_F(TreeTest, FlowsOfARuleMayBeBelowASpreadRoot) {
  make_tree();
  ASSERT_TRUE(configure({"bucket_id: 'wide' spread: true inner: true leak_rate_bps: 1e9"}).ok());
  ASSERT_TRUE(set_rules(flows_below("wide", "weight: 3")).ok());
  const FlowRuleSettings wide = engine_.flow_rules().begin()->second;
  EXPECT_EQ(*wide.parent, buckets_.find("wide")->ref());
  const auto transmitter = [&] {
    const RuleSnapshot& rules = *engine_.rules();
    return rules.flow_paths.at(rules.actions.at(0).flow_rule).transmitter;
  };
  EXPECT_EQ(transmitter(), FlowPath::kAnyTransmitter) << "the key decides";
  EXPECT_EQ(configuration_.delete_bucket("wide", true, {}, true).status().code(),
            absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(set_rules(flows_below("ap", "")).ok());
  EXPECT_EQ(transmitter(), buckets_.find("ap")->ref().transmitter);
  EXPECT_TRUE(configuration_.delete_bucket("wide", true, {}, true).ok());
}

TEST_F(TreeTest, FlowsOfARuleAreALevelOfTheirTree) {
  std::vector<std::string> chain;
  for (int level = 0; level < 8; ++level) {
    chain.push_back("bucket_id: 'n" + std::to_string(level) + "' inner: true" +
                    (level == 0 ? "" : " parent_id: 'n" + std::to_string(level - 1) + "'"));
  }
  ASSERT_TRUE(configure(chain).ok());
  EXPECT_THAT(std::string(message_of(set_rules(flows_below("n7", "")))),
              HasSubstr("at most 8 levels"));
  ASSERT_TRUE(set_rules(flows_below("n6", "")).ok());
  // A node above all of them would push the flows too deep.
  EXPECT_THAT(refusal({"bucket_id: 'top' inner: true", "bucket_id: 'n0' parent_id: 'top'"}),
              HasSubstr("at most 8 levels"));
}

TEST_F(TreeTest, AFileChangesATreeAllAtOnce) {
  const std::vector<std::string> first = {
      "bucket_id: 'up' inner: true leak_rate_bps: 1e9",
      "bucket_id: 'ap' inner: true parent_id: 'up'",
      "bucket_id: 'c1' parent_id: 'ap' leak_rate_bps: 1e8 capacity: 10"};
  ASSERT_TRUE(configuration_.replace({patches(first), {}}).ok());
  // The inner node goes, its child moves up.
  ASSERT_TRUE(configuration_
                  .replace({patches({first[0],
                                     "bucket_id: 'c1' parent_id: 'up' leak_rate_bps: 1e8 "
                                     "capacity: 10"}),
                            {}})
                  .ok());
  EXPECT_THAT(below("up"), ElementsAre("up", "c1"));
  EXPECT_EQ(buckets_.find("ap"), nullptr);
  // A child that a call made keeps its parent.
  ASSERT_TRUE(configure({"bucket_id: 'mine' parent_id: 'up' leak_rate: 1 capacity: 1"}).ok());
  EXPECT_EQ(message_of(configuration_.replace({{}, {}})),
            "buckets: \"up\" is no longer named, and is the parent of \"mine\"");
  EXPECT_THAT(below("up"), ElementsAre("up", "c1", "mine"));
}

}  // namespace
}  // namespace drip::control
