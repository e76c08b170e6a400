// SPDX-License-Identifier: BSD-3-Clause
// Rules that are added one by one apply as if all were compiled at once, and at less cost.
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
  int compiled_anew() const { return engine_.swaps - engine_.appends; }
  // All rules have been compiled together.
  void merge() {
    configuration_.merge_added_rules();
    configuration_.merge_added_rules();
    EXPECT_EQ(engine_.rules()->base, nullptr);
  }
};

TEST_F(AddedRulesTest, DecideAsTheLinearSearchWhateverHappensInBetween) {
  for (std::uint32_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomRules random(seed);
    ASSERT_TRUE(set_rules("").ok());
    std::vector<ClassifierRule> rules;
    std::vector<std::string> ids;
    std::size_t with_base = 0;
    for (std::size_t i = 0; i < 150; ++i) {
      const std::uint32_t what = random.below(40);
      if (what == 0 && !rules.empty()) {
        const std::uint32_t at = random.below(static_cast<std::uint32_t>(rules.size()));
        ASSERT_TRUE(configuration_.delete_rule(ids[at]).ok());
        rules.erase(rules.begin() + at);
        ids.erase(ids.begin() + at);
      } else if (what == 1 && !rules.empty()) {
        const std::uint32_t at = random.below(static_cast<std::uint32_t>(rules.size()));
        rules[at] = random.rule();
        set(ids[at], rules[at]);
      } else if (what == 2) {
        configuration_.merge_added_rules();
      } else {
        rules.push_back(random.rule());
        ids.push_back(id_of(i));
        set(ids.back(), rules.back());
      }
      if (engine_.rules()->base != nullptr) ++with_base;
      for (int packet = 0; packet < 10; ++packet) {
        const Headers headers = random.packet();
        const auto ingress = static_cast<std::uint16_t>(random.below(2));
        ASSERT_EQ(decided(headers, ingress), linear_search(rules, headers, ingress))
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

}  // namespace
}  // namespace drip::control
