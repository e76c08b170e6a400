// SPDX-License-Identifier: BSD-3-Clause
// Rules that are added and erased one by one apply as if all were compiled at once, and at less
// cost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "classifier/random_rules.h"
#include "configuration_fixture.h"

namespace drip::control {
namespace {

class AddedRulesTest : public ConfigurationTest {
 protected:
  RuleSpec spec_of(const std::string& id, const ClassifierRule& rule) const {
    RuleSpec spec;
    spec.id = id;
    spec.path = "rule.";
    spec.priority = rule.priority;
    spec.match = rule.match;
    if (rule.match.src_prefix) spec.src_prefixes.push_back(*rule.match.src_prefix);
    if (rule.match.dst_prefix) spec.dst_prefixes.push_back(*rule.match.dst_prefix);
    if (rule.match.ingress_port) spec.ingress_port = engine_.port_names()[*rule.match.ingress_port];
    spec.match.src_prefix.reset();
    spec.match.dst_prefix.reset();
    spec.match.ingress_port.reset();
    spec.action = RuleSpec::Drop{};
    return spec;
  }
  void set(const std::string& id, const ClassifierRule& rule) {
    const auto done = configuration_.set_rule(spec_of(id, rule));
    EXPECT_TRUE(done.ok()) << done.status();
  }
  static std::string id_of(std::size_t i) { return joined("r", i); }
  // As a worker decides.
  std::uint32_t decided(const Headers& headers, std::uint16_t ingress) const {
    const auto rules = engine_.rules();
    const std::uint32_t own = rules->classifier.classify(headers, ingress);
    if (rules->base == nullptr) return own;
    return rules->better(rules->base->classifier.classify(headers, ingress), own);
  }
  // The same as the rule's place in `ids`.
  std::uint32_t decided(const std::vector<std::string>& ids, const Headers& headers,
                        std::uint16_t ingress) const {
    const std::uint32_t index = decided(headers, ingress);
    std::uint32_t place = kNoRule;
    configuration_.with_rules([&](const RuleStore& rules) {
      const RuleSpec* const rule = rules.rule_at(index);
      if (rule == nullptr) return;
      place = static_cast<std::uint32_t>(std::ranges::find(ids, rule->id) - ids.begin());
    });
    EXPECT_EQ(place == kNoRule, index == kNoRule) << "a rule that has been erased applies";
    return place;
  }
  int compiled_anew() const { return engine_.swaps - engine_.appends - engine_.erasures; }
  // All rules have been compiled together.
  void merge() {
    configuration_.merge_added_rules();
    configuration_.merge_added_rules();
    EXPECT_EQ(engine_.rules()->base, nullptr);
  }
};

TEST_F(AddedRulesTest, DecideAsTheLinearSearchWhateverHappensInBetween) {
  int with_erased = 0;
  for (std::uint32_t seed = 0; seed < 120; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomRules random(seed);
    ASSERT_TRUE(set_rules("").ok());
    std::vector<ClassifierRule> rules;
    std::vector<std::string> ids;
    std::size_t with_base = 0;
    // Every second time many are erased.
    const std::uint32_t erased_of_40 = seed % 2 == 0 ? 1 : 14;
    for (std::size_t i = 0; i < 150; ++i) {
      const std::uint32_t what = random.below(40);
      if (what < erased_of_40 && !rules.empty()) {
        const std::uint32_t at = random.below(static_cast<std::uint32_t>(rules.size()));
        ASSERT_TRUE(configuration_.delete_rule(ids[at]).ok());
        rules.erase(rules.begin() + at);
        ids.erase(ids.begin() + at);
      } else if (what == 38 && !rules.empty()) {
        const std::uint32_t at = random.below(static_cast<std::uint32_t>(rules.size()));
        rules[at] = random.rule();
        set(ids[at], rules[at]);
      } else if (what == 39) {
        configuration_.merge_added_rules();
      } else {
        rules.push_back(random.rule());
        ids.push_back(id_of(i));
        set(ids.back(), rules.back());
      }
      if (engine_.rules()->base != nullptr) ++with_base;
      if (!engine_.rules()->erased.empty()) ++with_erased;
      for (int packet = 0; packet < 20; ++packet) {
        const Headers headers = random.packet();
        const auto ingress = static_cast<std::uint16_t>(random.below(2));
        ASSERT_EQ(decided(ids, headers, ingress), linear_search(rules, headers, ingress))
            << "step " << i;
      }
    }
    EXPECT_GT(with_base, 50U) << "otherwise nothing was tried";
    merge();
    for (int packet = 0; packet < 100; ++packet) {
      const Headers headers = random.packet();
      ASSERT_EQ(decided(headers, 0), linear_search(rules, headers, 0));
    }
    ASSERT_EQ(engine_.rules()->actions.size(), rules.size());
  }
  EXPECT_GT(with_erased, 2000) << "otherwise nothing was tried";
}

TEST_F(AddedRulesTest, AreCompiledWithAllOthersSeldom) {
  const int before = compiled_anew();
  for (std::size_t i = 0; i < 2000; ++i) {
    ASSERT_TRUE(set_rule(joined("rule_id: '", id_of(i), "' drop: true match { dst_prefix: '10.0.",
                                i / 250, ".", i % 250, "/32' }"))
                    .ok());
  }
  EXPECT_LT(compiled_anew() - before, 50);
  EXPECT_EQ(rule_order().size(), 2000U);
  EXPECT_EQ(revision(), 2000U);
}

TEST_F(AddedRulesTest, AreMergedOnceNoneIsAddedAnyMore) {
  ASSERT_TRUE(set_rule("rule_id: 'a' drop: true").ok());
  ASSERT_NE(engine_.rules()->base, nullptr);
  configuration_.merge_added_rules();
  ASSERT_TRUE(set_rule("rule_id: 'b' pass: true").ok());
  configuration_.merge_added_rules();
  EXPECT_NE(engine_.rules()->base, nullptr) << "one was added since the last call";
  configuration_.merge_added_rules();
  EXPECT_EQ(engine_.rules()->base, nullptr);
  EXPECT_EQ(revision(), 2U) << "no change of the rules";
  const int swaps = engine_.swaps;
  configuration_.merge_added_rules();
  EXPECT_EQ(engine_.swaps, swaps);
}

TEST_F(AddedRulesTest, KeepTheirHitsAndThoseOfOthers) {
  ASSERT_TRUE(set_rules("rules { rule_id: 'a' drop: true }").ok());
  engine_.count_hits(0, 0, 3, 300);
  ASSERT_TRUE(set_rule("rule_id: 'b' drop: true").ok());
  engine_.count_hits(0, 0, 1, 100);
  engine_.count_hits(1, 1, 5, 500);
  engine_.count_hits(0, engine_.rules()->fallback_index(), 2, 200);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(hits("a").packets, 4U);
    EXPECT_EQ(hits("b").bytes, 500U);
    configuration_.with_rules(
        [](const RuleStore& rules) { EXPECT_EQ(rules.default_hits().packets, 2U); });
    merge();
  }
}

TEST_F(AddedRulesTest, ReserveWhatTheirBucketNeedsOrChangeNothing) {
  ASSERT_TRUE(configure({"bucket_id: 'a' capacity: 1 leak_rate: 1"}).ok());
  engine_.fail_swap = absl::ResourceExhaustedError("4096 mbufs, 12 are free");
  EXPECT_EQ(set_rule("rule_id: 'x' bucket_id: 'a' match { dscp: 1 }"), engine_.fail_swap);
  engine_.fail_swap = absl::OkStatus();
  Headers headers;
  headers.ip_version = IpVersion::kV4;
  headers.dscp = 1;
  EXPECT_EQ(decided(headers, 0), kNoRule);
  EXPECT_EQ(rule_order().size(), 0U);
  ASSERT_TRUE(set_rule("rule_id: 'y' bucket_id: 'a' match { dscp: 2 }").ok());
  EXPECT_EQ(decided(headers, 0), kNoRule) << "the rule that was refused is not there";
  EXPECT_EQ(engine_.packet_buckets(), std::vector{buckets_.find("a")->ref()});
  merge();
  EXPECT_EQ(engine_.packet_buckets(), std::vector{buckets_.find("a")->ref()});
}

TEST_F(AddedRulesTest, WithALongListAreCompiledWithAllOthers) {
  std::string list = "address_lists { name: 'l' ";
  for (int i = 0; i < 1000; ++i) list += joined("prefixes: '10.0.", i / 250, ".", i % 250, "/32' ");
  ASSERT_TRUE(set_rules(list + "}").ok());
  const int before = compiled_anew();
  ASSERT_TRUE(set_rule("rule_id: 'x' drop: true match { src_list: 'l' }").ok());
  EXPECT_EQ(compiled_anew(), before + 1);
  ASSERT_TRUE(set_rule("rule_id: 'y' drop: true").ok());
  EXPECT_EQ(compiled_anew(), before + 1);
}

// ---- Erased

class ErasedRulesTest : public AddedRulesTest {
 protected:
  // Customers with an address each, and what is left to all of them.
  void set_customers(std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
      text += joined("rules { rule_id: '", id_of(i), "' drop: true match { dst_prefix: '10.0.",
                     i / 250, ".", i % 250, "/32' } } ");
    }
    ASSERT_TRUE(set_rules(text + "rules { rule_id: 'rest' pass: true }").ok());
  }
  absl::Status erase(const std::string& id) { return configuration_.delete_rule(id).status(); }
  static Headers packet_to(std::uint8_t third, std::uint8_t fourth) {
    Headers headers;
    headers.ip_version = IpVersion::kV4;
    headers.ether_type = 0x0800;
    headers.dst_address = {10, 0, third, fourth};
    return headers;
  }
};

