// SPDX-License-Identifier: BSD-3-Clause
// Builds engines of one and of several cores in turn and counts what they send.
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/path/cases.h"
#include "bench/path/gated_port.h"
#include "bench/path/scale_layout.h"
#include "bench/path/source_ports.h"
#include "control/placement/traffic_follower.h"
#include "datapath/poll_engine/io_poll_thread.h"
#include "datapath/poll_engine/poll_engine.h"
#include "fmt/format.h"

namespace drip::bench {
namespace {

// A bucket's packets before it may be moved: enough to tell where they come.
constexpr std::uint64_t kLeastPackets = 8;
// Looks at the traffic, until all buckets are where their packets come.
constexpr int kMostLooks = 20;
// For packets to go out again after a pause.
constexpr int kMostLooksForPackets = 200;
constexpr std::chrono::milliseconds kBetweenLooksForPackets{5};
constexpr std::uint64_t kSeed = 22;

BucketSettings fast_settings() {
  BucketSettings settings;
  settings.capacity = 16;
  settings.bits_per_second = kMaxBitsPerSecond;
  settings.departure = Departure::kAtStart;
  return settings;
}

struct Outcome {
  double mpps = 0;
  double wrong_percent = 0;  // Buckets that are not where their packets come.
  double moved = 0;
  std::uint64_t received = 0;  // All of it, until the engine has ended.
  std::uint64_t sent = 0;
  std::uint64_t dropped = 0;
};

// The engine of one layout, under full load.
class Run {
 public:
  Run(const Bench& bench, const ScaleLayout& layout,
      std::span<const std::unique_ptr<PacketPool>> pools, std::uint32_t buckets)
      : layout_(layout), orders_(layout.roles.size(), BucketOrder({0})), buckets_(buckets) {
    for (std::size_t i = 0; i < layout.roles.size(); ++i) {
      sources_.emplace_back(*pools[i], orders_[i], shut_);
    }
    datapath::EngineOptions options;
    options.buckets_per_transmitter = buckets;
    for (std::size_t i = 0; i < layout.roles.size(); ++i) {
      datapath::LcorePlan plan;
      plan.role = layout.roles[i];
      plan.cpu =
          static_cast<std::int32_t>((bench.options.cpu + i) % std::thread::hardware_concurrency());
      // Of follow(), during which nothing comes. Otherwise a transmitter that waits for a worker
      // without its CPU would sleep for long.
      plan.sleeps_when_idle = layout.follows;
      options.lcores.push_back(plan);
    }
    engine_ = std::make_unique<datapath::PollEngine>(options, datapath::poll_threads_over(sources_),
                                                     ports_, bench.clock);
  }

