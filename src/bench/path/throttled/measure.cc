// SPDX-License-Identifier: BSD-3-Clause
// Counts loops and packets by the TSC.
#include "bench/path/throttled/measure.h"

#include <rte_cycles.h>

#include <algorithm>
#include <cmath>

#include "bench/path/bucket_path.h"

namespace drip::bench {
namespace {

// Longer than any number of packets that one loop handles takes (the replays of `loops` tell it):
// the machine has withheld the CPU.
constexpr double kLongLoopSeconds = 100e-6;
// Of the paced load before it is measured.
constexpr double kSettleSeconds = 0.01;
// Loops in a row in which nothing was received: no packet is left in the pool.
constexpr std::uint32_t kMostIdleLoops = 10'000;

void poll_for(Subject& subject, double cycles) {
  const std::uint64_t begin = rte_rdtsc();
  while (static_cast<double>(rte_rdtsc() - begin) < cycles) subject.poll();
}

// As fast as packets are taken, until so many have come.
void poll_until(Subject& subject, std::uint64_t received) {
  std::uint32_t idle = 0;
  while (subject.port().received() < received && idle < kMostIdleLoops) {
    const std::uint64_t before = subject.port().received();
    subject.poll();
    idle = subject.port().received() == before ? idle + 1 : 0;
  }
}

// One packet for each bucket, each of which is held until its place in the round.
void fill_in_turn(Subject& subject, const Load& load, const BucketOrder& order) {
  const std::vector<std::uint32_t>& numbers = order.numbers();
  const double hz = load.bench.tsc_hz();
  const std::uint64_t begin = rte_rdtsc();
  for (std::size_t at = 0; at < numbers.size(); at += BucketPath::kBurst) {
    const std::size_t end = std::min<std::size_t>(at + BucketPath::kBurst, numbers.size());
    const double seconds = static_cast<double>(rte_rdtsc() - begin) / hz;
    for (std::size_t i = at; i < end; ++i) {
      subject.hold(numbers[i], load.first_wait(numbers[i], i, seconds));
    }
    subject.poll();
  }
}

// For as long as each bucket with the same rate departs a whole number of times: or the count
// depends on where in the round it begins.
double cycles_to_measure(const Load& load) {
  const double hz = load.bench.tsc_hz();
  const double wanted = load.bench.options.seconds * hz;
  if (load.traffic.kind() != BucketOrder::Kind::kRoundRobin) return wanted;
  const double round = load.round_seconds() * hz;
  return std::ceil(wanted / round) * round;
}

}  // namespace

void fill(Subject& subject, const Load& load) {
  BucketOrder order = load.traffic.fill_order();
  BenchPort& port = subject.port();
  port.set_order(order);
  switch (subject.first()) {
    case Subject::First::kHeld:
      port.set_pace({});
      fill_in_turn(subject, load, order);
      break;
    case Subject::First::kByArrival:
      // The first round's pace is that of the first departures.
      port.set_pace(
          ArrivalPace(load.start == Start::kStaggered ? load.allowed_pps : 2 * load.allowed_pps,
                      load.bench.tsc_hz()));
      poll_for(subject, load.round_seconds() * load.bench.tsc_hz());
      break;
    case Subject::First::kAny:
      break;
  }
  port.set_pace({});
  const std::uint64_t each = load.traffic.least_capacity() + 1;
  poll_until(subject, port.received() + each * load.traffic.buckets());
  port.set_order(subject.arrivals());
}

Outcome measure(Subject& subject, const Load& load) {
  const double hz = load.bench.tsc_hz();
  const std::uint64_t made = rte_rdtsc();
  BenchPort& port = subject.port();
  fill(subject, load);
  port.set_pace(ArrivalPace(2 * load.allowed_pps, hz));
  poll_for(subject, kSettleSeconds * hz);

  const ArrivalPace pace_before = port.pace();
  const std::uint64_t received_before = port.received();
  const std::uint64_t sent_before = port.sent();
  const std::uint64_t bytes_before = port.sent_bytes();
  const double span = cycles_to_measure(load);
  const auto long_loop = static_cast<std::uint64_t>(kLongLoopSeconds * hz);
  std::uint64_t polls = 0;
  std::uint64_t busy_polls = 0;
  std::uint64_t busy = 0;
  std::uint64_t long_loops = 0;
  std::uint64_t stalled = 0;
  const std::uint64_t start = rte_rdtsc();
  std::uint64_t now = start;
  std::uint64_t seen = port.received() + port.sent();
  while (static_cast<double>(now - start) < span) {
    subject.poll();
    const std::uint64_t after = rte_rdtsc();
    const std::uint64_t done = port.received() + port.sent();
    if (done != seen) {
      busy += after - now;
      ++busy_polls;
      seen = done;
    }
    if (after - now > long_loop) {
      ++long_loops;
      stalled += after - now;
    }
    now = after;
    ++polls;
  }

  const double seconds = static_cast<double>(now - start) / hz;
  const auto departed = static_cast<double>(port.sent() - sent_before);
  Outcome outcome;
  Counts& counts = outcome.counts;
  counts.arrived = port.pace().arrived() - pace_before.arrived();
  counts.missed = port.pace().missed() - pace_before.missed();
  counts.received = static_cast<double>(port.received() - received_before);
  counts.ring_growth = port.pace().waiting() - pace_before.waiting();
  subject.flush();
  counts.received_ever = port.received();
  counts.left_ever = port.sent();
  counts.dropped_ever = port.dropped();
  counts.waiting = subject.waiting();
  counts.seconds_ever = static_cast<double>(now - made) / hz;
  outcome.departed_pps = departed / seconds;
  outcome.error = outcome.departed_pps / load.allowed_pps - 1;
  if (!subject.counts_packets()) {
    const double bits = 8 * static_cast<double>(port.sent_bytes() - bytes_before);
    outcome.error = bits / seconds / load.allowed_bits() - 1;
  }
  outcome.missed_share = counts.missed / std::max(1.0, counts.arrived);
  outcome.polls_per_second = static_cast<double>(polls) / seconds;
  outcome.busy_share = static_cast<double>(busy) / static_cast<double>(now - start);
  outcome.busy_cycles = static_cast<double>(busy) / std::max(1.0, counts.received);
  outcome.burst = counts.received / std::max(1.0, static_cast<double>(busy_polls));
  outcome.long_loops = static_cast<double>(long_loops) / seconds;
  outcome.stalled_share = static_cast<double>(stalled) / static_cast<double>(now - start);
  return outcome;
}

}  // namespace drip::bench
