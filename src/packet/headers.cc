// SPDX-License-Identifier: BSD-3-Clause
// The layouts behind frame.h: Ethernet with VLAN tags, IPv4, IPv6 with extension headers, ports.
#include "packet/headers.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include "packet/big_endian.h"

namespace drip {
namespace {

constexpr std::size_t kMacBytes = 6;
constexpr std::size_t kEthernetBytes = 14;  // IEEE 802.3, 3.1.1
constexpr std::size_t kTagBytes = 4;        // IEEE 802.1Q, 9.3
constexpr std::size_t kIpv4Bytes = 20;      // RFC 791, 3.1
constexpr std::size_t kIpv6Bytes = 40;      // RFC 8200, 3
constexpr std::size_t kExtensionBytes = 8;  // RFC 8200, 4: the least, and the unit of length
constexpr std::size_t kPortBytes = 4;

constexpr std::uint16_t kEtherTypeIpv4 = 0x0800;
constexpr std::uint16_t kEtherTypeIpv6 = 0x86dd;

// IANA "Protocol Numbers".
enum Protocol : std::uint8_t {
  kHopByHop = 0,
  kTcp = 6,
  kUdp = 17,
  kDccp = 33,
  kRouting = 43,
  kFragmentHeader = 44,
  kAuthentication = 51,
  kIcmpv6 = 58,
  kDestinationOptions = 60,
  kSctp = 132,
  kUdpLite = 136,
};

// One bit for each IP protocol.
using ProtocolSet = std::array<std::uint64_t, 4>;

constexpr ProtocolSet set_of(std::initializer_list<std::uint8_t> protocols) {
  ProtocolSet set{};
  for (const std::uint8_t protocol : protocols) set[protocol / 64] |= 1ULL << protocol % 64;
  return set;
}
constexpr bool contains(const ProtocolSet& set, std::uint8_t protocol) {
  return (set[protocol / 64] >> protocol % 64 & 1) != 0;
}

// All of them begin with the source and the destination port (RFC 9293, 768, 3828, 9260, 4340).
constexpr ProtocolSet kHavePorts = set_of({kTcp, kUdp, kUdpLite, kSctp, kDccp});
constexpr ProtocolSet kExtensions =
    set_of({kHopByHop, kRouting, kFragmentHeader, kAuthentication, kDestinationOptions});

// One pass over one frame. `bytes_` may be read; `end_` is where the IP packet, or else the frame,
// ends, which may be before (padding) or behind (further segments) what may be read.
class Reading {
 public:
  Reading(std::span<const std::uint8_t> bytes, std::uint32_t frame_bytes, Headers& headers)
      : headers_(headers), bytes_(bytes.data()), size_(bytes.size()), end_(frame_bytes) {}

  void run() {
    if (read_ethernet()) {
      if (headers_.ether_type == kEtherTypeIpv4) {
        read_ipv4();
      } else if (headers_.ether_type == kEtherTypeIpv6) {
        read_ipv6();
      }
    }
    if (headers_.ip_version == IpVersion::kNone) read_mac_addresses();
  }

 private:
  // Whether bytes [0, last) can be read and belong to the packet; otherwise says what is wrong.
  bool reaches(std::size_t last, FrameFault fault) {
    if (last <= std::min(size_, end_)) [[likely]] {
      return true;
    }
    headers_.fault = last <= end_ ? FrameFault::kSplitHeader : fault;
    return false;
  }

  void read_mac_addresses() {
    if (size_ >= kMacBytes) std::memcpy(headers_.dst_address.data(), bytes_, kMacBytes);
    if (size_ >= 2 * kMacBytes) {
      std::memcpy(headers_.src_address.data(), bytes_ + kMacBytes, kMacBytes);
    }
  }

  static bool is_tag(std::uint16_t type) {
    // 802.1Q, 802.1ad, and what switches used for the outer tag before 802.1ad.
    return type == 0x8100 || type == 0x88a8 || type == 0x9100;
  }

  bool read_ethernet() {
    if (!reaches(kEthernetBytes, FrameFault::kShortEthernet)) return false;
    headers_.ether_type = load_be16(bytes_ + 2 * kMacBytes);
    std::size_t offset = kEthernetBytes;
    if (is_tag(headers_.ether_type)) {
      if (!read_tag(offset, headers_.vlan_id)) return false;
      offset += kTagBytes;
      if (is_tag(headers_.ether_type)) {
        if (!read_tag(offset, headers_.inner_vlan_id)) return false;
        offset += kTagBytes;
      }
    }
    headers_.l3_offset = static_cast<std::uint16_t>(offset);
    return true;
  }

  bool read_tag(std::size_t offset, std::uint16_t& vlan_id) {
    if (!reaches(offset + kTagBytes, FrameFault::kShortEthernet)) return false;
    vlan_id = load_be16(bytes_ + offset) & 0x0fff;
    headers_.ether_type = load_be16(bytes_ + offset + 2);
    ++headers_.vlan_count;
    return true;
  }

  bool read_version(const std::uint8_t* ip, IpVersion version) {
    if (ip[0] >> 4 != static_cast<std::uint8_t>(version)) {
      headers_.fault = FrameFault::kIpVersion;
      return false;
    }
    headers_.ip_version = version;
    return true;
  }

