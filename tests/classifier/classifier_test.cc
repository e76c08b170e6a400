// SPDX-License-Identifier: BSD-3-Clause
// The classifier against the naive search, and its rules of precedence and errors by example.
#include "classifier/classifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "classifier/interval_sets.h"
#include "random_rules.h"
#include "support/frame_builder.h"

namespace drip {
namespace {

using ::testing::HasSubstr;

Headers parse(const Bytes& frame) {
  return parse_frame(frame, static_cast<std::uint32_t>(frame.size()));
}

Classifier build(std::span<const ClassifierRule> rules) { return *Classifier::build(rules); }

void compare_with_linear_search(std::uint32_t seed, std::size_t rule_count, int packets) {
  SCOPED_TRACE(testing::Message() << "seed " << seed << ", " << rule_count << " rules");
  RandomRules random(seed);
  const std::vector<ClassifierRule> rules = random.rules(rule_count);
  const auto classifier = Classifier::build(rules);
  ASSERT_TRUE(classifier.ok()) << classifier.status();
  std::vector<Headers> burst;
  for (int i = 0; i < packets; ++i) burst.push_back(random.packet());
  for (const std::uint16_t ingress : {0, 1, 2}) {
    std::vector<std::uint32_t> decided(burst.size());
    classifier->classify_burst(burst, ingress, decided);
    for (std::size_t i = 0; i < burst.size(); ++i) {
      const std::uint32_t expected = linear_search(rules, burst[i], ingress);
      ASSERT_EQ(classifier->classify(burst[i], ingress), expected) << "packet " << i;
      ASSERT_EQ(decided[i], expected) << "packet " << i << " of the burst";
    }
  }
}

TEST(Classifier, DecidesAsTheLinearSearchFewRules) {
  for (std::uint32_t seed = 0; seed < 2000; ++seed) {
    compare_with_linear_search(seed, seed % 12, 50);
    if (HasFatalFailure()) return;
  }
}

TEST(Classifier, DecidesAsTheLinearSearchManyRules) {
  for (std::uint32_t seed = 0; seed < 60; ++seed) {
    compare_with_linear_search(seed, 20 + 17 * seed, 300);
    if (HasFatalFailure()) return;
  }
}

TEST(Classifier, NumbersRulesAsTheyWereGivenWhateverTheirPriorities) {
  // In the order of priority a rule's rank is its number; in any other order it is looked up.
  constexpr std::uint32_t kRules = 100;
  for (const bool in_order : {true, false}) {
    std::vector<ClassifierRule> rules(kRules);
    std::vector<Headers> burst;
    for (std::uint32_t i = 0; i < kRules; ++i) {
      rules[i].match.dst_prefix =
          IpPrefix::of(IpVersion::kV4, {10, 0, 0, static_cast<std::uint8_t>(i)}, 32);
      rules[i].priority = in_order ? kRules - i : i + 1;
      Headers headers;
      headers.ip_version = IpVersion::kV4;
      headers.dst_address = {10, 0, 0, static_cast<std::uint8_t>(i)};
      burst.push_back(headers);
    }
    burst.push_back(Headers{});
    const Classifier classifier = build(rules);
    std::vector<std::uint32_t> decided(burst.size());
    classifier.classify_burst(burst, 0, decided);
    for (std::uint32_t i = 0; i < kRules; ++i) {
      EXPECT_EQ(decided[i], i) << "in order: " << in_order;
      EXPECT_EQ(classifier.classify(burst[i], 0), i) << "in order: " << in_order;
    }
    EXPECT_EQ(decided[kRules], kNoRule);
  }
}

// Of IPv4 one tuple that tests addresses alone, which bursts are looked up in by a way of its own:
// one rule for all, prefixes of one length, pairs, the address 0, several rules for one address.
TEST(Classifier, FindsAddressesInBurstsAsTheLinearSearch) {
  std::mt19937 random(11);
  struct Lengths {
    int src;
    int dst;
  };
  constexpr std::array<Lengths, 7> kTuples = {
      {{-1, 32}, {32, -1}, {-1, 24}, {30, 31}, {32, 32}, {-1, 0}, {0, 0}}};
  const auto draw = [&random](IpVersion version) {
    Headers headers;
    headers.ip_version = version;
    headers.src_address = {0, 0, static_cast<std::uint8_t>(random() % 3),
                           static_cast<std::uint8_t>(random() % 8)};
    headers.dst_address = {0, 0, static_cast<std::uint8_t>(random() % 3),
                           static_cast<std::uint8_t>(random() % 8)};
    return headers;
  };
  for (int round = 0; round < 700; ++round) {
    const Lengths lengths = kTuples[static_cast<std::size_t>(round) % kTuples.size()];
    std::vector<ClassifierRule> rules(1 + random() % 20);
    for (ClassifierRule& rule : rules) {
      const Headers of = draw(IpVersion::kV4);
      const auto prefix = [](const IpAddress& address, int length) {
        return length < 0
                   ? std::optional<IpPrefix>()
                   : IpPrefix::of(IpVersion::kV4, address, static_cast<std::uint8_t>(length));
      };
      rule.match.src_prefix = prefix(of.src_address, lengths.src);
      rule.match.dst_prefix = prefix(of.dst_address, lengths.dst);
      rule.priority = static_cast<std::int32_t>(random() % 3);
    }
    // Rules for other packets are in other tables.
    if (random() % 2 == 0) rules.emplace_back().match.ether_type = 0x0806;
    if (random() % 2 == 0) rules.emplace_back().match.dst_prefix = *IpPrefix::parse("::/0");
    std::vector<Headers> burst;
    constexpr std::array kVersions = {IpVersion::kV4, IpVersion::kV4, IpVersion::kV6,
                                      IpVersion::kNone};
    for (int i = 0; i < 70; ++i) burst.push_back(draw(kVersions[random() % kVersions.size()]));
    std::vector<std::uint32_t> decided(burst.size());
    build(rules).classify_burst(burst, 0, decided);
    for (std::size_t i = 0; i < burst.size(); ++i) {
      ASSERT_EQ(decided[i], linear_search(rules, burst[i], 0)) << round << ", packet " << i;
    }
  }
}

TEST(Classifier, RandomRulesAndPacketsHaveManyOutcomes) {
  std::size_t few = 0;
  std::size_t none = 0;
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    RandomRules random(seed);
    const Classifier classifier = build(random.rules(200));
    const Classifier small = build(random.rules(4));
    std::set<std::uint32_t> outcomes;
    for (int i = 0; i < 1000; ++i) {
      outcomes.insert(classifier.classify(random.packet(), 0));
      none += static_cast<std::size_t>(small.classify(random.packet(), 0) == kNoRule);
    }
    few += static_cast<std::size_t>(outcomes.size() < 20);
  }
  EXPECT_LT(few, 10);
  EXPECT_GT(none, 20 * 1000 / 4);
}

TEST(Classifier, WithoutRulesNothingFits) {
  RandomRules random(4);
  const Classifier empty;
  const Classifier built = build({});
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(empty.classify(random.packet(), 0), kNoRule);
    EXPECT_EQ(built.classify(random.packet(), 0), kNoRule);
  }
}

