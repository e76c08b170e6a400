// SPDX-License-Identifier: BSD-3-Clause
// The list of the protocols that a shaper lets past, each with its source.
#include "core/control_traffic.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "core/big_endian.h"

namespace drip {
namespace {

constexpr std::uint16_t kControlEtherTypes[] = {
    0x0806,  // ARP: RFC 826
    0x8809,  // slow protocols (LACP, marker, OAM): IEEE 802.3, 57A; IEEE 802.1AX
    0x888e,  // EAPOL: IEEE 802.1X
    0x88cc,  // LLDP: IEEE 802.1AB
    0x88f7,  // PTP: IEEE 1588, annex E
};

constexpr std::uint8_t kControlProtocols[] = {
    2,    // IGMP: RFC 3376
    46,   // RSVP: RFC 2205
    88,   // EIGRP: RFC 7868
    89,   // OSPF: RFC 2328, RFC 5340
    103,  // PIM: RFC 7761
    112,  // VRRP: RFC 5798
};

constexpr std::uint8_t kControlIcmpv6Types[] = {
    130, 131, 132,            // MLD: RFC 2710
    133, 134, 135, 136, 137,  // router and neighbour discovery, redirect: RFC 4861
    143,                      // MLDv2: RFC 3810
};

enum class Side : std::uint8_t {
  kDestination,
  kEither,     // A TCP session has its well-known port at one end.
  kMulticast,  // The destination port, sent to a group: a unicast packet is not of this protocol.
};

struct PortEntry {
  std::uint8_t protocol;
  std::uint16_t port;
  Side side;
};

constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;

constexpr PortEntry kControlPorts[] = {
    {kTcp, 179, Side::kEither},        // BGP: RFC 4271
    {kTcp, 646, Side::kEither},        // LDP sessions: RFC 5036
    {kUdp, 520, Side::kDestination},   // RIP: RFC 2453
    {kUdp, 521, Side::kDestination},   // RIPng: RFC 2080
    {kUdp, 646, Side::kDestination},   // LDP hellos: RFC 5036
    {kUdp, 1985, Side::kMulticast},    // HSRP: RFC 2281
    {kUdp, 2029, Side::kMulticast},    // HSRP for IPv6: IANA port registry, hsrpv6
    {kUdp, 3222, Side::kMulticast},    // GLBP: IANA port registry, glbp
    {kUdp, 3784, Side::kDestination},  // BFD control, single hop: RFC 5881
    {kUdp, 3785, Side::kDestination},  // BFD echo: RFC 5881
    {kUdp, 4784, Side::kDestination},  // BFD multihop: RFC 5883
    {kUdp, 6784, Side::kDestination},  // BFD on LAG members: RFC 7130
};

// So that nearly every data packet is done after one test: a bit for each port's remainder, as a
// destination and, fewer, as a source.
constexpr std::uint32_t kRemainders = 64;
constexpr std::uint64_t port_bits(bool as_source) {
  std::uint64_t bits = 0;
  for (const PortEntry& entry : kControlPorts) {
    if (!as_source || entry.side == Side::kEither) bits |= 1ULL << entry.port % kRemainders;
  }
  return bits;
}
constexpr std::uint64_t kDstPortBits = port_bits(false);
constexpr std::uint64_t kSrcPortBits = port_bits(true);

// One bit for each IP protocol that is listed whole.
constexpr std::array<std::uint64_t, 4> protocol_bits() {
  std::array<std::uint64_t, 4> bits{};
  for (const std::uint8_t protocol : kControlProtocols)
    bits[protocol / 64] |= 1ULL << protocol % 64;
  return bits;
}
constexpr std::array<std::uint64_t, 4> kProtocolBits = protocol_bits();

constexpr std::size_t kMacBytes = 6;
// IEEE 802.1Q, table 8-1: never forwarded by a bridge; STP, pause, LACP, LLDP, EAPOL and others.
constexpr std::uint64_t kBridgeGroup = 0x0180c2000000;
constexpr std::uint64_t kBridgeGroupMask = 0xfffffffffff0;
// Cisco: CDP, VTP, DTP, PAgP, UDLD; and PVST+, the spanning tree of each VLAN.
constexpr std::uint64_t kCdpGroup = 0x01000ccccccc;
constexpr std::uint64_t kPvstGroup = 0x01000ccccccd;

bool is_control_address(std::span<const std::uint8_t> bytes) {
  if (bytes.size() < kMacBytes) return false;
  const std::uint64_t address =
      std::uint64_t{load_be16(bytes.data())} << 32 | load_be32(bytes.data() + 2);
  return (address & kBridgeGroupMask) == kBridgeGroup || address == kCdpGroup ||
         address == kPvstGroup;
}

// ISO 10589: IS-IS rides on LLC, both service access points 0xfe, unnumbered information.
bool is_isis(const Headers& headers, std::span<const std::uint8_t> bytes) {
  constexpr std::uint16_t kFirstEtherType = 0x0600;
  const std::size_t llc = headers.l3_offset;
  return headers.ether_type < kFirstEtherType && llc != 0 && bytes.size() >= llc + 3 &&
         bytes[llc] == 0xfe && bytes[llc + 1] == 0xfe && bytes[llc + 2] == 0x03;
}

bool is_multicast(const Headers& headers) {
  return headers.ip_version == IpVersion::kV4 ? headers.dst_address[0] >> 4 == 0xe
                                              : headers.dst_address[0] == 0xff;
}

bool is_control_port(const Headers& headers) {
  return std::ranges::any_of(kControlPorts, [&headers](const PortEntry& entry) {
    if (entry.protocol != headers.ip_protocol) return false;
    const bool to = headers.dst_port == entry.port;
    switch (entry.side) {
      case Side::kDestination:
        return to;
      case Side::kEither:
        return to || headers.src_port == entry.port;
      case Side::kMulticast:
        return to && is_multicast(headers);
    }
    return false;
  });
}

bool may_be_control_port(const Headers& headers) {
  return headers.ports_valid && ((kDstPortBits >> headers.dst_port % kRemainders |
                                  kSrcPortBits >> headers.src_port % kRemainders) &
                                 1) != 0;
}

}  // namespace

bool is_control_traffic(const Headers& headers, std::span<const std::uint8_t> bytes) {
  if (is_control_address(bytes)) return true;
  if (headers.ip_version == IpVersion::kNone) {
    return std::ranges::find(kControlEtherTypes, headers.ether_type) !=
               std::end(kControlEtherTypes) ||
           is_isis(headers, bytes);
  }
  if (may_be_control_port(headers) && is_control_port(headers)) return true;
  const std::uint8_t protocol = headers.ip_protocol;
  return (kProtocolBits[protocol / 64] >> protocol % 64 & 1) != 0 ||
         (headers.icmpv6_type != 0 && std::ranges::find(kControlIcmpv6Types, headers.icmpv6_type) !=
                                          std::end(kControlIcmpv6Types));
}

}  // namespace drip
