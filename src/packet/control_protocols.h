// SPDX-License-Identifier: BSD-3-Clause
// The protocols that the rules do not shape unless told to, each with its name and its source.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "packet/ip_prefix.h"
#include "packet/protocol_numbers.h"

namespace drip {

enum class ControlProtocol : std::uint8_t {
  kArp,
  kBabel,
  kBfd,
  kBgp,
  kBridge,
  kCdp,
  kCfm,
  kDhcp,
  kDhcpv6,
  kEapol,
  kEigrp,
  kGlbp,
  kHsrp,
  kIgmp,
  kIsIs,
  kLacp,
  kLdp,
  kLldp,
  kMld,
  kNeighbor,
  kOspf,
  kPim,
  kPpp,
  kPppoe,
  kPtp,
  kPvst,
  kRip,
  kRsvp,
  kTooBig,
  kVrrp,
};

struct ControlProtocolName {
  ControlProtocol protocol;
  std::string_view name;   ///< In the API, in files and in output.
  std::string_view about;  ///< Which packets it stands for.
};

/// In the order of the enumeration, which is that of their names.
inline constexpr ControlProtocolName kControlProtocolNames[] = {
    {ControlProtocol::kArp, "arp", "EtherType 0x0806"},
    {ControlProtocol::kBabel, "babel", "UDP to port 6696"},
    {ControlProtocol::kBfd, "bfd", "UDP to ports 3784, 3785, 4784, 6784"},
    {ControlProtocol::kBgp, "bgp", "TCP from or to port 179"},
    {ControlProtocol::kBridge, "bridge",
     "frames to 01:80:c2:00:00:00 to 0f: STP, pause, and LACP, LLDP, 802.1X where they use them"},
    {ControlProtocol::kCdp, "cdp", "frames to 01:00:0c:cc:cc:cc: CDP, VTP, DTP, PAgP, UDLD"},
    {ControlProtocol::kCfm, "cfm", "EtherType 0x8902: CFM, Y.1731, ring protection"},
    {ControlProtocol::kDhcp, "dhcp", "UDP to ports 67 and 68 over IPv4"},
    {ControlProtocol::kDhcpv6, "dhcpv6", "UDP to ports 546 and 547 over IPv6"},
    {ControlProtocol::kEapol, "eapol", "EtherType 0x888e: 802.1X"},
    {ControlProtocol::kEigrp, "eigrp", "IP protocol 88"},
    {ControlProtocol::kGlbp, "glbp", "UDP to port 3222 of a group"},
    {ControlProtocol::kHsrp, "hsrp", "UDP to ports 1985 and 2029 of a group"},
    {ControlProtocol::kIgmp, "igmp", "IP protocol 2"},
    {ControlProtocol::kIsIs, "isis", "LLC 0xfe 0xfe 0x03"},
    {ControlProtocol::kLacp, "lacp", "EtherType 0x8809: LACP, marker, link OAM"},
    {ControlProtocol::kLdp, "ldp", "UDP to port 646, TCP from or to it"},
    {ControlProtocol::kLldp, "lldp", "EtherType 0x88cc"},
    {ControlProtocol::kMld, "mld", "ICMPv6 types 130 to 132 and 143"},
    {ControlProtocol::kNeighbor, "nd", "ICMPv6 types 133 to 137: neighbours, routers, redirects"},
    {ControlProtocol::kOspf, "ospf", "IP protocol 89"},
    {ControlProtocol::kPim, "pim", "IP protocol 103"},
    {ControlProtocol::kPpp, "ppp",
     "PPP protocols from 0x8000 on in a PPPoE session: LCP, PAP, "
     "CHAP, EAP, IPCP, IPv6CP and the like"},
    {ControlProtocol::kPppoe, "pppoe", "EtherType 0x8863: PPPoE discovery"},
    {ControlProtocol::kPtp, "ptp", "EtherType 0x88f7"},
    {ControlProtocol::kPvst, "pvst", "frames to 01:00:0c:cc:cc:cd"},
    {ControlProtocol::kRip, "rip", "UDP to ports 520 and 521"},
    {ControlProtocol::kRsvp, "rsvp", "IP protocol 46"},
    {ControlProtocol::kTooBig, "too-big",
     "ICMP type 3 code 4, fragmentation needed, and ICMPv6 type 2: path MTU discovery"},
    {ControlProtocol::kVrrp, "vrrp", "IP protocol 112"},
};

/// A set of them.
class ControlProtocols {
 public:
  static constexpr ControlProtocols none() { return {}; }
  static constexpr ControlProtocols all() {
    ControlProtocols set;
    for (const ControlProtocolName& each : kControlProtocolNames) set.add(each.protocol);
    return set;
  }
  /// All of them, changed by the entries one after the other: "-name" removes a protocol, "name"
  /// adds it, "none" removes all. INVALID_ARGUMENT, "<field>[<index>]: ...", for an unknown name.
  static absl::StatusOr<ControlProtocols> parse(std::string_view field,
                                                std::span<const std::string> entries);

  constexpr void add(ControlProtocol protocol) { bits_ |= bit(protocol); }
  constexpr void remove(ControlProtocol protocol) { bits_ &= ~bit(protocol); }
  [[nodiscard]] constexpr bool contains(ControlProtocol protocol) const {
    return (bits_ & bit(protocol)) != 0;
  }
  /// The entries that parse() makes this set of: those that are missing, as "-name", or, if most
  /// are, "none" and those that are in it.
  [[nodiscard]] std::vector<std::string> entries() const;
  /// The names of all that are in it.
  [[nodiscard]] std::vector<std::string> names() const;

