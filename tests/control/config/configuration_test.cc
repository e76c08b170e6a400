// SPDX-License-Identifier: BSD-3-Clause
// Changes of buckets and rules are all or nothing, and undone when a step fails.
#include "control/config/configuration.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "configuration_fixture.h"

namespace drip::control {
namespace {

TEST_F(ConfigurationTest, BulkIsAllOrNothing) {
  ASSERT_TRUE(configure({"bucket_id: 'a' capacity: 1 leak_rate: 1"}).ok());
  const absl::Status bad =
      configure({"bucket_id: 'a' capacity: 2", "bucket_id: 'b' capacity: 1 leak_rate: 1",
                 "bucket_id: 'c' leak_rate: 1"});
  EXPECT_EQ(message_of(bad), "buckets[2].capacity: missing: a new bucket needs 1 to 1048576 units");
  EXPECT_EQ(buckets_.find("a")->settings().capacity, 1U);
  EXPECT_EQ(buckets_.find("b"), nullptr);
  EXPECT_EQ(engine_.applies, 1);

  engine_.fail_apply = absl::ResourceExhaustedError("it would take 5 MiB");
  const absl::Status full =
      configure({"bucket_id: 'a' capacity: 2", "bucket_id: 'b' capacity: 1 leak_rate: 1"});
  EXPECT_EQ(full, engine_.fail_apply);
  EXPECT_EQ(buckets_.find("a")->settings().capacity, 1U);
  EXPECT_EQ(buckets_.size(), 1U);
}

TEST_F(ConfigurationTest, AnIdThatIsThereTwiceIsAnError) {
  const absl::Status twice = configure(
      {"bucket_id: 'a' capacity: 1 leak_rate: 1", "bucket_id: 'a' capacity: 2 leak_rate: 1"});
  EXPECT_EQ(twice.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(message_of(twice),
            "buckets[1].bucket_id: \"a\" is not allowed: each id once, and buckets[0].bucket_id "
            "has it");
}

TEST_F(ConfigurationTest, DeleteNamesTheRulesThatStillUseTheBucket) {
  ASSERT_TRUE(configure({"bucket_id: 'a' capacity: 1 leak_rate: 1"}).ok());
  ASSERT_TRUE(set_rules("rules { rule_id: 'x' bucket_id: 'a' } rules { rule_id: 'y' pass: true } "
                        "rules { rule_id: 'z' bucket_id: 'a' } default_bucket_id: 'a'")
                  .ok());
  const absl::Status used = configuration_.delete_bucket("a", true).status();
  EXPECT_EQ(used.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(message_of(used),
            "bucket_id: \"a\" still gets packets from rule \"x\", rule \"z\", the default");
  ASSERT_TRUE(set_rules("").ok());
  EXPECT_TRUE(configuration_.delete_bucket("a", true).ok());
  EXPECT_EQ(message_of(configuration_.delete_bucket("a", true).status()),
            "bucket_id: no bucket is named \"a\"");
}

TEST_F(ConfigurationTest, TheNameOfADrainingBucketCanBeUsedAgain) {
  ASSERT_TRUE(configure({"bucket_id: 'a' capacity: 5 leak_rate: 1"}).ok());
  const BucketEntryRef old = buckets_.find("a");
  old->queues().admit(*old, {.request_id = "r"}, [](const absl::StatusOr<Ticket>& ticket) {
    EXPECT_EQ(ticket->admitted, 1U);
  });
  EXPECT_EQ(configuration_.delete_bucket("a", false)->draining, 1U);
  EXPECT_EQ(old->state(), std::nullopt);
  ASSERT_TRUE(configure({"bucket_id: 'a' capacity: 5 leak_rate: 1"}).ok());
  EXPECT_EQ(buckets_.find("a")->state()->stats.admitted, 0U);
  EXPECT_EQ(engine_.buckets(), 2U);
  engine_.advance(Duration{1'000'000'000});
  EXPECT_EQ(engine_.buckets(), 1U);
}
TEST_F(ConfigurationTest, ReplaceAppliesTheFile) {
  ASSERT_TRUE(configure({"bucket_id: 'mine' capacity: 1 leak_rate: 1"}).ok());
  ASSERT_TRUE(configuration_
                  .replace({patches({"bucket_id: 'a' capacity: 1 leak_rate: 1 overhead_bytes: 24",
                                     "bucket_id: 'b' capacity: 1 leak_rate: 1"}),
                            rule_set("rules { rule_id: 'x' bucket_id: 'a' }")})
                  .ok());
  EXPECT_EQ(buckets_.size(), 3U);
  const int applies = engine_.applies;
  const BucketRef a = buckets_.find("a")->ref();

  // The file removes b, changes a and adds c. A bucket of the API stays.
  ASSERT_TRUE(configuration_
                  .replace({patches({"bucket_id: 'a' capacity: 1 leak_rate: 1",
                                     "bucket_id: 'c' capacity: 1 leak_rate: 1"}),
                            rule_set("rules { rule_id: 'x' bucket_id: 'c' }")})
                  .ok());
  EXPECT_EQ(engine_.applies, applies + 1);
  EXPECT_EQ(buckets_.find("a")->ref(), a);
  EXPECT_EQ(buckets_.find("a")->settings().overhead_bytes, 0);
  EXPECT_EQ(buckets_.find("b"), nullptr);
  EXPECT_NE(buckets_.find("c"), nullptr);
  EXPECT_NE(buckets_.find("mine"), nullptr);

  // A file without rules removes the rules of the file before.
  ASSERT_TRUE(
      configuration_.replace({patches({"bucket_id: 'a' capacity: 1 leak_rate: 1"}), {}}).ok());
  EXPECT_TRUE(rule_order().empty());
  // If that had none either, rules of the API stay.
  ASSERT_TRUE(set_rule("rule_id: 'other' pass: true").ok());
  ASSERT_TRUE(configuration_.replace({{}, {}}).ok());
  EXPECT_EQ(rule_order(), std::vector<std::string>{"other"});
  EXPECT_EQ(buckets_.size(), 1U);
}

TEST_F(ConfigurationTest, ReplaceRemovesListsThatOnlyTheFileBeforeNamed) {
  const auto lists = [&] {
    std::vector<std::string> names;
    configuration_.with_rules([&](const RuleStore& store) {
      for (const auto& [name, list] : store.rules().lists) names.push_back(name);
    });
    return names;
  };
  using Names = std::vector<std::string>;
  const auto file = [](const std::string& text) { return FileConfig{{}, rule_set(text)}; };
  ASSERT_TRUE(configuration_
                  .replace(file("address_lists { name: 'old' prefixes: '192.0.2.0/24' }"
                                "address_lists { name: 'kept' prefixes: '192.0.2.0/24' }"))
                  .ok());
  // Another one by a call.
  ASSERT_TRUE(set_rules("address_lists { name: 'old' prefixes: '192.0.2.0/24' }"
                        "address_lists { name: 'kept' prefixes: '192.0.2.0/24' }"
                        "address_lists { name: 'called' prefixes: '198.51.100.0/24' }")
                  .ok());
  EXPECT_EQ(lists(), (Names{"called", "kept", "old"}));
  // A rule that names what the file has no longer is an error, and nothing changes.
  EXPECT_FALSE(
      configuration_.replace(file("rules { rule_id: 'x' match { src_list: 'old' } pass: true }"))
          .ok());
  EXPECT_EQ(lists(), (Names{"called", "kept", "old"}));
  ASSERT_TRUE(
      configuration_.replace(file("address_lists { name: 'kept' prefixes: '192.0.2.0/24' }")).ok());
  EXPECT_EQ(lists(), (Names{"called", "kept"}));
  // Without rules at all: those of the file are gone, and those of calls stay.
  ASSERT_TRUE(configuration_.replace({{}, {}}).ok());
  EXPECT_EQ(lists(), Names{"called"});
}

TEST_F(ConfigurationTest, ReplaceIsAllOrNothing) {
  ASSERT_TRUE(configuration_
                  .replace({patches({"bucket_id: 'a' capacity: 1 leak_rate: 1",
                                     "bucket_id: 'b' capacity: 1 leak_rate: 1"}),
                            {}})
                  .ok());
  const auto unchanged = [&] {
    return buckets_.size() == 2 && buckets_.find("a")->settings().capacity == 1 &&
           engine_.buckets() == 2;
  };
  // The rules have an error.
  EXPECT_EQ(
      message_of(configuration_.replace({patches({"bucket_id: 'a' capacity: 9 leak_rate: 1",
                                                  "bucket_id: 'c' capacity: 1 leak_rate: 1"}),
                                         rule_set("rules { rule_id: 'x' bucket_id: 'no' }")})),
      "rule_set.rules[0].bucket_id: no bucket is named \"no\"");
  EXPECT_TRUE(unchanged());
  // A bucket that would be removed is in use.
  EXPECT_EQ(message_of(configuration_.replace({patches({"bucket_id: 'a' capacity: 9 leak_rate: 1"}),
                                               rule_set("rules { rule_id: 'x' bucket_id: 'b' }")})),
            "buckets: \"b\" still gets packets from rule \"x\"");
  EXPECT_TRUE(unchanged());
  EXPECT_EQ(configuration_
                .replace({patches({"bucket_id: 'a' capacity: 9 leak_rate: 1",
                                   "bucket_id: 'a' capacity: 9 leak_rate: 1"}),
                          {}})
                .code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(unchanged());
  engine_.fail_swap = absl::ResourceExhaustedError("no mbufs");
  EXPECT_FALSE(configuration_
                   .replace({patches({"bucket_id: 'b' capacity: 9 leak_rate: 1",
                                      "bucket_id: 'c' capacity: 1 leak_rate: 1"}),
                             rule_set("rules { rule_id: 'x' bucket_id: 'c' }")})
                   .ok());
  EXPECT_TRUE(unchanged());
}

}  // namespace
}  // namespace drip::control
