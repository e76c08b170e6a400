// SPDX-License-Identifier: BSD-3-Clause
// Collects departed packets into bursts for each port.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "drip/cache_line.h"
#include "drip/counter.h"
#include "drip/unit_ref.h"

namespace drip::datapath {

/// Packets that the NIC does not take stay, in order, and are offered again at the next flush: a
/// packet that has departed from its bucket is not dropped. While a port has no room, the
/// transmitter holds back those buckets whose head leaves by that port. A port that sends nothing,
/// because its link is down, is given nothing and has no room, so that no more than a burst waits
/// here for it and all else in its bucket, on schedule. Belongs to one transmitter.
template <class Io>
class TxBuffer {
 public:
  static constexpr std::uint32_t kBurst = 32;
  static constexpr std::uint32_t kSlots = 256;
  /// Places kept free for control traffic, so that it finds room at a port that takes nothing.
  static constexpr std::uint32_t kReserved = 32;

  TxBuffer(Io& io, std::uint16_t ports) : io_(io), ports_(ports) {}

  [[nodiscard]] bool has_room(std::uint16_t port) const {
    return ports_[port].count + kReserved < ports_[port].slots;
  }
  [[nodiscard]] bool has_reserved_room(std::uint16_t port) const {
    return ports_[port].count < ports_[port].slots;
  }

  /// REQUIRES: has_room() or has_reserved_room().
  [[gnu::always_inline]] void add(std::uint16_t port, void* packet) {
    Pending& pending = ports_[port];
    pending.packets[pending.count++] = packet;
    waiting_.add(1);
    if (pending.count % kBurst == 0) flush(port);
  }

  void flush() {
    for (std::uint16_t port = 0; port < ports_.size(); ++port) {
      if (ports_[port].count > 0) flush(port);
    }
  }

  /// Gives what still waits to `drop(void*)`, when the node stops; returns the number of packets.
  template <class Drop>
  std::uint64_t drop_all(Drop drop) {
    std::uint64_t dropped = 0;
    for (Pending& pending : ports_) {
      for (std::uint32_t i = 0; i < pending.count; ++i) drop(pending.packets[i]);
      dropped += pending.count;
      pending.count = 0;
      pending.slots = kSlots;
    }
    waiting_.set(0);
    return dropped;
  }

  /// Any thread.
  [[nodiscard]] std::uint64_t waiting() const { return waiting_.get(); }
  [[nodiscard]] std::uint64_t sent() const { return sent_.get(); }
  [[nodiscard]] std::uint64_t sent(std::uint16_t port) const { return ports_[port].sent.get(); }
  [[nodiscard]] std::uint64_t retries(std::uint16_t port) const {
    return ports_[port].retries.get();
  }

 private:
  struct alignas(kCacheLineBytes) Pending {
    std::array<void*, kSlots> packets;
    std::uint32_t count = 0;
    std::uint32_t slots = kSlots;  // 0 while the port sends nothing; then count > 0.
    Counter retries;
    Counter sent;
  };

  void flush(std::uint16_t port) {
    Pending& pending = ports_[port];
    if (!io_.takes(port)) [[unlikely]] {
      pending.slots = 0;
      return;
    }
    pending.slots = kSlots;
    const std::uint32_t taken =
        io_.tx(port, std::span<void*>(pending.packets.data(), pending.count));
    sent_.add(taken);
    pending.sent.add(taken);
    if (taken < pending.count) {
      pending.retries.add(1);
      if (taken > 0) {
        std::copy(pending.packets.begin() + taken, pending.packets.begin() + pending.count,
                  pending.packets.begin());
      }
    }
    pending.count -= taken;
    waiting_.set(waiting_.get() - taken);
  }

  Io& io_;
  std::vector<Pending> ports_;
  Counter sent_;
  Counter waiting_;
};

}  // namespace drip::datapath
