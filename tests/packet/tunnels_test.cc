// SPDX-License-Identifier: BSD-3-Clause
// The packet behind other headers: plain, doubled, cut short, and what only looks like it.
#include "packet/tunnels.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "packet/header_invariants.h"
#include "packet/packet_kind.h"
#include "support/encapsulate.h"
#include "support/frame_builder.h"

namespace drip {
namespace {

Headers parse(const Bytes& frame) {
  return parse_frame(frame, static_cast<std::uint32_t>(frame.size()));
}

// The innermost packet's headers.
Headers inner_of(const Bytes& frame, bool* found = nullptr) {
  Headers inner;
  const bool is_tunnel =
      parse_inner(frame, static_cast<std::uint32_t>(frame.size()), parse(frame), inner);
  if (found != nullptr) *found = is_tunnel;
  return inner;
}

std::vector<Bytes> customers() {
  return {FrameBuilder()
              .ipv4({.protocol = 6, .dscp = 46, .src = address("198.51.100.7")})
              .ports(40'000, 443)
              .raw(Bytes(60, 0))
              .build(),
          FrameBuilder()
              .ipv6({.next_header = 17, .src = address("2001:db8:7::1")})
              .ports(40'000, 53)
              .raw(Bytes(60, 0))
              .build()};
}

void expect_same_packet(const Headers& headers, const Headers& customer, const std::string& name) {
  EXPECT_EQ(headers.ip_version, customer.ip_version) << name;
  EXPECT_EQ(headers.src_address, customer.src_address) << name;
  EXPECT_EQ(headers.dst_address, customer.dst_address) << name;
  EXPECT_EQ(headers.ip_protocol, customer.ip_protocol) << name;
  EXPECT_EQ(headers.dscp, customer.dscp) << name;
  EXPECT_EQ(headers.src_port, customer.src_port) << name;
  EXPECT_EQ(headers.dst_port, customer.dst_port) << name;
}

TEST(Tunnels, ThePacketIsFoundInEveryEncapsulationAndInEachOfThemInEachOther) {
  std::size_t tunnels = 0;
  for (const Bytes& customer : customers()) {
    for (const Encapsulated& each : encapsulated(customer)) {
      bool found = false;
      expect_same_packet(inner_of(each.frame, &found), parse(customer), each.name);
      EXPECT_EQ(found, each.is_tunnel) << each.name;
      // Without a tunnel the frame's own headers say it.
      if (!each.is_tunnel) expect_same_packet(parse(each.frame), parse(customer), each.name);
      tunnels += static_cast<std::size_t>(each.is_tunnel);
    }
  }
  EXPECT_GT(tunnels, 150U);
}

TEST(Tunnels, PppoeAndMplsKeepTheirEtherType) {
  for (const Encapsulation& each : encapsulations()) {
    const Headers headers = parse(each.wrap(customers()[0]));
    if (std::string(each.name) == "PPPoE") {
      EXPECT_EQ(headers.ether_type, 0x8864);
    }
    if (std::string(each.name) == "MPLS") {
      EXPECT_EQ(headers.ether_type, 0x8847);
    }
    if (std::string(each.name) == "three tags") {
      EXPECT_EQ(headers.vlan_id, 100);
      EXPECT_EQ(headers.inner_vlan_id, 7);
      EXPECT_EQ(headers.ether_type, 0x0800);
    }
  }
}

TEST(Tunnels, ACompressedPppProtocolIsRead) {
  for (const Bytes& customer : customers()) {
    for (const Encapsulation& each : encapsulations()) {
      if (std::string(each.name) != "PPPoE") continue;
      Bytes frame = each.wrap(customer);
      constexpr std::ptrdiff_t kLength = 14 + 4, kProtocol = 14 + 6;
      ASSERT_EQ(frame[kProtocol], 0);
      frame.erase(frame.begin() + kProtocol);
      --frame[kLength + 1];
      expect_same_packet(parse(frame), parse(customer), "compressed");
    }
  }
}

TEST(Tunnels, AFrameThatEndsAnywhereIsReadAsFarAsItGoes) {
  for (const Encapsulated& each : encapsulated(customers()[0])) {
    for (std::size_t size = 0; size <= each.frame.size(); ++size) {
      // On the heap, so that a sanitizer sees a byte read behind the end.
      const Bytes cut(each.frame.begin(), each.frame.begin() + static_cast<std::ptrdiff_t>(size));
      const Headers headers = parse(cut);
      EXPECT_EQ(broken_invariant(headers, cut), nullptr) << each.name << " " << size;
      (void)inner_of(cut);
    }
  }
}

TEST(Tunnels, WhatIsNoTunnelIsItsOwnInnermostPacket) {
  for (const Bytes& frame : sample_frames()) {
    bool found = false;
    const Headers inner = inner_of(frame, &found);
    if (!found) {
      EXPECT_EQ(inner, parse(frame));
    }
  }
  const auto expect_none = [](const Bytes& frame) {
    bool found = true;
    EXPECT_EQ(inner_of(frame, &found), parse(frame));
    EXPECT_FALSE(found);
  };
  const Bytes customer = customers()[0];
  expect_none(in_udp(4789, {0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}));  // Without the I flag.
  expect_none(in_udp(2152, {0x30, 0x1a, 0, 0, 0, 0, 0, 1}));        // No user data.
  expect_none(FrameBuilder().ipv4({.protocol = 47}).raw({0x30, 1, 0x88, 0x0b, 0, 0}).build());
  expect_none(FrameBuilder().ipv4({.protocol = 4, .fragment = 0x2000}).raw(customer).build());
}

TEST(Tunnels, FramesInFramesEnd) {
  Bytes frame = customers()[0];
  for (int i = 0; i < 3 * kMaxTunnels; ++i) frame = encapsulations()[9].wrap(frame);  // VXLAN.
  bool found = false;
  EXPECT_EQ(inner_of(frame, &found).dst_port, 4789);
  EXPECT_TRUE(found);
}

TEST(Tunnels, LabelsAreFollowedByIpOnlyWhereItsLengthFits) {
  const Bytes packet = without_ethernet(customers()[0]);
  const auto labelled = [](const Bytes& payload) {
    return parse(FrameBuilder().be16(0x8847).raw({0, 1, 0x01, 64}).raw(payload).build());
  };
  EXPECT_EQ(labelled(packet).ip_version, IpVersion::kV4);
  Bytes longer = packet;
  longer[2] = 0x7f;
  EXPECT_EQ(labelled(longer).ip_version, IpVersion::kNone);
  // A frame of a pseudowire, whose MAC address begins with 4.
  Bytes bridged = {0x45, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0};
  bridged.insert(bridged.end(), packet.begin(), packet.end());
  EXPECT_EQ(labelled(bridged).ip_version, IpVersion::kNone);
}

TEST(PacketKinds, AreToldApart) {
  const Bytes customer = customers()[0];
  const auto kind = [](const Bytes& frame) { return packet_kind(parse(frame)); };
  EXPECT_EQ(kind(customer), PacketKind::kOther);
  EXPECT_EQ(kind(FrameBuilder().ipv4({.fragment = 0x2000}).raw(Bytes(8, 0)).build()),
            PacketKind::kFragment);
  EXPECT_EQ(kind(FrameBuilder().be16(0x88b5).raw(Bytes(46, 0)).build()), PacketKind::kNonIp);
  for (const Encapsulation& each : encapsulations()) {
    const std::string name = each.name;
    const PacketKind expected = name == "PPPoE" ? PacketKind::kPppoe
                                : name == "MPLS" || name == "Ethernet over MPLS" ? PacketKind::kMpls
                                : each.is_tunnel ? PacketKind::kTunnel
                                                 : PacketKind::kOther;
    EXPECT_EQ(kind(each.wrap(customer)), expected) << name;
  }
}

}  // namespace
}  // namespace drip
