// SPDX-License-Identifier: BSD-3-Clause
// Rules that test MAC addresses, TCP flags, ICMP and inner headers, against the naive search; what
// such rules allow; rules that stand for several matches.
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "classifier/classifier.h"
#include "classifier/mismatch.h"
#include "packet/tunnels.h"
#include "random_rules.h"
#include "support/encapsulate.h"
#include "support/frame_builder.h"

namespace drip {
namespace {

// A frame, and what the naive search needs to know of it.
struct Sample {
  Bytes frame;
  Headers headers;
  Headers inner;
  std::uint8_t tcp_flags = 0;
  std::uint8_t src_mac = 0;  // Its last byte.
  std::uint8_t dst_mac = 0;
};

std::uint8_t low_byte(std::uint32_t value) { return static_cast<std::uint8_t>(value); }

Bytes frame_of(RandomRules& random, std::uint8_t& tcp_flags) {
  const Headers headers = random.packet();
  FrameBuilder builder;
  if (headers.ip_version == IpVersion::kNone) {
    return builder.be16(headers.ether_type).raw(Bytes(46, 0)).build();
  }
  const bool is_icmp = random.below(4) == 0;
  const bool is_ipv4 = headers.ip_version == IpVersion::kV4;
  const std::uint8_t icmp = is_ipv4 ? 1 : 58;
  const std::uint8_t protocol = is_icmp ? icmp : headers.ip_protocol;
  if (is_ipv4) {
    builder.ipv4({.protocol = protocol,
                  .dscp = headers.dscp,
                  .fragment = static_cast<std::uint16_t>(headers.fragment ? 0x2000 : 0),
                  .src = headers.src_address,
                  .dst = headers.dst_address});
  } else {
    builder.ipv6({.next_header = protocol,
                  .dscp = headers.dscp,
                  .src = headers.src_address,
                  .dst = headers.dst_address});
  }
  if (is_icmp) {
    builder.raw({low_byte(random.below(3)), low_byte(random.below(3)), 0, 0});
  } else {
    tcp_flags = low_byte(random.below(8));
    builder.ports(headers.src_port, headers.dst_port).raw(Bytes(9, 0)).raw({tcp_flags});
  }
  return builder.raw(Bytes(40, 0)).build();
}

Sample sample(RandomRules& random) {
  Sample result;
  result.frame = frame_of(random, result.tcp_flags);
  const std::vector<Encapsulation> ways = encapsulations();
  for (std::uint32_t depth = random.below(3); depth > 0; --depth) {
    const Encapsulation& way = ways[random.below(static_cast<std::uint32_t>(ways.size()))];
    if (!way.takes_ip || carries_ip(result.frame)) result.frame = way.wrap(result.frame);
  }
  result.dst_mac = low_byte(random.below(3));
  result.src_mac = low_byte(random.below(3));
  result.frame[5] = result.dst_mac;
  result.frame[11] = result.src_mac;
  const auto size = static_cast<std::uint32_t>(result.frame.size());
  result.headers = parse_frame(result.frame, size);
  parse_inner(result.frame, size, result.headers, result.inner);
  return result;
}

ClassifierRule deep_rule(RandomRules& random) {
  ClassifierRule rule = random.rule();
  Match& match = rule.match;
  match.inner = random.below(3) == 0;
  const bool has_ports = match.src_port || match.dst_port;
  const bool may_be_ip = !match.ether_type || *match.ether_type == 0x0800;
  if (may_be_ip && random.below(4) == 0 && match.ip_protocol.value_or(6) == 6) {
    const std::uint8_t mask = low_byte(1 + random.below(7));
    match.tcp_flags = TcpFlags{low_byte(random.below(8) & mask), mask};
  } else if (may_be_ip && random.below(4) == 0 && !has_ports &&
             match.ip_protocol.value_or(1) == 1) {
    match.icmp_type = low_byte(random.below(3));
    if (random.below(2) == 0) match.icmp_code = low_byte(random.below(3));
  }
  const auto mac = [&]() -> std::optional<MacPrefix> {
    if (random.below(4) != 0) return std::nullopt;
    if (random.below(3) == 0) return MacPrefix{std::uint64_t{2} << 40, 46};
    return MacPrefix{std::uint64_t{2} << 40 | random.below(3), 48};
  };
  match.src_mac = mac();
  match.dst_mac = mac();
  return rule;
}

bool fits_mac(const std::optional<MacPrefix>& mac, std::uint8_t last) {
  return !mac || mac->length == 46 || (mac->address & 0xff) == last;
}

bool fits_deeply(const Match& match, const Sample& sample, std::uint16_t ingress) {
  const Headers& headers = match.inner ? sample.inner : sample.headers;
  if (!fits(match, headers, ingress)) return false;
  if (!fits_mac(match.src_mac, sample.src_mac) || !fits_mac(match.dst_mac, sample.dst_mac)) {
    return false;
  }
  if (match.tcp_flags) {
    if (headers.ip_protocol != 6 || !headers.ports_valid) return false;
    if ((sample.tcp_flags & match.tcp_flags->mask) != match.tcp_flags->set) return false;
  }
  if (match.icmp_type && (!headers.icmp_valid || headers.icmp_type != *match.icmp_type)) {
    return false;
  }
  return !match.icmp_code || headers.icmp_code == *match.icmp_code;
}

TEST(DeepRules, AreDecidedAsTheLinearSearchDoes) {
  std::size_t deep = 0;
  std::size_t matched = 0;
  for (std::uint32_t seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomRules random(seed);
    std::vector<ClassifierRule> rules;
    for (std::uint32_t i = 0; i < 1 + seed; ++i) rules.push_back(deep_rule(random));
    const auto classifier = Classifier::build(rules);
    ASSERT_TRUE(classifier.ok()) << classifier.status();
    deep += static_cast<std::size_t>(classifier->looks_deeper());
    for (int i = 0; i < 60; ++i) {
      const Sample packet = sample(random);
      const auto ingress = static_cast<std::uint16_t>(random.below(3));
      std::uint32_t best = kNoRule;
      const ExaminedFrame examined(packet.frame, ingress);
      for (std::uint32_t rule = 0; rule < rules.size(); ++rule) {
        const bool fits = fits_deeply(rules[rule].match, packet, ingress);
        const std::optional<Mismatch> mismatch = find_mismatch(rules[rule].match, examined);
        ASSERT_EQ(mismatch.has_value(), !fits)
            << "packet " << i << ", rule " << rule << ": " << (mismatch ? mismatch->why : "fits");
        if (!fits) continue;
        if (best == kNoRule || rules[rule].priority > rules[best].priority) best = rule;
      }
      ASSERT_EQ(classifier->classify(packet.headers, ingress, packet.frame,
                                     static_cast<std::uint32_t>(packet.frame.size())),
                best)
          << "packet " << i;
      matched += static_cast<std::size_t>(best != kNoRule);
    }
  }
  EXPECT_GT(deep, 140U);
  EXPECT_GT(matched, 2000U);
}

// Of addresses that are not there no bit is known, not even that it is 0.
TEST(DeepRules, AFrameThatIsTooShortForItsAddressesMatchesNone) {
  for (const bool is_src : {true, false}) {
    std::vector<ClassifierRule> rules(1);
    (is_src ? rules[0].match.src_mac : rules[0].match.dst_mac) = MacPrefix{0, 1};
    const Classifier classifier = *Classifier::build(rules);
    for (std::uint32_t size = 0; size < 20; ++size) {
      const Bytes frame(size, 0);
      const std::uint32_t expected = size < 12 ? kNoRule : 0;
      EXPECT_EQ(classifier.classify(parse_frame(frame, size), 0, frame, size), expected) << size;
      EXPECT_EQ(find_mismatch(rules[0].match, ExaminedFrame(frame, 0)).has_value(), size < 12)
          << size;
    }
  }
}

TEST(Mismatch, NamesTheFieldAndBothValues) {
  const Bytes frame = FrameBuilder()
                          .ipv4({.protocol = 6,
                                 .dscp = 10,
                                 .src = address("192.0.2.1"),
                                 .dst = address("198.51.100.7")})
                          .ports(1000, 443)
                          .raw(Bytes(9, 0))
                          .raw({0x12})
                          .raw(Bytes(20, 0))
                          .build();
  const ExaminedFrame examined(frame, 1);
  const auto why = [&](const auto& set) {
    Match match;
    set(match);
    const auto mismatch = find_mismatch(match, examined);
    return mismatch ? std::string(mismatch->field) + ": " + mismatch->why : "";
  };
  EXPECT_EQ(why([](Match&) {}), "");
  EXPECT_EQ(why([](Match& m) { m.src_prefix = *IpPrefix::parse("192.0.2.0/24"); }), "");
  EXPECT_EQ(why([](Match& m) { m.dst_prefix = *IpPrefix::parse("192.0.2.0/24"); }),
            "dst_prefix: 198.51.100.7 is not in 192.0.2.0/24");
  EXPECT_EQ(why([](Match& m) { m.src_prefix = *IpPrefix::parse("2001:db8::/32"); }),
            "src_prefix: 192.0.2.1 is not in 2001:db8::/32");
  EXPECT_EQ(why([](Match& m) { m.ip_protocol = 17; }), "ip_protocol: 6 is not 17");
  EXPECT_EQ(why([](Match& m) { m.dscp = 46; }), "dscp: 10 is not 46");
  EXPECT_EQ(why([](Match& m) { m.dst_port = PortRange{80, 80}; }), "dst_port: 443 is not 80");
  EXPECT_EQ(why([](Match& m) { m.src_port = PortRange{1, 9}; }), "src_port: 1000 is not in 1-9");
  EXPECT_EQ(why([](Match& m) { m.vlan_id = 5; }), "vlan_id: the frame has no such tag");
  EXPECT_EQ(why([](Match& m) { m.ingress_port = 0; }), "ingress_port: it came by another port");
  EXPECT_EQ(why([](Match& m) { m.ether_type = 0x0806; }), "ether_type: 0x0800 is not 0x0806");
  EXPECT_EQ(why([](Match& m) { m.icmp_type = 3; }), "icmp_type: the packet is not ICMP");
  EXPECT_EQ(why([](Match& m) {
              m.tcp_flags = TcpFlags{0x02, 0x12};
            }),
            "tcp_flags: of the bits 0x12 it has 0x12, not 0x02");
  EXPECT_EQ(why([](Match& m) {
              m.src_mac = MacPrefix{std::uint64_t{4} << 40, 8};
            }),
            "src_mac: 02:00:00:00:00:01 is not 04:00:00:00:00:00/8");
}

TEST(DeepRules, ACustomerIsFoundInEveryEncapsulation) {
  std::vector<ClassifierRule> rules(1);
  rules[0].match.inner = true;
  rules[0].match.src_prefix = *IpPrefix::parse("198.51.100.0/24");
  const Classifier classifier = *Classifier::build(rules);
  const auto decided = [&](const Bytes& frame) {
    const auto size = static_cast<std::uint32_t>(frame.size());
    return classifier.classify(parse_frame(frame, size), 0, frame, size);
  };
  const Bytes frame =
      FrameBuilder().ipv4({.src = address("198.51.100.7")}).ports(1, 2).raw(Bytes(40, 0)).build();
  const Bytes other =
      FrameBuilder().ipv4({.src = address("198.51.101.7")}).ports(1, 2).raw(Bytes(40, 0)).build();
  EXPECT_EQ(decided(frame), 0U);
  EXPECT_EQ(decided(other), kNoRule);
  for (const Encapsulated& each : encapsulated(frame))
    EXPECT_EQ(decided(each.frame), 0U) << each.name;
  for (const Encapsulated& each : encapsulated(other)) {
    EXPECT_EQ(decided(each.frame), kNoRule) << each.name;
  }
}

TEST(DeepRules, WhatNoPacketCanBeIsRefused) {
  const auto refused = [](auto change) {
    Match match;
    change(match);
    return !check_match(match).ok();
  };
  EXPECT_TRUE(refused([](Match& match) { match.icmp_code = 1; }));
  EXPECT_TRUE(refused([](Match& match) {
    match.icmp_type = 1;
    match.ip_protocol = 6;
  }));
  EXPECT_TRUE(refused([](Match& match) {
    match.icmp_type = 1;
    match.dst_port = PortRange{1, 2};
  }));
  EXPECT_TRUE(refused([](Match& match) {
    match.tcp_flags = TcpFlags{1, 1};
    match.ip_protocol = 17;
  }));
  EXPECT_TRUE(refused([](Match& match) { match.tcp_flags = TcpFlags{3, 1}; }));
  EXPECT_TRUE(refused([](Match& match) {
    match.icmp_type = 1;
    match.ether_type = 0x0806;
  }));
  EXPECT_FALSE(refused([](Match& match) {
    match.src_prefix = *IpPrefix::parse("10.0.0.0/8");
    match.ether_type = 0x8864;
  }));
}

TEST(SeveralMatches, StandForOneRule) {
  // Rules 0 and 1, of two matches each.
  std::vector<ClassifierRule> rules;
  for (const char* const prefix : {"10.0.0.0/8", "2001:db8::/32", "192.0.2.0/24", "10.1.0.0/16"}) {
    ClassifierRule& rule = rules.emplace_back();
    rule.match.src_prefix = *IpPrefix::parse(prefix);
    rule.result = static_cast<std::uint32_t>(rules.size() - 1) / 2;
  }
  rules[3].priority = 1;
  const Classifier classifier = *Classifier::build(rules);
  const auto decided = [&](const char* from) {
    Headers headers;
    headers.ip_version = std::string_view(from).find(':') == std::string_view::npos
                             ? IpVersion::kV4
                             : IpVersion::kV6;
    headers.src_address = address(from);
    return classifier.classify(headers, 0);
  };
  EXPECT_EQ(decided("10.9.0.1"), 0U);
  EXPECT_EQ(decided("2001:db8::1"), 0U);
  EXPECT_EQ(decided("192.0.2.9"), 1U);
  EXPECT_EQ(decided("10.1.0.1"), 1U);
  EXPECT_EQ(decided("172.16.0.1"), kNoRule);
}

}  // namespace
}  // namespace drip
