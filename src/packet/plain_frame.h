// SPDX-License-Identifier: BSD-3-Clause
// Reads the frames that most are, in straight code: TCP or UDP in IPv4 without options or IPv6
// without extension headers, behind at most two tags.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "packet/big_endian.h"
#include "packet/headers.h"
#include "packet/protocol_numbers.h"

namespace drip {

/// What parse_frame() does for any frame, plain or not. It is the reference for read_plain_frame().
void parse_any_frame(std::span<const std::uint8_t> bytes, std::uint32_t frame_bytes,
                     Headers& headers);

namespace plain_frame {

[[gnu::always_inline]] inline bool has_ports(std::uint8_t protocol) {
  return protocol == ip_protocol::kTcp || protocol == ip_protocol::kUdp;
}
[[gnu::always_inline]] inline void read_ports(const std::uint8_t* ports, std::size_t offset,
                                              std::uint8_t protocol, Headers& headers) {
  headers.ip_protocol = protocol;
  headers.l4_offset = static_cast<std::uint16_t>(offset);
  headers.src_port = load_be16(ports);
  headers.dst_port = load_be16(ports + 2);
  headers.ports_valid = true;
}

}  // namespace plain_frame

/// False if the frame is none of these, or one of its lengths is wrong: then `headers` has changed
/// in fields only that parse_any_frame() sets to the same. REQUIRES: `headers` as initialised.
[[gnu::always_inline]] inline bool read_plain_frame(std::span<const std::uint8_t> bytes,
                                                    std::uint32_t frame_bytes, Headers& headers) {
  const std::size_t readable = std::min<std::size_t>(bytes.size(), frame_bytes);
  if (readable < header_bytes::kEthernet + header_bytes::kIpv4 + header_bytes::kPorts) [[unlikely]]
    return false;
  const std::uint8_t* const frame = bytes.data();
  std::size_t begin = header_bytes::kEthernet;
  std::uint16_t type = load_be16(frame + begin - 2);
  if (ether_type::is_tag(type)) {
    headers.vlan_id = load_be16(frame + begin) & 0x0fff;
    begin += header_bytes::kTag;
    type = load_be16(frame + begin - 2);
    if (ether_type::is_tag(type)) {
      headers.inner_vlan_id = load_be16(frame + begin) & 0x0fff;
      begin += header_bytes::kTag;
      type = load_be16(frame + begin - 2);
    }
  }
  const std::uint8_t* const ip = frame + begin;
  if (type == ether_type::kIpv4) {
    const std::uint8_t protocol = ip[9];
    // Version 4 and five words of header; neither more fragments nor an offset; at least the ports.
    if (ip[0] != 0x45 || (load_be16(ip + 6) & 0x3fff) != 0 || !plain_frame::has_ports(protocol) ||
        load_be16(ip + 2) < header_bytes::kIpv4 + header_bytes::kPorts ||
        readable < begin + header_bytes::kIpv4 + header_bytes::kPorts) {
      return false;
    }
    headers.ip_version = IpVersion::kV4;
    headers.dscp = ip[1] >> 2;
    std::memcpy(headers.src_address.data(), ip + 12, 4);
    std::memcpy(headers.dst_address.data(), ip + 16, 4);
    plain_frame::read_ports(ip + header_bytes::kIpv4, begin + header_bytes::kIpv4, protocol,
                            headers);
  } else if (type == ether_type::kIpv6 &&
             readable >= begin + header_bytes::kIpv6 + header_bytes::kPorts) {
    const std::uint8_t protocol = ip[6];
    if (ip[0] >> 4 != 6 || !plain_frame::has_ports(protocol) ||
        load_be16(ip + 4) < header_bytes::kPorts) {
      return false;
    }
    headers.ip_version = IpVersion::kV6;
    headers.dscp = load_be16(ip) >> 6 & 0x3f;
    std::memcpy(headers.src_address.data(), ip + 8, 16);
    std::memcpy(headers.dst_address.data(), ip + 24, 16);
    plain_frame::read_ports(ip + header_bytes::kIpv6, begin + header_bytes::kIpv6, protocol,
                            headers);
  } else {
    return false;
  }
  headers.ether_type = type;
  headers.l3_offset = static_cast<std::uint16_t>(begin);
  return true;
}

}  // namespace drip