  friend constexpr bool operator==(ControlProtocols, ControlProtocols) = default;

 private:
  static constexpr std::uint32_t bit(ControlProtocol protocol) {
    return 1U << static_cast<unsigned>(protocol);
  }

  std::uint32_t bits_ = 0;
};
static_assert(std::size(kControlProtocolNames) <= 32);

// ---- By what each is recognised

struct ControlEtherType {
  std::uint16_t type;
  ControlProtocol protocol;
};
inline constexpr ControlEtherType kControlEtherTypes[] = {
    {ether_type::kArp, ControlProtocol::kArp},
    {ether_type::kSlowProtocols, ControlProtocol::kLacp},
    {ether_type::kPppoeDiscovery, ControlProtocol::kPppoe},
    {ether_type::kEapol, ControlProtocol::kEapol},
    {ether_type::kLldp, ControlProtocol::kLldp},
    {ether_type::kPtp, ControlProtocol::kPtp},
    {ether_type::kCfm, ControlProtocol::kCfm},
};

struct ControlIpProtocol {
  std::uint8_t number;
  ControlProtocol protocol;
};
inline constexpr ControlIpProtocol kControlIpProtocols[] = {
    {ip_protocol::kIgmp, ControlProtocol::kIgmp},   {ip_protocol::kRsvp, ControlProtocol::kRsvp},
    {ip_protocol::kEigrp, ControlProtocol::kEigrp}, {ip_protocol::kOspf, ControlProtocol::kOspf},
    {ip_protocol::kPim, ControlProtocol::kPim},     {ip_protocol::kVrrp, ControlProtocol::kVrrp},
};

struct ControlIcmp {
  IpVersion version;
  std::uint8_t first_type;
  std::uint8_t last_type;
  std::int16_t code;  ///< -1: any.
  ControlProtocol protocol;
};
inline constexpr ControlIcmp kControlIcmp[] = {
    {IpVersion::kV4, 3, 3, 4, ControlProtocol::kTooBig},         // RFC 1191, section 4
    {IpVersion::kV6, 2, 2, -1, ControlProtocol::kTooBig},        // RFC 4443, section 3.2
    {IpVersion::kV6, 130, 132, -1, ControlProtocol::kMld},       // RFC 2710
    {IpVersion::kV6, 133, 137, -1, ControlProtocol::kNeighbor},  // RFC 4861
    {IpVersion::kV6, 143, 143, -1, ControlProtocol::kMld},       // MLDv2: RFC 3810
};

struct ControlPort {
  enum class Side : std::uint8_t {
    kDestination,
    kEither,     ///< Of a TCP session one end has the well-known port.
    kMulticast,  ///< The destination port of a packet to a multicast group.
  };

  std::uint8_t ip_protocol;
  std::uint16_t port;
  Side side;
  ControlProtocol protocol;
  IpVersion version = IpVersion::kNone;  ///< kNone: both.
};

inline constexpr ControlPort kControlPorts[] = {
    // RFC 4271
    {ip_protocol::kTcp, 179, ControlPort::Side::kEither, ControlProtocol::kBgp},
    // LDP sessions and hellos: RFC 5036
    {ip_protocol::kTcp, 646, ControlPort::Side::kEither, ControlProtocol::kLdp},
    {ip_protocol::kUdp, 646, ControlPort::Side::kDestination, ControlProtocol::kLdp},
    // RFC 2131
    {ip_protocol::kUdp, 67, ControlPort::Side::kDestination, ControlProtocol::kDhcp,
     IpVersion::kV4},
    {ip_protocol::kUdp, 68, ControlPort::Side::kDestination, ControlProtocol::kDhcp,
     IpVersion::kV4},
    // RFC 8415
    {ip_protocol::kUdp, 546, ControlPort::Side::kDestination, ControlProtocol::kDhcpv6,
     IpVersion::kV6},
    {ip_protocol::kUdp, 547, ControlPort::Side::kDestination, ControlProtocol::kDhcpv6,
     IpVersion::kV6},
    // RIP: RFC 2453; RIPng: RFC 2080
    {ip_protocol::kUdp, 520, ControlPort::Side::kDestination, ControlProtocol::kRip},
    {ip_protocol::kUdp, 521, ControlPort::Side::kDestination, ControlProtocol::kRip},
    // RFC 2281, and for IPv6 as registered with IANA: hsrpv6
    {ip_protocol::kUdp, 1985, ControlPort::Side::kMulticast, ControlProtocol::kHsrp},
    {ip_protocol::kUdp, 2029, ControlPort::Side::kMulticast, ControlProtocol::kHsrp},
    // IANA: glbp
    {ip_protocol::kUdp, 3222, ControlPort::Side::kMulticast, ControlProtocol::kGlbp},
    // BFD control and echo: RFC 5881; multihop: RFC 5883; on LAG: RFC 7130
    {ip_protocol::kUdp, 3784, ControlPort::Side::kDestination, ControlProtocol::kBfd},
    {ip_protocol::kUdp, 3785, ControlPort::Side::kDestination, ControlProtocol::kBfd},
    {ip_protocol::kUdp, 4784, ControlPort::Side::kDestination, ControlProtocol::kBfd},
    {ip_protocol::kUdp, 6784, ControlPort::Side::kDestination, ControlProtocol::kBfd},
    // RFC 8966
    {ip_protocol::kUdp, 6696, ControlPort::Side::kDestination, ControlProtocol::kBabel},
};

}  // namespace drip
