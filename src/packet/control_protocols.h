// SPDX-License-Identifier: BSD-3-Clause
// The list of the protocols that a shaper lets past, each with its source.
#pragma once

#include <cstdint>

namespace drip {

inline constexpr std::uint16_t kControlEtherTypes[] = {
    0x0806,  // ARP: RFC 826
    0x8809,  // slow protocols (LACP, marker, OAM): IEEE 802.3, 57A; IEEE 802.1AX
    0x888e,  // EAPOL: IEEE 802.1X
    0x88cc,  // LLDP: IEEE 802.1AB
    0x88f7,  // PTP: IEEE 1588, annex E
};

inline constexpr std::uint8_t kControlIpProtocols[] = {
    2,    // IGMP: RFC 3376
    46,   // RSVP: RFC 2205
    88,   // EIGRP: RFC 7868
    89,   // OSPF: RFC 2328, RFC 5340
    103,  // PIM: RFC 7761
    112,  // VRRP: RFC 5798
};

inline constexpr std::uint8_t kIcmpv6Protocol = 58;  // RFC 4443
inline constexpr std::uint8_t kControlIcmpv6Types[] = {
    130, 131, 132,            // MLD: RFC 2710
    133, 134, 135, 136, 137,  // router and neighbour discovery, redirect: RFC 4861
    143,                      // MLDv2: RFC 3810
};

struct ControlPort {
  enum class Side : std::uint8_t {
    kDestination,
    kEither,     ///< A TCP session has its well-known port at one end.
    kMulticast,  ///< The destination, sent to a group: a unicast packet is not of this protocol.
  };
  static constexpr std::uint8_t kTcp = 6;
  static constexpr std::uint8_t kUdp = 17;

  std::uint8_t protocol;
  std::uint16_t port;
  Side side;
};

inline constexpr ControlPort kControlPorts[] = {
    {ControlPort::kTcp, 179, ControlPort::Side::kEither},        // BGP: RFC 4271
    {ControlPort::kTcp, 646, ControlPort::Side::kEither},        // LDP sessions: RFC 5036
    {ControlPort::kUdp, 520, ControlPort::Side::kDestination},   // RIP: RFC 2453
    {ControlPort::kUdp, 521, ControlPort::Side::kDestination},   // RIPng: RFC 2080
    {ControlPort::kUdp, 646, ControlPort::Side::kDestination},   // LDP hellos: RFC 5036
    {ControlPort::kUdp, 1985, ControlPort::Side::kMulticast},    // HSRP: RFC 2281
    {ControlPort::kUdp, 2029, ControlPort::Side::kMulticast},    // HSRP, IPv6: IANA, hsrpv6
    {ControlPort::kUdp, 3222, ControlPort::Side::kMulticast},    // GLBP: IANA, glbp
    {ControlPort::kUdp, 3784, ControlPort::Side::kDestination},  // BFD control: RFC 5881
    {ControlPort::kUdp, 3785, ControlPort::Side::kDestination},  // BFD echo: RFC 5881
    {ControlPort::kUdp, 4784, ControlPort::Side::kDestination},  // BFD multihop: RFC 5883
    {ControlPort::kUdp, 6784, ControlPort::Side::kDestination},  // BFD on LAG: RFC 7130
};

}  // namespace drip
