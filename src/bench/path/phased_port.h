// SPDX-License-Identifier: BSD-3-Clause
// A BenchPort to which more or less comes in each phase, and that notes what it sends and how long
// nobody looked.
#pragma once

#include <rte_cycles.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "bench/path/bench_port.h"

namespace drip::bench {

/// What comes in each phase, in packets a tick of the TSC; then all over again.
using PhasePaces = std::array<double, 8>;

/// When packets were given to the port, and how many so far.
struct Mark {
  std::uint64_t tsc;
  std::uint64_t sent;
};

/// For one polling thread; read when that has ended. What comes while nobody polls waits in a
/// receive ring, and is missed when that is full.
class PhasedPort : public BenchPort {
 public:
  /// Without phases packets come as fast as they are taken.
  using BenchPort::BenchPort;

  /// Before the thread runs. `phase`: of each, in ticks. `marks`: as many are kept. A time of more
  /// than `stall` ticks between two polls counts as a stall.
  void use_phases(const PhasePaces& paces, std::uint64_t phase, std::uint64_t stall,
                  std::size_t marks) {
    paces_ = paces;
    phase_ = phase;
    stall_ = stall;
    begin_ = last_ = rte_rdtsc();
    marks_.reserve(marks);
  }

  std::uint32_t rx(std::uint16_t queue, std::span<void*> packets) {
    if (phase_ == 0) return BenchPort::rx(queue, packets);
    const std::uint64_t now = rte_rdtsc();
    if (now - last_ > stall_) stalled_ += now - last_;
    come_ = std::min(come_ + arrivals(last_ - begin_, now - begin_),
                     static_cast<double>(ArrivalPace::kRingPackets));
    last_ = now;
    const auto count = std::min(packets.size(), static_cast<std::size_t>(come_));
    const std::uint32_t received = BenchPort::rx(queue, packets.first(count));
    come_ -= received;
    return received;
  }
  std::uint32_t tx(std::uint16_t port, std::span<void*> packets) {
    const std::uint32_t count = BenchPort::tx(port, packets);
    if (marks_.size() < marks_.capacity()) marks_.push_back({rte_rdtsc(), sent()});
    return count;
  }

  [[nodiscard]] const std::vector<Mark>& marks() const { return marks_; }
  /// Of the time from use_phases() to the last poll, the part that stalls took.
  [[nodiscard]] double stalled() const {
    return last_ == begin_ ? 0
                           : static_cast<double>(stalled_) / static_cast<double>(last_ - begin_);
  }

 private:
  // Between two times since begin_.
  [[nodiscard]] double arrivals(std::uint64_t from, std::uint64_t to) const {
    double sum = 0;
    while (from < to) {
      const std::uint64_t number = from / phase_;
      const std::uint64_t end = std::min(to, (number + 1) * phase_);
      sum += paces_[number % paces_.size()] * static_cast<double>(end - from);
      from = end;
    }
    return sum;
  }

  PhasePaces paces_{};
  std::uint64_t phase_ = 0;  // 0: no phases.
  std::uint64_t stall_ = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t begin_ = 0;
  std::uint64_t last_ = 0;
  std::uint64_t stalled_ = 0;
  double come_ = 0;
  std::vector<Mark> marks_;
};

}  // namespace drip::bench