TEST_F(ErasedRulesTest, OneByOneNoneOfTheOthersIsCompiledAgain) {
  constexpr std::size_t kRules = 2000;
  set_customers(kRules);
  const int before = compiled_anew();
  for (std::size_t i = 0; i < kRules; ++i) {
    const std::size_t at = i * 777 % kRules;  // In no order.
    ASSERT_TRUE(erase(id_of(at)).ok()) << at;
    const auto address =
        packet_to(static_cast<std::uint8_t>(at / 250), static_cast<std::uint8_t>(at % 250));
    ASSERT_EQ(decided(address, 0), kRules) << "the rest has it now";
  }
  EXPECT_EQ(compiled_anew(), before);
  EXPECT_EQ(rule_order(), std::vector<std::string>{"rest"});
  EXPECT_EQ(revision(), kRules + 1);
  merge();
  EXPECT_EQ(engine_.rules()->actions.size(), 1U);
}

TEST_F(ErasedRulesTest, GiveBackTheBuffersOfABucketWithTheLastRule) {
  ASSERT_TRUE(configure({"bucket_id: 'a' capacity: 1 leak_rate: 1",
                         "bucket_id: 'd' capacity: 1 leak_rate: 1"})
                  .ok());
  ASSERT_TRUE(set_rules("rules { rule_id: 'x' bucket_id: 'a' match { dscp: 1 } } "
                        "rules { rule_id: 'y' bucket_id: 'a' match { dscp: 2 } } "
                        "rules { rule_id: 'z' bucket_id: 'd' match { dscp: 3 } } "
                        "default_bucket_id: 'd'")
                  .ok());
  const BucketRef a = buckets_.find("a")->ref();
  const BucketRef d = buckets_.find("d")->ref();
  const int before = compiled_anew();
  ASSERT_TRUE(erase("x").ok());
  EXPECT_THAT(engine_.packet_buckets(), testing::UnorderedElementsAre(a, d));
  ASSERT_TRUE(set_rule("rule_id: 'v' bucket_id: 'a' match { dscp: 4 }").ok());
  ASSERT_TRUE(erase("y").ok());
  EXPECT_THAT(engine_.packet_buckets(), testing::UnorderedElementsAre(a, d));
  ASSERT_TRUE(erase("z").ok());
  EXPECT_THAT(engine_.packet_buckets(), testing::UnorderedElementsAre(a, d)) << "the default's";
  ASSERT_TRUE(erase("v").ok());
  EXPECT_THAT(engine_.packet_buckets(), testing::UnorderedElementsAre(d));
  EXPECT_EQ(compiled_anew(), before);
  EXPECT_TRUE(configuration_.delete_bucket("a", true).ok());
}

