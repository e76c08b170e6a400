// SPDX-License-Identifier: BSD-3-Clause
// What sender and receiver agree on: how a frame says its flow and its number.
#pragma once

#include <cstdint>

namespace drip::bench {

/// Frames are Ethernet, IPv4, UDP to port kFirstPort + flow, and behind the UDP header the frame's
/// number in the sender's order.
inline constexpr std::uint16_t kFirstPort = 10000;
inline constexpr std::uint32_t kMaxFlows = 16384;
inline constexpr std::size_t kPortOffset = 14 + 20 + 2;
inline constexpr std::size_t kNumberOffset = 14 + 20 + 8;
inline constexpr std::size_t kLeastFrameBytes = kNumberOffset + sizeof(std::uint64_t);

}  // namespace drip::bench
