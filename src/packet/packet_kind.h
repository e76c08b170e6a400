// SPDX-License-Identifier: BSD-3-Clause
// Tells kinds of packets apart that no rule matches.
#pragma once

#include <cstddef>
#include <cstdint>

#include "packet/headers.h"
#include "packet/protocol_numbers.h"
#include "packet/tunnels.h"

namespace drip {

/// A packet is of the first kind that applies.
enum class PacketKind : std::uint8_t {
  kMpls,
  kPppoe,
  kNonIp,  ///< Neither IPv4 nor IPv6, or not readable.
  kFragment,
  kTunnel,  ///< See is_tunnel().
  kOther,
};
inline constexpr std::size_t kPacketKinds = 6;

[[nodiscard]] inline PacketKind packet_kind(const Headers& headers) {
  if (headers.ether_type == ether_type::kMpls || headers.ether_type == ether_type::kMplsUpstream) {
    return PacketKind::kMpls;
  }
  if (headers.ether_type == ether_type::kPppoeSession) return PacketKind::kPppoe;
  if (headers.ip_version == IpVersion::kNone) return PacketKind::kNonIp;
  if (headers.fragment) return PacketKind::kFragment;
  return is_tunnel(headers) ? PacketKind::kTunnel : PacketKind::kOther;
}

}  // namespace drip
