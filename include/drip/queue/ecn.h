// SPDX-License-Identifier: BSD-3-Clause
// The ECN field of an IP packet.
#pragma once

#include <cstdint>

namespace drip {

/// RFC 3168, section 5: two bits of the IPv4 TOS octet or the IPv6 traffic class. RFC 9331 makes
/// ECT(1) the identifier of L4S. A packet without IP is kNotCapable.
enum class Ecn : std::uint8_t {
  kNotCapable = 0,  ///< Not-ECT: congestion is signalled by a drop.
  kEct1 = 1,        ///< ECT(1): an L4S sender.
  kEct0 = 2,        ///< ECT(0): a sender that answers to CE as to a drop.
  kCe = 3,          ///< Congestion Experienced.
};

/// Whether CE may be set, or is set already.
[[nodiscard]] constexpr bool is_ecn_capable(Ecn ecn) { return ecn != Ecn::kNotCapable; }

}  // namespace drip