  absl::Status begin() {
    for (BucketChange& bucket : buckets_) bucket.settings = fast_settings();
    if (absl::Status status = engine_->apply(buckets_); !status.ok()) return status;
    auto received = received_by_core(layout_, buckets_);
    std::mt19937_64 random(kSeed);
    for (std::size_t i = 0; i < received.size(); ++i) {
      if (received[i].empty()) continue;
      std::shuffle(received[i].begin(), received[i].end(), random);
      orders_[i] = BucketOrder(std::move(received[i]));
    }
    rules_ = rules_for(buckets_, engine_->worker_count());
    // Workers begin to receive with their first rules.
    return engine_->swap_rules(rules_, {}).status();
  }
  /// Moves buckets as dripd's control does (control/placement), but all of them at once. Nothing
  /// comes meanwhile, or this thread would wait for its CPU, which a polling thread has. Returns
  /// how many.
  std::size_t follow() {
    const auto map = control::TransmitterMap::of(engine_->lcores());
    shut_.store(true);
    std::vector<BucketMove> moves;
    std::vector<std::size_t> moving;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      const auto [packets, most, there] = traffic_of(i, map);
      if (packets < kLeastPackets || there == buckets_[i].ref->transmitter ||
          static_cast<double>(most) <
              control::TrafficFollower::kShare * static_cast<double>(packets)) {
        continue;
      }
      moves.push_back({*buckets_[i].ref, there, buckets_[i].settings, {}, {}});
      moving.push_back(i);
    }
    engine_->move(moves);
    std::size_t moved = 0;
    for (std::size_t i = 0; i < moves.size(); ++i) {
      if (!moves[i].moved) continue;
      buckets_[moving[i]].ref = moves[i].moved;
      ++moved;
    }
    shut_.store(false);
    return moved;
  }
  /// Waits until each core sends. Nothing wakes a thread that sleeps for want of packets when these
  /// come again, as a port's file descriptor would: it wakes by itself, 100 ms later at most.
  void wait_until_all_send() const {
    const auto sends = [](const LcoreStats& lcore) {
      return lcore.role != LcoreStats::Role::kWorker;
    };
    std::vector<std::uint64_t> before;
    for (const LcoreStats& lcore : engine_->lcores()) before.push_back(lcore.tx_packets);
    for (int looks = 0; looks < kMostLooksForPackets; ++looks) {
      std::this_thread::sleep_for(kBetweenLooksForPackets);
      const std::vector<LcoreStats> now = engine_->lcores();
      bool all = true;
      for (std::size_t i = 0; i < now.size(); ++i) {
        all &= !sends(now[i]) || now[i].tx_packets > before[i];
      }
      if (all) return;
    }
  }
  /// Of the buckets, the percentage whose packets mostly come to another core than their owner's.
  [[nodiscard]] double wrong_percent() const {
    const auto map = control::TransmitterMap::of(engine_->lcores());
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      if (traffic_of(i, map).there != buckets_[i].ref->transmitter) ++wrong;
    }
    return 100.0 * static_cast<double>(wrong) / static_cast<double>(buckets_.size());
  }
  [[nodiscard]] std::uint64_t sent() const { return sum(&LcoreStats::tx_packets); }
  void end(Outcome& outcome) {
    engine_->drain_and_stop(Duration{0});
    outcome.received = sum(&LcoreStats::rx_packets);
    outcome.sent = sent();
    for (const LcoreStats& lcore : engine_->lcores()) {
      outcome.dropped += std::reduce(lcore.drops.begin(), lcore.drops.end());
    }
  }

 private:
  struct BucketTraffic {
    std::uint64_t packets = 0;
    std::uint64_t most = 0;   // At one transmitter's thread,
    std::uint32_t there = 0;  // this one.
  };

  // By the counters of its rule, which each worker has for itself.
  [[nodiscard]] BucketTraffic traffic_of(std::size_t bucket,
                                         const control::TransmitterMap& map) const {
    BucketTraffic traffic;
    for (std::size_t worker = 0; worker < rules_->workers.size(); ++worker) {
      const std::uint64_t packets = rules_->workers[worker][bucket].packets.get();
      traffic.packets += packets;
      if (packets <= traffic.most) continue;
      traffic.most = packets;
      traffic.there = map.transmitter_of_worker[worker];
    }
    return traffic;
  }
  [[nodiscard]] std::uint64_t sum(std::uint64_t LcoreStats::*counter) const {
    std::uint64_t sum = 0;
    for (const LcoreStats& lcore : engine_->lcores()) sum += lcore.*counter;
    return sum;
  }

  const ScaleLayout& layout_;
  std::atomic<bool> shut_{false};
  std::vector<BucketOrder> orders_;
  std::vector<GatedPort> sources_;
  SourcePorts ports_;
  std::vector<BucketChange> buckets_;
  std::shared_ptr<RuleSnapshot> rules_;
  std::unique_ptr<datapath::PollEngine> engine_;
};