TEST_F(ErasedRulesTest, TakeTheirHitsWithThem) {
  ASSERT_TRUE(set_rules("rules { rule_id: 'a' drop: true match { dscp: 1 } } "
                        "rules { rule_id: 'b' drop: true match { dscp: 2 } }")
                  .ok());
  engine_.count_hits(0, 0, 3, 300);
  engine_.count_hits(0, 1, 4, 400);
  ASSERT_TRUE(erase("a").ok());
  EXPECT_EQ(hits("b").packets, 4U);
  ASSERT_TRUE(set_rule("rule_id: 'a' drop: true match { dscp: 1 }").ok());
  EXPECT_EQ(hits("a").packets, 0U) << "another rule";
  engine_.count_hits(1, 2, 7, 700);
  merge();
  EXPECT_EQ(hits("a").packets, 7U);
  EXPECT_EQ(hits("b").packets, 4U);
  EXPECT_EQ(rule_order(), (std::vector<std::string>{"b", "a"}));
}

TEST_F(ErasedRulesTest, AreNothingToTheMovesOfBuckets) {
  ASSERT_TRUE(configure({"bucket_id: 'a' capacity: 1 leak_rate: 1"}).ok());
  ASSERT_TRUE(set_rules("rules { rule_id: 'x' bucket_id: 'a' match { dscp: 1 } } "
                        "rules { rule_id: 'y' bucket_id: 'a' match { dscp: 2 } }")
                  .ok());
  ASSERT_TRUE(erase("x").ok());
  configuration_.with_rules([&](const RuleStore& rules) {
    EXPECT_EQ(rules.bucket_of(0), nullptr);
    EXPECT_EQ(rules.bucket_of(1), buckets_.find("a"));
  });
}