  void read_ipv4() {
    const std::size_t begin = headers_.l3_offset;
    if (!reaches(begin + kIpv4Bytes, FrameFault::kShortIp)) return;
    const std::uint8_t* ip = bytes_ + begin;
    if (!read_version(ip, IpVersion::kV4)) return;
    headers_.dscp = ip[1] >> 2;
    headers_.ip_protocol = ip[9];
    std::memcpy(headers_.src_address.data(), ip + 12, 4);
    std::memcpy(headers_.dst_address.data(), ip + 16, 4);
    // More Fragments, or an offset.
    headers_.fragment = (load_be16(ip + 6) & 0x3fff) != 0;

    const std::size_t header_bytes = std::size_t{4} * (ip[0] & 0x0fU);
    if (header_bytes < kIpv4Bytes) {
      headers_.fault = FrameFault::kIpHeaderLength;
      return;
    }
    if (!reaches(begin + header_bytes, FrameFault::kIpHeaderLength)) return;
    const std::size_t total_bytes = load_be16(ip + 2);
    if (total_bytes < header_bytes) {
      headers_.fault = FrameFault::kIpTotalLength;
      return;
    }
    end_ = std::min(end_, begin + total_bytes);
    read_transport(begin + header_bytes);
  }

  void read_ipv6() {
    const std::size_t begin = headers_.l3_offset;
    if (!reaches(begin + kIpv6Bytes, FrameFault::kShortIp)) return;
    const std::uint8_t* ip = bytes_ + begin;
    if (!read_version(ip, IpVersion::kV6)) return;
    headers_.dscp = load_be16(ip) >> 6 & 0x3f;
    headers_.ip_protocol = ip[6];
    std::memcpy(headers_.src_address.data(), ip + 8, 16);
    std::memcpy(headers_.dst_address.data(), ip + 24, 16);

    const std::size_t payload_bytes = load_be16(ip + 4);
    // RFC 2675: in a jumbogram the length is 0 and stands in a hop-by-hop option.
    if (payload_bytes != 0 || headers_.ip_protocol != kHopByHop) {
      end_ = std::min(end_, begin + kIpv6Bytes + payload_bytes);
    }
    std::size_t offset = begin + kIpv6Bytes;
    if (contains(kExtensions, headers_.ip_protocol) && !pass_extensions(offset)) return;
    read_transport(offset);
  }

  // Moves `offset` and ip_protocol to what follows the extension headers.
  bool pass_extensions(std::size_t& offset) {
    for (int count = 0; contains(kExtensions, headers_.ip_protocol); ++count) {
      if (count == kMaxExtensionHeaders) {
        headers_.fault = FrameFault::kManyExtensions;
        return false;
      }
      if (!reaches(offset + kExtensionBytes, FrameFault::kShortExtension)) return false;
      const std::uint8_t* extension = bytes_ + offset;
      std::size_t extension_bytes = kExtensionBytes;
      if (headers_.ip_protocol == kFragmentHeader) {
        // RFC 8200, 4.5: an offset, or more to come.
        headers_.fragment = (load_be16(extension + 2) & 0xfff9) != 0;
      } else if (headers_.ip_protocol == kAuthentication) {
        extension_bytes = 4 * (std::size_t{extension[1]} + 2);  // RFC 4302, 2.2
      } else {
        extension_bytes += kExtensionBytes * extension[1];
      }
      if (!reaches(offset + extension_bytes, FrameFault::kShortExtension)) return false;
      headers_.ip_protocol = extension[0];
      offset += extension_bytes;
      // What is behind the fragment header is only in the first fragment, and the others must
      // agree.
      if (headers_.fragment) return true;
    }
    return true;
  }

  void read_transport(std::size_t offset) {
    headers_.l4_offset = static_cast<std::uint16_t>(offset);
    if (headers_.fragment) return;
    if (contains(kHavePorts, headers_.ip_protocol)) {
      if (!reaches(offset + kPortBytes, FrameFault::kShortTransport)) return;
      headers_.src_port = load_be16(bytes_ + offset);
      headers_.dst_port = load_be16(bytes_ + offset + 2);
      headers_.ports_valid = true;
    } else if (headers_.ip_protocol == kIcmpv6 && headers_.ip_version == IpVersion::kV6) {
      if (!reaches(offset + 1, FrameFault::kShortTransport)) return;
      headers_.icmpv6_type = bytes_[offset];
    }
  }

  Headers& headers_;
  const std::uint8_t* bytes_;
  std::size_t size_;
  std::size_t end_;
};

}  // namespace

std::string_view to_text(FrameFault fault) {
  switch (fault) {
    case FrameFault::kNone:
      return "none";
    case FrameFault::kShortEthernet:
      return "short_ethernet";
    case FrameFault::kShortIp:
      return "short_ip";
    case FrameFault::kIpVersion:
      return "ip_version";
    case FrameFault::kIpHeaderLength:
      return "ip_header_length";
    case FrameFault::kIpTotalLength:
      return "ip_total_length";
    case FrameFault::kShortExtension:
      return "short_extension";
    case FrameFault::kManyExtensions:
      return "many_extensions";
    case FrameFault::kShortTransport:
      return "short_transport";
    case FrameFault::kSplitHeader:
      return "split_header";
  }
  return "unknown";
}

void parse_frame(std::span<const std::uint8_t> bytes, std::uint32_t frame_bytes, Headers& headers) {
  // A line copied at once: GCC puts Headers{} together on the stack and waits to read it back.
  static constexpr Headers kUnread{};
  headers = kUnread;
  Reading(bytes, frame_bytes, headers).run();
}

}  // namespace drip