absl::StatusOr<Outcome> run_layout(const Bench& bench, const ScaleLayout& layout,
                                   std::span<const std::unique_ptr<PacketPool>> pools,
                                   std::uint32_t buckets) {
  Run run(bench, layout, pools, buckets);
  if (absl::Status status = run.begin(); !status.ok()) return status;
  const auto span = std::chrono::duration<double>(bench.options.seconds);
  std::this_thread::sleep_for(span / 5);
  Outcome outcome;
  for (int look = 0; look < kMostLooks && layout.follows; ++look) {
    outcome.moved += static_cast<double>(run.follow());
    run.wait_until_all_send();
    std::this_thread::sleep_for(span / 5);
    if (run.wrong_percent() == 0) break;
  }
  const std::uint64_t sent_before = run.sent();
  const TimePoint begin = bench.clock.now();
  std::this_thread::sleep_for(span);
  const std::uint64_t count = run.sent() - sent_before;
  const Duration took = bench.clock.now() - begin;
  outcome.mpps = static_cast<double>(count) * 1e3 / static_cast<double>(took.ns);
  if (layout.reception != Reception::kAll && layout.roles.front() == LcoreStats::Role::kFused) {
    outcome.wrong_percent = run.wrong_percent();
  }
  run.end(outcome);
  return outcome;
}

struct Figures {
  Samples mpps, wrong, moved;
  Outcome last;
};

void show(const Bench& bench, const ScaleLayout& layout, std::uint32_t buckets,
          const Figures& figures, const Figures& one) {
  bench.report
      .row({{"case", "scale"},
            {"layout", layout.name},
            {"cores", layout.roles.size()},
            {"buckets", buckets}})
      .figure("mpps", figures.mpps)
      .figure("times_one", figures.mpps.median() / one.mpps.median())
      .figure("wrong_percent", figures.wrong)
      .figure("moved", figures.moved)
      .series("counts", {{"received_ever", figures.last.received},
                         {"left_ever", figures.last.sent},
                         {"dropped_ever", figures.last.dropped}})
      .end_row();
}

}  // namespace

absl::Status run_scale(const Bench& bench) {
  const unsigned cores = bench.options.cores;
  if (std::thread::hardware_concurrency() < cores) {
    return absl::FailedPreconditionError(fmt::format("cores: {} given, there are {} CPUs", cores,
                                                     std::thread::hardware_concurrency()));
  }
  // This thread is to be in nobody's way: it sleeps, but must be let run.
  cpu_set_t all;
  CPU_ZERO(&all);
  for (unsigned cpu = 0; cpu < std::thread::hardware_concurrency(); ++cpu) CPU_SET(cpu, &all);
  (void)sched_setaffinity(0, sizeof(all), &all);

  const std::vector<ScaleLayout> layouts = scale_layouts(cores);
  std::vector<std::unique_ptr<PacketPool>> pools;
  for (unsigned i = 0; i < cores; ++i) {
    auto pool = PacketPool::create(1U << 16, kSmallFrameBytes);
    if (!pool.ok()) return pool.status();
    pools.push_back(*std::move(pool));
  }
  for (const std::uint32_t wanted : bench.options.buckets) {
    // Each core has one.
    const std::uint32_t buckets = std::max(wanted, cores);
    std::vector<Figures> figures(layouts.size());
    for (int run = 0; run < bench.options.repeat; ++run) {
      for (std::size_t i = 0; i < layouts.size(); ++i) {
        const auto outcome = run_layout(bench, layouts[i], pools, buckets);
        if (!outcome.ok()) return outcome.status();
        figures[i].mpps.add(outcome->mpps);
        figures[i].wrong.add(outcome->wrong_percent);
        figures[i].moved.add(outcome->moved);
        figures[i].last = *outcome;
      }
    }
    for (std::size_t i = 0; i < layouts.size(); ++i) {
      show(bench, layouts[i], buckets, figures[i], figures.front());
    }
  }
  return absl::OkStatus();
}

}  // namespace drip::bench
