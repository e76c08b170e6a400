// SPDX-License-Identifier: BSD-3-Clause
// Hands packets over to the transmitter on another core that owns their bucket.
#pragma once

#include <array>
#include <atomic>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>

#include "drip/cache_line.h"
#include "drip/spsc_ring.h"
#include "drip/unit_ref.h"
#include "engine/rule_snapshot.h"

namespace drip::datapath {

/// One classified packet. `rules` are those by which it was classified; they stay until the
/// transmitters have drained all packets that refer to them.
struct HandedPacket {
  enum class Kind : std::uint8_t { kBucket, kFlows, kPass, kControlTraffic };

  void* packet = nullptr;
  TimePoint arrival;
  const RuleSnapshot* rules = nullptr;
  std::uint32_t target = 0;  ///< kBucket: its slot; kFlows: the flow rule.
  std::uint32_t frame_bytes = 0;
  std::uint16_t ingress = 0;  ///< Handed over for kFlows only.
  std::uint16_t egress = 0;
  Kind kind = Kind::kBucket;
};

/// One ring from one thread to one transmitter. The sender fills it in bursts, so that many packets
/// share the cost of a cache line that moves between cores (figures:
/// docs/decisions/0004-hand-off.md).
///
/// A packet takes 16 bytes there. What is the same for many of them lies beside the ring: the
/// rules, and the time from which arrivals are counted, in 32 bits of ns. Each entry names which of
/// four such contexts it has; another one begins when the rules change, and every four seconds.
class HandOff {
 public:
  static constexpr std::size_t kBurst = 32;
  static constexpr std::size_t kSlots = 4096;

  HandOff() : ring_(kSlots) {}

  // ---- The sending thread

  /// False if the packet was not taken, because ring and burst are full, or because the receiver
  /// has not come to the packets of four contexts ago. REQUIRES: frame_bytes <= kMaxWireBytes, and
  /// what UnitRef::of() requires of packet and egress.
  [[nodiscard]] bool add(const HandedPacket& packet) {
    if (count_ == kBurst) {
      flush();
      if (count_ == kBurst) return false;
    }
    std::uint64_t since = packet.arrival.ns - contexts_[context_].base.ns;
    if (packet.rules != contexts_[context_].rules || since > kLongestSince) [[unlikely]] {
      if (!begin_context(packet)) return false;
      since = 0;
    }
    const std::uint32_t target = packet.kind == HandedPacket::Kind::kFlows
                                     ? packet.target << kIngressBits | packet.ingress
                                     : packet.target;
    assert(target >> kTargetBits == 0);
    burst_[count_++] = {
        UnitRef::of(packet.packet, packet.frame_bytes, packet.egress),
        static_cast<std::uint32_t>(since),
        target << kLowBits | static_cast<std::uint32_t>(packet.kind) << 2 | context_};
    return true;
  }
  /// Pushes the burst, as far as the ring has room.
  void flush() {
    const std::size_t pushed = ring_.push(std::span<const Entry>(burst_.data(), count_));
    for (std::size_t i = pushed; i < count_; ++i) burst_[i - pushed] = burst_[i];
    count_ -= pushed;
    pushed_ += pushed;
    staged_.store(count_, std::memory_order_relaxed);
  }

  // ---- The receiving thread

  /// Returns how many packets were written to `out`.
  [[nodiscard]] std::size_t pop(std::span<HandedPacket> out) {
    std::size_t count = 0;
    return ring_.pop_each(out.size(), [&](const Entry& entry) { out[count++] = packet_of(entry); });
  }

  // ---- Any thread

  [[nodiscard]] std::size_t waiting() const {
    return ring_.size() + staged_.load(std::memory_order_relaxed);
  }

 private:
  struct Entry {
    UnitRef unit;         // Of which the wire bytes are those of the frame.
    std::uint32_t since;  // The context's base, in ns.
    std::uint32_t rest;   // Target, kind, context.
  };
  static_assert(sizeof(Entry) == 16);
  struct Context {
    const RuleSnapshot* rules = nullptr;
    TimePoint base;
    std::size_t end = 0;  // Of its packets, counted from the first one ever: the sender's.
  };
  static constexpr unsigned kLowBits = 4;  // Kind and context.
  static constexpr unsigned kTargetBits = 32 - kLowBits;
  static constexpr unsigned kIngressBits = 5;
  static_assert(kMaxPorts <= 1U << kIngressBits);
  static constexpr std::uint64_t kLongestSince = 0xffff'ffff;

  [[gnu::noinline]] bool begin_context(const HandedPacket& packet) {
    const auto next = static_cast<std::uint32_t>((context_ + 1) % contexts_.size());
    if (ring_.popped() < contexts_[next].end) return false;
    contexts_[context_].end = pushed_ + count_;
    contexts_[next] = {packet.rules, packet.arrival, contexts_[next].end};
    context_ = next;
    return true;
  }
  [[nodiscard]] HandedPacket packet_of(const Entry& entry) const {
    const Context& context = contexts_[entry.rest & 3];
    HandedPacket packet;
    packet.packet = entry.unit.address();
    packet.arrival = context.base + Duration{entry.since};
    packet.rules = context.rules;
    packet.target = entry.rest >> kLowBits;
    packet.frame_bytes = entry.unit.wire_bytes();
    packet.egress = entry.unit.egress();
    packet.kind = static_cast<HandedPacket::Kind>(entry.rest >> 2 & 3);
    if (packet.kind == HandedPacket::Kind::kFlows) [[unlikely]] {
      packet.ingress = static_cast<std::uint16_t>(packet.target & ((1U << kIngressBits) - 1));
      packet.target >>= kIngressBits;
    }
    return packet;
  }

  SpscRing<Entry> ring_;
  // Written by the sender before the first packet of a context, read by the receiver while it takes
  // packets out.
  std::array<Context, 4> contexts_;
  // The sender's.
  alignas(kCacheLineBytes) std::array<Entry, kBurst> burst_;
  std::size_t count_ = 0;
  std::size_t pushed_ = 0;  // Ever.
  std::uint32_t context_ = 0;
  std::atomic<std::size_t> staged_{0};  // count_ after the last flush; the sender writes it.
};

}  // namespace drip::datapath
