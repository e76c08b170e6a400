// SPDX-License-Identifier: BSD-3-Clause
// Reads and writes DSCP and ECN in a frame: congestion marks, remarks, and washing.
#pragma once

#include <cstdint>
#include <span>

#include "drip/queue/ecn.h"
#include "packet/headers.h"

namespace drip {

/// Where the IP header of a frame is: behind its tags, PPPoE or MPLS; of a tunnel the outer one,
/// whose marks who ends the tunnel hands on (RFC 6040).
struct IpLocation {
  std::uint16_t offset = 0;
  IpVersion version = IpVersion::kNone;  ///< kNone: no IP that the parser knows.
};

/// `headers` were read from `bytes`, the first contiguous bytes of the frame.
[[nodiscard]] IpLocation locate_ip(std::span<const std::uint8_t> bytes, const Headers& headers);
/// By parsing the frame, for who has not kept its headers.
[[nodiscard]] inline IpLocation locate_ip(std::span<const std::uint8_t> bytes,
                                          std::uint32_t frame_bytes) {
  return locate_ip(bytes, parse_frame(bytes, frame_bytes));
}

// All that follow REQUIRE that `ip` is what locate_ip() told of these bytes. Without IP they read
// 0 and write nothing. What they write is the byte or two of the field and, of IPv4, the checksum:
// by the difference (RFC 1624, equation 3), so that one that was wrong stays wrong.

/// The DS field with its ECN bits: the TOS octet of IPv4, the traffic class of IPv6.
[[nodiscard]] std::uint8_t read_ds_field(std::span<const std::uint8_t> bytes, IpLocation ip);

[[nodiscard]] inline Ecn read_ecn(std::span<const std::uint8_t> bytes, IpLocation ip) {
  return static_cast<Ecn>(read_ds_field(bytes, ip) & 3);
}
[[nodiscard]] inline std::uint8_t read_dscp(std::span<const std::uint8_t> bytes, IpLocation ip) {
  return read_ds_field(bytes, ip) >> 2;
}

/// Marks the packet Congestion Experienced (RFC 3168, section 5). False, and nothing is changed, if
/// it is not ECN capable.
bool set_ce(std::span<std::uint8_t> bytes, IpLocation ip);
/// Writes the DSCP (0 to 63) and keeps the ECN bits; 0 washes.
void set_dscp(std::span<std::uint8_t> bytes, IpLocation ip, std::uint8_t dscp);

}  // namespace drip
