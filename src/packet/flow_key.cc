// SPDX-License-Identifier: BSD-3-Clause
// Makes flow keys from headers, and text from flow keys.
#include "packet/flow_key.h"

#include <algorithm>
#include <random>

#include "absl/strings/str_cat.h"
#include "packet/protocol_numbers.h"

namespace drip {
namespace {

// Keeps the first `length` bits, without a branch on the remainder of the length.
IpAddress leading_bits(const IpAddress& address, std::size_t length) {
  IpAddress result = address;
  for (std::size_t i = 0; i < result.size(); ++i) {
    const std::size_t kept = std::clamp<std::size_t>(length, 8 * i, 8 * i + 8) - 8 * i;
    result[i] &= static_cast<std::uint8_t>(0xff00U >> kept);
  }
  return result;
}

std::string mac_text(const IpAddress& address) {
  std::string text;
  for (std::size_t i = 0; i < 6; ++i) {
    absl::StrAppend(&text, i == 0 ? "" : ":", absl::Hex(address[i], absl::kZeroPad2));
  }
  return text;
}

std::string protocol_text(std::uint8_t protocol) {
  switch (protocol) {
    case ip_protocol::kIcmp:
      return "icmp";
    case ip_protocol::kTcp:
      return "tcp";
    case ip_protocol::kUdp:
      return "udp";
    case ip_protocol::kDccp:
      return "dccp";
    case ip_protocol::kIcmpv6:
      return "icmpv6";
    case ip_protocol::kSctp:
      return "sctp";
    case ip_protocol::kUdpLite:
      return "udplite";
    default:
      return absl::StrCat(protocol);
  }
}

std::string end_text(IpVersion version, const IpAddress& address, std::uint16_t port,
                     bool has_ports) {
  const std::string text = to_text(version, address);
  if (!has_ports) return text;
  return version == IpVersion::kV6 ? absl::StrCat("[", text, "]:", port)
                                   : absl::StrCat(text, ":", port);
}

std::string pair_text(const FlowKey& key) {
  if (key.ip_version == IpVersion::kNone) {
    return absl::StrCat(mac_text(key.src_address), ">", mac_text(key.dst_address), "/0x",
                        absl::Hex(key.src_port, absl::kZeroPad4));
  }
  // Port 0 is reserved (RFC 6335, 6): two zeros mean that the packet had no ports.
  const bool has_ports = key.src_port != 0 || key.dst_port != 0;
  return absl::StrCat(end_text(key.ip_version, key.src_address, key.src_port, has_ports), ">",
                      end_text(key.ip_version, key.dst_address, key.dst_port, has_ports), "/",
                      protocol_text(key.ip_protocol));
}

}  // namespace

FlowKey make_flow_key(const Headers& headers, FlowTemplateKey flow_template) {
  FlowKey key;
  key.kind = flow_template.kind;
  key.ip_version = headers.ip_version;
  const bool is_ip = headers.ip_version != IpVersion::kNone;
  if (flow_template.kind == FlowKeyKind::kFiveTuple) {
    key.src_address = headers.src_address;
    key.dst_address = headers.dst_address;
    key.src_port = is_ip ? headers.src_port : headers.ether_type;
    key.dst_port = headers.dst_port;
    key.ip_protocol = headers.ip_protocol;
    return key;
  }
  const bool is_source = flow_template.kind == FlowKeyKind::kSource;
  IpAddress& kept = is_source ? key.src_address : key.dst_address;
  kept = is_source ? headers.src_address : headers.dst_address;
  if (!is_ip) return key;
  const bool is_ipv4 = headers.ip_version == IpVersion::kV4;
  key.prefix_length = is_ipv4 ? std::min<std::uint8_t>(flow_template.ipv4_prefix_length, 32)
                              : std::min<std::uint8_t>(flow_template.ipv6_prefix_length, 128);
  const std::size_t whole = is_ipv4 ? 32 : 128;
  if (key.prefix_length < whole) kept = leading_bits(kept, key.prefix_length);
  return key;
}

std::string to_text(const FlowKey& key) {
  if (key.kind == FlowKeyKind::kFiveTuple) return pair_text(key);
  const IpAddress& address = key.kind == FlowKeyKind::kSource ? key.src_address : key.dst_address;
  if (key.ip_version == IpVersion::kNone) return mac_text(address);
  return IpPrefix::of(key.ip_version, address, key.prefix_length).to_text();
}

FlowHash::FlowHash() {
  std::random_device random;
  for (std::uint64_t& number : key_) number = std::uint64_t{random()} << 32 | random();
}

FlowHash::FlowHash(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (std::uint64_t& number : key_) number = random();
}

}  // namespace drip
