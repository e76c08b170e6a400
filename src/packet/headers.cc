// SPDX-License-Identifier: BSD-3-Clause
// Parses Ethernet with VLAN tags, IPv4, IPv6 with extension headers, and ports.
#include "packet/headers.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include "packet/big_endian.h"
#include "packet/plain_frame.h"
#include "packet/protocol_numbers.h"

namespace drip {
namespace {

constexpr std::size_t kExtensionBytes = 8;  // RFC 8200, 4: the shortest, and the unit of length
constexpr std::size_t kPppoeBytes = 8;      // RFC 2516, 4: and the PPP protocol
constexpr std::size_t kLabelBytes = 4;      // RFC 3032, 2.1
constexpr std::size_t kIcmpBytes = 2;       // Type and code: RFC 792, RFC 4443

constexpr std::size_t kShortestFrameBytes = 60;  // IEEE 802.3, 4A.4.2, without FCS
constexpr std::uint16_t kPppIpv4 = 0x0021;       // RFC 1332
constexpr std::uint16_t kPppIpv6 = 0x0057;       // RFC 5072

// One bit for each IP protocol.
using ProtocolSet = std::array<std::uint64_t, 4>;

constexpr ProtocolSet set_of(std::span<const std::uint8_t> protocols) {
  ProtocolSet set{};
  for (const std::uint8_t protocol : protocols) set[protocol / 64] |= 1ULL << protocol % 64;
  return set;
}
constexpr bool contains(const ProtocolSet& set, std::uint8_t protocol) {
  return (set[protocol / 64] >> protocol % 64 & 1) != 0;
}

constexpr ProtocolSet kHavePorts = set_of(kProtocolsWithPorts);
constexpr std::array<std::uint8_t, 5> kExtensionProtocols = {
    ip_protocol::kHopByHop, ip_protocol::kRouting, ip_protocol::kFragment,
    ip_protocol::kAuthentication, ip_protocol::kDestinationOptions};
constexpr ProtocolSet kExtensions = set_of(kExtensionProtocols);

// One pass over one frame. `bytes_` holds `size_` readable bytes. `end_` is the end of the IP
// packet or, without IP, of the frame: less than `size_` with padding, more with further segments.
class Parser {
 public:
  Parser(std::span<const std::uint8_t> bytes, std::uint32_t frame_bytes, Headers& headers)
      : headers_(headers), bytes_(bytes.data()), size_(bytes.size()), end_(frame_bytes) {}

  void run() {
    if (read_ethernet()) read_payload();
    if (headers_.ip_version == IpVersion::kNone) read_mac_addresses();
  }
  // Without Ethernet: the bytes begin behind an EtherType.
  void run_behind(std::uint16_t ether_type) {
    headers_.ether_type = ether_type;
    if (read_tags(0)) read_payload();
  }

 private:
  // Whether bytes [0, last) are readable and belong to the packet.
  [[nodiscard]] bool reaches(std::size_t last) const {
    if (last <= std::min(size_, end_)) [[likely]] {
      return true;
    }
    return false;
  }

  void read_mac_addresses() {
    if (size_ >= header_bytes::kMac) {
      std::memcpy(headers_.dst_address.data(), bytes_, header_bytes::kMac);
    }
    if (size_ >= 2 * header_bytes::kMac) {
      std::memcpy(headers_.src_address.data(), bytes_ + header_bytes::kMac, header_bytes::kMac);
    }
  }

  bool read_ethernet() {
    if (!reaches(header_bytes::kEthernet)) return false;
    headers_.ether_type = load_be16(bytes_ + 2 * header_bytes::kMac);
    return read_tags(header_bytes::kEthernet);
  }

  bool read_tags(std::size_t offset) {
    if (ether_type::is_tag(headers_.ether_type)) {
      if (!read_tag(offset, headers_.vlan_id)) return false;
      offset += header_bytes::kTag;
      if (ether_type::is_tag(headers_.ether_type)) {
        if (!read_tag(offset, headers_.inner_vlan_id)) return false;
        offset += header_bytes::kTag;
        for (int tags = 2; ether_type::is_tag(headers_.ether_type) && tags < kMaxTags; ++tags) {
          std::uint16_t passed_over = 0;
          if (!read_tag(offset, passed_over)) return false;
          offset += header_bytes::kTag;
        }
      }
    }
    headers_.l3_offset = static_cast<std::uint16_t>(offset);
    return true;
  }

