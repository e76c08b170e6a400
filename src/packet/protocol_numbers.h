// SPDX-License-Identifier: BSD-3-Clause
// The EtherTypes and IP protocol numbers that Drip knows by name, and the lengths of headers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace drip {

/// IEEE EtherType registry.
namespace ether_type {
inline constexpr std::uint16_t kIpv4 = 0x0800;
inline constexpr std::uint16_t kArp = 0x0806;
inline constexpr std::uint16_t kVlan = 0x8100;  // IEEE 802.1Q
inline constexpr std::uint16_t kIpv6 = 0x86dd;
inline constexpr std::uint16_t kTransparentBridging = 0x6558;  // Ethernet in GRE: RFC 1701
inline constexpr std::uint16_t kMpls = 0x8847;                 // RFC 3032
inline constexpr std::uint16_t kMplsUpstream = 0x8848;         // RFC 5332
inline constexpr std::uint16_t kSlowProtocols = 0x8809;        // LACP, marker, OAM: IEEE 802.3, 57A
inline constexpr std::uint16_t kPppoeDiscovery = 0x8863;       // RFC 2516
inline constexpr std::uint16_t kPppoeSession = 0x8864;         // RFC 2516
inline constexpr std::uint16_t kEapol = 0x888e;                // IEEE 802.1X
inline constexpr std::uint16_t kServiceVlan = 0x88a8;          // IEEE 802.1ad
inline constexpr std::uint16_t kLldp = 0x88cc;                 // IEEE 802.1AB
inline constexpr std::uint16_t kPtp = 0x88f7;                  // IEEE 1588, annex E
inline constexpr std::uint16_t kCfm = 0x8902;             // IEEE 802.1ag, ITU-T G.8013 and G.8032
inline constexpr std::uint16_t kOldServiceVlan = 0x9100;  // Outer tags of switches before 802.1ad.
/// Smaller values are the length of an IEEE 802.3 frame, not a type (IEEE 802.3, 3.2.6).
inline constexpr std::uint16_t kFirst = 0x0600;

/// Whether a VLAN tag follows.
[[nodiscard]] constexpr bool is_tag(std::uint16_t type) {
  return type == kVlan || type == kServiceVlan || type == kOldServiceVlan;
}
}  // namespace ether_type

/// IANA "Protocol Numbers".
namespace ip_protocol {
inline constexpr std::uint8_t kHopByHop = 0;  // RFC 8200, 4.3
inline constexpr std::uint8_t kIcmp = 1;
inline constexpr std::uint8_t kIgmp = 2;  // RFC 3376
inline constexpr std::uint8_t kIpv4 = 4;  // IPv4 in IP: RFC 2003, RFC 2473
inline constexpr std::uint8_t kTcp = 6;
inline constexpr std::uint8_t kUdp = 17;
inline constexpr std::uint8_t kDccp = 33;
inline constexpr std::uint8_t kIpv6 = 41;                // IPv6 in IP: RFC 4213, RFC 2473
inline constexpr std::uint8_t kRouting = 43;             // RFC 8200, 4.4
inline constexpr std::uint8_t kFragment = 44;            // RFC 8200, 4.5
inline constexpr std::uint8_t kRsvp = 46;                // RFC 2205
inline constexpr std::uint8_t kGre = 47;                 // RFC 2784
inline constexpr std::uint8_t kAuthentication = 51;      // RFC 4302
inline constexpr std::uint8_t kIcmpv6 = 58;              // RFC 4443
inline constexpr std::uint8_t kDestinationOptions = 60;  // RFC 8200, 4.6
inline constexpr std::uint8_t kEigrp = 88;               // RFC 7868
inline constexpr std::uint8_t kOspf = 89;                // RFC 2328, RFC 5340
inline constexpr std::uint8_t kPim = 103;                // RFC 7761
inline constexpr std::uint8_t kVrrp = 112;               // RFC 5798
inline constexpr std::uint8_t kSctp = 132;
inline constexpr std::uint8_t kUdpLite = 136;
}  // namespace ip_protocol

/// The lengths of headers without options.
namespace header_bytes {
inline constexpr std::size_t kMac = 6;
inline constexpr std::size_t kEthernet = 14;  // IEEE 802.3, 3.1.1
inline constexpr std::size_t kTag = 4;        // IEEE 802.1Q, 9.3
inline constexpr std::size_t kIpv4 = 20;      // RFC 791, 3.1
inline constexpr std::size_t kIpv6 = 40;      // RFC 8200, 3
inline constexpr std::size_t kPorts = 4;      // Source and destination.
}  // namespace header_bytes

/// Their headers begin with the source and the destination port (RFC 9293, 768, 4340, 9260, 3828).
inline constexpr std::array<std::uint8_t, 5> kProtocolsWithPorts = {
    ip_protocol::kTcp, ip_protocol::kUdp, ip_protocol::kDccp, ip_protocol::kSctp,
    ip_protocol::kUdpLite};

}  // namespace drip