TEST_F(ErasedRulesTest, OfWhichVeryManyComeNextAreCompiledWithAllOthers) {
  set_customers(1000);
  ASSERT_TRUE(set_rule("rule_id: 'first' priority: 9 drop: true").ok());
  merge();
  const int before = compiled_anew();
  ASSERT_TRUE(erase("first").ok());
  EXPECT_EQ(compiled_anew(), before + 1);
  EXPECT_EQ(decided(packet_to(0, 7), 0), 7U);
  ASSERT_TRUE(erase(id_of(7)).ok());
  EXPECT_EQ(compiled_anew(), before + 1);
}

TEST_F(ErasedRulesTest, AreMergedOnceNoneIsErasedAnyMore) {
  set_customers(3);
  ASSERT_TRUE(erase(id_of(1)).ok());
  configuration_.merge_added_rules();
  ASSERT_TRUE(erase(id_of(0)).ok());
  configuration_.merge_added_rules();
  EXPECT_NE(engine_.rules()->base, nullptr) << "one was erased since the last call";
  configuration_.merge_added_rules();
  EXPECT_EQ(engine_.rules()->base, nullptr);
  EXPECT_EQ(engine_.rules()->actions.size(), 2U);
  EXPECT_EQ(revision(), 3U) << "no change of the rules";
}

}  // namespace
}  // namespace drip::control
