// SPDX-License-Identifier: BSD-3-Clause
// The jobs of a move, each on a thread of its own CPU, timed from begin to end.
#include <rte_cycles.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "bench/path/cases.h"
#include "datapath/packet_io.h"
#include "datapath/poll_engine/queue_profiles.h"
#include "datapath/transmitter.h"
#include "drip/bucket_ring.h"
#include "drip/queue/bucket_queues.h"
#include "engine/engine.h"

namespace drip::bench {
namespace {

using Transmitter = datapath::Transmitter<datapath::NullIo>;

constexpr std::array<std::uint32_t, 4> kRings = {64, 256, 1024, 4096};
constexpr std::array<std::uint32_t, 4> kQueues = {64, 256, 1024, 2048};
constexpr std::uint32_t kFlows = 16;  // Of a bucket with a fair queue.
constexpr std::uint64_t kSeed = 1;
// Packets that have come to the new transmitter while a bucket moves.
constexpr std::uint32_t kMeanwhile = 32;
constexpr std::uint32_t kFrameBytes = 1514;
constexpr TimePoint kNow{1'000'000'000};

// What moves, and how many of it in one job.
struct Moved {
  QueueKind queue = QueueKind::kFifo;
  std::uint32_t capacity = 0;
  std::uint32_t buckets = 1;
};

// Packets wait, none departs.
BucketSettings settings_of(const Moved& moved) {
  BucketSettings settings;
  settings.capacity = moved.capacity;
  settings.queue.kind = moved.queue;
  settings.units_per_second = 1;
  settings.departure = Departure::kAtEnd;
  return settings;
}

FairQueueSizes pool_sizes(const Moved& moved) {
  FairQueueSizes sizes;
  sizes.packets = moved.buckets * (moved.capacity + 1) + 1;
  sizes.flows = moved.buckets * kFlows + 1;
  sizes.hosts = 1;
  sizes.leaves = moved.buckets;
  sizes.tins = moved.buckets;
  return sizes;
}

// One of the two transmitters, with room for one move.
class Side {
 public:
  explicit Side(const Moved& moved)
      : settings_(settings_of(moved)),
        ring_slots_(moved.queue == QueueKind::kFifo ? moved.capacity : BucketRing::kMinSlots),
        table_(moved.buckets, -1),
        rings_(std::size_t{moved.buckets} * ring_slots_ * sizeof(RingEntry), -1),
        profile_(profiles_.get(settings_)),
        transmitter_(table_, kNow, io_, 1, counters_) {
    rings_.populate(0, rings_.bytes());
    if (moved.queue == QueueKind::kFair) {
      queues_ = std::make_unique<BucketQueues>(table_.queues(), pool_sizes(moved), kSeed);
      transmitter_.set_queues(queues_.get());
    }
    for (std::uint32_t slot = 0; slot < moved.buckets; ++slot) {
      table_.populate(slot);
      table_.prepare_histograms(slot);
      if (queues_ != nullptr) table_.prepare_queue(slot);
    }
  }
  ~Side() { transmitter_.drop_all(kNow); }
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;

  void create(std::uint32_t slot) {
    auto* const ring =
        reinterpret_cast<RingEntry*>(rings_.data()) + std::size_t{slot} * ring_slots_;
    transmitter_.create(slot, settings_, ring, ring_slots_, kNow);
    if (queues_ != nullptr) transmitter_.set_queue(slot, *profile_, nullptr);
  }
  void offer(std::uint32_t slot, std::uint32_t packets) {
    Headers headers;
    for (std::uint32_t i = 0; i < packets; ++i) {
      // An address that nobody reads.
      auto* const packet = reinterpret_cast<void*>((std::uint64_t{i} + 1) << 6);  // NOLINT
      headers.ether_type = static_cast<std::uint16_t>(i % kFlows);
      transmitter_.offer(slot, packet, kFrameBytes, 0, kNow, kNow, &headers);
    }
  }
  void stop(std::uint32_t slot, MovedQueue& queue) {
    transmitter_.stop(slot);
    if (queues_ != nullptr) transmitter_.take_out(slot, queue, kNow);
  }
  void take_over(std::uint32_t slot, const Side& from, std::span<RingEntry> memory,
                 MovedQueue& queue, MovedQueue& came) {
    const datapath::BucketTable& before = from.table_;
    if (queues_ != nullptr) {
      transmitter_.take_over_queue(slot, before[slot], before.histograms(slot),
                                   before.queues()[slot], queue, came, kNow);
    } else {
      transmitter_.take_over(slot, before[slot], before.histograms(slot), memory, kNow);
    }
  }
  [[nodiscard]] Transmitter& transmitter() { return transmitter_; }
  [[nodiscard]] std::uint32_t waiting(std::uint32_t slot) const {
    return table_[slot].backlog.get();
  }

 private:
  BucketSettings settings_;
  std::uint32_t ring_slots_;
  datapath::NullIo io_;
  datapath::LcoreCounters counters_;
  datapath::BucketTable table_;
  datapath::NumaMemory rings_;
  datapath::QueueProfiles profiles_;
  datapath::SharedQueueProfile profile_;
  std::unique_ptr<BucketQueues> queues_;
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

// What PollEngine reserves for a move.
struct Reserved {
  explicit Reserved(const Moved& moved) : memory(moved.capacity) {
    for (MovedQueue* const one : {&queue, &came}) {
      if (moved.queue == QueueKind::kFair) one->reserve(moved.capacity + 1, kFlows);
    }
  }
  std::vector<RingEntry> memory;
  MovedQueue queue;
  MovedQueue came;
};

// The steps of PollEngine::move() between two CPUs, less those that do not grow with what waits.
Jobs move(unsigned cpu, unsigned other_cpu, const Moved& moved) {
  Side from(moved);
  Side to(moved);
  std::vector<Reserved> reserved;
  for (std::uint32_t i = 0; i < moved.buckets; ++i) reserved.emplace_back(moved);
  const auto on_each = [&](unsigned where, auto job) {
    return run_on(where, [&] {
      for (std::uint32_t slot = 0; slot < moved.buckets; ++slot) job(slot);
    });
  };
  on_each(cpu, [&](std::uint32_t slot) {
    from.create(slot);
    from.offer(slot, moved.capacity - kMeanwhile);
  });
  Jobs jobs;
  jobs.arrive = on_each(other_cpu, [&](std::uint32_t slot) {
    to.create(slot);
    to.transmitter().pause(slot, kNow);
  });
  on_each(other_cpu, [&](std::uint32_t slot) { to.offer(slot, kMeanwhile); });
  jobs.stop = on_each(cpu, [&](std::uint32_t slot) { from.stop(slot, reserved[slot].queue); });
  jobs.take_over = on_each(other_cpu, [&](std::uint32_t slot) {
    Reserved& one = reserved[slot];
    to.take_over(slot, from, one.memory, one.queue, one.came);
  });
  jobs.forget = on_each(cpu, [&](std::uint32_t slot) { from.transmitter().forget(slot); });
  for (std::uint32_t slot = 0; slot < moved.buckets; ++slot) jobs.units += to.waiting(slot);
  return jobs;
}

void measure(const Bench& bench, const Moved& moved) {
  const unsigned cpus = std::thread::hardware_concurrency();
  const double us = 1e6 / bench.tsc_hz();
  Samples arrive, stop, take_over, forget, longest;
  std::uint64_t units = 0;
  for (int run = 0; run < bench.options.repeat; ++run) {
    const Jobs jobs = move(bench.options.cpu % cpus, (bench.options.cpu + 1) % cpus, moved);
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
  bench.report
      .row({{"case", "moves"},
            {"queue", moved.queue == QueueKind::kFair ? "fair" : "fifo"},
            {"buckets", moved.buckets},
            {"capacity", moved.capacity}})
      .figure("longest_us", longest)
      .figure("arrive_us", arrive)
      .figure("stop_us", stop)
      .figure("take_over_us", take_over)
      .figure("forget_us", forget)
      .series("units", units)
      .end_row();
}

}  // namespace

absl::Status run_moves(const Bench& bench) {
  for (const std::uint32_t ring_slots : kRings) {
    const std::size_t together = Engine::kMovedPacketsTogether / ring_slots;
    const auto most =
        static_cast<std::uint32_t>(std::clamp<std::size_t>(together, 1, Engine::kMovesTogether));
    measure(bench, {QueueKind::kFifo, ring_slots, 1});
    if (most > 1) measure(bench, {QueueKind::kFifo, ring_slots, most});
  }
  for (const std::uint32_t capacity : kQueues) measure(bench, {QueueKind::kFair, capacity, 1});
  return absl::OkStatus();
}

}  // namespace drip::bench
