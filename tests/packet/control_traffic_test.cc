// SPDX-License-Identifier: BSD-3-Clause
// Which frames go past the shaper, and which that look like them do not.
#include "packet/control_traffic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "support/frame_builder.h"

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
  const std::set<unsigned> expected = {0x0806, 0x8809, 0x8863, 0x888e, 0x88cc, 0x88f7, 0x8902};
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

TEST(ControlTraffic, KnowsFragmentationNeeded) {
  for (unsigned type = 0; type < 256; ++type) {
    for (unsigned code = 0; code < 16; ++code) {
      const Bytes rest = {static_cast<std::uint8_t>(type), static_cast<std::uint8_t>(code), 0, 0};
      EXPECT_EQ(is_control(FrameBuilder().ipv4({.protocol = 1}).raw(rest).build()),
                type == 3 && code == 4)
          << type << " " << code;
      EXPECT_FALSE(
          is_control(FrameBuilder().ipv4({.protocol = 1, .fragment = 0x2000}).raw(rest).build()));
    }
  }
}

TEST(ControlTraffic, KnowsPppBehindPppoe) {
  const auto session = [](std::uint16_t version_and_code, std::uint16_t protocol) {
    return FrameBuilder()
        .be16(0x8864)
        .be16(version_and_code)
        .be16(5)
        .be16(6)
        .be16(protocol)
        .raw(Bytes(4, 0))
        .build();
  };
  for (const std::uint16_t protocol : {0xc021, 0xc023, 0xc223, 0xc227, 0x8021, 0x8057, 0x80fd}) {
    EXPECT_TRUE(is_control(session(0x1100, protocol))) << std::hex << protocol;
  }
  EXPECT_FALSE(is_control(session(0x1100, 0x0021)));
  EXPECT_FALSE(is_control(session(0x1100, 0x0057)));
  EXPECT_FALSE(is_control(session(0x1109, 0xc021)));
  EXPECT_FALSE(is_control(session(0x2100, 0xc021)));
  Bytes cut = session(0x1100, 0xc021);
  cut.resize(21);
  EXPECT_FALSE(is_control(cut));
}

