// SPDX-License-Identifier: BSD-3-Clause
// What a rule requires of a packet.
#pragma once

#include <cstdint>
#include <optional>

#include "packet/ip_prefix.h"

namespace drip {

/// Inclusive on both sides. first > last fits nothing and is refused by Classifier::build().
struct PortRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;

  bool operator==(const PortRange&) const = default;
};

/// What a packet must be: every field that is set must fit; none set fits every packet. The
/// fields mean what they mean in drip/v1/shaper.proto. A field about IP fits only packets whose IP
/// header could be read, and a port only packets whose ports could be: never a fragment, the first
/// one included.
struct Match {
  std::optional<IpPrefix> src_prefix;
  std::optional<IpPrefix> dst_prefix;
  std::optional<std::uint8_t> ip_protocol;  ///< IANA number, IPv6 extension headers passed over.
  std::optional<PortRange> src_port;        ///< TCP, UDP, UDP-Lite, SCTP or DCCP.
  std::optional<PortRange> dst_port;
  std::optional<std::uint16_t> vlan_id;        ///< The outer or only tag: 0 to 4095.
  std::optional<std::uint16_t> inner_vlan_id;  ///< The second tag: 0 to 4095.
  std::optional<std::uint8_t> dscp;            ///< 0 to 63.
  std::optional<std::uint16_t> ingress_port;   ///< Index of the port on which it came in.
  std::optional<std::uint16_t> ether_type;     ///< 0x0600 to 0xffff, behind the VLAN tags.

  bool operator==(const Match&) const = default;
};

}  // namespace drip
