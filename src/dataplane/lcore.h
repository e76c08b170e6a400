// SPDX-License-Identifier: BSD-3-Clause
// The loop of one polling thread: jobs, departures, arrivals.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>
#include <vector>

#include "dataplane/flow_buckets.h"
#include "dataplane/hand_off.h"
#include "dataplane/lcore_counters.h"
#include "dataplane/mailbox.h"
#include "dataplane/worker.h"

namespace drip::dataplane {

/// A thread that polls: a worker, a transmitter, or both fused. `Clock` has `TimePoint now()`.
template <class Io, class Clock>
class Lcore {
 public:
  /// Parts that the thread does not play are null. `inbound`: the hand-off rings to its
  /// transmitter.
  Lcore(Clock clock, LcoreCounters& counters, Mailbox& mailbox, Outlet<Io>& outlet,
        Worker<Io>* worker, Transmitter<Io>* transmitter, FlowBuckets<Io>* flows,
        std::vector<HandOff*> inbound, bool sleeps_when_idle)
      : clock_(clock),
        counters_(counters),
        mailbox_(mailbox),
        outlet_(outlet),
        worker_(worker),
        transmitter_(transmitter),
        flows_(flows),
        inbound_(std::move(inbound)),
        sleeps_when_idle_(sleeps_when_idle) {}

  /// Polls until `stop`.
  void run(const std::atomic<bool>& stop) {
    last_loop_ = clock_.now();
    while (!stop.load(std::memory_order_relaxed)) {
      if (poll_once()) {
        idle_loops_ = 0;
      } else if (sleeps_when_idle_) {
        rest();
      }
    }
  }

  /// One loop, for run() and for tests. False if there was nothing to do.
  bool poll_once() {
    const TimePoint now = clock_.now();
    watch_for_stalls(now);
    std::uint32_t work = mailbox_.poll(now);
    counters_.commands.add(work);
    // Departures first: what is due must not take the place of what comes in now.
    if (transmitter_ != nullptr) work += transmitter_->transmit(clock_);
    if (worker_ != nullptr) work += worker_->receive(clock_);
    if (transmitter_ != nullptr) {
      for (HandOff* const hand_off : inbound_) work += outlet_.take_in(*hand_off, now);
      flows_->sweep_some(now);
      transmitter_->flush();
    }
    outlet_.flush();
    counters_.loops.add(1);
    if (work > 0) counters_.busy_loops.add(1);
    return work > 0;
  }

  /// Takes in all that workers have handed over so far; before anything that it may refer to goes.
  void take_in_all(TimePoint now) {
    for (HandOff* const hand_off : inbound_) {
      while (outlet_.take_in(*hand_off, now) > 0) {
      }
    }
  }

  [[nodiscard]] Clock& clock() { return clock_; }

 private:
  static constexpr int kIdleLoopsBeforeSleep = 2000;
  // Waking takes some time: wake before the next departure and poll until it is due.
  static constexpr Duration kWakeEarly{60'000};

  void watch_for_stalls(TimePoint now) {
    const Duration gap = now - last_loop_;
    last_loop_ = now;
    if (gap <= LcoreCounters::kStall) [[likely]]
      return;
    const auto ns = static_cast<std::uint64_t>(gap.ns);
    counters_.stalls.add(1);
    counters_.stalled_ns.add(ns);
    counters_.longest_stall_ns.raise_to(ns);
  }

  // Nothing to do for a while: gives the CPU up until something may be due. Only where the thread
  // has no ports, or was told to.
  void rest() {
    if (++idle_loops_ < kIdleLoopsBeforeSleep) return;
    idle_loops_ = 0;
    Duration bound{100'000'000};
    if (transmitter_ != nullptr) {
      const TimePoint now = clock_.now();
      if (const auto next = transmitter_->idle_until(now)) bound = *next - now - kWakeEarly;
    }
    if (bound.ns > 0) mailbox_.sleep(bound);
    last_loop_ = clock_.now();  // A sleep is no stall.
  }

  Clock clock_;
  LcoreCounters& counters_;
  Mailbox& mailbox_;
  Outlet<Io>& outlet_;
  Worker<Io>* worker_;
  Transmitter<Io>* transmitter_;
  FlowBuckets<Io>* flows_;
  std::vector<HandOff*> inbound_;
  bool sleeps_when_idle_;
  TimePoint last_loop_;
  int idle_loops_ = 0;
};

}  // namespace drip::dataplane
