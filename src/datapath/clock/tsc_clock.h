// SPDX-License-Identifier: BSD-3-Clause
// Drip's clock: the invariant TSC, calibrated against CLOCK_MONOTONIC_RAW and watched ever after.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>

#include "datapath/clock/tsc_line.h"
#include "drip/cache_line.h"
#include "engine/engine.h"

namespace drip::datapath {

/// Shared by all threads. A background thread compares it with CLOCK_MONOTONIC_RAW each second and
/// bends the line, by at most 500 ppm and without a jump: rte_get_tsc_hz() alone was measured to be
/// off by 1,485 ppm. Without an invariant TSC it reads CLOCK_MONOTONIC_RAW itself.
class TscClock {
 public:
  /// Takes 50 ms for the first calibration.
  TscClock();
  ~TscClock();
  TscClock(const TscClock&) = delete;
  TscClock& operator=(const TscClock&) = delete;

  /// Any thread. Not for polling threads, which have a Reader each.
  [[nodiscard]] TimePoint now() const;
  [[nodiscard]] ClockStats read() const;

  /// One thread's view: a copy of the line, renewed when it has changed.
  class Reader {
   public:
    explicit Reader(const TscClock& clock) : clock_(&clock) { refresh(); }

    [[nodiscard]] TimePoint now() {
      if (clock_->version_.load(std::memory_order_relaxed) != version_) [[unlikely]]
        refresh();
      return line_.at(clock_->ticks());
    }

   private:
    void refresh() { line_ = clock_->line(version_); }

    const TscClock* clock_;
    std::uint32_t version_ = 0;
    TscLine line_;
  };

 private:
  struct Sample {
    std::uint64_t tsc;
    std::uint64_t raw_ns;
  };

  [[nodiscard]] std::uint64_t ticks() const;
  [[nodiscard]] Sample sample() const;
  [[nodiscard]] TscLine line(std::uint32_t& version) const;
  void publish(const TscLine& line);
  void watch();

  const bool use_tsc_;
  Sample first_;
  double first_hz_ = 0;
  std::atomic<double> hz_{0};
  std::atomic<bool> stop_{false};
  std::thread watcher_;

  // A sequence lock: the watcher writes; readers try again if `version_` was odd or has changed.
  alignas(kCacheLineBytes) std::atomic<std::uint32_t> version_{0};
  std::atomic<std::uint64_t> origin_tsc_{0};
  std::atomic<std::uint64_t> origin_ns_{0};
  std::atomic<std::uint64_t> slope_{0};
};

}  // namespace drip::datapath
