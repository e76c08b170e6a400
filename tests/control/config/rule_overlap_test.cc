// SPDX-License-Identifier: BSD-3-Clause
// What is said to have no packet in common has none, for drawn rules and packets.
#include "control/config/rule_overlap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "classifier/random_rules.h"
#include "control/model/expand_rule.h"

namespace drip::control {
namespace {

// A rule with several prefixes a side, some of them in a list.
class DrawnRules {
 public:
  explicit DrawnRules(std::uint32_t seed) : random_(seed) {}

  RuleSpec rule(const std::string& list) {
    RuleSpec spec;
    const ClassifierRule drawn = random_.rule();
    spec.match = drawn.match;
    spec.match.src_prefix.reset();
    spec.match.dst_prefix.reset();
    spec.match.ingress_port.reset();
    if (random_.below(2) == 0) spec.match.inner = true;
    std::vector<IpPrefix> listed;
    for (std::uint32_t i = random_.below(4); i > 0; --i) {
      const Match other = random_.rule().match;
      if (other.src_prefix) spec.src_prefixes.push_back(*other.src_prefix);
      if (other.dst_prefix) spec.dst_prefixes.push_back(*other.dst_prefix);
      if (other.src_prefix) listed.push_back(*other.src_prefix);
    }
    if (random_.below(3) == 0) {
      sort_prefixes(listed);
      lists[list] = std::make_shared<const std::vector<IpPrefix>>(listed);
      (random_.below(2) == 0 ? spec.src_list : spec.dst_list) = list;
    }
    return spec;
  }
  // Outside of any tunnel, so that `inner` looks at the same headers.
  bool matches(const RuleSpec& rule, const Headers& headers) const {
    const auto in = [&](const std::vector<IpPrefix>& own, const std::string& list,
                        const IpAddress& address) {
      if (own.empty() && list.empty()) return true;
      const auto has = [&](const IpPrefix& prefix) {
        return in_prefix(prefix, headers.ip_version, address);
      };
      return std::ranges::any_of(own, has) ||
             (!list.empty() && std::ranges::any_of(*lists.at(list), has));
    };
    return fits(rule.match, headers, 0) &&
           in(rule.src_prefixes, rule.src_list, headers.src_address) &&
           in(rule.dst_prefixes, rule.dst_list, headers.dst_address);
  }

  RandomRules random_;
  AddressLists lists;
};

TEST(RuleOverlapTest, WhatBothMatchTheCommonPartMatchesAndNothingElseOfTheOther) {
  int together = 0;
  int apart = 0;
  for (std::uint32_t seed = 0; seed < 3000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    DrawnRules drawn(seed);
    const RuleSpec a = drawn.rule("a");
    const RuleSpec b = drawn.rule("b");
    const auto part = common_part(a, b, drawn.lists);
    const bool covers_share = cover_of(a, drawn.lists).overlaps(cover_of(b, drawn.lists));
    EXPECT_EQ(covers_share, cover_of(b, drawn.lists).overlaps(cover_of(a, drawn.lists)));
    if (!part) ++apart;
    for (int i = 0; i < 100; ++i) {
      const Headers headers = drawn.random_.packet();
      const bool in_a = drawn.matches(a, headers);
      if (in_a && drawn.matches(b, headers)) {
        ++together;
        ASSERT_TRUE(covers_share);
        ASSERT_TRUE(part);
        ASSERT_TRUE(drawn.matches(*part, headers));
      }
      if (part && drawn.matches(*part, headers)) {
        ASSERT_TRUE(in_a);
      }
    }
  }
  EXPECT_GT(together, 1000);
  EXPECT_GT(apart, 500);
}

TEST(RuleOverlapTest, ManyAddressesAreApartFromEachOther) {
  const auto at = [](const std::string& prefix) {
    RuleSpec rule;
    rule.src_prefixes = {*IpPrefix::parse(prefix)};
    return cover_of(rule, {});
  };
  EXPECT_FALSE(at("10.0.0.1/32").overlaps(at("10.0.0.2/32")));
  EXPECT_TRUE(at("10.0.0.1/32").overlaps(at("10.0.0.0/24")));
  EXPECT_FALSE(at("2001:db8::/64").overlaps(at("2001:db8:0:1::/64")));
  EXPECT_TRUE(at("2001:db8::1/128").overlaps(at("2001:db8::2/128")))
      << "only the first half counts";
  EXPECT_FALSE(at("0.0.0.0/0").overlaps(at("::/0")));
}

}  // namespace
}  // namespace drip::control
