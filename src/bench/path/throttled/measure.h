// SPDX-License-Identifier: BSD-3-Clause
// Fills a subject's queues, and looks at what it does under the load for a while.
#pragma once

#include <cstdint>

#include "bench/path/throttled/subject.h"

namespace drip::bench {

/// Packets; all of them are in exactly one of the places that are named here.
struct Counts {
  // While it was measured: arrived = received + missed + what waits in the receive ring more.
  double arrived = 0;
  double received = 0;
  double missed = 0;
  double ring_growth = 0;
  // Since the subject was made: received_ever = left_ever + dropped_ever + waiting.
  std::uint64_t received_ever = 0;
  std::uint64_t left_ever = 0;
  std::uint64_t dropped_ever = 0;
  std::uint64_t waiting = 0;
  double seconds_ever = 0;
};

struct Outcome {
  double departed_pps = 0;
  double error = 0;             ///< Of the rate that is allowed; of bits where bits are allowed.
  double missed_share = 0;      ///< Of what arrived.
  double polls_per_second = 0;  ///< Of the receive ring.
  double busy_share = 0;        ///< Of the time, in loops that received or sent something.
  double busy_cycles = 0;       ///< Of these loops, a packet received.
  double burst = 0;             ///< Packets received in such a loop.
  double long_loops = 0;        ///< A second, of more than 100 us.
  double stalled_share = 0;     ///< Of the time, in these: the machine had withheld the CPU.
  Counts counts;
};

/// Fills every queue, with first departures as `load.start` says, then offers twice what is
/// allowed: so long that each bucket has its turn, and for `bench.options.seconds` at least.
[[nodiscard]] Outcome measure(Subject& subject, const Load& load);

/// The first part of it: every bucket holds what it can.
void fill(Subject& subject, const Load& load);

}  // namespace drip::bench
