// SPDX-License-Identifier: BSD-3-Clause
// Which packets are one flow, what a flow is called, and how evenly its hash falls.
#include "packet/flow_key.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "support/frame_builder.h"

namespace drip {
namespace {

constexpr FlowTemplateKey kFiveTuple{.kind = FlowKeyKind::kFiveTuple};

FlowKey key_of(const Bytes& frame, FlowTemplateKey flow_template = kFiveTuple) {
  return make_flow_key(parse_frame(frame, static_cast<std::uint32_t>(frame.size())), flow_template);
}

std::string text_of(const Bytes& frame, FlowTemplateKey flow_template = kFiveTuple) {
  return to_text(key_of(frame, flow_template));
}

Bytes udp4(std::uint16_t fragment, std::uint16_t src, std::uint16_t dst) {
  return FrameBuilder().ipv4({.fragment = fragment}).ports(src, dst).raw(Bytes(8, 0)).build();
}

TEST(FlowKey, FiveTupleIsNamedByItsEnds) {
  EXPECT_EQ(text_of(udp4(0, 5000, 80)), "10.0.0.1:5000>10.0.0.2:80/udp");
  EXPECT_EQ(text_of(FrameBuilder().ipv6({.next_header = 6}).ports(5000, 80).build()),
            "[2001:db8::1]:5000>[2001:db8::2]:80/tcp");
  EXPECT_EQ(text_of(FrameBuilder().ipv4({.protocol = 1}).raw({8, 0}).build()),
            "10.0.0.1>10.0.0.2/icmp");
  EXPECT_EQ(text_of(udp4(0, 0, 80)), "10.0.0.1:0>10.0.0.2:80/udp");
  EXPECT_EQ(text_of(FrameBuilder().ipv4({.protocol = 47}).build()), "10.0.0.1>10.0.0.2/47");
}

TEST(FlowKey, FiveTupleTellsEachOfTheFiveApart) {
  const FlowKey base = key_of(udp4(0, 5000, 80));
  EXPECT_EQ(base, key_of(FrameBuilder().tag(0x8100, 9).ipv4({.dscp = 8}).ports(5000, 80).build()));
  EXPECT_NE(base, key_of(udp4(0, 5001, 80)));
  EXPECT_NE(base, key_of(udp4(0, 5000, 81)));
  EXPECT_NE(base, key_of(FrameBuilder().ipv4({.protocol = 6}).ports(5000, 80).build()));
  EXPECT_NE(base,
            key_of(FrameBuilder().ipv4({.src = address("10.0.0.3")}).ports(5000, 80).build()));
  EXPECT_NE(base,
            key_of(FrameBuilder().ipv4({.dst = address("10.0.0.3")}).ports(5000, 80).build()));
}

TEST(FlowKey, PartsOfTheLinkAreAskedFor) {
  constexpr std::uint8_t kAll =
      FlowTemplateKey::kVlan | FlowTemplateKey::kInnerVlan | FlowTemplateKey::kIngressPort;
  const Bytes tagged = FrameBuilder()
                           .tag(0x88a8, 5)
                           .tag(0x8100, 7)
                           .ipv4({})
                           .ports(5000, 80)
                           .raw(Bytes(8, 0))
                           .build();
  const Headers headers = parse_frame(tagged, static_cast<std::uint32_t>(tagged.size()));
  const std::vector<std::string> ports = {"lan", "wan"};
  const auto text = [&](FlowKeyKind kind, std::uint8_t parts) {
    return to_text(make_flow_key(headers, {kind, 32, 128, parts}, {1, tagged}), ports);
  };
  EXPECT_EQ(text(FlowKeyKind::kSource, kAll), "10.0.0.1/32,vlan=5,inner-vlan=7,port=wan");
  EXPECT_EQ(text(FlowKeyKind::kFiveTuple, FlowTemplateKey::kVlan),
            "10.0.0.1:5000>10.0.0.2:80/udp,vlan=5");
  EXPECT_EQ(text(FlowKeyKind::kLink, kAll), "vlan=5,inner-vlan=7,port=wan");
  EXPECT_EQ(text(FlowKeyKind::kSourceMac, 0), "02:00:00:00:00:01");
  EXPECT_EQ(text(FlowKeyKind::kDestinationMac, 0), "02:00:00:00:00:02");
  EXPECT_EQ(text_of(udp4(0, 1, 2), {FlowKeyKind::kLink, 32, 128, FlowTemplateKey::kVlan}),
            "vlan=none");
  // Whatever the packet carries.
  const FlowTemplateKey by_mac{FlowKeyKind::kSourceMac};
  const Bytes ipv6 = FrameBuilder().ipv6({}).build();
  EXPECT_EQ(
      make_flow_key(headers, by_mac, {0, tagged}),
      make_flow_key(parse_frame(ipv6, static_cast<std::uint32_t>(ipv6.size())), by_mac, {0, ipv6}));
}

// Of keys of one packet by two templates, the common part is the same.
TEST(FlowKey, CommonPartsOfTemplates) {
  const std::vector<FlowTemplateKey> templates = {
      {FlowKeyKind::kFiveTuple},
      {FlowKeyKind::kFiveTuple, 32, 128, FlowTemplateKey::kVlan},
      {FlowKeyKind::kSource, 24, 64},
      {FlowKeyKind::kSource, 16, 128, FlowTemplateKey::kVlan},
      {FlowKeyKind::kDestination, 32, 128},
      {FlowKeyKind::kSourceMac},
      {FlowKeyKind::kLink, 32, 128, FlowTemplateKey::kIngressPort}};
  for (const FlowTemplateKey& a : templates) {
    for (const FlowTemplateKey& b : templates) {
      const CommonFlowKey common = common_of({a}, b);
      for (const Bytes& frame : sample_frames()) {
        const Headers headers = parse_frame(frame, static_cast<std::uint32_t>(frame.size()));
        const FlowSource source{1, frame};
        const FlowKey by_a = make_flow_key(headers, a, source);
        const FlowKey by_b = make_flow_key(headers, b, source);
        EXPECT_EQ(common_part(by_a, common), common_part(by_b, common));
        EXPECT_TRUE(is_made_by(by_a, a));
        EXPECT_EQ(is_made_by(by_a, b) && headers.ip_version != IpVersion::kNone,
                  a == b && headers.ip_version != IpVersion::kNone);
      }
    }
  }
  // What there is in common is kept: two networks of one length are told apart.
  const CommonFlowKey common = common_of({templates[2]}, templates[3]);
  EXPECT_EQ(common.key.ipv4_prefix_length, 16);
  EXPECT_FALSE(common.nothing);
  EXPECT_FALSE(common_of({templates[0]}, templates[2]).nothing);
  EXPECT_TRUE(common_of({templates[2]}, templates[4]).nothing);
}

TEST(FlowKey, FragmentsOfADatagramAreOneFlow) {
  const FlowKey first = key_of(udp4(0x2000, 5000, 80));
  EXPECT_EQ(first, key_of(udp4(0x2010, 1, 2)));
  EXPECT_EQ(first, key_of(udp4(0x0020, 3, 4)));
  EXPECT_NE(first, key_of(udp4(0, 5000, 80)));
  EXPECT_EQ(to_text(first), "10.0.0.1>10.0.0.2/udp");

  const auto v6 = [](std::uint16_t offset_and_more, std::uint8_t filling) {
    return FrameBuilder()
        .ipv6({.next_header = 44})
        .fragment(60, offset_and_more)
        .raw(Bytes(24, filling))
        .build();
  };
  EXPECT_EQ(key_of(v6(1, 17)), key_of(v6(24, 99)));
}

TEST(FlowKey, SourceAndDestinationCountSoManyBits) {
  const Bytes frame = udp4(0, 5000, 80);
  EXPECT_EQ(text_of(frame, {.kind = FlowKeyKind::kSource}), "10.0.0.1/32");
  EXPECT_EQ(text_of(frame, {.kind = FlowKeyKind::kDestination}), "10.0.0.2/32");
  EXPECT_EQ(text_of(frame, {FlowKeyKind::kSource, 24, 128}), "10.0.0.0/24");
  EXPECT_EQ(text_of(frame, {FlowKeyKind::kSource, 0, 128}), "0.0.0.0/0");
  EXPECT_EQ(text_of(frame, {FlowKeyKind::kDestination, 31, 128}), "10.0.0.2/31");
  EXPECT_EQ(text_of(frame, {FlowKeyKind::kDestination, 99, 128}), "10.0.0.2/32");
  const Bytes v6 = FrameBuilder().ipv6({.src = address("2001:db8:ffff:ffff::1")}).build();
  EXPECT_EQ(text_of(v6, {FlowKeyKind::kSource, 32, 64}), "2001:db8:ffff:ffff::/64");
  EXPECT_EQ(text_of(v6, {FlowKeyKind::kSource, 32, 45}), "2001:db8:fff8::/45");
  EXPECT_EQ(text_of(v6, {FlowKeyKind::kSource, 32, 255}), "2001:db8:ffff:ffff::1/128");
}

TEST(FlowKey, EveryPrefixLengthKeepsItsBitsAndNoOthers) {
  IpAddress ones;
  ones.fill(0xff);
  for (unsigned length = 0; length <= 128; ++length) {
    const FlowKey key = key_of(FrameBuilder().ipv6({.dst = ones}).build(),
                               {FlowKeyKind::kDestination, 32, static_cast<std::uint8_t>(length)});
    EXPECT_EQ(key.dst_address,
              IpPrefix::of(IpVersion::kV6, ones, static_cast<std::uint8_t>(length)).address());
    EXPECT_EQ(key.src_address, IpAddress{});
    EXPECT_EQ(key.dst_port, 0);
  }
}

TEST(FlowKey, KindsAndVersionsNeverMeet) {
  const Bytes frame = udp4(0, 5000, 80);
  EXPECT_NE(key_of(frame, {FlowKeyKind::kSource, 0, 0}),
            key_of(frame, {FlowKeyKind::kDestination, 0, 0}));
  EXPECT_NE(key_of(frame, {FlowKeyKind::kSource, 0, 0}),
            key_of(FrameBuilder().ipv6({}).build(), {FlowKeyKind::kSource, 0, 0}));
}

TEST(FlowKey, WithoutIpTheLinkAddressesCount) {
  const Bytes arp = FrameBuilder().be16(0x0806).raw(Bytes(28, 1)).build();
  EXPECT_EQ(text_of(arp), "02:00:00:00:00:01>02:00:00:00:00:02/0x0806");
  EXPECT_EQ(text_of(arp, {.kind = FlowKeyKind::kSource}), "02:00:00:00:00:01");
  EXPECT_EQ(text_of(arp, {.kind = FlowKeyKind::kDestination}), "02:00:00:00:00:02");
  // Whole, however many bits of an IP address count.
  EXPECT_EQ(text_of(arp, {FlowKeyKind::kSource, 8, 8}), "02:00:00:00:00:01");
  EXPECT_EQ(key_of(arp, {FlowKeyKind::kSource, 8, 8}), key_of(arp, {FlowKeyKind::kSource, 9, 9}));
  EXPECT_NE(key_of(arp), key_of(FrameBuilder().be16(0x88cc).raw(Bytes(28, 1)).build()));
}

TEST(FlowHash, EveryByteOfAFlowCounts) {
  const FlowKey key = key_of(udp4(0, 5000, 80));
  const FlowHash hash(1);
  for (std::size_t at = 0; at < sizeof(FlowKey); ++at) {
    auto bytes = std::bit_cast<std::array<std::uint8_t, sizeof(FlowKey)>>(key);
    bytes[at] ^= 1;
    const auto other = std::bit_cast<FlowKey>(bytes);
    EXPECT_FALSE(other == key) << "byte " << at;
    EXPECT_NE(hash(other), hash(key)) << "byte " << at;
  }
}

TEST(FlowHash, DependsOnItsKey) {
  const FlowKey key = key_of(udp4(0, 5000, 80));
  EXPECT_EQ(FlowHash(1)(key), FlowHash(1)(key));
  EXPECT_NE(FlowHash(1)(key), FlowHash(2)(key));
  EXPECT_NE(FlowHash()(key), FlowHash()(key)) << "one time in 2^32 this is chance";
}

// Neighbouring flows, which differ in few bits, by the bits that pick a bucket and by the tag's.
TEST(FlowHash, SpreadsNeighboursEvenly) {
  constexpr std::size_t kBins = 1024;
  constexpr double kFlows = 65536;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const FlowHash hash(seed);
    std::vector<double> low(kBins, 0);
    std::vector<double> high(kBins, 0);
    FlowKey key = key_of(udp4(0, 5000, 80));
    for (unsigned flow = 0; flow < 65536; ++flow) {
      key.src_port = static_cast<std::uint16_t>(flow);
      ++low[hash(key) % kBins];
      ++high[hash(key) / (0x100000000ULL / kBins)];
    }
    for (const std::vector<double>& bins : {low, high}) {
      double chi_square = 0;
      for (const double count : bins) {
        chi_square += std::pow(count - kFlows / kBins, 2) / (kFlows / kBins);
      }
      // Five standard deviations above what chance gives; less than chance is as good.
      EXPECT_LT(chi_square, kBins + 5 * std::sqrt(2.0 * kBins)) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace drip
