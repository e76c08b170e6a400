// SPDX-License-Identifier: BSD-3-Clause
// The condition of a rule.
#pragma once

#include <cstdint>
#include <optional>

#include "packet/ip_prefix.h"

namespace drip {

/// Inclusive on both sides. Classifier::build() rejects first > last.
struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;

  bool operator==(const PortRange&) const = default;
};

/// A packet matches if it matches every field that is set; without fields every packet matches. The
/// fields are those of drip/v1/shaper.proto. A field about IP matches only packets whose IP header
/// could be read, a port only packets whose ports could be read: never a fragment, not even the
/// first.
struct Match {
  std::optional<IpPrefix> src_prefix;
  std::optional<IpPrefix> dst_prefix;
  std::optional<std::uint8_t> ip_protocol;  ///< IANA number, after IPv6 extension headers.
  std::optional<PortRange> src_port;        ///< TCP, UDP, UDP-Lite, SCTP or DCCP.
  std::optional<PortRange> dst_port;
  std::optional<std::uint16_t> vlan_id;        ///< The outer or only tag: 0 to 4095.
  std::optional<std::uint16_t> inner_vlan_id;  ///< The second tag: 0 to 4095.
  std::optional<std::uint8_t> dscp;            ///< 0 to 63.
  std::optional<std::uint16_t> ingress_port;   ///< Index of the port that received it.
  std::optional<std::uint16_t> ether_type;     ///< 0x0600 to 0xffff, after the VLAN tags.

  bool operator==(const Match&) const = default;
};

}  // namespace drip
