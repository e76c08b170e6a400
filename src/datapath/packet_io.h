// SPDX-License-Identifier: BSD-3-Clause
// The interface between the packet path and the packet I/O, and one for nodes without ports.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <span>

#include "engine/drop_reason.h"

namespace drip::datapath {

/// A frame in memory.
struct FrameBytes {
  std::span<const std::uint8_t> bytes;  ///< Its first contiguous bytes, destination MAC first.
  std::uint32_t frame_bytes = 0;        ///< The whole frame, without FCS.
};

inline constexpr std::uint16_t kNoPort = 0xffff;

/// Packets are opaque addresses that a UnitRef can hold. Each polling thread has its own object. No
/// call blocks, locks or allocates.
template <class T>
concept PacketIo = requires(T io, std::uint16_t number, std::span<void*> packets, void* packet,
                            const FrameBytes& frame) {
  /// Receives into `packets` from the thread's receive queue `number`; returns the number received.
  { io.rx(number, packets) } -> std::same_as<std::uint32_t>;
  /// Sends `packets` by port `number`; returns how many it took, which are the first ones.
  { io.tx(number, packets) } -> std::same_as<std::uint32_t>;
  /// Whether port `number` sends at present: it is open, and its link is up.
  { io.takes(number) } -> std::same_as<bool>;
  /// Frees packets.
  { io.free(packets) } -> std::same_as<void>;
  { io.frame(packet) } -> std::same_as<FrameBytes>;
  /// The same bytes as of frame(), to be changed before the packet is sent.
  { io.writable_bytes(packet) } -> std::same_as<std::span<std::uint8_t>>;
  { io.prefetch(packet) } -> std::same_as<void>;
  /// The number of receive queues that the thread polls, and the port of queue `number`.
  { io.rx_queues() } -> std::same_as<std::uint16_t>;
  { io.ingress(number) } -> std::same_as<std::uint16_t>;
  /// The port by which packets of ingress port `number` leave; kNoPort for none.
  { io.egress(number) } -> std::same_as<std::uint16_t>;
  /// Frames up to this length may be forwarded from ingress port `number`; 0 if it has no egress.
  { io.longest_frame(number) } -> std::same_as<std::uint32_t>;
  /// Of a longer one: why it must not be forwarded, or none if it may.
  { io.check_long_frame(number, frame) } -> std::same_as<std::optional<DropReason>>;
};

/// For a node without ports, which has requests only.
struct NullIo {
  std::uint32_t rx(std::uint16_t, std::span<void*>) { return 0; }
  std::uint32_t tx(std::uint16_t, std::span<void*>) { return 0; }
  [[nodiscard]] bool takes(std::uint16_t) const { return false; }
  void free(std::span<void*>) {}
  FrameBytes frame(void*) { return {}; }
  std::span<std::uint8_t> writable_bytes(void*) { return {}; }
  void prefetch(void*) {}
  [[nodiscard]] std::uint16_t rx_queues() const { return 0; }
  [[nodiscard]] std::uint16_t ingress(std::uint16_t) const { return kNoPort; }
  [[nodiscard]] std::uint16_t egress(std::uint16_t) const { return kNoPort; }
  [[nodiscard]] std::uint32_t longest_frame(std::uint16_t) const { return 0; }
  [[nodiscard]] std::optional<DropReason> check_long_frame(std::uint16_t, const FrameBytes&) const {
    return DropReason::kNoEgress;
  }
};
static_assert(PacketIo<NullIo>);

}  // namespace drip::datapath
