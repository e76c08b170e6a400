// SPDX-License-Identifier: BSD-3-Clause
// Knows the protocols that keep a network itself running, which a shaper must not cut.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "packet/control_protocols.h"
#include "packet/headers.h"

namespace drip {

/// The list itself, looked through for each packet: true for link, neighbour, routing and
/// redundancy protocols; control_protocols.h has each with its source. `bytes` is what `headers`
/// was parsed from. A fragment never counts by its ports or ICMPv6 type, only by its IP protocol.
/// Nothing is authenticated: whoever may send to these ports goes past the shaper, so the policy
/// can be turned off. Thread safe.
[[nodiscard]] bool is_listed_control_traffic(const Headers& headers,
                                             std::span<const std::uint8_t> bytes);

/// Sets of small numbers, a bit each; a port is in one if both halves of its lowest twelve bits
/// are, so some are that nobody has listed.
struct ControlFilter {
  std::array<std::uint64_t, 4> protocols{};
  std::uint64_t dst_low = 0;
  std::uint64_t dst_high = 0;
  std::uint64_t src_low = 0;
  std::uint64_t src_high = 0;

  static constexpr std::uint64_t low(std::uint16_t port) { return 1ULL << port % 64; }
  static constexpr std::uint64_t high(std::uint16_t port) { return 1ULL << port / 64 % 64; }

  static constexpr ControlFilter of_list() {
    ControlFilter filter;
    const auto add = [&filter](std::uint8_t protocol) {
      filter.protocols[protocol / 64] |= 1ULL << protocol % 64;
    };
    for (const std::uint8_t protocol : kControlIpProtocols) add(protocol);
    add(kIcmpv6Protocol);
    for (const ControlPort& entry : kControlPorts) {
      filter.dst_low |= low(entry.port);
      filter.dst_high |= high(entry.port);
      if (entry.side != ControlPort::Side::kEither) continue;
      filter.src_low |= low(entry.port);
      filter.src_high |= high(entry.port);
    }
    return filter;
  }

  /// False only if no list names the protocol or one of the ports; a port 0 is none.
  [[nodiscard]] constexpr bool may_name(std::uint8_t protocol, std::uint16_t src_port,
                                        std::uint16_t dst_port) const {
    const std::uint64_t by_port = (dst_low >> dst_port % 64 & dst_high >> dst_port / 64 % 64) |
                                  (src_low >> src_port % 64 & src_high >> src_port / 64 % 64);
    return ((protocols[protocol / 64] >> protocol % 64 | by_port) & 1) != 0;
  }
};

/// False for nearly every data packet, after some twenty instructions without a branch: it goes to
/// one station, is IP, and the filter has neither its protocol nor its ports. Then
/// is_listed_control_traffic() is false, too.
[[nodiscard]] inline bool may_be_control_traffic(const Headers& headers,
                                                 std::span<const std::uint8_t> bytes) {
  static constexpr ControlFilter kFilter = ControlFilter::of_list();
  static_assert(!kFilter.may_name(0, 0, 0), "packets without ports would all be looked up");
  // What was read of an IP header has the MAC addresses before it.
  if (headers.ip_version == IpVersion::kNone) [[unlikely]]
    return true;
  // IEEE 802, 8.2.2: the first bit on the wire tells a group's address, as all that are listed are.
  const unsigned to_group = bytes[0] & 1U;
  const auto named = static_cast<unsigned>(
      kFilter.may_name(headers.ip_protocol, headers.src_port, headers.dst_port));
  return (to_group | named) != 0;
}

/// What is_listed_control_traffic() says, but cheaper.
[[nodiscard]] inline bool is_control_traffic(const Headers& headers,
                                             std::span<const std::uint8_t> bytes) {
  return may_be_control_traffic(headers, bytes) && is_listed_control_traffic(headers, bytes);
}

}  // namespace drip
