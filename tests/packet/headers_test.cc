// SPDX-License-Identifier: BSD-3-Clause
// The parser on well-formed frames, truncated ones and random damage.
#include "packet/headers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>

#include "header_invariants.h"
#include "support/frame_builder.h"

namespace drip {
namespace {

constexpr std::uint8_t kUdp = 17;

Headers parse(const Bytes& frame) {
  return parse_frame(frame, static_cast<std::uint32_t>(frame.size()));
}

// From memory that ends where the bytes do, so that the address sanitizer sees any step beyond.
Headers parse_begin(const Bytes& frame, std::size_t length, std::size_t frame_bytes) {
  const std::unique_ptr<std::uint8_t[]> exact(new std::uint8_t[length]);
  std::copy_n(frame.begin(), length, exact.get());
  return parse_frame({exact.get(), length}, static_cast<std::uint32_t>(frame_bytes));
}

TEST(Headers, ReadsUdpOverIpv4) {
  const Headers headers =
      parse(FrameBuilder().ipv4({.dscp = 46}).ports(5000, 80).raw({0, 8, 0, 0}).build(14));
  EXPECT_EQ(headers.ether_type, 0x0800);
  EXPECT_EQ(headers.vlan_id, kNoVlan);
  EXPECT_EQ(headers.ip_version, IpVersion::kV4);
  EXPECT_EQ(headers.src_address, address("10.0.0.1"));
  EXPECT_EQ(headers.dst_address, address("10.0.0.2"));
  EXPECT_EQ(headers.ip_protocol, kUdp);
  EXPECT_EQ(headers.dscp, 46);
  EXPECT_FALSE(headers.fragment);
  EXPECT_TRUE(headers.ports_valid);
  EXPECT_EQ(headers.src_port, 5000);
  EXPECT_EQ(headers.dst_port, 80);
  EXPECT_EQ(headers.l3_offset, 14);
}

TEST(Headers, OverwritesAllFieldsOfThePreviousFrame) {
  const Bytes full = FrameBuilder()
                         .tag(0x88a8, 7)
                         .tag(0x8100, 8)
                         .ipv6({.dscp = 41})
                         .ports(5000, 443)
                         .raw({0, 8, 0, 0})
                         .build();
  const Bytes icmpv6 = FrameBuilder().ipv6({.next_header = 58}).raw({135, 0, 0, 0}).build();
  const Bytes fragment = FrameBuilder().ipv4({.fragment = 0x2000}).ports(1, 2).build();
  const Bytes frames[] = {full, fragment, icmpv6, full, Bytes{}, full, Bytes(13, 1), icmpv6};
  Headers headers;
  for (const Bytes& frame : frames) {
    parse_frame(frame, static_cast<std::uint32_t>(frame.size()), headers);
    EXPECT_EQ(headers, parse(frame));
  }
}

TEST(Headers, SkipsIpv4Options) {
  const Headers headers =
      parse(FrameBuilder().ipv4({.option_words = 10}).ports(1, 2).raw({0, 8, 0, 0}).build());
  EXPECT_EQ(headers.dst_port, 2);
}

TEST(Headers, ReadsTcpOverIpv6) {
  const Headers headers =
      parse(FrameBuilder().ipv6({.next_header = 6, .dscp = 41}).ports(5000, 443).build());
  EXPECT_EQ(headers.ip_version, IpVersion::kV6);
  EXPECT_EQ(headers.src_address, address("2001:db8::1"));
  EXPECT_EQ(headers.dst_address, address("2001:db8::2"));
  EXPECT_EQ(headers.dscp, 41);
  EXPECT_EQ(headers.dst_port, 443);
}

TEST(Headers, EveryProtocolWithPortsHasPorts) {
  for (unsigned protocol = 0; protocol < 256; ++protocol) {
    const auto number = static_cast<std::uint8_t>(protocol);
    const bool expected =
        protocol == 6 || protocol == 17 || protocol == 33 || protocol == 132 || protocol == 136;
    const Headers headers = parse(FrameBuilder().ipv4({.protocol = number}).ports(7, 8).build());
    EXPECT_EQ(headers.ports_valid, expected) << protocol;
    EXPECT_EQ(headers.src_port, expected ? 7 : 0) << protocol;
    EXPECT_EQ(headers.ip_protocol, protocol);
  }
}

TEST(Headers, ReadsOneAndTwoTagsOfEveryKind) {
  for (const std::uint16_t outer : {0x8100, 0x88a8, 0x9100}) {
    const Headers one = parse(FrameBuilder().tag(outer, 0xe064).ipv4({}).ports(1, 2).build());
    EXPECT_EQ(one.vlan_id, 100);
    EXPECT_EQ(one.inner_vlan_id, kNoVlan);
    EXPECT_EQ(one.dst_port, 2);
    const Headers two =
        parse(FrameBuilder().tag(outer, 0x1fff).tag(0x8100, 0).ipv6({}).ports(1, 2).build());
    EXPECT_EQ(two.vlan_id, 4095);
    EXPECT_EQ(two.inner_vlan_id, 0);
    EXPECT_EQ(two.ether_type, 0x86dd);
    EXPECT_EQ(two.dst_port, 2);
  }
}

TEST(Headers, ReadsFurtherTagsAndStopsAtTheNinth) {
  for (int tags = 3; tags <= 9; ++tags) {
    FrameBuilder frame;
    frame.tag(0x88a8, 1);
    for (int tag = 2; tag <= tags; ++tag) frame.tag(0x8100, static_cast<std::uint16_t>(tag));
    const Headers headers = parse(frame.ipv4({}).ports(1, 2).build());
    const bool read = tags <= 8;
    EXPECT_EQ(headers.ether_type, read ? 0x0800 : 0x8100) << tags;
    EXPECT_EQ(headers.ip_version, read ? IpVersion::kV4 : IpVersion::kNone) << tags;
    // A rule sees the outer two.
    EXPECT_EQ(headers.vlan_id, 1) << tags;
    EXPECT_EQ(headers.inner_vlan_id, 2) << tags;
  }
}

TEST(Headers, FragmentsOfIpv4HaveNoPorts) {
  for (const std::uint16_t fragment : {0x2000, 0x2001, 0x0001, 0x1fff}) {
    const Headers headers =
        parse(FrameBuilder().ipv4({.fragment = fragment}).ports(5000, 80).build());
    EXPECT_TRUE(headers.fragment) << fragment;
    EXPECT_FALSE(headers.ports_valid) << fragment;
    EXPECT_EQ(headers.dst_port, 0) << fragment;
    EXPECT_EQ(headers.ip_protocol, kUdp) << fragment;
  }
  for (const std::uint16_t whole : {0x0000, 0x4000, 0x8000}) {
    EXPECT_TRUE(parse(FrameBuilder().ipv4({.fragment = whole}).ports(1, 2).build()).ports_valid);
  }
}

TEST(Headers, FragmentsOfIpv6HaveNoPortsAndAgreeOnTheProtocol) {
  // The destination options are inside the first fragment only.
  const Headers first = parse(
      FrameBuilder().ipv6({.next_header = 44}).fragment(60, 1).options(kUdp).ports(5, 6).build());
  const Headers later =
      parse(FrameBuilder().ipv6({.next_header = 44}).fragment(60, 16).raw(Bytes(20, 9)).build());
  for (const Headers& headers : {first, later}) {
    EXPECT_TRUE(headers.fragment);
    EXPECT_FALSE(headers.ports_valid);
    EXPECT_EQ(headers.ip_protocol, 60);
  }
}

TEST(Headers, AnAtomicFragmentIsWhole) {
  const Headers headers =
      parse(FrameBuilder().ipv6({.next_header = 44}).fragment(kUdp, 0).ports(5, 6).build());
  EXPECT_FALSE(headers.fragment);
  EXPECT_TRUE(headers.ports_valid);
  EXPECT_EQ(headers.dst_port, 6);
  // RFC 8200, 4.5: the two bits between offset and flag are reserved, and ignored.
  EXPECT_FALSE(parse(FrameBuilder().ipv6({.next_header = 44}).fragment(kUdp, 6).ports(5, 6).build())
                   .fragment);
}

TEST(Headers, SkipsExtensionHeaders) {
  const Headers headers = parse(FrameBuilder()
                                    .ipv6({.next_header = 0})
                                    .options(43)
                                    .options(60, 2)
                                    .options(51, 1)
                                    .authentication(kUdp, 6)
                                    .ports(5000, 53)
                                    .build());
  EXPECT_EQ(headers.ip_protocol, kUdp);
  EXPECT_EQ(headers.dst_port, 53);
}

TEST(Headers, StopsAfterTheMostExtensionHeaders) {
  for (const int count : {kMaxExtensionHeaders, kMaxExtensionHeaders + 1}) {
    FrameBuilder builder;
    builder.ipv6({.next_header = 60});
    for (int i = 1; i < count; ++i) builder.options(60);
    const Headers headers = parse(builder.options(kUdp).ports(1, 2).build());
    const bool read = count == kMaxExtensionHeaders;
    EXPECT_EQ(headers.ports_valid, read);
    EXPECT_EQ(headers.ip_protocol, read ? kUdp : 60);
    EXPECT_EQ(headers.ip_version, IpVersion::kV6);
  }
}

TEST(Headers, AJumbogramDoesNotEndAtItsLengthOfZero) {
  Bytes frame = FrameBuilder().ipv6({.next_header = 0}).options(kUdp).ports(1, 2).build();
  frame[14 + 4] = frame[14 + 5] = 0;
  EXPECT_EQ(parse(frame).dst_port, 2);
}

TEST(Headers, ReadsTypeAndCodeOfIcmp) {
  const Bytes rest = {3, 4, 0, 0};
  const auto expect = [](const Bytes& frame, bool valid) {
    const Headers headers = parse(frame);
    EXPECT_EQ(headers.icmp_valid, valid);
    EXPECT_EQ(headers.icmp_type, valid ? 3 : 0);
    EXPECT_EQ(headers.icmp_code, valid ? 4 : 0);
    EXPECT_FALSE(headers.ports_valid);
  };
  expect(FrameBuilder().ipv6({.next_header = 58}).raw(rest).build(), true);
  expect(FrameBuilder().ipv4({.protocol = 1}).raw(rest).build(), true);
  // Each of the two belongs to one version of IP.
  expect(FrameBuilder().ipv4({.protocol = 58}).raw(rest).build(), false);
  expect(FrameBuilder().ipv6({.next_header = 1}).raw(rest).build(), false);
  expect(FrameBuilder().ipv6({.next_header = 44}).fragment(58, 1).raw(rest).build(), false);
  expect(FrameBuilder().ipv4({.protocol = 1, .fragment = 0x2000}).raw(rest).build(), false);
  expect(FrameBuilder().ipv4({.protocol = 1}).raw({3}).build(), false);
}

TEST(Headers, WithoutIpTheAddressesAreMacAddresses) {
  const Headers headers = parse(FrameBuilder().be16(0x0806).raw(Bytes(28, 1)).build());
  EXPECT_EQ(headers.ip_version, IpVersion::kNone);
  EXPECT_EQ(headers.dst_address, (IpAddress{2, 0, 0, 0, 0, 2}));
  EXPECT_EQ(headers.src_address, (IpAddress{2, 0, 0, 0, 0, 1}));
  EXPECT_EQ(headers.l3_offset, 14);
}

TEST(Headers, AMacAddressIsReadOnceItsLastByteIsThere) {
  const Bytes frame = FrameBuilder().be16(0x88b5).build();
  const IpAddress none{};
  const IpAddress dst{2, 0, 0, 0, 0, 2};
  const IpAddress src{2, 0, 0, 0, 0, 1};
  EXPECT_EQ(parse_begin(frame, 5, 5).dst_address, none);
  EXPECT_EQ(parse_begin(frame, 6, 6).dst_address, dst);
  EXPECT_EQ(parse_begin(frame, 11, 11).src_address, none);
  EXPECT_EQ(parse_begin(frame, 12, 12).src_address, src);
}

TEST(Headers, PortsAreNotReadFromThePadding) {
  const Headers headers = parse(FrameBuilder().ipv4({}).build(26));
  EXPECT_FALSE(headers.ports_valid);
  EXPECT_EQ(headers.ip_protocol, kUdp);
  EXPECT_FALSE(parse(FrameBuilder().ipv6({}).build(26)).ports_valid);
  // Hop-by-hop options alone do not make a jumbogram.
  const Bytes options = FrameBuilder().ipv6({.next_header = 0}).options(kUdp).build(26);
  EXPECT_FALSE(parse(options).ports_valid);
}

TEST(Headers, AMalformedIpv4HeaderKeepsTheFieldsBeforeTheError) {
  const Bytes good = FrameBuilder().ipv4({}).ports(1, 2).build();
  const auto with = [&good](std::size_t at, std::uint8_t value) {
    Bytes frame = good;
    frame[at] = value;
    return parse(frame);
  };
  EXPECT_EQ(with(14, 0x55).ip_version, IpVersion::kNone);
  for (const Headers& headers : {with(14, 0x44), with(14, 0x4f), with(17, 19)}) {
    EXPECT_EQ(headers.src_address, address("10.0.0.1"));
    EXPECT_EQ(headers.ip_protocol, kUdp);
    EXPECT_FALSE(headers.ports_valid);
  }
  // Longer than the frame: a truncated packet whose ports are there.
  EXPECT_EQ(with(16, 5).dst_port, 2);
}

TEST(Headers, Ipv6WithAnotherVersionNumberIsNotIp) {
  Bytes frame = FrameBuilder().ipv6({}).ports(1, 2).build();
  frame[14] = 0x45;
  EXPECT_EQ(parse(frame).ip_version, IpVersion::kNone);
  EXPECT_EQ(parse(frame).src_address, (IpAddress{2, 0, 0, 0, 0, 1}));
}

TEST(Headers, LengthFieldsDoNotExtendTheFrame) {
  Bytes ipv4 = FrameBuilder().ipv4({}).build();
  ipv4[17] = 24;
  EXPECT_FALSE(parse(ipv4).ports_valid);
  Bytes ipv6 = FrameBuilder().ipv6({}).build();
  ipv6[19] = 8;
  EXPECT_FALSE(parse(ipv6).ports_valid);
}

// A field of the truncated frame has the value of the whole frame, or was not read.
template <typename T>
void expect_same_or_unread(const T& shorter, const T& whole, const T& unread, const char* field) {
  EXPECT_TRUE(shorter == whole || shorter == unread) << field;
}

TEST(Headers, EveryTruncationOfAFrameIsParsed) {
  const Headers unread;
  std::size_t number = 0;
  for (const Bytes& frame : sample_frames()) {
    const Headers whole = parse(frame);
    for (std::size_t length = 0; length <= frame.size(); ++length) {
      SCOPED_TRACE(testing::Message() << "frame " << number << ", " << length << " bytes");
      const Headers headers = parse_begin(frame, length, length);
      const std::span<const std::uint8_t> bytes(frame.data(), length);
      EXPECT_EQ(broken_invariant(headers, bytes), nullptr) << broken_invariant(headers, bytes);
      if (headers.ip_version == whole.ip_version && length >= 12) {
        EXPECT_EQ(headers.src_address, whole.src_address);
        EXPECT_EQ(headers.dst_address, whole.dst_address);
      }
      expect_same_or_unread(headers.src_port, whole.src_port, unread.src_port, "src_port");
      expect_same_or_unread(headers.dst_port, whole.dst_port, unread.dst_port, "dst_port");
      expect_same_or_unread(headers.vlan_id, whole.vlan_id, unread.vlan_id, "vlan_id");
      expect_same_or_unread(headers.dscp, whole.dscp, unread.dscp, "dscp");
      expect_same_or_unread(headers.fragment, whole.fragment, unread.fragment, "fragment");
      // Whether the rest is missing or in another segment makes no difference.
      EXPECT_EQ(parse_begin(frame, length, frame.size()), headers);
    }
    ++number;
  }
}

TEST(Headers, RandomDamageBreaksNoInvariant) {
  const std::vector<Bytes> frames = sample_frames();
  std::mt19937 random(2);
  for (int round = 0; round < 200'000; ++round) {
    Bytes frame = frames[random() % frames.size()];
    for (unsigned changes = random() % 4; changes > 0; --changes) {
      frame[random() % frame.size()] = static_cast<std::uint8_t>(random());
    }
    const std::size_t length = random() % 4 == 0 ? random() % (frame.size() + 1) : frame.size();
    const std::size_t frame_bytes = random() % 2 == 0 ? length : length + random() % 2000;
    const Headers headers = parse_begin(frame, length, frame_bytes);
    const char* const broken = broken_invariant(headers, {frame.data(), length});
    ASSERT_EQ(broken, nullptr) << broken << ", round " << round;
  }
}

}  // namespace
}  // namespace drip
