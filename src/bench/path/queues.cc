// SPDX-License-Identifier: BSD-3-Clause
// A packet out of a leaf's queue and into it again: FIFO, fair, fair with COBALT.
#include <rte_cycles.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "bench/path/cases.h"
#include "bench/path/queue_load.h"

namespace drip::bench {
namespace {

// In virtual time: nothing waits for as long as COBALT's target.
constexpr Duration kBurstTime{1'000};

template <class Load>
double cycles_a_packet(const Bench& bench, Load& load, TimePoint& now) {
  const auto span = static_cast<std::uint64_t>(bench.options.seconds * bench.tsc_hz());
  const std::uint64_t begin = rte_rdtsc();
  std::uint64_t at = begin;
  // The first tenth warms the caches.
  for (; at - begin < span / 10; at = rte_rdtsc()) load.burst(now = now + kBurstTime);
  const std::uint64_t start = at;
  std::uint64_t packets = 0;
  for (; at - begin < span; at = rte_rdtsc()) {
    load.burst(now = now + kBurstTime);
    packets += kQueueBurst;
  }
  return packets == 0 ? 0 : static_cast<double>(at - start) / static_cast<double>(packets);
}

void run_one(const Bench& bench, const QueueShape& shape) {
  TimePoint now{1'000'000'000};
  FifoLoad fifo(shape);
  FairQueueSettings settings;
  FairLoad fair(shape, settings, now);
  settings.codel = true;
  FairLoad codel(shape, settings, now);
  std::vector<std::pair<std::string, Samples>> cycles = {{"fifo", {}}, {"fair", {}}, {"codel", {}}};
  std::vector<Samples> more(cycles.size());
  for (int run = 0; run < bench.options.repeat; ++run) {
    const double of_fifo = cycles_a_packet(bench, fifo, now);
    const double of_fair = cycles_a_packet(bench, fair, now);
    const double of_codel = cycles_a_packet(bench, codel, now);
    cycles[0].second.add(of_fifo);
    cycles[1].second.add(of_fair);
    cycles[2].second.add(of_codel);
    more[1].add(of_fair - of_fifo);
    more[2].add(of_codel - of_fifo);
  }
  for (std::size_t i = 0; i < cycles.size(); ++i) {
    bench.report
        .row({{"case", "queues"},
              {"path", cycles[i].first},
              {"leaves", shape.leaves},
              {"flows", shape.flows},
              {"waiting", shape.backlog}})
        .figure("cycles", cycles[i].second);
    if (i > 0) bench.report.figure("more", more[i]);
    bench.report.end_row();
  }
}

}  // namespace

absl::Status run_queues(const Bench& bench) {
  for (const QueueShape& shape : {QueueShape{1, 16, 64},
                                  {64, 16, 32},
                                  {1024, 1, 4},
                                  {1024, 8, 16},
                                  {1024, 32, 64},
                                  {65536, 1, 2},
                                  {65536, 4, 8}}) {
    run_one(bench, shape);
  }
  return absl::OkStatus();
}

}  // namespace drip::bench
