// SPDX-License-Identifier: BSD-3-Clause
// The way of packets from workers to the transmitters that own their buckets, on other cores.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "drip/spsc_ring.h"
#include "engine/rule_snapshot.h"

namespace drip::datapath {

/// One classified packet. The rules it was classified by stay until the transmitters have taken
/// everything that refers to them.
struct HandedPacket {
  enum class Kind : std::uint8_t { kBucket, kFlows, kPass, kControlTraffic };

  void* packet;
  TimePoint arrival;
  const RuleSnapshot* rules;
  std::uint32_t target;  ///< Bucket slot, or flow set.
  std::uint32_t frame_bytes;
  std::uint16_t ingress;
  std::uint16_t egress;
  Kind kind;
};

/// One ring from one worker to one transmitter; the worker fills it in bursts, so that one cache
/// line crosses between the cores for many packets (docs/decisions/hand_over.md has the figures).
class HandOff {
 public:
  static constexpr std::size_t kBurst = 32;
  static constexpr std::size_t kSlots = 4096;

  HandOff() : ring_(kSlots) {}

  // ---- RxWorker
  [[nodiscard]] bool add(const HandedPacket& packet) {
    if (count_ == kBurst) {
      flush();
      if (count_ == kBurst) return false;
    }
    burst_[count_++] = packet;
    return true;
  }
  /// Hands over as much as the ring takes.
  void flush() {
    const std::size_t pushed = ring_.push(std::span<const HandedPacket>(burst_.data(), count_));
    for (std::size_t i = pushed; i < count_; ++i) burst_[i - pushed] = burst_[i];
    count_ -= pushed;
    staged_.store(count_, std::memory_order_relaxed);
  }

  // ---- Transmitter
  [[nodiscard]] std::size_t take(std::span<HandedPacket> out) { return ring_.pop(out); }

  /// Any thread.
  [[nodiscard]] std::size_t waiting() const {
    return ring_.size() + staged_.load(std::memory_order_relaxed);
  }

 private:
  SpscRing<HandedPacket> ring_;
  std::array<HandedPacket, kBurst> burst_;
  std::size_t count_ = 0;               // The worker's.
  std::atomic<std::size_t> staged_{0};  // The worker writes, any reads: count_ after a flush.
};

}  // namespace drip::datapath
