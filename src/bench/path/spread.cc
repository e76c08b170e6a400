// SPDX-License-Identifier: BSD-3-Clause
// One spread root on two polling cores, with demand that changes: what both send together.
#include <rte_cycles.h>
#include <sched.h>

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

#include "bench/path/bench_port.h"
#include "bench/path/cases.h"
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
constexpr Duration kCatchup{100'000};
constexpr auto kPhase = std::chrono::milliseconds(10);
// What comes to the two cores, in parts of the rate: together not less than it, so that all of it
// can be used.
constexpr std::array<std::array<double, kCores>, 8> kPhases = {
    {{1, 1}, {1, 0}, {0, 1}, {1, 0.25}, {0.5, 0.75}, {0, 1}, {0.25, 1}, {0.75, 0.5}}};

// When packets were given to the port, and how many so far.
struct Mark {
  std::uint64_t tsc;
  std::uint64_t sent;
};

/// A BenchPort of which the pace changes with the phases, and that notes what it sends.
class PhasedPort : public BenchPort {
 public:
  PhasedPort(PacketPool& pool, BucketOrder& order, std::uint32_t core)
      : BenchPort(pool, order), core_(core) {}

  /// Before the engine's threads run; without it packets come as fast as they are taken.
  void use_phases(double tsc_hz, std::size_t marks) {
    tsc_hz_ = tsc_hz;
    begin_ = rte_rdtsc();
    marks_.reserve(marks);
  }
  [[nodiscard]] const std::vector<Mark>& marks() const { return marks_; }

  std::uint32_t rx(std::uint16_t queue, std::span<void*> packets) {
    if (tsc_hz_ > 0) {
      const double seconds = static_cast<double>(rte_rdtsc() - begin_) / tsc_hz_;
      const auto phase =
          static_cast<std::size_t>(seconds / std::chrono::duration<double>(kPhase).count());
      if (phase != phase_) begin_phase(phase);
      if (parts_ == 0) return 0;
    }
    return BenchPort::rx(queue, packets);
  }
  std::uint32_t tx(std::uint16_t port, std::span<void*> packets) {
    const std::uint32_t count = BenchPort::tx(port, packets);
    if (marks_.size() < marks_.capacity()) marks_.push_back({rte_rdtsc(), sent()});
    return count;
  }

 private:
  void begin_phase(std::size_t phase) {
    phase_ = phase;
    parts_ = kPhases[phase % kPhases.size()][core_];
    if (parts_ > 0) set_pace(ArrivalPace(parts_ * kRate / kPacketBits, tsc_hz_));
  }

  std::uint32_t core_;
  double tsc_hz_ = 0;
  std::uint64_t begin_ = 0;
  std::size_t phase_ = ~std::size_t{0};
  double parts_ = 1;
  std::vector<Mark> marks_;
};

BucketSettings settings(double bits_per_second, std::uint32_t capacity) {
  BucketSettings settings;
  settings.capacity = capacity;
  settings.bits_per_second = bits_per_second;
  settings.overhead_bytes = kOverhead;
  settings.max_catchup = kCatchup;
  settings.departure = Departure::kAtStart;
  return settings;
}

struct Outcome {
  double mpps = 0;
  double used = 0;              // Of the rate.
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
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

absl::StatusOr<Outcome> run_cores(const Bench& bench, std::uint32_t cores, bool phased,
                                  std::span<const std::unique_ptr<PacketPool>> pools) {
  std::vector<BucketOrder> orders(cores, BucketOrder({0}));
  // Each has its own lines.
  std::vector<std::unique_ptr<PhasedPort>> owned;
  datapath::EngineOptions options;
  options.buckets_per_transmitter = 4096;
  const std::uint64_t most_marks = static_cast<std::uint64_t>(4e6 * (bench.options.seconds + 1));
  for (std::uint32_t i = 0; i < cores; ++i) {
    owned.push_back(std::make_unique<PhasedPort>(*pools[i], orders[i], i));
    if (phased) owned.back()->use_phases(bench.tsc_hz(), most_marks);
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
  buckets[0].settings = settings(phased ? kRate : kMaxBitsPerSecond, 0);
  buckets[0].node = NodeChange{.inner = true, .spread = true};
  for (std::uint32_t i = 0; i < cores * kLeavesACore; ++i) {
    BucketChange& leaf = buckets.emplace_back();
    leaf.settings = settings(kMaxBitsPerSecond, 64);
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
  Outcome outcome;
  const auto end = std::chrono::steady_clock::now() + span;
  if (phased && cores > 1) {
    sample_shares(engine, root, end, outcome);
  } else {
    std::this_thread::sleep_until(end);
  }
  const std::uint64_t sent = engine.read(root).departed - sent_before;
  const double seconds = 1e-9 * static_cast<double>((bench.clock.now() - begin).ns);
  engine.drain_and_stop(Duration{0});
  outcome.mpps = static_cast<double>(sent) / seconds / 1e6;
  outcome.used = static_cast<double>(sent) * kPacketBits / seconds / kRate;
  outcome.changes_a_second /= seconds;
  if (phased) outcome.most_beyond = most_beyond(owned, bench.tsc_hz());
  return outcome;
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

  for (const bool phased : {true, false}) {
    std::vector<std::unique_ptr<PacketPool>> pools;
    for (std::uint32_t i = 0; i < kCores; ++i) {
      auto pool = PacketPool::create(1U << 15, phased ? kFullFrameBytes : kSmallFrameBytes);
      if (!pool.ok()) return pool.status();
      pools.push_back(*std::move(pool));
    }
    std::array<Samples, kCores> mpps;
    std::array<Samples, kCores> used;
    std::array<Samples, kCores> beyond;
    Samples seen;
    Samples shares_beyond;
    Samples changes;
    for (int run = 0; run < bench.options.repeat; ++run) {
      for (std::uint32_t cores = 1; cores <= kCores; ++cores) {
        const auto outcome = run_cores(bench, cores, phased, pools);
        if (!outcome.ok()) return outcome.status();
        mpps[cores - 1].add(outcome->mpps);
        used[cores - 1].add(100 * outcome->used);
        beyond[cores - 1].add(outcome->most_beyond);
        if (cores == 1) continue;
        seen.add(outcome->shares_seen);
        shares_beyond.add(outcome->shares_beyond);
        changes.add(outcome->changes_a_second);
      }
    }
    for (std::uint32_t cores = 1; cores <= kCores; ++cores) {
      auto& row = bench.report.row({{"case", "spread"},
                                    {"load", phased ? "10 Gbit/s, changing" : "nothing throttled"},
                                    {"cores", cores}});
      row.figure("mpps", mpps[cores - 1]);
      if (!phased) row.figure("times_one", mpps[cores - 1].median() / mpps[0].median());
      if (phased) {
        row.figure("used_percent", used[cores - 1]);
        row.figure("packets_beyond", beyond[cores - 1]);
      }
      if (phased && cores > 1) {
        row.figure("shares_seen", seen)
            .figure("shares_beyond", shares_beyond)
            .figure("changes_a_second", changes);
      }
      row.end_row();
    }
  }
  return absl::OkStatus();
}

}  // namespace drip::bench
