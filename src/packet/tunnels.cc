// SPDX-License-Identifier: BSD-3-Clause
// Steps from a packet to the one that it carries.
#include "packet/tunnels.h"

#include <optional>

#include "packet/big_endian.h"
#include "packet/protocol_numbers.h"

namespace drip {
namespace {

constexpr std::uint16_t kVxlanPort = 4789;
constexpr std::uint16_t kGtpPort = 2152;
constexpr std::size_t kUdpBytes = 8;
constexpr std::size_t kVxlanBytes = 8;
constexpr std::size_t kGtpBytes = 8;
constexpr std::size_t kGreBytes = 4;
constexpr std::size_t kLabelBytes = 4;
constexpr std::size_t kControlWordBytes = 4;
constexpr int kMaxGtpExtensions = 8;

// What a packet carries: at `offset`, a frame or what follows an EtherType.
struct Carried {
  std::size_t offset = 0;
  std::uint16_t ether_type = ether_type::kTransparentBridging;
};

std::uint8_t version_at(std::span<const std::uint8_t> bytes, std::size_t offset) {
  return offset < bytes.size() ? bytes[offset] >> 4 : 0;
}

// IP that nothing but its version announces.
std::optional<Carried> ip_at(std::span<const std::uint8_t> bytes, std::size_t offset) {
  const std::uint8_t version = version_at(bytes, offset);
  if (version == 4) return Carried{offset, ether_type::kIpv4};
  if (version == 6) return Carried{offset, ether_type::kIpv6};
  return std::nullopt;
}

std::optional<Carried> in_vxlan(std::span<const std::uint8_t> bytes, std::size_t offset) {
  // The I flag: the network identifier is valid.
  if (bytes.size() < offset + kVxlanBytes || (bytes[offset] & 0x08) == 0) return std::nullopt;
  return Carried{offset + kVxlanBytes};
}

std::optional<Carried> in_gtp(std::span<const std::uint8_t> bytes, std::size_t offset) {
  if (bytes.size() < offset + kGtpBytes) return std::nullopt;
  const std::uint8_t flags = bytes[offset];
  constexpr std::uint8_t kUserData = 0xff;  // G-PDU
  // Version 1 and GTP, not GTP'.
  if (flags >> 4 != 3 || bytes[offset + 1] != kUserData) return std::nullopt;
  offset += kGtpBytes;
  if ((flags & 7) == 0) return ip_at(bytes, offset);
  // Sequence number, N-PDU number, type of the first extension header.
  if (bytes.size() < offset + 4) return std::nullopt;
  std::uint8_t next = (flags & 4) != 0 ? bytes[offset + 3] : 0;
  offset += 4;
  for (int count = 0; next != 0; ++count) {
    if (count == kMaxGtpExtensions || bytes.size() <= offset) return std::nullopt;
    const std::size_t length = std::size_t{4} * bytes[offset];
    if (length == 0 || bytes.size() < offset + length) return std::nullopt;
    next = bytes[offset + length - 1];
    offset += length;
  }
  return ip_at(bytes, offset);
}

std::optional<Carried> in_gre(std::span<const std::uint8_t> bytes, std::size_t offset) {
  if (bytes.size() < offset + kGreBytes) return std::nullopt;
  const std::uint16_t flags = load_be16(bytes.data() + offset);
  const std::uint16_t type = load_be16(bytes.data() + offset + 2);
  // Version 0, without the routing that RFC 2784 took out.
  if ((flags & 0x4007) != 0) return std::nullopt;
  offset += kGreBytes;
  for (const std::uint16_t flag : {0x8000, 0x2000, 0x1000}) {  // Checksum, key, sequence number.
    if ((flags & flag) != 0) offset += 4;
  }
  return Carried{offset, type};
}

// Ethernet over MPLS: a control word begins with four bits of 0, which no IP packet does.
std::optional<Carried> in_mpls(std::span<const std::uint8_t> bytes, std::size_t offset) {
  for (int labels = 0; labels < kMaxLabels && bytes.size() >= offset + kLabelBytes; ++labels) {
    offset += kLabelBytes;
    if ((bytes[offset - 2] & 1) == 0) continue;
    if (bytes.size() < offset + kControlWordBytes || version_at(bytes, offset) != 0) break;
    return Carried{offset + kControlWordBytes};
  }
  return std::nullopt;
}

std::optional<Carried> carried_by(std::span<const std::uint8_t> bytes, const Headers& headers) {
  if (headers.ip_version == IpVersion::kNone) {
    const bool is_mpls =
        headers.ether_type == ether_type::kMpls || headers.ether_type == ether_type::kMplsUpstream;
    return is_mpls ? in_mpls(bytes, headers.l3_offset) : std::nullopt;
  }
  if (headers.l4_offset == 0) return std::nullopt;
  switch (headers.ip_protocol) {
    case ip_protocol::kIpv4:
      return Carried{headers.l4_offset, ether_type::kIpv4};
    case ip_protocol::kIpv6:
      return Carried{headers.l4_offset, ether_type::kIpv6};
    case ip_protocol::kGre:
      return in_gre(bytes, headers.l4_offset);
    case ip_protocol::kUdp:
      if (headers.dst_port == kVxlanPort) return in_vxlan(bytes, headers.l4_offset + kUdpBytes);
      if (headers.dst_port == kGtpPort) return in_gtp(bytes, headers.l4_offset + kUdpBytes);
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

}  // namespace

bool is_tunnel(const Headers& headers) {
  switch (headers.ip_protocol) {
    case ip_protocol::kIpv4:
    case ip_protocol::kIpv6:
    case ip_protocol::kGre:
      return headers.ip_version != IpVersion::kNone;
    case ip_protocol::kUdp:
      return headers.dst_port == kVxlanPort || headers.dst_port == kGtpPort;
    default:
      return false;
  }
}

bool parse_inner(std::span<const std::uint8_t> bytes, std::uint32_t frame_bytes,
                 const Headers& headers, Headers& inner, std::uint32_t* begin) {
  inner = headers;
  std::uint32_t passed = 0;
  bool found = false;
  for (int depth = 0; depth < kMaxTunnels; ++depth) {
    const auto carried = carried_by(bytes, inner);
    if (!carried || carried->offset >= bytes.size()) break;
    const auto rest = bytes.subspan(carried->offset);
    const auto rest_bytes = frame_bytes - static_cast<std::uint32_t>(carried->offset);
    Headers next;
    if (carried->ether_type == ether_type::kTransparentBridging) {
      parse_frame(rest, rest_bytes, next);
    } else {
      parse_payload(carried->ether_type, rest, rest_bytes, next);
    }
    const bool is_frame = carried->ether_type == ether_type::kTransparentBridging;
    const bool is_mpls =
        next.ether_type == ether_type::kMpls || next.ether_type == ether_type::kMplsUpstream;
    // Neither a frame nor IP: what carries it says more.
    if (next.ip_version == IpVersion::kNone && !(is_frame ? next.ether_type != 0 : is_mpls)) break;
    bytes = rest;
    frame_bytes = rest_bytes;
    passed += static_cast<std::uint32_t>(carried->offset);
    inner = next;
    found = true;
  }
  inner.vlan_id = headers.vlan_id;
  inner.inner_vlan_id = headers.inner_vlan_id;
  if (begin != nullptr) *begin = passed;
  return found;
}

}  // namespace drip
