// SPDX-License-Identifier: BSD-3-Clause
// The protocols that the rules do not shape unless told to, each with its source.
#pragma once

#include <cstdint>

#include "packet/protocol_numbers.h"

namespace drip {

inline constexpr std::uint16_t kControlEtherTypes[] = {
    ether_type::kArp,  ether_type::kSlowProtocols, ether_type::kEapol,
    ether_type::kLldp, ether_type::kPtp,
};

inline constexpr std::uint8_t kControlIpProtocols[] = {
    ip_protocol::kIgmp, ip_protocol::kRsvp, ip_protocol::kEigrp,
    ip_protocol::kOspf, ip_protocol::kPim,  ip_protocol::kVrrp,
};

inline constexpr std::uint8_t kControlIcmpv6Types[] = {
    130, 131, 132,            // MLD: RFC 2710
    133, 134, 135, 136, 137,  // router and neighbour discovery, redirect: RFC 4861
    143,                      // MLDv2: RFC 3810
};

struct ControlPort {
  enum class Side : std::uint8_t {
    kDestination,
    kEither,     ///< Of a TCP session one end has the well-known port.
    kMulticast,  ///< The destination port of a packet to a multicast group.
  };

  std::uint8_t protocol;
  std::uint16_t port;
  Side side;
};

inline constexpr ControlPort kControlPorts[] = {
    {ip_protocol::kTcp, 179, ControlPort::Side::kEither},        // BGP: RFC 4271
    {ip_protocol::kTcp, 646, ControlPort::Side::kEither},        // LDP sessions: RFC 5036
    {ip_protocol::kUdp, 520, ControlPort::Side::kDestination},   // RIP: RFC 2453
    {ip_protocol::kUdp, 521, ControlPort::Side::kDestination},   // RIPng: RFC 2080
    {ip_protocol::kUdp, 646, ControlPort::Side::kDestination},   // LDP hellos: RFC 5036
    {ip_protocol::kUdp, 1985, ControlPort::Side::kMulticast},    // HSRP: RFC 2281
    {ip_protocol::kUdp, 2029, ControlPort::Side::kMulticast},    // HSRP, IPv6: IANA, hsrpv6
    {ip_protocol::kUdp, 3222, ControlPort::Side::kMulticast},    // GLBP: IANA, glbp
    {ip_protocol::kUdp, 3784, ControlPort::Side::kDestination},  // BFD control: RFC 5881
    {ip_protocol::kUdp, 3785, ControlPort::Side::kDestination},  // BFD echo: RFC 5881
    {ip_protocol::kUdp, 4784, ControlPort::Side::kDestination},  // BFD multihop: RFC 5883
    {ip_protocol::kUdp, 6784, ControlPort::Side::kDestination},  // BFD on LAG: RFC 7130
};

}  // namespace drip
