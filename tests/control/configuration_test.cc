// SPDX-License-Identifier: BSD-3-Clause
// Changes of buckets and rules: whole or not at all, and unwound when a step fails.
#include "control/configuration.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "control/bucket_listing.h"
#include "control/convert_bucket.h"
#include "control/convert_rule.h"
#include "control/text.h"
#include "fake_engine.h"
#include "messages.h"

namespace drip::control {
namespace {

class ConfigurationTest : public testing::Test {
 protected:
  ConfigurationTest() { EXPECT_TRUE(configuration_.start().ok()); }
  ~ConfigurationTest() override { (void)engine_.drain_and_stop({}); }

  static std::vector<BucketPatch> patches(const std::vector<std::string>& configs) {
    std::vector<BucketPatch> result;
    for (const std::string& config : configs) {
      const auto patch =
          read_patch(message<v1::BucketConfig>(config), joined("buckets[", result.size(), "]."));
      EXPECT_TRUE(patch.ok()) << patch.status();
      result.push_back(*patch);
    }
    return result;
  }
  absl::Status configure(const std::vector<std::string>& configs) {
    return configuration_.configure(patches(configs)).status();
  }
  static RuleSetSpec rule_set(const std::string& text) {
    const auto spec = read_rule_set(message<v1::RuleSet>(text), "rule_set.");
    EXPECT_TRUE(spec.ok()) << spec.status();
    return *spec;
  }
  absl::Status set_rules(const std::string& text) {
    return configuration_.set_rules(rule_set(text)).status();
  }
  absl::Status set_rule(const std::string& text) {
    const auto spec = read_rule(message<v1::Rule>(text), "rule.");
    EXPECT_TRUE(spec.ok()) << spec.status();
    return configuration_.set_rule(*spec).status();
  }
  std::uint64_t revision() const {
    std::uint64_t number = 0;
    configuration_.with_rules([&](const RuleStore& rules) { number = rules.revision(); });
    return number;
  }
  HitTotals hits(const std::string& id) const {
    HitTotals totals;
    configuration_.with_rules([&](const RuleStore& rules) {
      for (const RuleState& state : rules.list()) {
        if (state.rule->id == id) totals = state.hits;
      }
    });
    return totals;
  }
  std::vector<std::string> rule_order() const {
    std::vector<std::string> ids;
    configuration_.with_rules([&](const RuleStore& rules) {
      for (const RuleState& state : rules.list()) ids.push_back(state.rule->id);
    });
    return ids;
  }

