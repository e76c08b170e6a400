// SPDX-License-Identifier: BSD-3-Clause
// Trees in the configuration that the nodes of a cluster share.
#include "cluster/config/stored_trees.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/errors.h"
#include "base/text.h"
#include "cluster/config/stored_form.h"
#include "control/convert/convert_bucket_config.h"

namespace drip::cluster {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class StoredTreesTest : public testing::Test {
 protected:
  static std::vector<control::BucketPatch> patches(const std::vector<std::string>& configs) {
    std::vector<control::BucketPatch> result;
    for (const std::string& text : configs) {
      v1::BucketConfig config;
      EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
      const auto patch = control::read_patch(config, "");
      EXPECT_TRUE(patch.ok()) << patch.status();
      result.push_back(*patch);
    }
    return result;
  }
  absl::Status change(const std::vector<std::string>& configs) {
    const auto change = change_buckets(config_, patches(configs));
    if (!change.ok()) return change.status();
    return apply_change(*change, ++config_.revision, config_);
  }
  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto& [id, bucket] : config_.buckets) result.push_back(id);
    return result;
  }

  StoredConfig config_;
};

TEST_F(StoredTreesTest, AreCheckedBeforeTheyReachRedis) {
  EXPECT_EQ(change({"bucket_id: 'a' parent_id: 'up' leak_rate: 1 capacity: 1"}).code(),
            absl::StatusCode::kNotFound);
  ASSERT_TRUE(change({"bucket_id: 'a' parent_id: 'up' leak_rate: 5 capacity: 1 guarantee: 3",
                      "bucket_id: 'up' inner: true leak_rate: 5"})
                  .ok());
  const absl::Status above =
      change({"bucket_id: 'b' parent_id: 'up' leak_rate: 5 capacity: 1 guarantee: 3"});
  EXPECT_EQ(above.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(above.message()), HasSubstr("would be guaranteed 6 units a second"));
  // What is stored reads back.
  const auto stored = decode_bucket(encode("a", config_.buckets.at("a")));
  ASSERT_TRUE(stored.ok());
  EXPECT_EQ(stored->place, config_.buckets.at("a").place);
  EXPECT_EQ(stored->place.parent_id, "up");
}

TEST_F(StoredTreesTest, AreDeletedAsWholesAndRestored) {
  ASSERT_TRUE(change({"bucket_id: 'up' inner: true", "bucket_id: 'mid' inner: true parent_id: 'up'",
                      "bucket_id: 'leaf' parent_id: 'mid' leak_rate: 1 capacity: 1",
                      "bucket_id: 'other' leak_rate: 1 capacity: 1"})
                  .ok());
  EXPECT_THAT(StoredTrees(config_).forest().subtree("up"), ElementsAre("up", "mid", "leaf"));
  const auto refused = change_by_deleting(config_, "up", true, false, {});
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("has 1 child"));
  const auto deletion = change_by_deleting(config_, "up", true, true, {});
  ASSERT_TRUE(deletion.ok()) << deletion.status();
  const StoredConfig before = config_;
  ASSERT_TRUE(apply_change(*deletion, ++config_.revision, config_).ok());
  EXPECT_THAT(names(), ElementsAre("other"));
  for (const ConfigChange& undo : inverse_of(*deletion, before)) {
    ASSERT_TRUE(apply_change(undo, ++config_.revision, config_).ok());
  }
  EXPECT_THAT(names(), ElementsAre("leaf", "mid", "other", "up"));
  EXPECT_EQ(config_.buckets.at("leaf").place, before.buckets.at("leaf").place);
}

TEST_F(StoredTreesTest, ARuleOfALeafKeepsItsTree) {
  ASSERT_TRUE(change({"bucket_id: 'up' inner: true",
                      "bucket_id: 'leaf' parent_id: 'up' leak_rate: 1 capacity: 1"})
                  .ok());
  config_.rules.default_bucket_id = "leaf";
  EXPECT_THAT(std::string(message_of(change_by_deleting(config_, "up", true, true, {}).status())),
              HasSubstr("\"leaf\" still gets packets from the default"));
  control::RuleSetSpec rules;
  rules.default_bucket_id = "up";
  EXPECT_EQ(change_rules(config_, rules).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace drip::cluster
