// SPDX-License-Identifier: BSD-3-Clause
#include "classifier/mismatch.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "packet/protocol_numbers.h"
#include "packet/tunnels.h"

namespace drip {
namespace {

constexpr std::size_t kTcpFlagsOffset = 13;  // RFC 9293, 3.1.

using Found = std::optional<Mismatch>;

std::string is_not(std::uint64_t has, std::uint64_t wanted) {
  return absl::StrCat(has, " is not ", wanted);
}

std::string hex(std::uint32_t value, absl::PadSpec width) {
  return absl::StrCat("0x", absl::Hex(value, width));
}

Found check_prefix(std::string_view field, const std::optional<IpPrefix>& prefix,
                   const Headers& headers, const IpAddress& address) {
  if (!prefix) return std::nullopt;
  if (headers.ip_version == IpVersion::kNone) return Mismatch{field, "the packet has no address"};
  if (headers.ip_version == prefix->version() &&
      IpPrefix::of(headers.ip_version, address, prefix->length()) == *prefix) {
    return std::nullopt;
  }
  return Mismatch{
      field, absl::StrCat(to_text(headers.ip_version, address), " is not in ", prefix->to_text())};
}

Found check_ports(std::string_view field, const std::optional<PortRange>& range,
                  const Headers& headers, std::uint16_t port) {
  if (!range) return std::nullopt;
  if (!headers.ports_valid) {
    return Mismatch{field,
                    headers.fragment ? "a fragment has no ports" : "the packet has no ports"};
  }
  if (port >= range->first && port <= range->last) return std::nullopt;
  if (range->first == range->last) return Mismatch{field, is_not(port, range->first)};
  return Mismatch{field, absl::StrCat(port, " is not in ", range->first, "-", range->last)};
}

Found check_tag(std::string_view field, const std::optional<std::uint16_t>& wanted,
                std::uint16_t has) {
  if (!wanted || *wanted == has) return std::nullopt;
  if (has == kNoVlan) return Mismatch{field, "the frame has no such tag"};
  return Mismatch{field, is_not(has, *wanted)};
}

Found check_type(const Match& match, const Headers& headers) {
  if (!match.ether_type || *match.ether_type == headers.ether_type) return std::nullopt;
  if (*match.ether_type == ether_type::kIpv4 && headers.ip_version == IpVersion::kV4) return {};
  if (*match.ether_type == ether_type::kIpv6 && headers.ip_version == IpVersion::kV6) return {};
  return Mismatch{"ether_type", absl::StrCat(hex(headers.ether_type, absl::kZeroPad4), " is not ",
                                             hex(*match.ether_type, absl::kZeroPad4))};
}

Found check_ip(const Match& match, const Headers& headers) {
  const bool is_ip = headers.ip_version != IpVersion::kNone;
  if (match.ip_protocol && (!is_ip || headers.ip_protocol != *match.ip_protocol)) {
    return Mismatch{"ip_protocol", is_ip ? is_not(headers.ip_protocol, *match.ip_protocol)
                                         : "the packet is not IP"};
  }
  if (match.dscp && (!is_ip || headers.dscp != *match.dscp)) {
    return Mismatch{"dscp", is_ip ? is_not(headers.dscp, *match.dscp) : "the packet is not IP"};
  }
  return std::nullopt;
}

Found check_icmp(const Match& match, const Headers& headers) {
  const auto check = [&](std::string_view field, const std::optional<std::uint8_t>& wanted,
                         std::uint8_t has) -> Found {
    if (!wanted || (headers.icmp_valid && has == *wanted)) return std::nullopt;
    return Mismatch{field, headers.icmp_valid ? is_not(has, *wanted) : "the packet is not ICMP"};
  };
  Found found = check("icmp_type", match.icmp_type, headers.icmp_type);
  return found ? found : check("icmp_code", match.icmp_code, headers.icmp_code);
}

Found check_flags(const Match& match, const Headers& headers, const ExaminedFrame& frame) {
  if (!match.tcp_flags) return std::nullopt;
  const std::size_t begin = match.inner ? frame.inner_begin : 0;
  const std::size_t at = begin + headers.l4_offset + kTcpFlagsOffset;
  if (headers.ip_protocol != ip_protocol::kTcp || !headers.ports_valid ||
      at >= frame.bytes.size()) {
    return Mismatch{"tcp_flags", "the packet has no TCP header"};
  }
  const unsigned has = frame.bytes[at] & match.tcp_flags->mask;
  if (has == match.tcp_flags->set) return std::nullopt;
  return Mismatch{"tcp_flags",
                  absl::StrCat("of the bits ", hex(match.tcp_flags->mask, absl::kZeroPad2),
                               " it has ", hex(has, absl::kZeroPad2), ", not ",
                               hex(match.tcp_flags->set, absl::kZeroPad2))};
}

std::string mac_text(std::uint64_t address) {
  std::string text;
  for (int shift = 40; shift >= 0; shift -= 8) {
    absl::StrAppend(&text, text.empty() ? "" : ":",
                    absl::Hex(address >> shift & 0xff, absl::kZeroPad2));
  }
  return text;
}

Found check_mac(std::string_view field, const std::optional<MacPrefix>& wanted,
                const ExaminedFrame& frame, std::size_t begin) {
  if (!wanted) return std::nullopt;
  if (frame.bytes.size() < 2 * header_bytes::kMac) {
    return Mismatch{field, "the frame has no address"};
  }
  std::uint64_t has = 0;
  for (std::size_t i = 0; i < header_bytes::kMac; ++i) has = has << 8 | frame.bytes[begin + i];
  const unsigned ignored = 8 * header_bytes::kMac - wanted->length;
  if (has >> ignored == wanted->address >> ignored) return std::nullopt;
  const std::string length =
      wanted->length == 8 * header_bytes::kMac ? "" : absl::StrCat("/", wanted->length);
  return Mismatch{field,
                  absl::StrCat(mac_text(has), " is not ", mac_text(wanted->address), length)};
}

}  // namespace

ExaminedFrame::ExaminedFrame(std::span<const std::uint8_t> frame, std::uint16_t ingress)
    : bytes(frame), ingress_port(ingress) {
  const auto size = static_cast<std::uint32_t>(frame.size());
  parse_frame(frame, size, headers);
  in_tunnel = parse_inner(frame, size, headers, inner, &inner_begin);
  if (!in_tunnel) inner_begin = 0;
}

std::optional<Mismatch> find_mismatch(const Match& match, const ExaminedFrame& frame) {
  const Headers& headers = match.inner ? frame.inner : frame.headers;
  Found found = check_prefix("src_prefix", match.src_prefix, headers, headers.src_address);
  if (!found) found = check_prefix("dst_prefix", match.dst_prefix, headers, headers.dst_address);
  if (!found) found = check_ip(match, headers);
  if (!found) found = check_ports("src_port", match.src_port, headers, headers.src_port);
  if (!found) found = check_ports("dst_port", match.dst_port, headers, headers.dst_port);
  if (!found) found = check_tag("vlan_id", match.vlan_id, headers.vlan_id);
  if (!found) found = check_tag("inner_vlan_id", match.inner_vlan_id, headers.inner_vlan_id);
  if (!found && match.ingress_port && *match.ingress_port != frame.ingress_port) {
    found = Mismatch{"ingress_port", "it came by another port"};
  }
  if (!found) found = check_type(match, headers);
  if (!found) found = check_icmp(match, headers);
  if (!found) found = check_flags(match, headers, frame);
  if (!found) found = check_mac("src_mac", match.src_mac, frame, header_bytes::kMac);
  if (!found) found = check_mac("dst_mac", match.dst_mac, frame, 0);
  return found;
}

}  // namespace drip
