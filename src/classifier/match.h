// SPDX-License-Identifier: BSD-3-Clause
// The condition of a rule.
#pragma once

#include <cstdint>
#include <optional>

#include "packet/ip_prefix.h"

namespace drip {

/// Inclusive on both sides. Classifier::build() rejects first > last.
struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;

  bool operator==(const PortRange&) const = default;
};

/// The flags of a TCP header that are looked at, and what they must be: FIN is bit 0, CWR bit 7.
struct TcpFlags {
  std::uint8_t set = 0;
  std::uint8_t mask = 0;

  bool operator==(const TcpFlags&) const = default;
};

/// A MAC address of which the first `length` bits count: 1 to 48. In the lower 48 bits, the first
/// byte highest; bits that do not count are 0.
struct MacPrefix {
  std::uint64_t address = 0;
  std::uint8_t length = 48;

  bool operator==(const MacPrefix&) const = default;
};

/// A packet matches if it matches every field that is set; without fields every packet matches. The
/// fields are those of drip/v1/shaper.proto. A field about IP matches only packets whose IP header
/// could be read, a port only packets whose ports could be read: never a fragment, not even the
/// first; so it is with ICMP and TCP fields.
struct Match {
  std::optional<IpPrefix> src_prefix;
  std::optional<IpPrefix> dst_prefix;
  std::optional<std::uint8_t> ip_protocol;  ///< IANA number, after IPv6 extension headers.
  std::optional<PortRange> src_port;        ///< TCP, UDP, UDP-Lite, SCTP or DCCP.
  std::optional<PortRange> dst_port;
  std::optional<std::uint16_t> vlan_id;        ///< The outer or only tag: 0 to 4095.
  std::optional<std::uint16_t> inner_vlan_id;  ///< The second tag: 0 to 4095.
  std::optional<std::uint8_t> dscp;            ///< 0 to 63.
  std::optional<std::uint16_t> ingress_port;   ///< Index of the port that received it.
  /// 0x0600 to 0xffff, after the VLAN tags. That of IPv4 or IPv6 also for IP behind PPPoE or MPLS,
  /// which are matched by their own as well.
  std::optional<std::uint16_t> ether_type;
  std::optional<std::uint8_t> icmp_type;  ///< ICMP or ICMPv6.
  std::optional<std::uint8_t> icmp_code;
  std::optional<TcpFlags> tcp_flags;
  std::optional<MacPrefix> src_mac;  ///< Of the frame itself.
  std::optional<MacPrefix> dst_mac;
  /// The fields of IP and above, and the EtherType, are those of the innermost packet of a tunnel
  /// (packet/tunnels.h); a packet that is in no tunnel is matched by its own.
  bool inner = false;

  bool operator==(const Match&) const = default;
};

}  // namespace drip
