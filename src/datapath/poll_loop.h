// SPDX-License-Identifier: BSD-3-Clause
// The loop of one polling thread: jobs, departures, arrivals.
#pragma once

#include <atomic>
#include <concepts>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "datapath/dispatcher.h"
#include "datapath/flow_buckets.h"
#include "datapath/hand_off.h"
#include "datapath/idle_policy.h"
#include "datapath/lcore_counters.h"
#include "datapath/mailbox.h"
#include "datapath/packet_io.h"
#include "datapath/rx_worker.h"
#include "datapath/transmitter.h"
#include "drip/cache_line.h"

namespace drip::datapath {

/// A polling thread: a worker, a transmitter, or both (fused). `Clock` has `TimePoint now()`. On
/// its own cache lines, because it is written in each loop.
template <class Io, class Clock>
class alignas(kCacheLineBytes) PollLoop final : private Mailbox::Delegate {
 public:
  /// `rx_worker` is null without that role, `transmitter` and `flows` without theirs. `inbound`:
  /// the hand-off rings to the transmitter.
  PollLoop(Clock clock, LcoreCounters& counters, Mailbox& mailbox, Dispatcher<Io>& dispatcher,
           RxWorker<Io>* rx_worker, Transmitter<Io>* transmitter, FlowBuckets<Io>* flows,
           std::vector<HandOff*> inbound, bool sleeps_when_idle)
      : clock_(clock),
        counters_(counters),
        mailbox_(mailbox),
        dispatcher_(dispatcher),
        rx_worker_(rx_worker),
        transmitter_(transmitter),
        flows_(flows),
        inbound_(std::move(inbound)),
        sleeps_when_idle_(sleeps_when_idle) {}

  /// Polls until `stop`.
  void run(const std::atomic<bool>& stop) {
    last_loop_ = clock_.now();
    while (!stop.load(std::memory_order_relaxed)) {
      if (poll_once()) {
        idle_policy_.loop_was_busy();
      } else if (sleeps_when_idle_ && idle_policy_.loop_was_idle()) {
        sleep();
      }
    }
  }

  /// One loop, for run() and for tests. False if there was nothing to do.
  bool poll_once() {
    const TimePoint now = clock_.now();
    count_time(now);
    std::uint32_t work = mailbox_.poll(now);
    counters_.jobs.add(work);
    // Taken first, so that the frames come from memory while others depart; and departures before
    // any is admitted, so that what is due makes room.
    if (rx_worker_ != nullptr) work += rx_worker_->take();
    if (transmitter_ != nullptr) work += transmitter_->transmit(clock_, most_departures());
    if (rx_worker_ != nullptr) rx_worker_->handle(clock_);
    if (transmitter_ != nullptr) {
      for (HandOff* const hand_off : inbound_) work += dispatcher_.accept_burst(*hand_off, now);
      flows_->sweep_some(now);
      transmitter_->exchange_shares(clock_);
      transmitter_->flush();
    }
    dispatcher_.flush();
    counters_.loops.add(1);
    was_busy_ = work > 0;
    if (was_busy_) counters_.busy_loops.add(1);
    return was_busy_;
  }

  /// Takes all packets that were handed over so far, before a bucket or rules to which they refer
  /// may be freed.
  void drain_hand_offs(TimePoint now) {
    for (HandOff* const hand_off : inbound_) {
      while (dispatcher_.accept_burst(*hand_off, now) > 0) {
      }
    }
  }

 private:
  static constexpr bool kPortless = std::same_as<Io, NullIo>;

  [[nodiscard]] std::uint32_t most_departures() const {
    return rx_worker_ != nullptr && rx_worker_->took_full_burst()
               ? Transmitter<Io>::kDeparturesBesideFullBurst
               : Transmitter<Io>::kDeparturesACall;
  }

  // What the loop before has taken.
  void count_time(TimePoint now) {
    const Duration gap = now - last_loop_;
    last_loop_ = now;
    if (was_busy_) counters_.busy_ns.add(static_cast<std::uint64_t>(gap.ns));
    if (gap <= LcoreCounters::kStall) [[likely]]
      return;
    const auto ns = static_cast<std::uint64_t>(gap.ns);
    counters_.stalls.add(1);
    counters_.stalled_ns.add(ns);
    counters_.longest_stall_ns.raise_to(ns);
  }

  [[nodiscard]] std::optional<TimePoint> idle_until(TimePoint now) const {
    return transmitter_ != nullptr ? transmitter_->idle_until(now) : std::nullopt;
  }

  void sleep() {
    const TimePoint now = clock_.now();
    const Duration bound = idle_policy_.sleep_time(idle_until(now), now);
    if (bound.ns > 0) mailbox_.sleep(bound, kPortless ? this : nullptr);
    last_loop_ = clock_.now();  // A sleep is no stall.
  }

  // The two calls of Mailbox::Delegate, on a caller's thread while this one sleeps.
  TimePoint begin_job() override {
    counters_.jobs.add(1);
    idle_policy_.job_was_delegated();
    // Departures first, as in poll_once().
    if (transmitter_ != nullptr) transmitter_->transmit(clock_);
    return clock_.now();
  }
  bool must_wake() override {
    const TimePoint now = clock_.now();
    return idle_policy_.sleeps_too_long(idle_until(now), now);
  }

  Clock clock_;
  LcoreCounters& counters_;
  Mailbox& mailbox_;
  Dispatcher<Io>& dispatcher_;
  RxWorker<Io>* rx_worker_;
  Transmitter<Io>* transmitter_;
  FlowBuckets<Io>* flows_;
  std::vector<HandOff*> inbound_;
  bool sleeps_when_idle_;
  TimePoint last_loop_;
  bool was_busy_ = false;  // The last loop found something to do.
  IdlePolicy idle_policy_{kPortless};
};

}  // namespace drip::datapath
