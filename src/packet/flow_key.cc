// SPDX-License-Identifier: BSD-3-Clause
// Makes flow keys from headers, and text from flow keys.
#include "packet/flow_key.h"

#include <algorithm>
#include <cstddef>
#include <random>
#include <string_view>

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
  for (std::size_t i = 0; i < header_bytes::kMac; ++i) {
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

namespace {

void keep_address(const IpAddress& address, FlowTemplateKey flow_template, FlowKey& key,
                  IpAddress& kept) {
  kept = address;
  if (key.ip_version == IpVersion::kNone) return;
  const bool is_ipv4 = key.ip_version == IpVersion::kV4;
  key.prefix_length = is_ipv4 ? std::min<std::uint8_t>(flow_template.ipv4_prefix_length, 32)
                              : std::min<std::uint8_t>(flow_template.ipv6_prefix_length, 128);
  const std::size_t whole = is_ipv4 ? 32 : 128;
  if (key.prefix_length < whole) kept = leading_bits(kept, key.prefix_length);
}

void keep_parts(const Headers& headers, std::uint8_t parts, std::uint16_t ingress_port,
                FlowKey& key) {
  key.parts = parts;
  if ((parts & FlowTemplateKey::kVlan) != 0) key.vlan_id = headers.vlan_id;
  if ((parts & FlowTemplateKey::kInnerVlan) != 0) key.inner_vlan_id = headers.inner_vlan_id;
  if ((parts & FlowTemplateKey::kIngressPort) != 0) key.ingress_port = ingress_port;
}

void keep_mac(std::span<const std::uint8_t> bytes, std::size_t begin, IpAddress& kept) {
  if (bytes.size() < begin + header_bytes::kMac) return;
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(begin), header_bytes::kMac, kept.begin());
}

}  // namespace

FlowKey make_flow_key(const Headers& headers, FlowTemplateKey flow_template,
                      const FlowSource& source) {
  FlowKey key;
  key.kind = flow_template.kind;
  if (flow_template.parts != 0) [[unlikely]]
    keep_parts(headers, flow_template.parts, source.ingress_port, key);
  switch (flow_template.kind) {
    case FlowKeyKind::kFiveTuple:
      key.ip_version = headers.ip_version;
      key.src_address = headers.src_address;
      key.dst_address = headers.dst_address;
      key.src_port = headers.ip_version != IpVersion::kNone ? headers.src_port : headers.ether_type;
      key.dst_port = headers.dst_port;
      key.ip_protocol = headers.ip_protocol;
      break;
    case FlowKeyKind::kSource:
      key.ip_version = headers.ip_version;
      keep_address(headers.src_address, flow_template, key, key.src_address);
      break;
    case FlowKeyKind::kDestination:
      key.ip_version = headers.ip_version;
      keep_address(headers.dst_address, flow_template, key, key.dst_address);
      break;
    case FlowKeyKind::kSourceMac:
      keep_mac(source.bytes, header_bytes::kMac, key.src_address);
      break;
    case FlowKeyKind::kDestinationMac:
      keep_mac(source.bytes, 0, key.dst_address);
      break;
    case FlowKeyKind::kLink:
      break;
  }
  return key;
}

namespace {

std::string vlan_text(std::uint16_t vlan_id) {
  return vlan_id == kNoVlan ? "none" : absl::StrCat(vlan_id);
}

std::string kind_text(const FlowKey& key) {
  switch (key.kind) {
    case FlowKeyKind::kFiveTuple:
      return pair_text(key);
    case FlowKeyKind::kSource:
    case FlowKeyKind::kDestination: {
      const IpAddress& address =
          key.kind == FlowKeyKind::kSource ? key.src_address : key.dst_address;
      if (key.ip_version == IpVersion::kNone) return mac_text(address);
      return IpPrefix::of(key.ip_version, address, key.prefix_length).to_text();
    }
    case FlowKeyKind::kSourceMac:
      return mac_text(key.src_address);
    case FlowKeyKind::kDestinationMac:
      return mac_text(key.dst_address);
    case FlowKeyKind::kLink:
      break;
  }
  return "";
}

}  // namespace

