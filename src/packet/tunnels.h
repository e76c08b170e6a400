// SPDX-License-Identifier: BSD-3-Clause
// Finds the packet inside of a tunnel.
#pragma once

#include <cstdint>
#include <span>

#include "packet/headers.h"

namespace drip {

/// Tunnels in tunnels that are looked into.
inline constexpr int kMaxTunnels = 4;

/// Whether the packet is one of a tunnel, as far as its own headers say: VXLAN (UDP to port 4789),
/// GTP-U (UDP to port 2152), GRE, IPv4 or IPv6 in IP.
[[nodiscard]] bool is_tunnel(const Headers& headers);

/// Parses the innermost packet of VXLAN (RFC 7348), GTP-U (3GPP TS 29.281), GRE (RFC 2784, RFC
/// 2890), IP in IP, and Ethernet behind MPLS with a control word (RFC 4448), one inside of the
/// other. `headers`: those of the frame, of which `bytes` and `frame_bytes` are as in
/// parse_frame(). False if it is no tunnel or cannot be read: then `inner` is `headers`. VLAN ids
/// are always those of the frame. Offsets in `inner` are from where the innermost packet or frame
/// begins, `*begin`. A fragment of the outer packet is not looked into. Reads nothing outside of
/// `bytes`. Thread safe.
bool parse_inner(std::span<const std::uint8_t> bytes, std::uint32_t frame_bytes,
                 const Headers& headers, Headers& inner, std::uint32_t* begin = nullptr);

}  // namespace drip
