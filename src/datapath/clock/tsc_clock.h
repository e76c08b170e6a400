// SPDX-License-Identifier: BSD-3-Clause
// Drip's clock: the invariant TSC, calibrated against CLOCK_MONOTONIC_RAW.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

#include "base/mutex.h"
#include "datapath/clock/clock_discipline.h"
#include "datapath/clock/tsc_line.h"
#include "drip/cache_line.h"
#include "drip/sequence_lock.h"
#include "engine/stats.h"

namespace drip::datapath {

/// Shared by all threads. A background thread compares it with CLOCK_MONOTONIC_RAW four times a
/// second and corrects its rate by at most 500 ppm, without a jump: rte_get_tsc_hz() alone was
/// measured to be off by 1,485 ppm. When the two clocks part (a virtual machine is paused or
/// migrated), the thread writes one line to the log and Drip's time goes on, see ClockDiscipline.
/// On a machine without an invariant TSC it reads CLOCK_MONOTONIC_RAW itself.
class TscClock {
 public:
  /// Takes 50 ms for the first calibration.
  TscClock();
  ~TscClock();
  TscClock(const TscClock&) = delete;
  TscClock& operator=(const TscClock&) = delete;

  /// Any thread. Polling threads use a Reader, which is faster.
  [[nodiscard]] TimePoint now() const;
  [[nodiscard]] ClockStats read() const;

  /// One thread's copy of the line, which is updated when the line changes.
  class Reader {
   public:
    explicit Reader(const TscClock& clock) : clock_(&clock) { refresh(); }

    [[nodiscard]] TimePoint now() {
      if (!clock_->lock_.is_current(version_)) [[unlikely]]
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
  [[nodiscard]] std::uint64_t ticks() const;
  [[nodiscard]] ClockSample sample() const;
  [[nodiscard]] ClockDiscipline calibrated() const;
  [[nodiscard]] TscLine line(std::uint32_t& version) const;
  void publish(const TscLine& line);
  void watch();
  void note(const ClockEvent& event, TimePoint now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const bool use_tsc_;
  mutable Mutex mutex_;
  ClockDiscipline discipline_ ABSL_GUARDED_BY(mutex_);
  ClockStats stats_ ABSL_GUARDED_BY(mutex_);
  const double first_hz_;
  std::atomic<bool> stop_{false};
  std::thread watcher_;

  // The present line; the watcher writes it.
  alignas(kCacheLineBytes) SequenceLock lock_;
  std::atomic<std::uint64_t> origin_tsc_{0};
  std::atomic<std::uint64_t> origin_ns_{0};
  std::atomic<std::uint64_t> slope_{0};
};

}  // namespace drip::datapath
