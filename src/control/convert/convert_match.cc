// SPDX-License-Identifier: BSD-3-Clause
// Reads and writes Match.
#include "control/convert/convert_match.h"

#include <cstdint>
#include <limits>
#include <optional>

#include "base/errors.h"
#include "base/text.h"
#include "classifier/classifier.h"

namespace drip::control {
namespace {

constexpr std::size_t kMaxPrefixText = 64;

absl::Status read_prefix(const std::string& field, const std::string& text,
                         std::optional<IpPrefix>& prefix) {
  if (text.empty()) return absl::OkStatus();
  // Longer than any prefix. The parser's error would repeat all of it.
  if (text.size() > kMaxPrefixText) {
    return not_allowed(field, quoted(text), "an IPv4 or IPv6 prefix such as 192.0.2.0/24");
  }
  const Parsed<IpPrefix> parsed = IpPrefix::parse(text);
  if (!parsed) return absl::InvalidArgumentError(joined(field, ": ", parsed.error()));
  prefix = *parsed;
  return absl::OkStatus();
}

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

}  // namespace

absl::StatusOr<Match> read_match(const v1::Match& message, std::string_view rule_path) {
  Match match;
  const auto field = [&](std::string_view name) { return joined(rule_path, "match.", name); };
  absl::Status status = read_prefix(field("src_prefix"), message.src_prefix(), match.src_prefix);
  if (status.ok()) {
    status = read_prefix(field("dst_prefix"), message.dst_prefix(), match.dst_prefix);
  }
  if (status.ok()) {
    status = read_number(field("ip_protocol"), message.has_ip_protocol(), message.ip_protocol(), 0,
                         255, match.ip_protocol);
  }
  if (status.ok()) {
    status =
        read_ports(field("src_port"), message.has_src_port(), message.src_port(), match.src_port);
  }
  if (status.ok()) {
    status =
        read_ports(field("dst_port"), message.has_dst_port(), message.dst_port(), match.dst_port);
  }
  if (status.ok()) {
    status = read_number(field("vlan_id"), message.has_vlan_id(), message.vlan_id(), 0, 4095,
                         match.vlan_id);
  }
  if (status.ok()) {
    status = read_number(field("inner_vlan_id"), message.has_inner_vlan_id(),
                         message.inner_vlan_id(), 0, 4095, match.inner_vlan_id);
  }
  if (status.ok()) {
    status = read_number(field("dscp"), message.has_dscp(), message.dscp(), 0, 63, match.dscp);
  }
  if (status.ok()) {
    status = read_number(field("ether_type"), message.has_ether_type(), message.ether_type(),
                         0x0600, 0xffff, match.ether_type);
  }
  if (!status.ok()) return status;
  // Checks for fields that no packet can have together.
  status = check_match(match);
  if (!status.ok()) return absl::InvalidArgumentError(joined(rule_path, message_of(status)));
  return match;
}

void write_match(const Match& match, const std::string& ingress_port, v1::Match& message) {
  if (match.src_prefix) message.set_src_prefix(match.src_prefix->to_text());
  if (match.dst_prefix) message.set_dst_prefix(match.dst_prefix->to_text());
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
  message.set_ingress_port(ingress_port);
  if (match.ether_type) message.set_ether_type(*match.ether_type);
}

}  // namespace drip::control
