// SPDX-License-Identifier: BSD-3-Clause
// Rules in the configuration that the nodes of a cluster share: what a change writes, and that what
// is read back are the rules.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "classifier/random_rules.h"
#include "cluster/config/stored_form.h"
#include "control/convert/convert_bucket_config.h"
#include "control/convert/convert_rule.h"
#include "control/support/messages.h"

namespace drip::cluster {
namespace {

using control::message;
using testing::ElementsAre;

control::RuleSpec rule_of(const std::string& text) {
  auto rule = control::read_rule(message<v1::Rule>(text), "rule.");
  EXPECT_TRUE(rule.ok()) << rule.status();
  return *std::move(rule);
}

// What Redis has of the rules, by the scripts' rules.
class StoredRulesTest : public testing::Test {
 protected:
  void commit(const absl::StatusOr<ConfigChange>& change) {
    ASSERT_TRUE(change.ok()) << change.status();
    auto form = stored_form(*change, config_);
    ASSERT_TRUE(form.ok()) << form.status();
    written_ += change->data.size();
    if (form->all_rules) {
      written_ += form->all_rules->size();
      all_rules_ = *std::move(form->all_rules);
      later_.clear();
    } else if (is_of_one_rule(change->op)) {
      later_.push_back(*change);
    }
    ASSERT_TRUE(apply_change(*change, config_.revision + 1, config_).ok());
    EXPECT_EQ(config_.rule_changes, later_.size());
  }
  void set(const std::string& rule) { commit(change_rule(config_, rule_of(rule))); }
  // As a node reads them that has none.
  StoredConfig read_back() const {
    StoredConfig result;
    auto rules = decode_rules(all_rules_);
    EXPECT_TRUE(rules.ok()) << rules.status();
    result.set_rules(*std::move(rules));
    for (const ConfigChange& change : later_) {
      EXPECT_TRUE(apply_change(change, config_.revision, result).ok());
    }
    return result;
  }
  void expect_stored() const {
    const StoredConfig read = read_back();
    EXPECT_EQ(encode(read.rules), encode(config_.rules));
    EXPECT_EQ(read.rule_changes, config_.rule_changes);
  }
  std::vector<std::string> ids() const {
    std::vector<std::string> result;
    for (const control::RuleSpec& rule : config_.rules.rules) result.push_back(rule.id);
    return result;
  }

  StoredConfig config_;
  std::string all_rules_;
  std::vector<ConfigChange> later_;
  std::size_t written_ = 0;
};

TEST_F(StoredRulesTest, AddedOneByOneWriteFewTimesTheirSize) {
  for (int i = 0; i < 5000; ++i) {
    set(joined("rule_id: 'r", i, "' drop: true match { dst_prefix: '10.0.", i / 250, ".", i % 250,
               "/32' }"));
    // A node that joins reads no more than that.
    ASSERT_LE(later_.size(), std::max<std::size_t>(128, config_.rules.rules.size() / 2));
  }
  EXPECT_LT(written_, 6 * encode(config_.rules).size());
  expect_stored();
}

TEST_F(StoredRulesTest, ReplacedOneByOneWriteFewTimesTheirSize) {
  for (int i = 0; i < 1000; ++i) set(joined("rule_id: 'r", i, "' drop: true"));
  const std::size_t before = written_;
  for (int i = 0; i < 1000; ++i) set(joined("rule_id: 'r", i, "' pass: true"));
  EXPECT_LT(written_ - before, 6 * encode(config_.rules).size());
  expect_stored();
}

TEST_F(StoredRulesTest, ReadBackInOrderWhateverHappened) {
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomRules random(seed);
    for (int step = 0; step < 400; ++step) {
      const std::string id = joined("r", random.below(300));
      const std::uint32_t what = random.below(200);
      if (what == 0) {
        control::RuleSetSpec rules;
        rules.protect_control_traffic = false;
        for (std::uint32_t i = random.below(40); i > 0; --i) {
          rules.rules.push_back(
              rule_of(joined("rule_id: 'r", i, "' priority: ", i, " drop: true")));
        }
        commit(change_rules(config_, rules));
      } else if (what < 60 && config_.find_rule(id) != nullptr) {
        commit(change_by_deleting_rule(config_, id));
        EXPECT_EQ(config_.find_rule(id), nullptr);
      } else {
        set(joined("rule_id: '", id, "' priority: ", random.below(9), " drop: true"));
        EXPECT_EQ(config_.find_rule(id)->id, id);
      }
      if (step % 20 == 0) expect_stored();
    }
    for (const std::string& id : ids()) ASSERT_EQ(config_.find_rule(id)->id, id);
  }
}

TEST_F(StoredRulesTest, AreRevertedToTheirPlace) {
  for (const char* id : {"a", "b", "c"}) set(joined("rule_id: '", id, "' drop: true"));
  const StoredConfig before = config_;
  const std::vector<ConfigChange> changes = {
      *change_rule(config_, rule_of("rule_id: 'd' pass: true")),
      *change_rule(config_, rule_of("rule_id: 'b' pass: true")),
      *change_by_deleting_rule(config_, "b"), *change_rules(config_, {})};
  for (const ConfigChange& change : changes) {
    SCOPED_TRACE(name_of(change.op));
    StoredConfig config = before;
    ASSERT_TRUE(apply_change(change, 9, config).ok());
    EXPECT_NE(encode(config.rules), encode(before.rules));
    for (const ConfigChange& inverse : inverse_of(change, before)) {
      ASSERT_TRUE(apply_change(inverse, 10, config).ok());
    }
    EXPECT_EQ(encode(config.rules), encode(before.rules));
    EXPECT_EQ(config.rules_revision, 10U);
  }
  EXPECT_THAT(ids(), ElementsAre("a", "b", "c"));
}

TEST_F(StoredRulesTest, OneIsCheckedLikeAll) {
  EXPECT_EQ(change_rule(config_, rule_of("rule_id: 'a' bucket_id: 'no'")).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(change_rule(config_, rule_of("rule_id: 'a' drop: true match { src_list: 'no' }"))
                .status()
                .code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(change_by_deleting_rule(config_, "no").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(StoredRulesTest, ATreeThatIsDeletedLeavesNoBucketInRedis) {
  std::vector<control::BucketPatch> patches;
  for (const char* text : {"bucket_id: 'up' inner: true", "bucket_id: 'other' leak_rate: 1",
                           "bucket_id: 'leaf' parent_id: 'up' leak_rate: 1"}) {
    patches.push_back(*control::read_patch(message<v1::BucketConfig>(text), ""));
    if (!patches.back().inner.value_or(false)) patches.back().capacity = 1;
  }
  commit(change_buckets(config_, patches));
  const auto deletion = change_by_deleting(config_, "up", true, true, {});
  ASSERT_TRUE(deletion.ok()) << deletion.status();
  const auto form = stored_form(*deletion, config_);
  ASSERT_TRUE(form.ok());
  EXPECT_THAT(form->removed, ElementsAre("up", "leaf"));
}

}  // namespace
}  // namespace drip::cluster