TEST(Classifier, AMatchWithoutFieldsMatchesEveryPacket) {
  const Classifier classifier = build(std::vector<ClassifierRule>(1));
  for (const Bytes& frame : sample_frames()) EXPECT_EQ(classifier.classify(parse(frame), 7), 0);
  EXPECT_EQ(classifier.classify(parse({}), 7), 0);
}

TEST(Classifier, TheHighestPriorityAppliesThenTheFirst) {
  std::vector<ClassifierRule> rules(4);
  rules[0].priority = -5;
  rules[1].priority = 3;
  rules[2].priority = 3;
  rules[3].priority = 9;
  rules[3].match.ip_protocol = 6;
  const Classifier classifier = build(rules);
  const Headers udp = parse(FrameBuilder().ipv4({}).ports(1, 2).build());
  const Headers tcp = parse(FrameBuilder().ipv4({.protocol = 6}).ports(1, 2).build());
  EXPECT_EQ(classifier.classify(udp, 0), 1);
  EXPECT_EQ(classifier.classify(tcp, 0), 3);
}

TEST(Classifier, FragmentsOfADatagramMatchOneRule) {
  std::vector<ClassifierRule> rules(2);
  rules[0].priority = 1;
  rules[0].match.dst_port = {0, 0xffff};
  const Classifier classifier = build(rules);
  const Headers whole = parse(FrameBuilder().ipv4({}).ports(5000, 80).build());
  const Headers first = parse(FrameBuilder().ipv4({.fragment = 0x2000}).ports(5000, 80).build());
  const Headers later = parse(FrameBuilder().ipv4({.fragment = 0x0010}).raw(Bytes(8, 0)).build());
  EXPECT_EQ(classifier.classify(whole, 0), 0);
  EXPECT_EQ(classifier.classify(first, 0), 1);
  EXPECT_EQ(classifier.classify(later, 0), 1);
}

