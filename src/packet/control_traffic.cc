// SPDX-License-Identifier: BSD-3-Clause
// Searches the lists of control_protocols.h for a frame.
#include "packet/control_traffic.h"

#include <algorithm>
#include <cstddef>
#include <ranges>

#include "packet/big_endian.h"

namespace drip {
namespace {

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

// ISO 10589: IS-IS is carried in LLC: both service access points 0xfe, unnumbered information.
bool is_isis(const Headers& headers, std::span<const std::uint8_t> bytes) {
  const std::size_t llc = headers.l3_offset;
  return headers.ether_type < ether_type::kFirst && llc != 0 && bytes.size() >= llc + 3 &&
         bytes[llc] == 0xfe && bytes[llc + 1] == 0xfe && bytes[llc + 2] == 0x03;
}

bool is_multicast(const Headers& headers) {
  return headers.ip_version == IpVersion::kV4 ? headers.dst_address[0] >> 4 == 0xe
                                              : headers.dst_address[0] == 0xff;
}

bool is_control_port(const Headers& headers) {
  using Side = ControlPort::Side;
  return std::ranges::any_of(kControlPorts, [&headers](const ControlPort& entry) {
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

template <class List>
bool contains(const List& list, std::ranges::range_value_t<List> value) {
  return std::ranges::find(list, value) != std::end(list);
}

}  // namespace

bool is_listed_control_traffic(const Headers& headers, std::span<const std::uint8_t> bytes) {
  if (is_control_address(bytes)) return true;
  if (headers.ip_version == IpVersion::kNone) {
    return contains(kControlEtherTypes, headers.ether_type) || is_isis(headers, bytes);
  }
  return (headers.ports_valid && is_control_port(headers)) ||
         contains(kControlIpProtocols, headers.ip_protocol) ||
         (headers.icmpv6_type != 0 && contains(kControlIcmpv6Types, headers.icmpv6_type));
}

}  // namespace drip
