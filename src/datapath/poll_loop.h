// SPDX-License-Identifier: BSD-3-Clause
// The loop of one polling thread: jobs, departures, arrivals.
#pragma once

#include <algorithm>
#include <atomic>
#include <concepts>
#include <cstdint>
#include <utility>
#include <vector>

#include "datapath/flow_buckets.h"
#include "datapath/hand_off.h"
#include "datapath/lcore_counters.h"
#include "datapath/mailbox.h"
#include "datapath/packet_io.h"
#include "datapath/rx_worker.h"
#include "drip/cache_line.h"

namespace drip::datapath {

/// A thread that polls: a worker, a transmitter, or both fused. `Clock` has `TimePoint now()`. On
/// cache lines of its own, for it is written in each loop.
template <class Io, class Clock>
class alignas(kCacheLineBytes) PollLoop final : private Mailbox::StandIn {
 public:
  /// Parts that the thread does not play are null. `inbound`: the hand-off rings to its
  /// transmitter.
  PollLoop(Clock clock, LcoreCounters& counters, Mailbox& mailbox, Dispatcher<Io>& dispatcher,
           RxWorker<Io>* worker, Transmitter<Io>* transmitter, FlowBuckets<Io>* flows,
           std::vector<HandOff*> inbound, bool sleeps_when_idle)
      : clock_(clock),
        counters_(counters),
        mailbox_(mailbox),
        dispatcher_(dispatcher),
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
      for (HandOff* const hand_off : inbound_) work += dispatcher_.take_in(*hand_off, now);
      flows_->sweep_some(now);
      transmitter_->flush();
    }
    dispatcher_.flush();
    counters_.loops.add(1);
    if (work > 0) counters_.busy_loops.add(1);
    return work > 0;
  }

  /// Takes in all that workers have handed over so far; before anything that it may refer to goes.
  void take_in_all(TimePoint now) {
    for (HandOff* const hand_off : inbound_) {
      while (dispatcher_.take_in(*hand_off, now) > 0) {
      }
    }
  }

  [[nodiscard]] Clock& clock() { return clock_; }

 private:
  // A node without ports has nobody to poll: it sleeps at once, and callers stand in.
  static constexpr bool kEmbedded = std::same_as<Io, NoPorts>;
  static constexpr int kIdleLoopsBeforeSleep = kEmbedded ? 1 : 2000;
  // Waking takes some time: wake before the next departure and poll until it is due. If departures
  // are so frequent that this would take a good part of a CPU, an embedded node takes them
  // together.
  static constexpr Duration kWakeEarly{60'000};
  static constexpr Duration kFrequent{1'000'000};
  static constexpr Duration kShortestSleep{50'000};
  // Callers who stand in see to departures as well. While they come that often the thread is only
  // there for the case that they stop.
  static constexpr std::uint32_t kManyStandIns = 4;
  static constexpr Duration kShortestSleepWithMany{1'000'000};

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
    const TimePoint now = clock_.now();
    if (transmitter_ != nullptr) {
      if (const auto next = transmitter_->idle_until(now)) bound = rest_until_due(*next - now);
    }
    if (bound.ns > 0) {
      wakes_ = now + bound;
      mailbox_.sleep(bound, kEmbedded ? this : nullptr);
    }
    last_loop_ = clock_.now();  // A sleep is no stall.
  }
  Duration rest_until_due(Duration left) {
    if (!kEmbedded) return left - kWakeEarly;
    const bool awaits_it = std::exchange(woke_early_, false) && left <= kWakeEarly;
    const bool many = std::exchange(stand_ins_, 0) >= kManyStandIns;
    shortest_sleep_ = many ? kShortestSleepWithMany : kShortestSleep;
    if (many || (left < kFrequent && !awaits_it)) return std::max(left, shortest_sleep_);
    woke_early_ = true;
    return left - kWakeEarly;
  }

  // On a caller's thread, while the polling thread sleeps. Departures first: what is due must not
  // take the place of what comes in now.
  TimePoint stand_in() override {
    counters_.commands.add(1);
    ++stand_ins_;
    if (transmitter_ != nullptr) transmitter_->transmit(clock_);
    return clock_.now();
  }
  bool sleeps_too_long() override {
    if (transmitter_ == nullptr) return false;
    const TimePoint now = clock_.now();
    const auto next = transmitter_->idle_until(now);
    return next && std::max(*next, now + shortest_sleep_) < wakes_;
  }

  Clock clock_;
  LcoreCounters& counters_;
  Mailbox& mailbox_;
  Dispatcher<Io>& dispatcher_;
  RxWorker<Io>* worker_;
  Transmitter<Io>* transmitter_;
  FlowBuckets<Io>* flows_;
  std::vector<HandOff*> inbound_;
  bool sleeps_when_idle_;
  TimePoint last_loop_;
  TimePoint wakes_;
  int idle_loops_ = 0;
  bool woke_early_ = false;
  std::uint32_t stand_ins_ = 0;  // Since the thread fell asleep.
  Duration shortest_sleep_ = kShortestSleep;
};

}  // namespace drip::datapath
