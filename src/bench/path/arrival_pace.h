// SPDX-License-Identifier: BSD-3-Clause
// Packets that arrive at a pace, into a receive ring as that of a NIC.
#pragma once

#include <rte_cycles.h>

#include <algorithm>
#include <cstdint>

namespace drip::bench {

/// What comes while nobody polls waits in the receive ring, and is missed when that is full.
class ArrivalPace {
 public:
  static constexpr std::uint64_t kRingPackets = 4096;

  ArrivalPace() = default;  ///< As fast as they are taken; then the counts stay 0.
  /// From now on. `ticks`: what is read as the time, of `hz`; null: the TSC.
  ArrivalPace(double packets_per_second, double hz, const std::uint64_t* ticks = nullptr)
      : ticks_(ticks), ticks_per_packet_(hz / packets_per_second), last_(now()) {}

  /// At most `most` of those that wait; they are gone.
  [[nodiscard]] std::uint32_t take(std::uint32_t most) {
    if (ticks_per_packet_ == 0) return most;
    const std::uint64_t at = now();
    const double come = static_cast<double>(at - last_) / ticks_per_packet_;
    last_ = at;
    arrived_ += come;
    waiting_ += come;
    if (waiting_ > static_cast<double>(kRingPackets)) {
      missed_ += waiting_ - static_cast<double>(kRingPackets);
      waiting_ = static_cast<double>(kRingPackets);
    }
    const std::uint32_t count = std::min(most, static_cast<std::uint32_t>(waiting_));
    waiting_ -= count;
    return count;
  }
  /// Of those taken: there was no buffer for them.
  void miss(std::uint32_t packets) { missed_ += packets; }

  // Fractions of packets are on their way: arrived() = taken + missed() + waiting().
  [[nodiscard]] double arrived() const { return arrived_; }
  [[nodiscard]] double missed() const { return missed_; }
  [[nodiscard]] double waiting() const { return waiting_; }

 private:
  [[nodiscard]] std::uint64_t now() const { return ticks_ != nullptr ? *ticks_ : rte_rdtsc(); }

  const std::uint64_t* ticks_ = nullptr;
  double ticks_per_packet_ = 0;
  std::uint64_t last_ = 0;
  double arrived_ = 0;
  double waiting_ = 0;
  double missed_ = 0;
};

}  // namespace drip::bench