  void read_payload() {
    if (headers_.ether_type == ether_type::kIpv4) {
      read_ipv4(headers_.l3_offset);
    } else if (headers_.ether_type == ether_type::kIpv6) {
      read_ipv6(headers_.l3_offset);
    } else if (headers_.ether_type == ether_type::kPppoeSession) {
      read_pppoe();
    } else if (headers_.ether_type == ether_type::kMpls ||
               headers_.ether_type == ether_type::kMplsUpstream) {
      read_mpls();
    }
  }

  void read_pppoe() {
    const std::size_t begin = headers_.l3_offset;
    if (!reaches(begin + kPppoeBytes)) return;
    const std::uint8_t* pppoe = bytes_ + begin;
    // Version and type 1, code 0.
    if (load_be16(pppoe) != 0x1100) return;
    // The length is that of the PPP protocol and what follows.
    end_ = std::min(end_, begin + kPppoeBytes - 2 + load_be16(pppoe + 4));
    // An odd first octet is the whole of a compressed protocol (RFC 1661, 6.5), which RFC 2516
    // advises against and does not forbid.
    const bool compressed = (pppoe[6] & 1) != 0;
    const std::uint16_t protocol = compressed ? pppoe[6] : load_be16(pppoe + 6);
    const std::size_t payload = begin + kPppoeBytes - static_cast<std::size_t>(compressed);
    if (protocol == kPppIpv4) read_ipv4(payload);
    if (protocol == kPppIpv6) read_ipv6(payload);
  }

  // Nothing says what is behind the last label. A packet of IP begins with its version and has the
  // length that is left, but for padding; a pseudowire seldom looks like that (RFC 8469).
  void read_mpls() {
    std::size_t offset = headers_.l3_offset;
    for (int labels = 0;; ++labels) {
      if (labels == kMaxLabels || !reaches(offset + kLabelBytes)) return;
      offset += kLabelBytes;
      if ((bytes_[offset - 2] & 1) != 0) break;  // Bottom of stack: RFC 3032, 2.1
    }
    if (!reaches(offset + header_bytes::kIpv4)) return;
    const std::size_t left = end_ - offset;
    const auto is_length = [left](std::size_t length) {
      return length <= left && left - length < kShortestFrameBytes;
    };
    const std::uint8_t* ip = bytes_ + offset;
    if (ip[0] >> 4 == 4) {
      if (is_length(load_be16(ip + 2))) read_ipv4(offset);
    } else if (ip[0] >> 4 == 6) {
      if (is_length(header_bytes::kIpv6 + load_be16(ip + 4))) read_ipv6(offset);
    }
  }

  bool read_tag(std::size_t offset, std::uint16_t& vlan_id) {
    if (!reaches(offset + header_bytes::kTag)) return false;
    vlan_id = load_be16(bytes_ + offset) & 0x0fff;
    headers_.ether_type = load_be16(bytes_ + offset + 2);
    return true;
  }

  bool read_version(const std::uint8_t* ip, IpVersion version) {
    if (ip[0] >> 4 != static_cast<std::uint8_t>(version)) return false;
    headers_.ip_version = version;
    return true;
  }

  void read_ipv4(std::size_t begin) {
    if (!reaches(begin + header_bytes::kIpv4)) return;
    const std::uint8_t* ip = bytes_ + begin;
    if (!read_version(ip, IpVersion::kV4)) return;
    headers_.dscp = ip[1] >> 2;
    headers_.ip_protocol = ip[9];
    std::memcpy(headers_.src_address.data(), ip + 12, 4);
    std::memcpy(headers_.dst_address.data(), ip + 16, 4);
    // The More Fragments flag and the offset.
    headers_.fragment = (load_be16(ip + 6) & 0x3fff) != 0;

    const std::size_t with_options = std::size_t{4} * (ip[0] & 0x0fU);
    if (with_options < header_bytes::kIpv4 || !reaches(begin + with_options)) return;
    const std::size_t total_bytes = load_be16(ip + 2);
    if (total_bytes < with_options) return;
    end_ = std::min(end_, begin + total_bytes);
    read_transport(begin + with_options);
  }

