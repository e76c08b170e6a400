// SPDX-License-Identifier: BSD-3-Clause
// Reads rtnetlink's messages on interfaces and addresses (rtnetlink(7)).
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "netdev/link.h"

namespace drip::netdev {

/// The events in a datagram of RTM_NEWLINK and RTM_DELLINK messages; others are skipped.
std::vector<LinkEvent> read_link_events(std::span<const std::byte> datagram);

/// What a reply holds.
struct LinkReply {
  std::optional<LinkEvent> event;
  std::vector<std::string> addresses;  ///< "192.0.2.1/24", of RTM_NEWADDR.
  int error = 0;                       ///< errno of NLMSG_ERROR; 0: none.
  bool done = false;                   ///< No more messages follow.
};
/// Adds the messages of `datagram` to `reply`; of addresses those of interface `index`.
void read_reply(std::span<const std::byte> datagram, int index, LinkReply& reply);

}  // namespace drip::netdev
