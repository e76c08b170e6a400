// SPDX-License-Identifier: BSD-3-Clause
// Builds engines of one and two cores in turn and counts what they send.
#include <sched.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/path/bench_port.h"
#include "bench/path/cases.h"
#include "bench/path/source_ports.h"
#include "datapath/poll_engine/io_poll_thread.h"
#include "datapath/poll_engine/poll_engine.h"

namespace drip::bench {
namespace {

using Role = LcoreStats::Role;

struct Layout {
  const char* name;
  std::vector<Role> roles;
  bool is_private;
};

BucketSettings fast_settings() {
  BucketSettings settings;
  settings.capacity = 16;
  settings.bits_per_second = kMaxBitsPerSecond;
  settings.departure = Departure::kAtStart;
  return settings;
}

// Millions of packets that left in a second.
absl::StatusOr<double> run_layout(const Bench& bench, const Layout& layout,
                                  std::span<const std::unique_ptr<PacketPool>> pools,
                                  std::uint32_t bucket_count) {
  std::vector<BucketOrder> orders(layout.roles.size(), BucketOrder({0}));
  std::vector<BenchPort> sources;
  datapath::EngineOptions options;
  options.buckets_per_transmitter = bucket_count;
  for (std::size_t i = 0; i < layout.roles.size(); ++i) {
    sources.emplace_back(*pools[i], orders[i]);
    datapath::LcorePlan plan;
    plan.role = layout.roles[i];
    plan.cpu =
        static_cast<std::int32_t>((bench.options.cpu + i) % std::thread::hardware_concurrency());
    options.lcores.push_back(plan);
  }
  SourcePorts ports;
  datapath::PollEngine engine(options, datapath::poll_threads_over(sources), ports, bench.clock);

  std::vector<BucketChange> buckets(bucket_count);
  for (BucketChange& bucket : buckets) bucket.settings = fast_settings();
  if (absl::Status status = engine.apply(buckets); !status.ok()) return status;
  std::uint32_t transmitter = 0;
  for (std::size_t i = 0; i < layout.roles.size(); ++i) {
    std::vector<std::uint32_t> numbers;
    for (std::uint32_t bucket = 0; bucket < bucket_count; ++bucket) {
      if (!layout.is_private || buckets[bucket].ref->transmitter == transmitter) {
        numbers.push_back(bucket);
      }
    }
    orders[i] = BucketOrder(std::move(numbers));
    if (layout.roles[i] != Role::kWorker) ++transmitter;
  }
  // Workers begin to receive with their first rules.
  const auto before = engine.swap_rules(rules_for(buckets, engine.worker_count()), {});
  if (!before.ok()) return before.status();

  const auto sent = [&engine] {
    std::uint64_t sum = 0;
    for (const LcoreStats& lcore : engine.lcores()) sum += lcore.tx_packets;
    return sum;
  };
  const auto span = std::chrono::duration<double>(bench.options.seconds);
  std::this_thread::sleep_for(span / 5);
  const std::uint64_t sent_before = sent();
  const TimePoint begin = bench.clock.now();
  std::this_thread::sleep_for(span);
  const std::uint64_t count = sent() - sent_before;
  const Duration took = bench.clock.now() - begin;
  engine.drain_and_stop(Duration{0});
  return static_cast<double>(count) * 1e3 / static_cast<double>(took.ns);
}

}  // namespace

absl::Status run_scale(const Bench& bench) {
  if (std::thread::hardware_concurrency() < 2) {
    return absl::FailedPreconditionError("scale: two CPUs are needed");
  }
  // This thread is to be in nobody's way: it sleeps, but must be let run.
  cpu_set_t all;
  CPU_ZERO(&all);
  for (unsigned cpu = 0; cpu < std::thread::hardware_concurrency(); ++cpu) CPU_SET(cpu, &all);
  (void)sched_setaffinity(0, sizeof(all), &all);

  const std::array<Layout, 4> layouts = {
      {{"one", {Role::kFused}, true},
       {"two, private", {Role::kFused, Role::kFused}, true},
       {"two, shared", {Role::kFused, Role::kFused}, false},
       {"worker + transmitter", {Role::kWorker, Role::kTransmitter}, false}}};
  std::vector<std::unique_ptr<PacketPool>> pools;
  for (int i = 0; i < 2; ++i) {
    auto pool = PacketPool::create(1U << 16, kSmallFrameBytes);
    if (!pool.ok()) return pool.status();
    pools.push_back(*std::move(pool));
  }
  for (const std::uint32_t buckets : bench.options.buckets) {
    std::array<Samples, layouts.size()> mpps;
    for (int run = 0; run < bench.options.repeat; ++run) {
      for (std::size_t i = 0; i < layouts.size(); ++i) {
        const auto measured = run_layout(bench, layouts[i], pools, std::max(buckets, 2U));
        if (!measured.ok()) return measured.status();
        mpps[i].add(*measured);
      }
    }
    for (std::size_t i = 0; i < layouts.size(); ++i) {
      bench.report.row({{"case", "scale"}, {"layout", layouts[i].name}, {"buckets", buckets}})
          .figure("mpps", mpps[i])
          .figure("times_one", mpps[i].median() / mpps[0].median())
          .end_row();
    }
  }
  return absl::OkStatus();
}

}  // namespace drip::bench
