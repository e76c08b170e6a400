// SPDX-License-Identifier: BSD-3-Clause
// What a polling thread needs to move packets, and the node that has no ports at all.
#pragma once

#include <concepts>
#include <cstdint>
#include <span>

namespace drip::datapath {

/// A frame as it lies in memory.
struct FrameBytes {
  std::span<const std::uint8_t> bytes;  ///< The contiguous begin, destination MAC first.
  std::uint32_t frame_bytes = 0;        ///< The whole frame, without FCS.
};

inline constexpr std::uint16_t kNoPort = 0xffff;

/// Packets are opaque addresses that a UnitRef can hold. One object serves one polling thread, and
/// no call blocks, locks or allocates.
template <class T>
concept PacketIo = requires(T io, std::uint16_t number, std::span<void*> packets, void* packet) {
  /// Fills `packets` from the thread's receive queue `number`; returns how many.
  { io.rx(number, packets) } -> std::same_as<std::uint32_t>;
  /// Gives the first of `packets` to port `number`; returns how many it took.
  { io.tx(number, packets) } -> std::same_as<std::uint32_t>;
  /// Frees packets.
  { io.drop(packets) } -> std::same_as<void>;
  { io.frame(packet) } -> std::same_as<FrameBytes>;
  { io.prefetch(packet) } -> std::same_as<void>;
  /// How many receive queues the thread polls, and of which port `number` is.
  { io.rx_queues() } -> std::same_as<std::uint16_t>;
  { io.ingress(number) } -> std::same_as<std::uint16_t>;
  /// The port by which packets of ingress port `number` leave; kNoPort for none.
  { io.egress(number) } -> std::same_as<std::uint16_t>;
};

/// An embedded node: requests only.
struct NoPorts {
  std::uint32_t rx(std::uint16_t, std::span<void*>) { return 0; }
  std::uint32_t tx(std::uint16_t, std::span<void*>) { return 0; }
  void drop(std::span<void*>) {}
  FrameBytes frame(void*) { return {}; }
  void prefetch(void*) {}
  [[nodiscard]] std::uint16_t rx_queues() const { return 0; }
  [[nodiscard]] std::uint16_t ingress(std::uint16_t) const { return kNoPort; }
  [[nodiscard]] std::uint16_t egress(std::uint16_t) const { return kNoPort; }
};
static_assert(PacketIo<NoPorts>);

}  // namespace drip::datapath
