// SPDX-License-Identifier: BSD-3-Clause
// Searches the lists of control_protocols.h for a frame.
#include "packet/control_traffic.h"

#include <algorithm>
#include <cstddef>
#include <ranges>

#include "packet/big_endian.h"
#include "packet/protocol_numbers.h"

namespace drip {
namespace {

// IEEE 802.1Q, table 8-1: never forwarded by a bridge; STP, pause, LACP, LLDP, EAPOL and others.
constexpr std::uint64_t kBridgeGroup = 0x0180c2000000;
constexpr std::uint64_t kBridgeGroupMask = 0xfffffffffff0;
// Cisco: CDP, VTP, DTP, PAgP, UDLD; and PVST+, the spanning tree of each VLAN.
constexpr std::uint64_t kCdpGroup = 0x01000ccccccc;
constexpr std::uint64_t kPvstGroup = 0x01000ccccccd;

bool is_control_address(std::span<const std::uint8_t> bytes, ControlProtocols protocols) {
  if (bytes.size() < header_bytes::kMac) return false;
  const std::uint64_t address =
      std::uint64_t{load_be16(bytes.data())} << 32 | load_be32(bytes.data() + 2);
  if ((address & kBridgeGroupMask) == kBridgeGroup) {
    return protocols.contains(ControlProtocol::kBridge);
  }
  return (address == kCdpGroup && protocols.contains(ControlProtocol::kCdp)) ||
         (address == kPvstGroup && protocols.contains(ControlProtocol::kPvst));
}

// ISO 10589: IS-IS is carried in LLC: both service access points 0xfe, unnumbered information.
bool is_isis(const Headers& headers, std::span<const std::uint8_t> bytes) {
  const std::size_t llc = headers.l3_offset;
  return headers.ether_type < ether_type::kFirst && llc != 0 && bytes.size() >= llc + 3 &&
         bytes[llc] == 0xfe && bytes[llc + 1] == 0xfe && bytes[llc + 2] == 0x03;
}

// RFC 2516, section 4: version and type 1, code 0 in a session; then the PPP protocol. RFC 1661,
// section 2: those from 0x8000 on control networks and the link.
bool is_ppp_control(const Headers& headers, std::span<const std::uint8_t> bytes) {
  const std::size_t pppoe = headers.l3_offset;
  return headers.ether_type == ether_type::kPppoeSession && bytes.size() >= pppoe + 8 &&
         load_be16(bytes.data() + pppoe) == 0x1100 && load_be16(bytes.data() + pppoe + 6) >= 0x8000;
}

bool is_control_link(const Headers& headers, std::span<const std::uint8_t> bytes,
                     ControlProtocols protocols) {
  const bool listed = std::ranges::any_of(kControlEtherTypes, [&](const ControlEtherType& entry) {
    return entry.type == headers.ether_type && protocols.contains(entry.protocol);
  });
  return listed || (protocols.contains(ControlProtocol::kIsIs) && is_isis(headers, bytes)) ||
         (protocols.contains(ControlProtocol::kPpp) && is_ppp_control(headers, bytes));
}

bool is_multicast(const Headers& headers) {
  return headers.ip_version == IpVersion::kV4 ? headers.dst_address[0] >> 4 == 0xe
                                              : headers.dst_address[0] == 0xff;
}

bool is_control_port(const Headers& headers, ControlProtocols protocols) {
  using Side = ControlPort::Side;
  return std::ranges::any_of(kControlPorts, [&](const ControlPort& entry) {
    if (entry.ip_protocol != headers.ip_protocol || !protocols.contains(entry.protocol)) {
      return false;
    }
    if (entry.version != IpVersion::kNone && entry.version != headers.ip_version) return false;
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

bool is_control_ip(const Headers& headers, ControlProtocols protocols) {
  return std::ranges::any_of(kControlIpProtocols, [&](const ControlIpProtocol& entry) {
    return entry.number == headers.ip_protocol && protocols.contains(entry.protocol);
  });
}

bool is_control_icmp(const Headers& headers, ControlProtocols protocols) {
  return std::ranges::any_of(kControlIcmp, [&](const ControlIcmp& entry) {
    return entry.version == headers.ip_version && headers.icmp_type >= entry.first_type &&
           headers.icmp_type <= entry.last_type &&
           (entry.code < 0 || entry.code == headers.icmp_code) &&
           protocols.contains(entry.protocol);
  });
}

}  // namespace

bool is_listed_control_traffic(const Headers& headers, std::span<const std::uint8_t> bytes,
                               ControlProtocols protocols) {
  if (is_control_address(bytes, protocols)) return true;
  if (headers.ip_version == IpVersion::kNone) return is_control_link(headers, bytes, protocols);
  return (headers.ports_valid && is_control_port(headers, protocols)) ||
         is_control_ip(headers, protocols) ||
         (headers.icmp_valid && is_control_icmp(headers, protocols));
}

}  // namespace drip
