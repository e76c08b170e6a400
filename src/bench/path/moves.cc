// SPDX-License-Identifier: BSD-3-Clause
// The jobs of a move, each on a thread of its own CPU, timed from begin to end.
#include <rte_cycles.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "bench/path/cases.h"
#include "datapath/packet_io.h"
#include "datapath/transmitter.h"
#include "drip/bucket_ring.h"
#include "engine/engine.h"

namespace drip::bench {
namespace {

using Transmitter = datapath::Transmitter<datapath::NullIo>;

constexpr std::array<std::uint32_t, 2> kTogether = {1, Engine::kMovesTogether};
constexpr std::array<std::uint32_t, 4> kRings = {64, 256, 1024, 4096};
// Packets that have come to the new transmitter while a bucket moves.
constexpr std::uint32_t kMeanwhile = 32;
constexpr std::uint32_t kFrameBytes = 1514;
constexpr TimePoint kNow{1'000'000'000};

// Packets wait, none departs.
BucketSettings settings_of(std::uint32_t ring_slots) {
  BucketSettings settings;
  settings.capacity = ring_slots;
  settings.units_per_second = 1;
  settings.departure = Departure::kAtEnd;
  return settings;
}

// One of the two transmitters, with room for one move.
class Side {
 public:
  Side(std::uint32_t buckets, std::uint32_t ring_slots)
      : ring_slots_(ring_slots),
        table_(buckets, -1),
        rings_(std::size_t{buckets} * ring_slots * sizeof(RingEntry), -1),
        transmitter_(table_, kNow, io_, 1, counters_) {
    rings_.populate(0, rings_.bytes());
    for (std::uint32_t slot = 0; slot < buckets; ++slot) {
      table_.populate(slot);
      table_.prepare_histograms(slot);
    }
  }
  ~Side() { transmitter_.drop_all(kNow); }
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;

  void create(std::uint32_t slot) {
    auto* const ring =
        reinterpret_cast<RingEntry*>(rings_.data()) + std::size_t{slot} * ring_slots_;
    transmitter_.create(slot, settings_of(ring_slots_), ring, ring_slots_, kNow);
  }
  void offer(std::uint32_t slot, std::uint32_t packets) {
    for (std::uint32_t i = 0; i < packets; ++i) {
      // An address that nobody reads.
      auto* const packet = reinterpret_cast<void*>((std::uint64_t{i} + 1) << 6);  // NOLINT
      transmitter_.offer(slot, packet, kFrameBytes, 0, kNow, kNow);
    }
  }
  [[nodiscard]] Transmitter& transmitter() { return transmitter_; }
  [[nodiscard]] const datapath::BucketTable& table() const { return table_; }

 private:
  std::uint32_t ring_slots_;
  datapath::NullIo io_;
  datapath::LcoreCounters counters_;
  datapath::BucketTable table_;
  datapath::NumaMemory rings_;
  Transmitter transmitter_;
};

// Calls `job` on a CPU; returns its cycles.
template <class Job>
std::uint64_t run_on(unsigned cpu, Job&& job) {
  std::uint64_t cycles = 0;
  std::thread([&] {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    (void)sched_setaffinity(0, sizeof(one), &one);
    const std::uint64_t begin = rte_rdtsc();
    job();
    cycles = rte_rdtsc() - begin;
  }).join();
  return cycles;
}

// Cycles of the jobs of one move.
struct Jobs {
  std::uint64_t arrive = 0;
  std::uint64_t stop = 0;
  std::uint64_t take_over = 0;
  std::uint64_t forget = 0;
  std::uint64_t units = 0;  // That wait in the end.
};

// The steps of PollEngine::move() between two CPUs, less those that do not grow with what waits.
Jobs move(unsigned cpu, unsigned other_cpu, std::uint32_t buckets, std::uint32_t ring_slots) {
  Side from(buckets, ring_slots);
  Side to(buckets, ring_slots);
  std::vector<std::vector<RingEntry>> memory(buckets, std::vector<RingEntry>(ring_slots));
  const auto on_each = [&](unsigned where, auto job) {
    return run_on(where, [&] {
      for (std::uint32_t slot = 0; slot < buckets; ++slot) job(slot);
    });
  };
  on_each(cpu, [&](std::uint32_t slot) {
    from.create(slot);
    from.offer(slot, ring_slots - kMeanwhile);
  });
  Jobs jobs;
  jobs.arrive = on_each(other_cpu, [&](std::uint32_t slot) {
    to.create(slot);
    to.transmitter().pause(slot, kNow);
  });
  on_each(other_cpu, [&](std::uint32_t slot) { to.offer(slot, kMeanwhile); });
  jobs.stop = on_each(cpu, [&](std::uint32_t slot) { from.transmitter().stop(slot); });
  jobs.take_over = on_each(other_cpu, [&](std::uint32_t slot) {
    to.transmitter().take_over(slot, from.table()[slot], from.table().histograms(slot),
                               memory[slot], kNow);
  });
  jobs.forget = on_each(cpu, [&](std::uint32_t slot) { from.transmitter().forget(slot); });
  for (std::uint32_t slot = 0; slot < buckets; ++slot) {
    jobs.units += to.table()[slot].backlog.get();
  }
  return jobs;
}

}  // namespace

absl::Status run_moves(const Bench& bench) {
  const unsigned cpus = std::thread::hardware_concurrency();
  const double us = 1e6 / bench.tsc_hz();
  for (const std::uint32_t buckets : kTogether) {
    for (const std::uint32_t ring_slots : kRings) {
      Samples arrive, stop, take_over, forget, longest;
      std::uint64_t units = 0;
      for (int run = 0; run < bench.options.repeat; ++run) {
        const Jobs jobs =
            move(bench.options.cpu % cpus, (bench.options.cpu + 1) % cpus, buckets, ring_slots);
        const auto add = [us](Samples& samples, std::uint64_t cycles) {
          samples.add(static_cast<double>(cycles) * us);
        };
        add(arrive, jobs.arrive);
        add(stop, jobs.stop);
        add(take_over, jobs.take_over);
        add(forget, jobs.forget);
        add(longest, std::max({jobs.arrive, jobs.stop, jobs.take_over, jobs.forget}));
        units = jobs.units;
      }
      bench.report.row({{"case", "moves"}, {"buckets", buckets}, {"ring", ring_slots}})
          .figure("longest_us", longest)
          .figure("arrive_us", arrive)
          .figure("stop_us", stop)
          .figure("take_over_us", take_over)
          .figure("forget_us", forget)
          .series("units", units)
          .end_row();
    }
  }
  return absl::OkStatus();
}

}  // namespace drip::bench