  void read_ipv6(std::size_t begin) {
    if (!reaches(begin + header_bytes::kIpv6)) return;
    const std::uint8_t* ip = bytes_ + begin;
    if (!read_version(ip, IpVersion::kV6)) return;
    headers_.dscp = load_be16(ip) >> 6 & 0x3f;
    headers_.ip_protocol = ip[6];
    std::memcpy(headers_.src_address.data(), ip + 8, 16);
    std::memcpy(headers_.dst_address.data(), ip + 24, 16);

    const std::size_t payload_bytes = load_be16(ip + 4);
    // RFC 2675: a jumbogram has length 0 here, and its length in a hop-by-hop option.
    if (payload_bytes != 0 || headers_.ip_protocol != ip_protocol::kHopByHop) {
      end_ = std::min(end_, begin + header_bytes::kIpv6 + payload_bytes);
    }
    std::size_t offset = begin + header_bytes::kIpv6;
    if (contains(kExtensions, headers_.ip_protocol) && !skip_extensions(offset)) return;
    read_transport(offset);
  }

  // Advances `offset` and ip_protocol past the extension headers. False if one of them cannot be
  // read.
  bool skip_extensions(std::size_t& offset) {
    for (int count = 0; contains(kExtensions, headers_.ip_protocol); ++count) {
      if (count == kMaxExtensionHeaders) return false;
      if (!reaches(offset + kExtensionBytes)) return false;
      const std::uint8_t* extension = bytes_ + offset;
      std::size_t extension_bytes = kExtensionBytes;
      if (headers_.ip_protocol == ip_protocol::kFragment) {
        // RFC 8200, 4.5: the offset and the M flag.
        headers_.fragment = (load_be16(extension + 2) & 0xfff9) != 0;
      } else if (headers_.ip_protocol == ip_protocol::kAuthentication) {
        extension_bytes = 4 * (std::size_t{extension[1]} + 2);  // RFC 4302, 2.2
      } else {
        extension_bytes += kExtensionBytes * extension[1];
      }
      if (!reaches(offset + extension_bytes)) return false;
      headers_.ip_protocol = extension[0];
      offset += extension_bytes;
      // Headers after the fragment header are in the first fragment only, and all fragments must
      // get the same result.
      if (headers_.fragment) return true;
    }
    return true;
  }

  void read_transport(std::size_t offset) {
    if (headers_.fragment) return;
    headers_.l4_offset = static_cast<std::uint16_t>(offset);
    if (contains(kHavePorts, headers_.ip_protocol)) {
      if (!reaches(offset + header_bytes::kPorts)) return;
      headers_.src_port = load_be16(bytes_ + offset);
      headers_.dst_port = load_be16(bytes_ + offset + 2);
      headers_.ports_valid = true;
    } else if (headers_.ip_protocol == (headers_.ip_version == IpVersion::kV4
                                            ? ip_protocol::kIcmp
                                            : ip_protocol::kIcmpv6)) {
      if (!reaches(offset + kIcmpBytes)) return;
      headers_.icmp_type = bytes_[offset];
      headers_.icmp_code = bytes_[offset + 1];
      headers_.icmp_valid = true;
    }
  }

  Headers& headers_;
  const std::uint8_t* bytes_;
  std::size_t size_;
  std::size_t end_;
};

// A copy of a constant: GCC would build Headers{} on the stack and stall to read it back.
constexpr Headers kUnread{};

// Apart, so that parse_frame() needs no stack.
[[gnu::noinline]] void parse_unread(std::span<const std::uint8_t> bytes, std::uint32_t frame_bytes,
                                    Headers& headers) {
  Parser(bytes, frame_bytes, headers).run();
}

}  // namespace

void parse_frame(std::span<const std::uint8_t> bytes, std::uint32_t frame_bytes, Headers& headers) {
  headers = kUnread;
  if (read_plain_frame(bytes, frame_bytes, headers)) [[likely]]
    return;
  parse_unread(bytes, frame_bytes, headers);
}

void parse_any_frame(std::span<const std::uint8_t> bytes, std::uint32_t frame_bytes,
                     Headers& headers) {
  headers = kUnread;
  parse_unread(bytes, frame_bytes, headers);
}

void parse_payload(std::uint16_t ether_type, std::span<const std::uint8_t> bytes,
                   std::uint32_t payload_bytes, Headers& headers) {
  headers = Headers{};
  Parser(bytes, payload_bytes, headers).run_behind(ether_type);
}

}  // namespace drip
