// SPDX-License-Identifier: BSD-3-Clause
// Reads the headers of one Ethernet frame, as far as they can be read.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "drip/cache_line.h"
#include "packet/ip_prefix.h"

namespace drip {

/// Why reading stopped before it was done. No reason to drop a packet: what was read stands.
enum class FrameFault : std::uint8_t {
  kNone,
  kShortEthernet,   ///< Ends within the MAC addresses, the EtherType or a VLAN tag.
  kShortIp,         ///< Ends within the fixed IP header.
  kIpVersion,       ///< The version field is not what the EtherType says.
  kIpHeaderLength,  ///< IPv4 IHL below 5, or the options reach past the end.
  kIpTotalLength,   ///< IPv4 total length below the header's own length.
  kShortExtension,  ///< Ends within an IPv6 extension header.
  kManyExtensions,  ///< More IPv6 extension headers than kMaxExtensionHeaders.
  kShortTransport,  ///< Ends before the ports or the ICMPv6 type.
  kSplitHeader,     ///< The frame goes on, but in memory that is not contiguous.
};
std::string_view to_text(FrameFault fault);

inline constexpr std::uint16_t kNoVlan = 0xffff;
/// RFC 8200, 4.1 has 7 at most, each once but for the destination options.
inline constexpr int kMaxExtensionHeaders = 8;

/// What is in one frame, in one cache line. Numbers are in host byte order. A field that could not
/// be read, or is not there, has the value that its initialiser shows.
struct alignas(kCacheLineBytes) Headers {
  /// ip_version kNone: the source and destination MAC addresses, in the first 6 bytes.
  IpAddress src_address{};
  IpAddress dst_address{};
  /// Behind at most two VLAN tags (TPID 0x8100, 0x88a8, 0x9100); with a third it is that tag's
  /// TPID. Below 0x0600 it is the length of an IEEE 802.3 frame.
  std::uint16_t ether_type = 0;
  std::uint16_t vlan_id = kNoVlan;        ///< Of the outer, or only, tag.
  std::uint16_t inner_vlan_id = kNoVlan;  ///< Of the second tag.
  std::uint16_t src_port = 0;
  std::uint16_t dst_port = 0;
  std::uint16_t l3_offset = 0;  ///< Bytes from the frame's begin to what the EtherType announces.
  /// Bytes to the header that ip_protocol announces; for a later fragment, to its payload. 0 if
  /// there is no IP header that could be read whole.
  std::uint16_t l4_offset = 0;
  /// kV4 only behind EtherType 0x0800, kV6 only behind 0x86dd; the addresses were read.
  IpVersion ip_version = IpVersion::kNone;
  /// IPv6: behind hop-by-hop, routing, destination options and AH; where reading stopped, the
  /// header at which it stopped. Of a fragment, what its fragment header announces, which is the
  /// same in all fragments of a datagram (RFC 8200, 4.5).
  std::uint8_t ip_protocol = 0;
  std::uint8_t dscp = 0;
  std::uint8_t vlan_count = 0;  ///< 0 to 2.
  /// 0 (which IANA reserves) if it is not ICMPv6 or a fragment.
  std::uint8_t icmpv6_type = 0;
  /// The first fragment or a later one; not an IPv6 "atomic fragment" (RFC 6946), which is whole.
  bool fragment = false;
  /// TCP, UDP, UDP-Lite, SCTP or DCCP, and not a fragment.
  bool ports_valid = false;
  FrameFault fault = FrameFault::kNone;

  [[nodiscard]] bool malformed() const { return fault != FrameFault::kNone; }
  friend bool operator==(const Headers&, const Headers&) = default;
};
static_assert(sizeof(Headers) == kCacheLineBytes);

/// `bytes`: the contiguous begin of the frame, destination MAC first, without FCS; possibly empty.
/// `frame_bytes`: the length of the whole frame, at least bytes.size(), and more where the rest is
/// in further segments. Reads nothing outside of `bytes`, refuses nothing. Overwrites all of
/// `headers`, which is filled where it will be read: to move a line that was just written field by
/// field, the processor waits until all of it has reached the cache. Thread safe.
void parse_frame(std::span<const std::uint8_t> bytes, std::uint32_t frame_bytes, Headers& headers);

/// The same, where that wait does not matter.
[[nodiscard]] inline Headers parse_frame(std::span<const std::uint8_t> bytes,
                                         std::uint32_t frame_bytes) {
  Headers headers;
  parse_frame(bytes, frame_bytes, headers);
  return headers;
}

}  // namespace drip
