// SPDX-License-Identifier: BSD-3-Clause
// One polling thread with all that it owns, and how it is pinned and named.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "datapath/clock/tsc_clock.h"
#include "datapath/poll_loop.h"

namespace drip::datapath {

/// Where a polling thread runs and what it does.
struct LcorePlan {
  LcoreStats::Role role = LcoreStats::Role::kFused;
  std::int32_t cpu = -1;  ///< -1: not pinned.
  std::int32_t numa_node = -1;
  bool sleeps_when_idle = false;
  int realtime_priority = 0;  ///< SCHED_FIFO, 1 to 99; 0: the usual scheduler.

  [[nodiscard]] bool receives() const { return role != LcoreStats::Role::kTransmitter; }
  [[nodiscard]] bool transmits() const { return role != LcoreStats::Role::kWorker; }
};

/// Pins, names and prioritises the calling thread. Returns what could not be had, in words; empty
/// if all was done.
std::vector<std::string> settle_thread(const LcorePlan& plan, const std::string& name);

/// The parts of one thread, in the order in which they refer to each other.
template <class Io>
struct PollThread {
  using Clock = TscClock::Reader;

  LcorePlan plan;
  LcoreCounters counters;
  Mailbox mailbox;
  std::unique_ptr<BucketTable> buckets;  // Transmitters only, down to `flows`.
  std::unique_ptr<Transmitter<Io>> transmitter;
  std::unique_ptr<FlowBuckets<Io>> flows;
  std::unique_ptr<Dispatcher<Io>> dispatcher;
  std::unique_ptr<RxWorker<Io>> worker;  // Workers only.
  std::unique_ptr<PollLoop<Io, Clock>> lcore;
  std::thread thread;
};

}  // namespace drip::datapath