  FakeEngine engine_;
  RequestRegistry requests_{engine_, 1000};
  BucketRegistry buckets_{engine_, requests_};
  Configuration configuration_{engine_, buckets_};
};

constexpr const char* kFlowRule =
    "rule_id: 'f' per_flow { key: 2 max_flows: 10 bucket { capacity: 1 leak_rate: 1 } }";

TEST_F(ConfigurationTest, BulkIsAllOrNothing) {
  ASSERT_TRUE(configure({"bucket_id: 'a' capacity: 1 leak_rate: 1"}).ok());
  const absl::Status bad =
      configure({"bucket_id: 'a' capacity: 2", "bucket_id: 'b' capacity: 1 leak_rate: 1",
                 "bucket_id: 'c' leak_rate: 1"});
  EXPECT_EQ(message_of(bad), "buckets[2].capacity: missing: a new bucket needs 1 to 1048576 units");
  EXPECT_EQ(buckets_.find("a")->settings().capacity, 1U);
  EXPECT_EQ(buckets_.find("b"), nullptr);
  EXPECT_EQ(engine_.applies, 1);

  engine_.refuse_apply = absl::ResourceExhaustedError("it would take 5 MiB");
  const absl::Status full =
      configure({"bucket_id: 'a' capacity: 2", "bucket_id: 'b' capacity: 1 leak_rate: 1"});
  EXPECT_EQ(full, engine_.refuse_apply);
  EXPECT_EQ(buckets_.find("a")->settings().capacity, 1U);
  EXPECT_EQ(buckets_.size(), 1U);
}

TEST_F(ConfigurationTest, BulkRefusesAnIdTwice) {
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

TEST_F(ConfigurationTest, TheNameOfADrainingBucketIsFree) {
  ASSERT_TRUE(configure({"bucket_id: 'a' capacity: 5 leak_rate: 1"}).ok());
  const KnownBucketRef old = buckets_.find("a");
  ASSERT_TRUE(requests_.admit(*old->requests(), "r", 0, Departure::kAtEnd).ok());
  EXPECT_EQ(configuration_.delete_bucket("a", false)->draining, 1U);
  EXPECT_EQ(old->state(), std::nullopt);
  ASSERT_TRUE(configure({"bucket_id: 'a' capacity: 5 leak_rate: 1"}).ok());
  EXPECT_EQ(buckets_.find("a")->state()->reading.admitted, 0U);
  EXPECT_EQ(engine_.buckets(), 2U);
  engine_.advance(Duration{1'000'000'000});
  EXPECT_EQ(engine_.buckets(), 1U);
}

TEST_F(ConfigurationTest, ListsPagesThatSurviveChanges) {
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
  // The cursor's own bucket goes, one comes before it and one behind.
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
  EXPECT_EQ(listing.page({.include_flows = true}, "f/10.0.0.1/32", 10)->states.size(), 2U);
  EXPECT_EQ(listing.page({.id_prefix = "f/10", .include_flows = true}, "", 10)->states.size(), 2U);
  EXPECT_EQ(listing.page({.ids = {"f/10.0.0.1/32"}, .include_flows = true}, "", 9)->states.size(),
            1U);
  EXPECT_EQ(listing.page({}, "", 10)->states.size(), 2U);
}

TEST_F(ConfigurationTest, RulesBecomeASnapshot) {
  ASSERT_TRUE(configure({"bucket_id: 'a' capacity: 1 leak_rate: 1",
                         "bucket_id: 'd' capacity: 1 leak_rate: 1"})
                  .ok());
  ASSERT_TRUE(set_rules("rules { rule_id: 'x' bucket_id: 'a' match { ingress_port: 'wan' } } "
                        "rules { rule_id: 'y' drop: true } rules { rule_id: 'z' pass: true } "
                        "rules { rule_id: 'w' bucket_id: 'a' } "
                        "default_bucket_id: 'd' protect_control_traffic: false")
                  .ok());
  const auto rules = engine_.rules();
  ASSERT_EQ(rules->actions.size(), 4U);
  EXPECT_EQ(rules->actions[0].kind, RuleAction::Kind::kBucket);
  EXPECT_EQ(rules->actions[0].bucket, buckets_.find("a")->ref());
  EXPECT_EQ(rules->actions[1].kind, RuleAction::Kind::kDrop);
  EXPECT_EQ(rules->actions[2].kind, RuleAction::Kind::kPass);
  EXPECT_EQ(rules->fallback.bucket, buckets_.find("d")->ref());
  EXPECT_FALSE(rules->protect_control_traffic);
  EXPECT_EQ(engine_.packet_buckets().size(), 2U) << "each bucket once";
  EXPECT_EQ(revision(), 1U);
}

TEST_F(ConfigurationTest, RulesRefuseNamesThatDoNotExist) {
  ASSERT_TRUE(configure({"bucket_id: 'a' capacity: 1 leak_rate: 1"}).ok());
  ASSERT_TRUE(set_rule("rule_id: 'x' bucket_id: 'a'").ok());
  const int swaps = engine_.swaps;
  const absl::Status bucket =
      set_rules("rules { rule_id: 'x' pass: true } rules { rule_id: 'y' bucket_id: 'no' }");
  EXPECT_EQ(bucket.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(message_of(bucket), "rule_set.rules[1].bucket_id: no bucket is named \"no\"");
  EXPECT_EQ(message_of(set_rules("default_bucket_id: 'no'")),
            "rule_set.default_bucket_id: no bucket is named \"no\"");
  const absl::Status port = set_rule("rule_id: 'y' match { ingress_port: 'eth0' } pass: true");
  EXPECT_EQ(port.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(message_of(port), "rule.match.ingress_port: no port is named \"eth0\"");
  EXPECT_EQ(message_of(configuration_.delete_rule("no").status()),
            "rule_id: no rule is named \"no\"");
  EXPECT_EQ(engine_.swaps, swaps);
  EXPECT_EQ(rule_order(), std::vector<std::string>{"x"});
  EXPECT_EQ(revision(), 1U);
}

TEST_F(ConfigurationTest, RulesAreListedInTheOrderInWhichTheyAreTried) {
  ASSERT_TRUE(set_rules("rules { rule_id: 'a' priority: 1 pass: true } "
                        "rules { rule_id: 'b' priority: 5 pass: true } "
                        "rules { rule_id: 'c' priority: 1 pass: true }")
                  .ok());
  ASSERT_TRUE(set_rule("rule_id: 'd' priority: 5 drop: true").ok());
  EXPECT_EQ(rule_order(), (std::vector<std::string>{"b", "d", "a", "c"}));
  ASSERT_TRUE(set_rule("rule_id: 'a' priority: 9 drop: true").ok());
  EXPECT_EQ(rule_order(), (std::vector<std::string>{"a", "b", "d", "c"}));
  ASSERT_TRUE(configuration_.delete_rule("b").ok());
  EXPECT_EQ(rule_order(), (std::vector<std::string>{"a", "d", "c"}));
}

TEST_F(ConfigurationTest, HitsOfARuleThatKeepsItsIdGoOn) {
  ASSERT_TRUE(
      set_rules("rules { rule_id: 'a' pass: true } rules { rule_id: 'b' pass: true }").ok());
  engine_.count_hits(0, 0, 10, 1000);
  engine_.count_hits(1, 0, 5, 500);
  engine_.count_hits(0, 1, 7, 700);
  engine_.count_hits(0, 2, 3, 300);  // The fallback.
  engine_.count_hits(1, 3, 2, 200);  // Protected.
  EXPECT_EQ(hits("a").packets, 15U);
  EXPECT_EQ(hits("a").bytes, 1500U);
  ASSERT_TRUE(
      set_rules("rules { rule_id: 'c' pass: true } rules { rule_id: 'a' drop: true }").ok());
  EXPECT_EQ(hits("a").packets, 15U);
  EXPECT_EQ(hits("c").packets, 0U);
  engine_.count_hits(0, 1, 1, 100);
  ASSERT_TRUE(set_rule("rule_id: 'b' pass: true").ok());
  EXPECT_EQ(hits("a").packets, 16U);
  EXPECT_EQ(hits("a").bytes, 1600U);
  EXPECT_EQ(hits("b").packets, 0U) << "another rule that was gone in between";
  configuration_.with_rules([](const RuleStore& rules) {
    EXPECT_EQ(rules.default_hits().packets, 3U);
    EXPECT_EQ(rules.protected_hits().packets, 2U);
  });
}

TEST_F(ConfigurationTest, ARefusedSwapLeavesAllAsItWas) {
  ASSERT_TRUE(configure({"bucket_id: 'a' capacity: 1 leak_rate: 1"}).ok());
  ASSERT_TRUE(
      set_rules(std::string("rules { ") + kFlowRule + " } rules { rule_id: 'x' pass: true }").ok());
  const auto sets = engine_.flow_sets();
  const auto snapshot = engine_.rules();
  engine_.count_hits(0, 1, 4, 400);
  engine_.refuse_swap = absl::ResourceExhaustedError("4096 mbufs, 12 are free");
  // Changes f's rate, makes a second flow set, and takes x away.
  const absl::Status status = set_rules(
      "rules { rule_id: 'f' per_flow { key: 2 max_flows: 10 bucket { capacity: 1 leak_rate: 9 } } }"
      "rules { rule_id: 'g' per_flow { key: 1 max_flows: 5 bucket { capacity: 1 leak_rate: 1 } } }"
      "rules { rule_id: 'y' bucket_id: 'a' }");
  EXPECT_EQ(status, engine_.refuse_swap);
  EXPECT_EQ(engine_.rules(), snapshot);
  ASSERT_EQ(engine_.flow_sets().size(), 1U);
  EXPECT_EQ(engine_.flow_sets().begin()->first, sets.begin()->first);
  EXPECT_EQ(engine_.flow_sets().begin()->second.bucket.units_per_second, 1);
  EXPECT_EQ(rule_order(), (std::vector<std::string>{"f", "x"}));
  EXPECT_EQ(hits("x").packets, 4U);
  EXPECT_EQ(revision(), 1U);
  engine_.refuse_swap = absl::OkStatus();
  EXPECT_TRUE(configuration_.delete_bucket("a", true).ok()) << "y is not there";
}

TEST_F(ConfigurationTest, ARefusedFlowSetLeavesAllAsItWas) {
  ASSERT_TRUE(set_rule(kFlowRule).ok());
  engine_.refuse_create_flow_set = absl::ResourceExhaustedError("1 GiB");
  const absl::Status made = set_rules(
      "rules { rule_id: 'f' per_flow { key: 2 max_flows: 10 bucket { capacity: 1 leak_rate: 9 } } }"
      "rules { rule_id: 'g' per_flow { key: 1 max_flows: 5 bucket { capacity: 1 leak_rate: 1 } } "
      "}");
  EXPECT_EQ(made.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(message_of(made), "rule_set.rules[1].per_flow: 1 GiB");
  EXPECT_EQ(engine_.flow_sets().begin()->second.bucket.units_per_second, 1);
  engine_.refuse_create_flow_set = absl::OkStatus();
  engine_.refuse_change_flow_set = absl::ResourceExhaustedError("2 GiB");
  const absl::Status changed = set_rules(
      "rules { rule_id: 'g' per_flow { key: 1 max_flows: 5 bucket { capacity: 1 leak_rate: 1 } } }"
      "rules { rule_id: 'f' per_flow { key: 2 max_flows: 10 bucket { capacity: 1 leak_rate: 9 } } "
      "}");
  EXPECT_EQ(message_of(changed), "rule_set.rules[1].per_flow: 2 GiB");
  EXPECT_EQ(engine_.flow_sets().size(), 1U) << "g's was made and is gone again";
}

TEST_F(ConfigurationTest, FlowSetsStayUnlessKeyOrSizeChange) {
  ASSERT_TRUE(set_rule(kFlowRule).ok());
  const std::uint32_t first = engine_.flow_sets().begin()->first;
  ASSERT_TRUE(set_rule("rule_id: 'f' priority: 7 match { dscp: 5 } per_flow { key: 2 max_flows: 10 "
                       "bucket { capacity: 3 leak_rate: 1 } idle_timeout_ms: 500 }")
                  .ok());
  ASSERT_EQ(engine_.flow_sets().size(), 1U);
  EXPECT_EQ(engine_.flow_sets().begin()->first, first);
  EXPECT_EQ(engine_.flow_sets().begin()->second.bucket.capacity, 3U);
  EXPECT_EQ(engine_.flow_sets().begin()->second.idle_timeout.ns, 500'000'000);
  EXPECT_EQ(engine_.rules()->actions[0].flow_set, first);

  ASSERT_TRUE(set_rule("rule_id: 'f' per_flow { key: 2 max_flows: 11 "
                       "bucket { capacity: 3 leak_rate: 1 } }")
                  .ok());
  ASSERT_EQ(engine_.flow_sets().size(), 1U);
  EXPECT_NE(engine_.flow_sets().begin()->first, first);
  ASSERT_TRUE(set_rules("").ok());
  EXPECT_TRUE(engine_.flow_sets().empty());
}

TEST_F(ConfigurationTest, ReplaceMakesTheNodeWhatTheFileSays) {
  ASSERT_TRUE(configure({"bucket_id: 'mine' capacity: 1 leak_rate: 1"}).ok());
  ASSERT_TRUE(configuration_
                  .replace({patches({"bucket_id: 'a' capacity: 1 leak_rate: 1 overhead_bytes: 24",
                                     "bucket_id: 'b' capacity: 1 leak_rate: 1"}),
                            rule_set("rules { rule_id: 'x' bucket_id: 'a' }")})
                  .ok());
  EXPECT_EQ(buckets_.size(), 3U);
  const int applies = engine_.applies;
  const BucketRef a = buckets_.find("a")->ref();

  // b goes, a loses its overhead, c comes; what others set stays.
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

  // A file that speaks of rules no more takes its own away.
  ASSERT_TRUE(
      configuration_.replace({patches({"bucket_id: 'a' capacity: 1 leak_rate: 1"}), {}}).ok());
  EXPECT_TRUE(rule_order().empty());
  // One that never did leaves those of others.
  ASSERT_TRUE(set_rule("rule_id: 'other' pass: true").ok());
  ASSERT_TRUE(configuration_.replace({{}, {}}).ok());
  EXPECT_EQ(rule_order(), std::vector<std::string>{"other"});
  EXPECT_EQ(buckets_.size(), 1U);
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
  // The rules do not fit.
  EXPECT_EQ(
      message_of(configuration_.replace({patches({"bucket_id: 'a' capacity: 9 leak_rate: 1",
                                                  "bucket_id: 'c' capacity: 1 leak_rate: 1"}),
                                         rule_set("rules { rule_id: 'x' bucket_id: 'no' }")})),
      "rule_set.rules[0].bucket_id: no bucket is named \"no\"");
  EXPECT_TRUE(unchanged());
  // A bucket that would go is in use.
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
  engine_.refuse_swap = absl::ResourceExhaustedError("no mbufs");
  EXPECT_FALSE(configuration_
                   .replace({patches({"bucket_id: 'b' capacity: 9 leak_rate: 1",
                                      "bucket_id: 'c' capacity: 1 leak_rate: 1"}),
                             rule_set("rules { rule_id: 'x' bucket_id: 'c' }")})
                   .ok());
  EXPECT_TRUE(unchanged());
}

}  // namespace
}  // namespace drip::control
