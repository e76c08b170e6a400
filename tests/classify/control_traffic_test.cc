// SPDX-License-Identifier: BSD-3-Clause
// Which frames go past the shaper, and which that look like them do not.
#include "core/control_traffic.h"

#include <gtest/gtest.h>

#include <set>

#include "frame_builder.h"

namespace drip {
namespace {

constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
// Its remainder by 64 is that of no listed port, so that it does not open the first test for
// others.
constexpr std::uint16_t kOrdinary = 40002;

bool is_control(const Bytes& frame) {
  return is_control_traffic(parse_frame(frame, static_cast<std::uint32_t>(frame.size())), frame);
}

Bytes transport(std::uint8_t protocol, std::uint16_t src, std::uint16_t dst,
                std::uint16_t fragment = 0, const char* to = "10.0.0.2") {
  return FrameBuilder()
      .ipv4({.protocol = protocol, .fragment = fragment, .dst = address(to)})
      .ports(src, dst)
      .raw(Bytes(16, 0))
      .build();
}

TEST(ControlTraffic, KnowsEtherTypes) {
  const std::set<unsigned> expected = {0x0806, 0x8809, 0x888e, 0x88cc, 0x88f7};
  for (unsigned type = 0x0600; type <= 0xffff; ++type) {
    const auto number = static_cast<std::uint16_t>(type);
    EXPECT_EQ(is_control(FrameBuilder().be16(number).raw(Bytes(46, 0)).build()),
              expected.contains(type))
        << std::hex << type;
  }
  EXPECT_TRUE(is_control(FrameBuilder().tag(0x8100, 5).be16(0x0806).raw(Bytes(28, 0)).build()));
}

TEST(ControlTraffic, KnowsIpProtocols) {
  const std::set<unsigned> expected = {2, 46, 88, 89, 103, 112};
  for (unsigned protocol = 0; protocol < 256; ++protocol) {
    const auto number = static_cast<std::uint8_t>(protocol);
    EXPECT_EQ(is_control(transport(number, 0, 0)), expected.contains(protocol)) << protocol;
    // A protocol is known in a fragment as well.
    EXPECT_EQ(is_control(transport(number, 0, 0, 0x2000)), expected.contains(protocol)) << protocol;
  }
}

TEST(ControlTraffic, KnowsIcmpv6Types) {
  const std::set<unsigned> expected = {130, 131, 132, 133, 134, 135, 136, 137, 143};
  for (unsigned type = 0; type < 256; ++type) {
    const Bytes rest = {static_cast<std::uint8_t>(type), 0, 0, 0};
    EXPECT_EQ(is_control(FrameBuilder().ipv6({.next_header = 58}).raw(rest).build()),
              expected.contains(type))
        << type;
    EXPECT_FALSE(
        is_control(FrameBuilder().ipv6({.next_header = 44}).fragment(58, 1).raw(rest).build()));
  }
  // MLD comes behind a router alert.
  EXPECT_TRUE(
      is_control(FrameBuilder().ipv6({.next_header = 0}).options(58).raw({143, 0, 0, 0}).build()));
}

TEST(ControlTraffic, KnowsDestinationPorts) {
  const std::set<unsigned> tcp = {179, 646};
  const std::set<unsigned> udp = {520, 521, 646, 3784, 3785, 4784, 6784};
  const std::set<unsigned> udp_groups = {520, 521, 646, 1985, 2029, 3222, 3784, 3785, 4784, 6784};
  for (unsigned port = 0; port <= 0xffff; ++port) {
    const auto number = static_cast<std::uint16_t>(port);
    EXPECT_EQ(is_control(transport(kTcp, kOrdinary, number)), tcp.contains(port)) << port;
    EXPECT_EQ(is_control(transport(kTcp, number, kOrdinary)), tcp.contains(port)) << port;
    EXPECT_EQ(is_control(transport(kUdp, kOrdinary, number)), udp.contains(port)) << port;
    EXPECT_FALSE(is_control(transport(kUdp, number, kOrdinary))) << port;
    EXPECT_EQ(is_control(transport(kUdp, kOrdinary, number, 0, "224.0.0.2")),
              udp_groups.contains(port))
        << port;
    EXPECT_FALSE(is_control(transport(132, number, number))) << port;
  }
}

TEST(ControlTraffic, KnowsTheGroupsOfHsrpForIpv6) {
  const auto to = [](const char* dst) {
    return FrameBuilder().ipv6({.dst = address(dst)}).ports(2029, 2029).raw(Bytes(8, 0)).build();
  };
  EXPECT_TRUE(is_control(to("ff02::66")));
  EXPECT_FALSE(is_control(to("2001:db8::2")));
}

TEST(ControlTraffic, FragmentsNeverCountByPort) {
  for (const std::uint16_t fragment : {0x2000, 0x2010, 0x0010}) {
    EXPECT_FALSE(is_control(transport(kTcp, kOrdinary, 179, fragment)));
    EXPECT_FALSE(is_control(transport(kUdp, kOrdinary, 3784, fragment)));
  }
}

TEST(ControlTraffic, KnowsBridgeAndCiscoGroups) {
  const auto to = [](std::initializer_list<std::uint8_t> mac) {
    return is_control(FrameBuilder().dst_mac(mac).be16(38).raw(Bytes(46, 0)).build());
  };
  for (std::uint8_t last = 0; last < 16; ++last) EXPECT_TRUE(to({1, 0x80, 0xc2, 0, 0, last}));
  EXPECT_FALSE(to({1, 0x80, 0xc2, 0, 0, 16}));
  EXPECT_FALSE(to({0, 0x80, 0xc2, 0, 0, 0}));
  EXPECT_TRUE(to({1, 0, 0x0c, 0xcc, 0xcc, 0xcc}));
  EXPECT_TRUE(to({1, 0, 0x0c, 0xcc, 0xcc, 0xcd}));
  EXPECT_FALSE(to({1, 0, 0x0c, 0xcc, 0xcc, 0xce}));
}

TEST(ControlTraffic, KnowsIsIs) {
  EXPECT_TRUE(is_control(FrameBuilder().be16(60).raw({0xfe, 0xfe, 3, 0x83}).build(40)));
  EXPECT_TRUE(
      is_control(FrameBuilder().tag(0x8100, 4).be16(60).raw({0xfe, 0xfe, 3, 0x83}).build(40)));
  EXPECT_FALSE(is_control(FrameBuilder().be16(60).raw({0xaa, 0xaa, 3, 0x83}).build(40)));
  EXPECT_FALSE(is_control(FrameBuilder().be16(0x0900).raw({0xfe, 0xfe, 3, 0x83}).build(40)));
  EXPECT_FALSE(is_control(FrameBuilder().be16(60).raw({0xfe, 0xfe}).build()));
}

TEST(ControlTraffic, NothingAndOrdinaryTrafficDoNotCount) {
  EXPECT_FALSE(is_control({}));
  EXPECT_FALSE(is_control(Bytes(5, 1)));
  EXPECT_FALSE(is_control(transport(kTcp, 5000, 443)));
  EXPECT_FALSE(is_control(FrameBuilder().ipv6({.next_header = 58}).raw({128, 0}).build()));
}

}  // namespace
}  // namespace drip
