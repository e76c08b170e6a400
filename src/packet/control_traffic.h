// SPDX-License-Identifier: BSD-3-Clause
// Recognises the protocols that keep the network itself running and must not be shaped.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "packet/control_protocols.h"
#include "packet/headers.h"

namespace drip {

/// Whether the packet belongs to one of `protocols`. Searches the whole list of
/// control_protocols.h. `bytes` is what `headers` was parsed from. A fragment is recognised by its
/// IP protocol only, not by ports or ICMP type. Nothing is authenticated: a sender that uses these
/// ports bypasses the rules, so a rule set can name the protocols that it protects, or none. Thread
/// safe.
[[nodiscard]] bool is_listed_control_traffic(const Headers& headers,
                                             std::span<const std::uint8_t> bytes,
                                             ControlProtocols protocols = ControlProtocols::all());

/// A bit set of protocols, and two bit sets for each side's ports, by bits 0 to 5 and by bits 6 to
/// 11 of the port. A port passes if both of its bits are set, so the filter may pass ports that are
/// not listed, but never stops a listed one.
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
    for (const ControlIpProtocol& entry : kControlIpProtocols) add(entry.number);
    add(ip_protocol::kIcmp);
    add(ip_protocol::kIcmpv6);
    for (const ControlPort& entry : kControlPorts) {
      filter.dst_low |= low(entry.port);
      filter.dst_high |= high(entry.port);
      if (entry.side != ControlPort::Side::kEither) continue;
      filter.src_low |= low(entry.port);
      filter.src_high |= high(entry.port);
    }
    return filter;
  }

  /// False only if neither the protocol nor one of the ports is listed; port 0 means no port.
  [[nodiscard]] constexpr bool may_name(std::uint8_t protocol, std::uint16_t src_port,
                                        std::uint16_t dst_port) const {
    const std::uint64_t by_port = (dst_low >> dst_port % 64 & dst_high >> dst_port / 64 % 64) |
                                  (src_low >> src_port % 64 & src_high >> src_port / 64 % 64);
    return ((protocols[protocol / 64] >> protocol % 64 | by_port) & 1) != 0;
  }
};

/// False for nearly every data packet, after about twenty instructions without a branch: it is
/// unicast, is IP, and neither its protocol nor its ports are in the filter, which is that of all
/// protocols. Where this is false is_listed_control_traffic() is false as well.
[[nodiscard]] inline bool may_be_control_traffic(const Headers& headers,
                                                 std::span<const std::uint8_t> bytes) {
  static constexpr ControlFilter kFilter = ControlFilter::of_list();
  static_assert(!kFilter.may_name(0, 0, 0), "packets without ports would all be searched for");
  // If an IP header was read, the MAC addresses are there as well.
  if (headers.ip_version == IpVersion::kNone) [[unlikely]]
    return true;
  // IEEE 802, 8.2.2: the first bit on the wire is set in group addresses, and every listed
  // destination address is one.
  const unsigned to_group = bytes[0] & 1U;
  const auto named = static_cast<unsigned>(
      kFilter.may_name(headers.ip_protocol, headers.src_port, headers.dst_port));
  return (to_group | named) != 0;
}

/// The same result as is_listed_control_traffic(), at less cost.
[[nodiscard]] inline bool is_control_traffic(const Headers& headers,
                                             std::span<const std::uint8_t> bytes,
                                             ControlProtocols protocols = ControlProtocols::all()) {
  return may_be_control_traffic(headers, bytes) &&
         is_listed_control_traffic(headers, bytes, protocols);
}

}  // namespace drip
