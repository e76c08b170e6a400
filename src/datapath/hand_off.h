// SPDX-License-Identifier: BSD-3-Clause
// Hands packets over to the transmitter on another core that owns their bucket.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "drip/spsc_ring.h"
#include "engine/rule_snapshot.h"

namespace drip::datapath {

/// One classified packet. `rules` are those by which it was classified; they stay until the
/// transmitters have drained all packets that refer to them.
struct HandedPacket {
  enum class Kind : std::uint8_t { kBucket, kFlows, kPass, kControlTraffic };

  void* packet;
  TimePoint arrival;
  const RuleSnapshot* rules;
  std::uint32_t target;  ///< kBucket: its slot; kFlows: the flow rule.
  std::uint32_t frame_bytes;
  std::uint16_t ingress;
  std::uint16_t egress;
  Kind kind;
};

/// One ring from one thread to one transmitter. The sender fills it in bursts, so that many packets
/// share the cost of a cache line that moves between cores (figures:
/// docs/decisions/0004-hand-off.md).
class HandOff {
 public:
  static constexpr std::size_t kBurst = 32;
  static constexpr std::size_t kSlots = 4096;

  HandOff() : ring_(kSlots) {}

  // ---- The sending thread

  /// False if the packet was not taken, because ring and burst are full.
  [[nodiscard]] bool add(const HandedPacket& packet) {
    if (count_ == kBurst) {
      flush();
      if (count_ == kBurst) return false;
    }
    burst_[count_++] = packet;
    return true;
  }
  /// Pushes the burst, as far as the ring has room.
  void flush() {
    const std::size_t pushed = ring_.push(std::span<const HandedPacket>(burst_.data(), count_));
    for (std::size_t i = pushed; i < count_; ++i) burst_[i - pushed] = burst_[i];
    count_ -= pushed;
    staged_.store(count_, std::memory_order_relaxed);
  }

  // ---- The receiving thread

  /// Returns how many packets were written to `out`.
  [[nodiscard]] std::size_t pop(std::span<HandedPacket> out) { return ring_.pop(out); }

  // ---- Any thread

  [[nodiscard]] std::size_t waiting() const {
    return ring_.size() + staged_.load(std::memory_order_relaxed);
  }

 private:
  SpscRing<HandedPacket> ring_;
  std::array<HandedPacket, kBurst> burst_;
  std::size_t count_ = 0;               // The sender's.
  std::atomic<std::size_t> staged_{0};  // count_ after the last flush; the sender writes it.
};

}  // namespace drip::datapath
