// SPDX-License-Identifier: BSD-3-Clause
// One spread root on two polling cores, with demand that changes: what both send together.
#include <rte_cycles.h>
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/path/cases.h"
#include "bench/path/phased_port.h"
#include "bench/path/source_ports.h"
#include "datapath/poll_engine/io_poll_thread.h"
#include "datapath/poll_engine/poll_engine.h"

namespace drip::bench {
namespace {

constexpr std::uint32_t kCores = 2;
constexpr double kRate = 10e9;  // Bits a second of the root, and the most that comes to a core.
constexpr std::int32_t kOverhead = 24;
constexpr double kPacketBits = 8.0 * (kFullFrameBytes + kOverhead);
constexpr std::uint32_t kLeavesACore = 64;
constexpr double kPhaseSeconds = 0.01;
// Two polls that are further apart: the machine has withheld the thread.
constexpr double kStallSeconds = 20e-6;
// What comes to the two cores, in parts of the rate: together not less than it, so that all of it
// can be used.
constexpr std::array<std::array<double, kCores>, 8> kPhases = {
    {{1, 1}, {1, 0}, {0, 1}, {1, 0.25}, {0.5, 0.75}, {0, 1}, {0.25, 1}, {0.75, 0.5}}};

// One thing that is measured.
struct Variant {
  std::uint32_t cores;
  bool phased;  // Or nothing is throttled.
  Duration max_catchup;
};
constexpr std::array<Variant, 6> kVariants = {{{1, true, kDefaultMaxCatchup},
                                               {2, true, kDefaultMaxCatchup},
                                               {1, true, Duration{100'000}},
                                               {2, true, Duration{100'000}},
                                               {1, false, kDefaultMaxCatchup},
                                               {2, false, kDefaultMaxCatchup}}};

// To one core comes all that comes to two.
PhasePaces paces_of(std::uint32_t core, std::uint32_t cores, double tsc_hz) {
  PhasePaces paces{};
  for (std::size_t phase = 0; phase < paces.size(); ++phase) {
    const auto& parts = kPhases[phase];
    const double part = cores == 1 ? parts[0] + parts[1] : parts[core];
    paces[phase] = part * kRate / kPacketBits / tsc_hz;
  }
  return paces;
}

BucketSettings settings(double bits_per_second, std::uint32_t capacity, Duration max_catchup) {
  BucketSettings settings;
  settings.capacity = capacity;
  settings.bits_per_second = bits_per_second;
  settings.overhead_bytes = kOverhead;
  settings.max_catchup = max_catchup;
  settings.departure = Departure::kAtStart;
  return settings;
}

struct Outcome {
  double mpps = 0;
  double per_cpu_us = 0;        // Packets a microsecond of CPU time that the threads were given.
  double used = 0;              // Of the rate.
  double stalled = 0;           // Of the time of the polling threads.
  double most_beyond = 0;       // Packets beyond the rate, in any time.
  double shares_seen = 0;       // Samples of what both hold.
  double shares_beyond = 0;     // Of these, more than the rate.
  double changes_a_second = 0;  // Samples in which the shares were others than in the one before.
};

// What left together, as a bucket that leaks at the rate: the most that was ever in it.
double most_beyond(std::span<const std::unique_ptr<PhasedPort>> ports, double tsc_hz) {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> departed;  // TSC, packets.
  for (const auto& port : ports) {
    std::uint64_t before = 0;
    for (const Mark& mark : port->marks()) {
      departed.emplace_back(mark.tsc, mark.sent - before);
      before = mark.sent;
    }
  }
  std::ranges::sort(departed);
  const double packets_a_tick = kRate / kPacketBits / tsc_hz;
  double level = 0;
  double most = 0;
  std::uint64_t last = departed.empty() ? 0 : departed.front().first;
  for (const auto& [tsc, packets] : departed) {
    level = std::max(0.0, level - packets_a_tick * static_cast<double>(tsc - last)) +
            static_cast<double>(packets);
    most = std::max(most, level);
    last = tsc;
  }
  return most;
}

// A look takes some microseconds of the CPU of a polling thread.
constexpr auto kBetweenLooks = std::chrono::microseconds(500);

// Looks at the shares until `end`; one look counts if the next one sees the same.
void sample_shares(const datapath::PollEngine& engine, BucketRef root,
                   std::chrono::steady_clock::time_point end, Outcome& outcome) {
  const auto look = [&] {
    std::vector<double> shares;
    for (const CoreShare& share : engine.read(root).core_shares) {
      shares.push_back(share.rates.bits_per_second);
    }
    return shares;
  };
  std::vector<double> before;
  while (std::chrono::steady_clock::now() < end) {
    const std::vector<double> first = look();
    const bool is_steady = first == look();
    if (is_steady && !first.empty()) {
      ++outcome.shares_seen;
      double sum = 0;
      for (const double share : first) sum += share;
      if (sum > kRate * (1 + 1e-9)) ++outcome.shares_beyond;
      if (first != before) ++outcome.changes_a_second;
    }
    before = first;
    std::this_thread::sleep_for(kBetweenLooks);
  }
}

// CPU time of this process in microseconds: nearly all of it is that of the polling threads.
double cpu_us() {
  rusage usage{};
  (void)getrusage(RUSAGE_SELF, &usage);
  const auto us = [](const timeval& time) {
    return 1e6 * static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec);
  };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

using Pools = std::array<std::unique_ptr<PacketPool>, kCores>;

absl::StatusOr<Outcome> run(const Bench& bench, const Variant& variant, const Pools& pools) {
  const std::uint32_t cores = variant.cores;
  std::vector<BucketOrder> orders(cores, BucketOrder({0}));
  // Each has its own lines.
  std::vector<std::unique_ptr<PhasedPort>> owned;
  datapath::EngineOptions options;
  options.buckets_per_transmitter = 4096;
  const double hz = bench.tsc_hz();
  const auto most_marks = static_cast<std::size_t>(4e6 * (bench.options.seconds + 1));
  for (std::uint32_t i = 0; i < cores; ++i) {
    owned.push_back(std::make_unique<PhasedPort>(*pools[i], orders[i]));
    if (variant.phased) {
      owned.back()->use_phases(paces_of(i, cores, hz),
                               static_cast<std::uint64_t>(kPhaseSeconds * hz),
                               static_cast<std::uint64_t>(kStallSeconds * hz), most_marks);
    }
    datapath::LcorePlan plan;
    plan.cpu =
        static_cast<std::int32_t>((bench.options.cpu + i) % std::thread::hardware_concurrency());
    options.lcores.push_back(plan);
  }
  SourcePorts ports;
  const datapath::PollThreadFactory make_thread = [&](std::size_t lcore,
                                                      const datapath::PollThreadSetup& setup) {
    return std::make_unique<datapath::IoPollThread<PhasedPort>>(setup, *owned[lcore]);
  };
  datapath::PollEngine engine(options, make_thread, ports, bench.clock);

  std::vector<BucketChange> buckets(1);
  const Duration max_catchup = variant.max_catchup;
  buckets[0].settings = settings(variant.phased ? kRate : kMaxBitsPerSecond, 0, max_catchup);
  buckets[0].node = NodeChange{.inner = true, .spread = true};
  for (std::uint32_t i = 0; i < cores * kLeavesACore; ++i) {
    BucketChange& leaf = buckets.emplace_back();
    leaf.settings = settings(kMaxBitsPerSecond, 64, max_catchup);
    leaf.node = NodeChange{.parent_change = 0};
  }
  if (absl::Status status = engine.apply(buckets); !status.ok()) return status;
  const std::span leaves = std::span(buckets).subspan(1);
  for (std::uint32_t core = 0; core < cores; ++core) {
    std::vector<std::uint32_t> numbers;
    for (std::uint32_t leaf = 0; leaf < leaves.size(); ++leaf) {
      if (leaves[leaf].ref->transmitter == core) numbers.push_back(leaf);
    }
    orders[core] = BucketOrder(std::move(numbers));
  }
  const auto before = engine.swap_rules(rules_for(leaves, engine.worker_count()), {});
  if (!before.ok()) return before.status();

  const BucketRef root = *buckets[0].ref;
  const auto span = std::chrono::duration_cast<std::chrono::steady_clock::duration>(
      std::chrono::duration<double>(bench.options.seconds));
  std::this_thread::sleep_for(
      std::min<std::chrono::steady_clock::duration>(span / 5, std::chrono::milliseconds(100)));
  const std::uint64_t sent_before = engine.read(root).departed;
  const TimePoint begin = bench.clock.now();
  const double cpu_before = cpu_us();
  Outcome outcome;
  const auto end = std::chrono::steady_clock::now() + span;
  if (variant.phased && cores > 1) {
    sample_shares(engine, root, end, outcome);
  } else {
    std::this_thread::sleep_until(end);
  }
  const std::uint64_t sent = engine.read(root).departed - sent_before;
  const double seconds = 1e-9 * static_cast<double>((bench.clock.now() - begin).ns);
  outcome.per_cpu_us = static_cast<double>(sent) / (cpu_us() - cpu_before);
  engine.drain_and_stop(Duration{0});
  outcome.mpps = static_cast<double>(sent) / seconds / 1e6;
  outcome.used = static_cast<double>(sent) * kPacketBits / seconds / kRate;
  outcome.changes_a_second /= seconds;
  for (const auto& port : owned) outcome.stalled += port->stalled() / cores;
  if (variant.phased) outcome.most_beyond = most_beyond(owned, hz);
  return outcome;
}

struct Figures {
  Samples mpps;
  Samples per_cpu_us;
  Samples used;
  Samples stalled;
  Samples beyond;
  Samples seen;
  Samples shares_beyond;
  Samples changes;

  void add(const Outcome& outcome) {
    mpps.add(outcome.mpps);
    per_cpu_us.add(outcome.per_cpu_us);
    used.add(100 * outcome.used);
    stalled.add(100 * outcome.stalled);
    beyond.add(outcome.most_beyond);
    seen.add(outcome.shares_seen);
    shares_beyond.add(outcome.shares_beyond);
    changes.add(outcome.changes_a_second);
  }
};

void show(const Bench& bench, const Variant& variant, const Figures& figures, const Figures& one) {
  auto& row =
      bench.report.row({{"case", "spread"},
                        {"load", variant.phased ? "10 Gbit/s, changing" : "nothing throttled"},
                        {"cores", variant.cores},
                        {"max_catchup_us", static_cast<double>(variant.max_catchup.ns) / 1000}});
  row.figure("mpps", figures.mpps);
  if (!variant.phased) {
    const double cpu_ratio = figures.per_cpu_us.median() / one.per_cpu_us.median();
    row.figure("times_one", figures.mpps.median() / one.mpps.median())
        .figure("packets_a_cpu_us", figures.per_cpu_us)
        .figure("times_one_by_cpu", variant.cores * cpu_ratio)
        .end_row();
    return;
  }
  row.figure("used_percent", figures.used)
      .figure("stalled_percent", figures.stalled)
      .figure("packets_beyond", figures.beyond);
  if (variant.cores > 1) {
    row.figure("shares_seen", figures.seen)
        .figure("shares_beyond", figures.shares_beyond)
        .figure("changes_a_second", figures.changes);
  }
  row.end_row();
}

}  // namespace

absl::Status run_spread(const Bench& bench) {
  if (std::thread::hardware_concurrency() < kCores) {
    return absl::FailedPreconditionError("spread: two CPUs are needed");
  }
  // This thread is to be in nobody's way: it sleeps, but must be let run.
  cpu_set_t all;
  CPU_ZERO(&all);
  for (unsigned cpu = 0; cpu < std::thread::hardware_concurrency(); ++cpu) CPU_SET(cpu, &all);
  (void)sched_setaffinity(0, sizeof(all), &all);

  Pools full;
  Pools small;
  for (std::uint32_t i = 0; i < kCores; ++i) {
    auto of_full = PacketPool::create(1U << 15, kFullFrameBytes);
    if (!of_full.ok()) return of_full.status();
    full[i] = *std::move(of_full);
    auto of_small = PacketPool::create(1U << 15, kSmallFrameBytes);
    if (!of_small.ok()) return of_small.status();
    small[i] = *std::move(of_small);
  }
  std::array<Figures, kVariants.size()> figures;
  for (int i = 0; i < bench.options.repeat; ++i) {
    for (std::size_t variant = 0; variant < kVariants.size(); ++variant) {
      const auto outcome = run(bench, kVariants[variant], kVariants[variant].phased ? full : small);
      if (!outcome.ok()) return outcome.status();
      figures[variant].add(*outcome);
    }
  }
  std::size_t one = 0;
  for (std::size_t variant = 0; variant < kVariants.size(); ++variant) {
    if (kVariants[variant].cores == 1) one = variant;
    show(bench, kVariants[variant], figures[variant], figures[one]);
  }
  return absl::OkStatus();
}

}  // namespace drip::bench
