// SPDX-License-Identifier: BSD-3-Clause
// The DS field in IPv4 and IPv6 headers (RFC 2474, section 3), and the IPv4 checksum.
#include "packet/ds_field.h"

#include <cstddef>

#include "packet/big_endian.h"
#include "packet/protocol_numbers.h"

namespace drip {
namespace {

constexpr std::size_t kIpv4ChecksumOffset = 10;  // RFC 791, 3.1
constexpr std::uint8_t kDscpShift = 2;
constexpr std::size_t kPppoeBytes = 6;  // RFC 2516, 4
constexpr std::size_t kLabelBytes = 4;  // RFC 3032, 2.1

void store_be16(std::uint8_t* bytes, std::uint16_t value) {
  bytes[0] = static_cast<std::uint8_t>(value >> 8);
  bytes[1] = static_cast<std::uint8_t>(value);
}

void write_ipv4(std::uint8_t* ip, std::uint8_t field) {
  const std::uint16_t before = load_be16(ip);
  ip[1] = field;
  const std::uint16_t after = load_be16(ip);
  // RFC 1624, equation 3: HC' = ~(~HC + ~m + m'), in ones' complement.
  const auto inverted = [](std::uint16_t word) { return static_cast<std::uint16_t>(~word); };
  std::uint32_t sum =
      std::uint32_t{inverted(load_be16(ip + kIpv4ChecksumOffset))} + inverted(before) + after;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  store_be16(ip + kIpv4ChecksumOffset, inverted(static_cast<std::uint16_t>(sum)));
}

// 4 bits version, 8 bits traffic class, 20 bits flow label: RFC 8200, 3. No checksum.
void write_ipv6(std::uint8_t* ip, std::uint8_t field) {
  ip[0] = static_cast<std::uint8_t>((ip[0] & 0xf0) | field >> 4);
  ip[1] = static_cast<std::uint8_t>(field << 4 | (ip[1] & 0x0f));
}

void write_ds_field(std::span<std::uint8_t> bytes, IpLocation ip, std::uint8_t field) {
  if (read_ds_field(bytes, ip) == field) return;
  if (ip.version == IpVersion::kV4) write_ipv4(bytes.data() + ip.offset, field);
  if (ip.version == IpVersion::kV6) write_ipv6(bytes.data() + ip.offset, field);
}

// The parser has found IP at the end of these, so they are within `bytes`.
std::size_t skip_pppoe(std::span<const std::uint8_t> bytes, std::size_t offset) {
  const std::size_t protocol = offset + kPppoeBytes;
  // A protocol of one byte is odd: RFC 1661, 2.
  return protocol + ((bytes[protocol] & 1) != 0 ? 1 : 2);
}
std::size_t skip_mpls(std::span<const std::uint8_t> bytes, std::size_t offset) {
  while ((bytes[offset + 2] & 1) == 0) offset += kLabelBytes;
  return offset + kLabelBytes;
}

}  // namespace

IpLocation locate_ip(std::span<const std::uint8_t> bytes, const Headers& headers) {
  if (headers.ip_version == IpVersion::kNone) return {};
  std::size_t offset = headers.l3_offset;
  if (headers.ether_type == ether_type::kPppoeSession) {
    offset = skip_pppoe(bytes, offset);
  } else if (headers.ether_type == ether_type::kMpls ||
             headers.ether_type == ether_type::kMplsUpstream) {
    offset = skip_mpls(bytes, offset);
  }
  return {static_cast<std::uint16_t>(offset), headers.ip_version};
}

std::uint8_t read_ds_field(std::span<const std::uint8_t> bytes, IpLocation ip) {
  if (ip.version == IpVersion::kV4) return bytes[ip.offset + std::size_t{1}];
  if (ip.version == IpVersion::kV6) {
    return static_cast<std::uint8_t>(load_be16(bytes.data() + ip.offset) >> 4);
  }
  return 0;
}

bool set_ce(std::span<std::uint8_t> bytes, IpLocation ip) {
  const std::uint8_t field = read_ds_field(bytes, ip);
  if (!is_ecn_capable(static_cast<Ecn>(field & 3))) return false;
  write_ds_field(bytes, ip, field | static_cast<std::uint8_t>(Ecn::kCe));
  return true;
}

void set_dscp(std::span<std::uint8_t> bytes, IpLocation ip, std::uint8_t dscp) {
  const std::uint8_t ecn = read_ds_field(bytes, ip) & 3;
  write_ds_field(bytes, ip, static_cast<std::uint8_t>(dscp << kDscpShift | ecn));
}

}  // namespace drip
