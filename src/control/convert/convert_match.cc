// SPDX-License-Identifier: BSD-3-Clause
// Reads and writes Match.
#include "control/convert/convert_match.h"

#include <fmt/format.h>

#include <cctype>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "base/errors.h"
#include "base/quantity.h"
#include "base/text.h"
#include "control/model/expand_rule.h"

namespace drip::control {
namespace {

constexpr std::size_t kMaxPrefixText = 64;

template <typename T>
absl::Status read_number(const std::string& field, bool present, std::uint32_t value,
                         std::uint32_t least, std::uint32_t most, std::optional<T>& number) {
  if (!present) return absl::OkStatus();
  absl::Status status =
      check_range(field, std::uint64_t{value}, std::uint64_t{least}, std::uint64_t{most}, "");
  if (status.ok()) number = static_cast<T>(value);
  return status;
}

absl::Status read_ports(const std::string& field, bool present, const v1::PortRange& range,
                        std::optional<PortRange>& ports) {
  if (!present) return absl::OkStatus();
  constexpr std::uint32_t kMaxPort = std::numeric_limits<std::uint16_t>::max();
  if (range.first() > kMaxPort || range.last() > kMaxPort || range.first() > range.last()) {
    return not_allowed(field, joined(range.first(), " to ", range.last()),
                       "first to last, both 0 to 65535 and first not above last");
  }
  ports = PortRange{static_cast<std::uint16_t>(range.first()),
                    static_cast<std::uint16_t>(range.last())};
  return absl::OkStatus();
}

// One field and a list of fields together.
absl::Status read_prefixes(const std::string& field, const std::string& first,
                           const google::protobuf::RepeatedPtrField<std::string>& more,
                           std::vector<IpPrefix>& prefixes) {
  const auto add = [&](const std::string& name, const std::string& text) -> absl::Status {
    const absl::StatusOr<IpPrefix> prefix = read_prefix(name, text);
    if (prefix.ok()) prefixes.push_back(*prefix);
    return prefix.status();
  };
  if (!first.empty()) {
    if (absl::Status status = add(joined(field, "_prefix"), first); !status.ok()) return status;
  }
  for (int i = 0; i < more.size(); ++i) {
    absl::Status status = add(joined(field, "_prefixes[", i, "]"), more[i]);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status read_list(const std::string& field, const std::string& name, std::string& list) {
  list = name;
  return name.empty() ? absl::OkStatus() : check_name(field, name);
}

absl::Status read_tcp_flags(const std::string& field, const v1::Match& message,
                            std::optional<TcpFlags>& flags) {
  if (!message.has_tcp_flags() && !message.has_tcp_flags_mask()) return absl::OkStatus();
  const std::uint32_t mask =
      message.has_tcp_flags_mask() ? message.tcp_flags_mask() : message.tcp_flags();
  absl::Status status = check_range(field, std::uint64_t{message.tcp_flags()}, std::uint64_t{0},
                                    std::uint64_t{255}, "");
  status.Update(check_range(joined(field, "_mask"), std::uint64_t{mask}, std::uint64_t{1},
                            std::uint64_t{255}, ""));
  if (status.ok()) {
    flags =
        TcpFlags{static_cast<std::uint8_t>(message.tcp_flags()), static_cast<std::uint8_t>(mask)};
  }
  return status;
}

constexpr int kMacBits = 48;

absl::Status read_mac(const std::string& field, const std::string& text,
                      std::optional<MacPrefix>& mac) {
  if (text.empty()) return absl::OkStatus();
  const auto refuse = [&] {
    return not_allowed(field, quoted(text),
                       "a MAC address such as 02:00:00:00:00:01, or with 1 to 48 leading bits "
                       "02:00:00:00:00:00/24, the others 0");
  };
  constexpr std::size_t kMacText = 17;
  MacPrefix prefix;
  for (std::size_t i = 0; i < kMacText; ++i) {
    if (i >= text.size()) return refuse();
    const auto character = static_cast<unsigned char>(text[i]);
    if (i % 3 == 2) {
      if (character != ':') return refuse();
      continue;
    }
    if (std::isxdigit(character) == 0) return refuse();
    const int digit =
        std::isdigit(character) != 0 ? character - '0' : std::tolower(character) - 'a' + 10;
    prefix.address = prefix.address << 4 | static_cast<std::uint64_t>(digit);
  }
  if (text.size() > kMacText) {
    const Parsed<std::int64_t> bits = text[kMacText] == '/'
                                          ? parse_integer(text.substr(kMacText + 1), 1, kMacBits)
                                          : Parsed<std::int64_t>::failure("");
    if (!bits) return refuse();
    prefix.length = static_cast<std::uint8_t>(*bits);
    const std::uint64_t rest = (std::uint64_t{1} << (kMacBits - prefix.length)) - 1;
    if ((prefix.address & rest) != 0) return refuse();
  }
  mac = prefix;
  return absl::OkStatus();
}

std::string mac_text(const MacPrefix& mac) {
  std::string text;
  for (int shift = kMacBits - 8; shift >= 0; shift -= 8) {
    text += fmt::format("{:02x}{}", mac.address >> shift & 0xff, shift > 0 ? ":" : "");
  }
  return mac.length == kMacBits ? text : joined(text, "/", mac.length);
}

}  // namespace

absl::StatusOr<IpPrefix> read_prefix(std::string_view field, const std::string& text) {
  // Longer than any prefix. The parser's error would repeat all of it.
  if (text.size() > kMaxPrefixText) {
    return not_allowed(field, quoted(text), "an IPv4 or IPv6 prefix such as 192.0.2.0/24");
  }
  const Parsed<IpPrefix> parsed = IpPrefix::parse(text);
  if (!parsed) return absl::InvalidArgumentError(joined(field, ": ", parsed.error()));
  return *parsed;
}

absl::Status read_match(const v1::Match& message, RuleSpec& rule) {
  Match& match = rule.match;
  rule.ingress_port = message.ingress_port();
  match.inner = message.inner();
  const auto field = [&](std::string_view name) { return joined(rule.path, "match.", name); };
  // The first error is the one that is reported.
  absl::Status status;
  status.Update(
      read_prefixes(field("src"), message.src_prefix(), message.src_prefixes(), rule.src_prefixes));
  status.Update(
      read_prefixes(field("dst"), message.dst_prefix(), message.dst_prefixes(), rule.dst_prefixes));
  status.Update(read_list(field("src_list"), message.src_list(), rule.src_list));
  status.Update(read_list(field("dst_list"), message.dst_list(), rule.dst_list));
  status.Update(read_number(field("ip_protocol"), message.has_ip_protocol(), message.ip_protocol(),
                            0, 255, match.ip_protocol));
  status.Update(
      read_ports(field("src_port"), message.has_src_port(), message.src_port(), match.src_port));
  status.Update(
      read_ports(field("dst_port"), message.has_dst_port(), message.dst_port(), match.dst_port));
  status.Update(read_number(field("vlan_id"), message.has_vlan_id(), message.vlan_id(), 0, 4095,
                            match.vlan_id));
  status.Update(read_number(field("inner_vlan_id"), message.has_inner_vlan_id(),
                            message.inner_vlan_id(), 0, 4095, match.inner_vlan_id));
  status.Update(read_number(field("dscp"), message.has_dscp(), message.dscp(), 0, 63, match.dscp));
  status.Update(read_number(field("ether_type"), message.has_ether_type(), message.ether_type(),
                            0x0600, 0xffff, match.ether_type));
  status.Update(read_number(field("icmp_type"), message.has_icmp_type(), message.icmp_type(), 0,
                            255, match.icmp_type));
  status.Update(read_number(field("icmp_code"), message.has_icmp_code(), message.icmp_code(), 0,
                            255, match.icmp_code));
  status.Update(read_tcp_flags(field("tcp_flags"), message, match.tcp_flags));
  status.Update(read_mac(field("src_mac"), message.src_mac(), match.src_mac));
  status.Update(read_mac(field("dst_mac"), message.dst_mac(), match.dst_mac));
  if (!status.ok()) return status;
  // Checks for fields that no packet can have together; lists are not known yet.
  RuleSpec without_lists = rule;
  without_lists.src_list.clear();
  without_lists.dst_list.clear();
  return expand_rule(without_lists, {}).status();
}

namespace {

void write_prefixes(const std::vector<IpPrefix>& prefixes, std::string* first,
                    google::protobuf::RepeatedPtrField<std::string>& more) {
  if (prefixes.size() == 1) *first = prefixes.front().to_text();
  if (prefixes.size() < 2) return;
  for (const IpPrefix& prefix : prefixes) *more.Add() = prefix.to_text();
}

}  // namespace

void write_match(const RuleSpec& rule, v1::Match& message) {
  const Match& match = rule.match;
  write_prefixes(rule.src_prefixes, message.mutable_src_prefix(), *message.mutable_src_prefixes());
  write_prefixes(rule.dst_prefixes, message.mutable_dst_prefix(), *message.mutable_dst_prefixes());
  message.set_src_list(rule.src_list);
  message.set_dst_list(rule.dst_list);
  if (match.ip_protocol) message.set_ip_protocol(*match.ip_protocol);
  if (match.src_port) {
    message.mutable_src_port()->set_first(match.src_port->first);
    message.mutable_src_port()->set_last(match.src_port->last);
  }
  if (match.dst_port) {
    message.mutable_dst_port()->set_first(match.dst_port->first);
    message.mutable_dst_port()->set_last(match.dst_port->last);
  }
  if (match.vlan_id) message.set_vlan_id(*match.vlan_id);
  if (match.inner_vlan_id) message.set_inner_vlan_id(*match.inner_vlan_id);
  if (match.dscp) message.set_dscp(*match.dscp);
  message.set_ingress_port(rule.ingress_port);
  if (match.ether_type) message.set_ether_type(*match.ether_type);
  if (match.icmp_type) message.set_icmp_type(*match.icmp_type);
  if (match.icmp_code) message.set_icmp_code(*match.icmp_code);
  if (match.tcp_flags) {
    message.set_tcp_flags(match.tcp_flags->set);
    message.set_tcp_flags_mask(match.tcp_flags->mask);
  }
  if (match.src_mac) message.set_src_mac(mac_text(*match.src_mac));
  if (match.dst_mac) message.set_dst_mac(mac_text(*match.dst_mac));
  message.set_inner(match.inner);
}

}  // namespace drip::control