std::string to_text(const FlowKey& key, std::span<const std::string> ports) {
  std::string text = kind_text(key);
  const auto add = [&](std::string_view name, const std::string& value) {
    absl::StrAppend(&text, text.empty() ? "" : ",", absl::string_view(name.data(), name.size()),
                    "=", value);
  };
  if ((key.parts & FlowTemplateKey::kVlan) != 0) add("vlan", vlan_text(key.vlan_id));
  if ((key.parts & FlowTemplateKey::kInnerVlan) != 0) {
    add("inner-vlan", vlan_text(key.inner_vlan_id));
  }
  if ((key.parts & FlowTemplateKey::kIngressPort) != 0) {
    add("port",
        key.ingress_port < ports.size() ? ports[key.ingress_port] : absl::StrCat(key.ingress_port));
  }
  return text;
}

bool is_made_by(const FlowKey& key, const FlowTemplateKey& flow_template) {
  if (key.kind != flow_template.kind || key.parts != flow_template.parts) return false;
  if (key.kind != FlowKeyKind::kSource && key.kind != FlowKeyKind::kDestination) return true;
  if (key.ip_version == IpVersion::kV4) {
    return key.prefix_length == std::min<std::uint8_t>(flow_template.ipv4_prefix_length, 32);
  }
  if (key.ip_version == IpVersion::kV6) {
    return key.prefix_length == std::min<std::uint8_t>(flow_template.ipv6_prefix_length, 128);
  }
  return true;
}

CommonFlowKey common_of(const CommonFlowKey& common, const FlowTemplateKey& other) {
  CommonFlowKey result = common;
  result.key.parts &= other.parts;
  // Addresses of a tunnel say nothing of those inside.
  if (((common.key.parts ^ other.parts) & FlowTemplateKey::kInner) != 0) result.nothing = true;
  if (common.nothing || common.key.kind == other.kind) {
    result.key.ipv4_prefix_length =
        std::min(common.key.ipv4_prefix_length, other.ipv4_prefix_length);
    result.key.ipv6_prefix_length =
        std::min(common.key.ipv6_prefix_length, other.ipv6_prefix_length);
    return result;
  }
  const auto is_address = [](FlowKeyKind kind) {
    return kind == FlowKeyKind::kSource || kind == FlowKeyKind::kDestination;
  };
  // Both addresses are in a five-tuple.
  if (common.key.kind == FlowKeyKind::kFiveTuple && is_address(other.kind)) {
    const std::uint8_t parts = result.key.parts;
    result.key = other;
    result.key.parts = parts;
  } else if (!(other.kind == FlowKeyKind::kFiveTuple && is_address(common.key.kind))) {
    result.nothing = true;
  }
  return result;
}

FlowKey common_part(const FlowKey& key, const CommonFlowKey& common) {
  FlowKey part;
  if (common.nothing) return part;
  part.kind = common.key.kind;
  part.ip_version = key.ip_version;
  part.parts = common.key.parts;
  if ((part.parts & FlowTemplateKey::kVlan) != 0) part.vlan_id = key.vlan_id;
  if ((part.parts & FlowTemplateKey::kInnerVlan) != 0) part.inner_vlan_id = key.inner_vlan_id;
  if ((part.parts & FlowTemplateKey::kIngressPort) != 0) part.ingress_port = key.ingress_port;
  switch (common.key.kind) {
    case FlowKeyKind::kFiveTuple:
      part.src_address = key.src_address;
      part.dst_address = key.dst_address;
      part.src_port = key.src_port;
      part.dst_port = key.dst_port;
      part.ip_protocol = key.ip_protocol;
      break;
    case FlowKeyKind::kSource:
      keep_address(key.src_address, common.key, part, part.src_address);
      break;
    case FlowKeyKind::kDestination:
      keep_address(key.dst_address, common.key, part, part.dst_address);
      break;
    case FlowKeyKind::kSourceMac:
    case FlowKeyKind::kDestinationMac:
      part.src_address = key.src_address;
      part.dst_address = key.dst_address;
      break;
    case FlowKeyKind::kLink:
      break;
  }
  return part;
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
