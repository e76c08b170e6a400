// SPDX-License-Identifier: BSD-3-Clause
// What the kernel says of a network interface.
#pragma once

#include <cstdint>
#include <string>

namespace drip::netdev {

/// The kernel's counters of an interface (rtnl_link_stats64), since it was made.
struct LinkCounters {
  std::uint64_t rx_packets = 0, tx_packets = 0;
  std::uint64_t rx_bytes = 0, tx_bytes = 0;
  std::uint64_t rx_errors = 0, tx_errors = 0;
  std::uint64_t rx_dropped = 0, tx_dropped = 0;  ///< By the kernel, for want of room or a receiver.
  std::uint64_t rx_missed = 0;                   ///< By the NIC.
  bool operator==(const LinkCounters&) const = default;
};

/// One interface at one moment.
struct Link {
  std::string name;
  int index = 0;
  bool admin_up = false;  ///< `ip link set up`.
  bool carrier = false;
  bool promiscuous = false;  ///< Asked for by a user.
  std::uint32_t mtu = 0;
  std::string kind;               ///< "veth", "bridge", ...; empty for a NIC.
  int master = 0;                 ///< Index of the bridge or bond that it belongs to; 0: none.
  std::uint32_t xdp_program = 0;  ///< Id of the attached XDP program; 0: none.
  LinkCounters counters;

  [[nodiscard]] bool up() const { return admin_up && carrier; }
};

/// A change of an interface, or its end. `link` is as it was last.
struct LinkEvent {
  Link link;
  bool gone = false;
};

}  // namespace drip::netdev
