// SPDX-License-Identifier: BSD-3-Clause
// Parses the headers of one Ethernet frame.
#pragma once

#include <cstdint>
#include <span>

#include "drip/cache_line.h"
#include "packet/ip_prefix.h"

namespace drip {

inline constexpr std::uint16_t kNoVlan = 0xffff;
/// RFC 8200, 4.1 allows 7: each once, destination options twice.
inline constexpr int kMaxExtensionHeaders = 8;
/// A provider's and a customer's, and what one of them has put around or into it.
inline constexpr int kMaxTags = 8;
/// More labels than any network is known to use.
inline constexpr int kMaxLabels = 16;

/// The header fields of one frame, in one cache line. Numbers are in host byte order. A field that
/// is absent or could not be read has the value of its initialiser. A malformed header is no reason
/// to drop the packet: the fields before the error are valid.
struct alignas(kCacheLineBytes) Headers {
  /// With ip_version kNone, the MAC addresses, in the first 6 bytes.
  IpAddress src_address{};
  IpAddress dst_address{};
  /// After all VLAN tags (TPID 0x8100, 0x88a8, 0x9100), up to kMaxTags. Below ether_type::kFirst it
  /// is the length of an IEEE 802.3 frame.
  std::uint16_t ether_type = 0;
  std::uint16_t vlan_id = kNoVlan;        ///< Of the outer or only tag.
  std::uint16_t inner_vlan_id = kNoVlan;  ///< Of the second tag.
  std::uint16_t src_port = 0;
  std::uint16_t dst_port = 0;
  std::uint16_t l3_offset = 0;  ///< Bytes before the header or payload that follows ether_type.
  std::uint16_t l4_offset = 0;  ///< Bytes before what ip_protocol names; 0 for fragments.
  /// kV4 with EtherType 0x0800, kV6 with 0x86dd, either behind PPPoE or MPLS, whose EtherType
  /// stays; and only if the addresses were read.
  IpVersion ip_version = IpVersion::kNone;
  /// IPv6: the protocol after hop-by-hop, routing, destination options and authentication headers;
  /// if one of them could not be read, its own number. Of a fragment, the next header field of its
  /// fragment header, which is the same in all fragments of a datagram (RFC 8200, 4.5).
  std::uint8_t ip_protocol = 0;
  std::uint8_t dscp = 0;
  /// ICMP over IPv4 and ICMPv6 over IPv6, not of a fragment.
  std::uint8_t icmp_type = 0;
  std::uint8_t icmp_code = 0;
  bool icmp_valid = false;  ///< Type and code were read.
  /// A first or later fragment; not an IPv6 "atomic fragment" (RFC 6946), which is a whole packet.
  bool fragment = false;
  /// TCP, UDP, UDP-Lite, SCTP or DCCP, and not a fragment.
  bool ports_valid = false;

  friend bool operator==(const Headers&, const Headers&) = default;
};
static_assert(sizeof(Headers) == kCacheLineBytes);

/// Parses a frame of any content. `bytes`: its first contiguous bytes, destination MAC first,
/// without FCS; may be empty. `frame_bytes`: the length of the whole frame, at least bytes.size();
/// more if the rest is in further segments. Reads nothing outside of `bytes`. Overwrites all of
/// `headers`, in place: copying a cache line that was just written field by field would stall until
/// every store has reached the cache. Thread safe.
void parse_frame(std::span<const std::uint8_t> bytes, std::uint32_t frame_bytes, Headers& headers);

/// Parses what follows an EtherType: an IP packet, PPPoE, MPLS or VLAN tags. `bytes` begins behind
/// the EtherType, and offsets are from there; there are no MAC addresses. Otherwise as
/// parse_frame().
void parse_payload(std::uint16_t ether_type, std::span<const std::uint8_t> bytes,
                   std::uint32_t payload_bytes, Headers& headers);

/// parse_frame() for callers to whom that stall does not matter.
[[nodiscard]] inline Headers parse_frame(std::span<const std::uint8_t> bytes,
                                         std::uint32_t frame_bytes) {
  Headers headers;
  parse_frame(bytes, frame_bytes, headers);
  return headers;
}

}  // namespace drip
