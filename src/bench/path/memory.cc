// SPDX-License-Identifier: BSD-3-Clause
// Makes the parts of very many buckets one after another, and asks the kernel after each.
#include <malloc.h>
#include <sched.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/path/cases.h"
#include "control/config/bucket_registry.h"
#include "control/requests/local_queues.h"
#include "datapath/packet_io.h"
#include "datapath/poll_engine/poll_engine.h"
#include "datapath/poll_engine/portless.h"
#include "datapath/poll_engine/slot_allocator.h"
#include "datapath/transmitter.h"
#include "fmt/format.h"

namespace drip::bench {
namespace {

using datapath::NullIo;

constexpr std::uint32_t kCapacity = 4;  // A ring of one cache line.
constexpr std::uint32_t kBucketsACall = 4096;
constexpr std::uint64_t kRingBudget = std::uint64_t{4} << 30;
constexpr TimePoint kBegin{1'000'000'000};

// Of this process, exact: the counters behind /proc/self/statm are not.
double resident_bytes() {
  (void)malloc_trim(0);
  std::ifstream rollup("/proc/self/smaps_rollup");
  std::string word;
  while (rollup >> word) {
    if (word == "Rss:") {
      double kib = 0;
      rollup >> kib;
      return kib * 1024;
    }
  }
  return 0;
}

// Bytes a bucket since the last call.
class Meter {
 public:
  explicit Meter(std::uint32_t buckets) : buckets_(buckets), last_(resident_bytes()) {}
  double take() {
    const double before = last_;
    last_ = resident_bytes();
    return (last_ - before) / buckets_;
  }

 private:
  double buckets_;
  double last_;
};

BucketSettings settings() {
  BucketSettings settings;
  settings.capacity = kCapacity;
  settings.units_per_second = 100;
  return settings;
}

struct PathMemory {
  double bucket = 0;
  double ring = 0;
  double wheel = 0;       // At the start.
  double wheel_full = 0;  // What comes to it when every bucket is on the wheel.
  double history = 0;
  double record = 0;
};

// What the transmitter and its slot allocator have of a bucket, idle and then full.
absl::StatusOr<PathMemory> measure_path(std::uint32_t buckets) {
  PathMemory memory;
  NullIo io;
  datapath::LcoreCounters counters;
  Meter meter(buckets);

  const datapath::BucketTable table(buckets, -1);
  datapath::SlotAllocator slots(table, std::make_shared<datapath::RingBudget>(kRingBudget), -1);
  for (std::uint32_t slot = 0; slot < buckets; ++slot) table.populate(slot);
  memory.bucket = meter.take();
  for (std::uint32_t i = 0; i < buckets; ++i) {
    const auto slot = slots.allocate();
    if (!slot.ok()) return slot.status();
    slots.record(*slot).set(settings());
  }
  memory.record = meter.take();
  const std::uint32_t ring_slots = BucketRing::slots_for(kCapacity);
  for (std::uint32_t slot = 0; slot < buckets; ++slot) {
    const auto ring = slots.rings().allocate(ring_slots);
    if (!ring.ok()) return ring.status();
    slots.record(slot).ring = *ring;
  }
  memory.ring = meter.take();
  const auto transmitter =
      std::make_unique<datapath::Transmitter<NullIo>>(table, kBegin, io, 0, counters);
  memory.wheel = meter.take();
  for (std::uint32_t slot = 0; slot < buckets; ++slot) {
    transmitter->create(slot, settings(), slots.record(slot).ring, ring_slots, kBegin);
  }
  memory.bucket += meter.take();

  for (std::uint32_t slot = 0; slot < buckets; ++slot) table.prepare_histograms(slot);
  memory.history = meter.take();
  for (std::uint32_t slot = 0; slot < buckets; ++slot) {
    UnitsToAdmit units;
    units.bucket.slot = slot;
    units.count = kCapacity;
    transmitter->admit_units(units, kBegin);
    if (units.admitted != kCapacity) return absl::InternalError("memory: a bucket is not full");
  }
  memory.wheel_full = meter.take();
  (void)transmitter->drop_all(kBegin);
  return memory;
}

// What as many buckets take in the engine alone, or with the names and settings that control keeps.
absl::StatusOr<double> measure_engine(const Bench& bench, std::uint32_t buckets, bool registered) {
  datapath::NoPorts ports;  // Nothing but buckets is in the engine.
  datapath::EngineOptions options;
  options.buckets_per_transmitter = buckets;
  options.lcores.emplace_back();
  options.lcores.front().sleeps_when_idle = true;
  datapath::PollEngine engine(options, datapath::portless_poll_threads(), ports, bench.clock);
  control::LocalQueues requests(engine, 1);
  control::BucketRegistry registry(engine, requests);
  Meter meter(buckets);
  for (std::uint32_t next = 0; next < buckets;) {
    const std::uint32_t count = std::min(kBucketsACall, buckets - next);
    absl::Status status;
    if (registered) {
      std::vector<control::BucketPatch> patches(count);
      for (control::BucketPatch& patch : patches) {
        patch.id = fmt::format("customer-{:07}", next++);
        patch.capacity = kCapacity;
        patch.units_per_second = settings().units_per_second;
      }
      status = registry.apply(patches).status();
    } else {
      std::vector<BucketChange> changes(count);
      for (BucketChange& change : changes) change.settings = settings();
      next += count;
      status = engine.apply(changes);
    }
    if (!status.ok()) return status;
  }
  return meter.take();
}

}  // namespace

absl::Status run_memory(const Bench& bench) {
  // The engine's thread needs a CPU beside this one's.
  cpu_set_t all;
  CPU_ZERO(&all);
  for (unsigned cpu = 0; cpu < std::thread::hardware_concurrency(); ++cpu) CPU_SET(cpu, &all);
  (void)sched_setaffinity(0, sizeof(all), &all);
  for (const std::uint32_t buckets : bench.options.buckets) {
    const auto path = measure_path(buckets);
    if (!path.ok()) return path.status();
    const auto alone = measure_engine(bench, buckets, false);
    if (!alone.ok()) return alone.status();
    const auto registered = measure_engine(bench, buckets, true);
    if (!registered.ok()) return registered.status();
    const double registry = *registered - *alone;
    const double idle = path->bucket + path->wheel + path->record + registry;
    bench.report.row({{"case", "memory"}, {"buckets", buckets}})
        .figure("bucket", path->bucket)
        .figure("wheel", path->wheel)
        .figure("record", path->record)
        .figure("registry", registry)
        .figure("idle", idle)
        .figure("ring", path->ring)
        .figure("history", path->history)
        .figure("wheel_full", path->wheel_full)
        .figure("full", idle + path->ring + path->history + path->wheel_full)
        .end_row();
  }
  return absl::OkStatus();
}

}  // namespace drip::bench