TEST(Classifier, FragmentsOfRandomDatagramsMatchOneRule) {
  RandomRules random(5);
  const std::vector<ClassifierRule> rules = random.rules(200);
  const Classifier classifier = build(rules);
  for (int i = 0; i < 2000; ++i) {
    const Headers packet = random.packet();
    if (packet.ip_version != IpVersion::kV4) continue;
    const auto frame = [&](std::uint16_t fragment, std::uint16_t port) {
      return parse(FrameBuilder()
                       .ipv4({.protocol = packet.ip_protocol,
                              .fragment = fragment,
                              .src = packet.src_address,
                              .dst = packet.dst_address})
                       .ports(port, port)
                       .build());
    };
    const std::uint32_t first = classifier.classify(frame(0x2000, 80), 0);
    ASSERT_EQ(first, classifier.classify(frame(0x2001, 443), 0));
    ASSERT_EQ(first, classifier.classify(frame(0x0002, 0), 0));
  }
}

TEST(Classifier, VlanZeroIsATagAndNotItsAbsence) {
  std::vector<ClassifierRule> rules(1);
  rules[0].match.vlan_id = 0;
  const Classifier classifier = build(rules);
  EXPECT_EQ(classifier.classify(parse(FrameBuilder().ipv4({}).ports(1, 2).build()), 0), kNoRule);
  EXPECT_EQ(
      classifier.classify(parse(FrameBuilder().tag(0x8100, 0).ipv4({}).ports(1, 2).build()), 0), 0);
}

TEST(Classifier, AnyPrefixStillAsksForItsVersion) {
  std::vector<ClassifierRule> rules(1);
  rules[0].match.src_prefix = *IpPrefix::parse("0.0.0.0/0");
  const Classifier classifier = build(rules);
  EXPECT_EQ(classifier.classify(parse(FrameBuilder().ipv4({}).build()), 0), 0);
  EXPECT_EQ(classifier.classify(parse(FrameBuilder().ipv6({}).build()), 0), kNoRule);
  EXPECT_EQ(classifier.classify(parse(FrameBuilder().be16(0x0806).build()), 0), kNoRule);
}

// A thousand hosts, and as many port ranges behind one address.
TEST(Classifier, ManyKeysAndManyRanges) {
  std::vector<ClassifierRule> rules;
  for (std::uint16_t i = 0; i < 1000; ++i) {
    ClassifierRule host;
    host.match.src_prefix = IpPrefix::of(
        IpVersion::kV4,
        {10, 1, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i & 0xff)}, 32);
    rules.push_back(host);
    ClassifierRule range;
    range.match.dst_prefix = *IpPrefix::parse("10.0.0.2");
    range.match.dst_port = {static_cast<std::uint16_t>(i * 50),
                            static_cast<std::uint16_t>(i * 50 + 49)};
    rules.push_back(range);
  }
  const Classifier classifier = build(rules);
  for (std::uint16_t i = 0; i < 1000; ++i) {
    const auto port = static_cast<std::uint16_t>(i * 50 + i % 50);
    EXPECT_EQ(classifier.classify(parse(FrameBuilder().ipv4({}).ports(9, port).build()), 0),
              2 * i + 1U);
    const IpAddress src = rules[2 * i].match.src_prefix->address();
    EXPECT_EQ(
        classifier.classify(parse(FrameBuilder().ipv4({.src = src}).ports(9, 65535).build()), 0),
        2 * i);
  }
}