TEST(ControlTraffic, KnowsIcmpv6Types) {
  const std::set<unsigned> expected = {2, 130, 131, 132, 133, 134, 135, 136, 137, 143};
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
  const std::set<unsigned> udp = {67, 68, 520, 521, 646, 3784, 3785, 4784, 6696, 6784};
  std::set<unsigned> udp_groups = udp;
  udp_groups.insert({1985, 2029, 3222});
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

TEST(ControlTraffic, EachDhcpHasItsIpVersion) {
  const auto ipv6 = [](std::uint16_t port) {
    return FrameBuilder().ipv6({}).ports(kOrdinary, port).raw(Bytes(8, 0)).build();
  };
  for (const std::uint16_t port : {546, 547}) {
    EXPECT_TRUE(is_control(ipv6(port)));
    EXPECT_FALSE(is_control(transport(kUdp, kOrdinary, port)));
  }
  for (const std::uint16_t port : {67, 68}) {
    EXPECT_FALSE(is_control(ipv6(port)));
    EXPECT_TRUE(is_control(transport(kUdp, kOrdinary, port)));
  }
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

TEST(ControlTraffic, EmptyFramesAndDataTrafficAreNot) {
  EXPECT_FALSE(is_control({}));
  EXPECT_FALSE(is_control(Bytes(5, 1)));
  EXPECT_FALSE(is_control(transport(kTcp, 5000, 443)));
  EXPECT_FALSE(is_control(FrameBuilder().ipv6({.next_header = 58}).raw({128, 0}).build()));
}

// ---- Sets of protocols

ControlProtocols parsed(const std::vector<std::string>& entries) {
  return ControlProtocols::parse("f", entries).value();
}

TEST(ControlProtocols, NamesAreInOrderAndEachHasItsOwnBit) {
  ControlProtocols set;
  for (const ControlProtocolName& each : kControlProtocolNames) {
    EXPECT_FALSE(set.contains(each.protocol)) << each.name;
    set.add(each.protocol);
    EXPECT_FALSE(each.about.empty());
  }
  EXPECT_EQ(set, ControlProtocols::all());
  EXPECT_TRUE(std::ranges::is_sorted(kControlProtocolNames, {}, &ControlProtocolName::name));
}

TEST(ControlProtocols, EntriesChangeTheWholeSetOneAfterTheOther) {
  EXPECT_EQ(parsed({}), ControlProtocols::all());
  EXPECT_EQ(parsed({"none"}), ControlProtocols::none());
  ControlProtocols without_dhcp = ControlProtocols::all();
  without_dhcp.remove(ControlProtocol::kDhcp);
  EXPECT_EQ(parsed({"-dhcp"}), without_dhcp);
  EXPECT_EQ(parsed({"-dhcp", "-arp", "arp"}), without_dhcp);
  ControlProtocols two;
  two.add(ControlProtocol::kArp);
  two.add(ControlProtocol::kBgp);
  EXPECT_EQ(parsed({"-ospf", "none", "bgp", "arp"}), two);
}

TEST(ControlProtocols, EntriesReadBack) {
  for (const std::vector<std::string>& entries :
       std::vector<std::vector<std::string>>{{}, {"none"}, {"-arp", "-vrrp"}, {"none", "bgp"}}) {
    EXPECT_EQ(parsed(entries).entries(), entries);
  }
}

TEST(ControlProtocols, AnUnknownNameIsRefusedWithThoseThatThereAre) {
  const std::vector<std::string> entries = {"-arp", "-dns"};
  const auto status = ControlProtocols::parse("control_protocols", entries).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  const std::string text(status.message());
  EXPECT_TRUE(text.starts_with("control_protocols[1]: \"-dns\" is not allowed: none, or a name"))
      << text;
  EXPECT_NE(text.find("too-big"), std::string::npos);
}

// Without a protocol in the set its frames are data, and no others become so.
TEST(ControlProtocols, DecideWhatIsControlTraffic) {
  const std::vector<std::pair<ControlProtocol, Bytes>> frames = {
      {ControlProtocol::kArp, FrameBuilder().be16(0x0806).raw(Bytes(46, 0)).build()},
      {ControlProtocol::kBridge, FrameBuilder().dst_mac({1, 0x80, 0xc2, 0, 0, 0}).be16(38).build()},
      {ControlProtocol::kCdp,
       FrameBuilder().dst_mac({1, 0, 0x0c, 0xcc, 0xcc, 0xcc}).be16(38).build()},
      {ControlProtocol::kPvst,
       FrameBuilder().dst_mac({1, 0, 0x0c, 0xcc, 0xcc, 0xcd}).be16(38).build()},
      {ControlProtocol::kIsIs, FrameBuilder().be16(60).raw({0xfe, 0xfe, 3, 0x83}).build(40)},
      {ControlProtocol::kPppoe, FrameBuilder().be16(0x8863).raw(Bytes(46, 0)).build()},
      {ControlProtocol::kPpp,
       FrameBuilder().be16(0x8864).raw({0x11, 0, 0, 1, 0, 6, 0xc0, 0x21, 9, 1}).build()},
      {ControlProtocol::kOspf, transport(89, 0, 0)},
      {ControlProtocol::kBgp, transport(kTcp, 179, kOrdinary)},
      {ControlProtocol::kDhcp, transport(kUdp, 68, 67)},
      {ControlProtocol::kTooBig, FrameBuilder().ipv4({.protocol = 1}).raw({3, 4, 0, 0}).build()},
      {ControlProtocol::kNeighbor,
       FrameBuilder().ipv6({.next_header = 58}).raw({135, 0, 0, 0}).build()},
  };
  for (const auto& [protocol, frame] : frames) {
    const Headers headers = parse_frame(frame, static_cast<std::uint32_t>(frame.size()));
    for (const ControlProtocolName& removed : kControlProtocolNames) {
      ControlProtocols set = ControlProtocols::all();
      set.remove(removed.protocol);
      EXPECT_EQ(is_control_traffic(headers, frame, set), removed.protocol != protocol)
          << removed.name;
    }
    EXPECT_FALSE(is_control_traffic(headers, frame, ControlProtocols::none()));
  }
}

// ---- The filter before the list

// Every port beside the listed ones and those that share the lowest six or twelve bits with one.
std::vector<std::uint16_t> ports_near_listed() {
  std::set<unsigned> ports = {0, 1, 443, 4096, kOrdinary, 0xffff};
  for (const ControlPort& entry : kControlPorts) {
    for (const unsigned distance : {0U, 1U, 64U, 4096U, 32768U}) {
      ports.insert({(entry.port + distance) & 0xffff, (entry.port - distance) & 0xffff});
    }
  }
  return {ports.begin(), ports.end()};
}

// Calls `see` with frames to one station and to groups, of both IP versions and of none.
template <class See>
void for_all_addresses(Headers headers, See&& see) {
  const Bytes station = {2, 0, 0, 0, 0, 2};
  const Bytes group = {1, 0, 0x5e, 0, 0, 2};
  const Bytes bridges = {1, 0x80, 0xc2, 0, 0, 2};
  for (const Bytes& mac : {station, group, bridges}) {
    for (const char* const to : {"10.0.0.2", "224.0.0.2", "255.255.255.255"}) {
      headers.ip_version = IpVersion::kV4;
      headers.dst_address = address(to);
      see(headers, mac);
    }
    for (const char* const to : {"2001:db8::2", "ff02::66"}) {
      headers.ip_version = IpVersion::kV6;
      headers.dst_address = address(to);
      see(headers, mac);
    }
    headers.ip_version = IpVersion::kNone;
    see(headers, mac);
  }
}

void expect_as_listed(const Headers& headers, const Bytes& mac) {
  if (is_control_traffic(headers, mac) == is_listed_control_traffic(headers, mac)) return;
  ADD_FAILURE() << "protocol " << int{headers.ip_protocol} << ", ports " << headers.src_port << " "
                << headers.dst_port << ", valid " << headers.ports_valid << ", ICMP "
                << int{headers.icmp_type} << ", first address byte " << int{mac[0]};
}

TEST(ControlFilter, AgreesWithTheListForAllProtocolsAndPortsNearListed) {
  const std::vector<std::uint16_t> ports = ports_near_listed();
  for (unsigned protocol = 0; protocol < 256; ++protocol) {
    Headers headers;
    headers.ip_protocol = static_cast<std::uint8_t>(protocol);
    for_all_addresses(headers, expect_as_listed);
    headers.ports_valid = true;
    for (const std::uint16_t port : ports) {
      headers.src_port = kOrdinary;
      headers.dst_port = port;
      for_all_addresses(headers, expect_as_listed);
      std::swap(headers.src_port, headers.dst_port);
      for_all_addresses(headers, expect_as_listed);
    }
  }
}

TEST(ControlFilter, AgreesWithTheListForAllPortsOfTransports) {
  const std::vector<std::uint16_t> others = ports_near_listed();
  for (const std::uint8_t protocol : {kTcp, kUdp, std::uint8_t{132}}) {
    Headers headers;
    headers.ip_version = IpVersion::kV4;
    headers.ip_protocol = protocol;
    headers.ports_valid = true;
    for (unsigned port = 0; port <= 0xffff; ++port) {
      for (const std::uint16_t other : {kOrdinary, others[port % others.size()]}) {
        for (const std::uint8_t to : {0x0a, 0xe0}) {
          headers.dst_address[0] = to;
          headers.src_port = static_cast<std::uint16_t>(port);
          headers.dst_port = other;
          expect_as_listed(headers, {2, 0, 0, 0, 0, 2});
          std::swap(headers.src_port, headers.dst_port);
          expect_as_listed(headers, {2, 0, 0, 0, 0, 2});
        }
      }
    }
  }
}

TEST(ControlFilter, AgreesWithTheListForIcmpTypesAndEtherTypes) {
  for (unsigned type = 0; type < 256; ++type) {
    for (const std::uint8_t protocol : {ip_protocol::kIcmp, ip_protocol::kIcmpv6}) {
      Headers headers;
      headers.ip_protocol = protocol;
      headers.icmp_type = static_cast<std::uint8_t>(type);
      headers.icmp_code = 4;
      headers.icmp_valid = true;
      for_all_addresses(headers, expect_as_listed);
    }
  }
  for (unsigned type = 0; type <= 0xffff; ++type) {
    Headers headers;
    headers.ether_type = static_cast<std::uint16_t>(type);
    expect_as_listed(headers, {2, 0, 0, 0, 0, 2});
  }
}

TEST(ControlFilter, PassesFewDataPackets) {
  const Bytes station = {0, 0x1b, 0x21, 0, 0, 2};  // Of all bits of the first byte none is set.
  unsigned as_destination = 0;
  unsigned as_source = 0;
  for (unsigned port = 0; port <= 0xffff; ++port) {
    Headers headers;
    headers.ip_version = IpVersion::kV4;
    headers.ip_protocol = kTcp;
    headers.ports_valid = true;
    headers.src_port = static_cast<std::uint16_t>(port);
    headers.dst_port = kOrdinary;
    as_source += may_be_control_traffic(headers, station) ? 1 : 0;
    std::swap(headers.src_port, headers.dst_port);
    as_destination += may_be_control_traffic(headers, station) ? 1 : 0;
  }
  // 126 and 4 of 4096 pairs of halves.
  EXPECT_LT(as_destination, 0x10000 / 32);
  EXPECT_LT(as_source, 0x10000 / 500);
  Headers no_ports;
  no_ports.ip_version = IpVersion::kV4;
  no_ports.ip_protocol = 47;
  EXPECT_FALSE(may_be_control_traffic(no_ports, station));
}

}  // namespace
}  // namespace drip