std::string error_of(const Match& match) {
  std::vector<ClassifierRule> rules(2);
  rules[1].match = match;
  const auto classifier = Classifier::build(rules);
  if (classifier.ok()) return "accepted";
  EXPECT_EQ(classifier.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(check_match(match).code(), absl::StatusCode::kInvalidArgument);
  return std::string(classifier.status().message());
}

TEST(Classifier, RejectsWhatNoPacketCanMatchAndNamesIt) {
  EXPECT_EQ(error_of({.vlan_id = 4096}),
            "rule 1: match.vlan_id: 4096 is not allowed; allowed: 0 to 4095");
  EXPECT_THAT(error_of({.inner_vlan_id = 5000}), HasSubstr("match.inner_vlan_id: 5000"));
  EXPECT_THAT(error_of({.dscp = 64}), HasSubstr("match.dscp: 64 is not allowed; allowed: 0 to 63"));
  EXPECT_THAT(error_of({.src_port = PortRange{9, 8}}), HasSubstr("match.src_port: 9-8"));
  EXPECT_THAT(error_of({.dst_port = PortRange{9, 8}}), HasSubstr("match.dst_port: 9-8"));
  EXPECT_THAT(error_of({.ip_protocol = 1, .dst_port = PortRange{8, 8}}),
              HasSubstr("ip_protocol 1"));
  EXPECT_THAT(error_of({.ether_type = 0x05ff}), HasSubstr("match.ether_type: 0x05ff"));
  EXPECT_THAT(error_of({.src_prefix = *IpPrefix::parse("10.0.0.0/8"),
                        .dst_prefix = *IpPrefix::parse("2001:db8::/32")}),
              HasSubstr("match.dst_prefix: 2001:db8::/32"));
  EXPECT_THAT(error_of({.dst_prefix = *IpPrefix::parse("2001:db8::/32"), .ether_type = 0x0800}),
              HasSubstr("match.ether_type: 0x0800"));
  EXPECT_THAT(error_of({.ip_protocol = 17, .ether_type = 0x0806}),
              HasSubstr("match.ether_type: 0x0806"));
  EXPECT_EQ(error_of({.ip_protocol = 17, .ether_type = 0x86dd}), "accepted");
  EXPECT_EQ(error_of({.ether_type = 0x0600}), "accepted");
}

TEST(IntervalSets, FindsTheMembersAroundAPoint) {
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937_64 random(seed);
    // Narrow and wide lines of numbers, with and without a common begin.
    const std::uint64_t mask = seed % 3 == 0 ? 0xff : seed % 3 == 1 ? 0xffffffff : ~0ULL;
    const std::uint64_t common = seed % 3 == 2 && seed % 2 == 0 ? 0x20010db800000000 : 0;
    const auto number = [&] {
      return common != 0 ? common | (random() & 0xffff) << 16 : random() & mask;
    };
    const auto members = static_cast<std::uint32_t>(1 + random() % 130);
    std::vector<Interval> intervals(random() % 200);
    for (Interval& interval : intervals) {
      const std::uint64_t a = number();
      const std::uint64_t b = random() % 4 == 0 ? a : number();
      interval = {std::min(a, b), std::max(a, b), static_cast<std::uint32_t>(random() % members)};
      if (random() % 20 == 0) interval.first = 0;
      if (random() % 20 == 0) interval.last = ~0ULL;
    }
    const IntervalSets sets(intervals, members);
    std::vector<std::uint64_t> points = {0, 1, ~0ULL, ~0ULL - 1};
    for (const Interval& interval : intervals) {
      for (const std::uint64_t end : {interval.first, interval.last}) {
        points.insert(points.end(), {end - 1, end, end + 1});
      }
    }
    for (int i = 0; i < 200; ++i) points.push_back(number());
    for (const std::uint64_t point : points) {
      std::vector<std::uint64_t> expected(sets.word_count(), 0);
      for (const Interval& interval : intervals) {
        if (point < interval.first || point > interval.last) continue;
        expected[interval.member / 64] |= 1ULL << interval.member % 64;
      }
      const std::uint64_t* found = sets.at(point);
      ASSERT_EQ(std::vector<std::uint64_t>(found, found + sets.word_count()), expected) << point;
    }
  }
}

}  // namespace
}  // namespace drip
