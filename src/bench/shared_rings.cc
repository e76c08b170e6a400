// SPDX-License-Identifier: BSD-3-Clause
// Two threads with a transmitter each, and one of three ways between them.
#include "bench/shared_rings.h"

#include <rte_lcore.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>
#include <vector>

#include "bench/bench_port.h"
#include "bench/bucket_path.h"
#include "datapath/hand_off.h"
#include "drip/spsc_ring.h"

namespace drip::bench {
namespace {

using datapath::HandedPacket;
using datapath::HandOff;

constexpr std::uint32_t kBurst = BucketPath::kBurst;
constexpr std::uint32_t kRingSlots = 16;

BucketSettings fast_settings() {
  BucketSettings settings;
  settings.capacity = kRingSlots;
  settings.bits_per_second = kMaxBitsPerSecond;
  settings.departure = Departure::kAtStart;
  return settings;
}

// Even buckets are the first core's, odd ones the second one's; each has them all in its table.
std::uint32_t owner_of(std::uint32_t bucket) { return bucket % 2; }

BucketOrder order_for(HandOver way, std::uint32_t core, std::uint32_t buckets) {
  std::vector<std::uint32_t> numbers;
  for (std::uint32_t bucket = 0; bucket < buckets; ++bucket) {
    if (way != HandOver::kPrivate || owner_of(bucket) == core) numbers.push_back(bucket);
  }
  return BucketOrder(std::move(numbers));
}

// The buckets' shared rings, of both cores.
class SharedRings {
 public:
  explicit SharedRings(std::uint32_t buckets)
      : rings_(buckets), slots_(std::size_t{buckets} * kRingSlots) {
    for (std::uint32_t i = 0; i < buckets; ++i) {
      rings_[i].use(&slots_[std::size_t{i} * kRingSlots], kRingSlots);
    }
  }
  SharedRing& operator[](std::uint32_t bucket) { return rings_[bucket]; }

 private:
  std::vector<SharedRing> rings_;
  std::vector<RingEntry> slots_;
};

class Core {
 public:
  Core(const Bench& bench, HandOver way, std::uint32_t number, std::uint32_t buckets,
       PacketPool& pool, SharedRings& rings)
      : way_(way),
        number_(number),
        clock_(bench.clock),
        order_(order_for(way, number, buckets)),
        port_(pool, order_),
        path_(port_, bench.clock, buckets, fast_settings()),
        rings_(rings) {}

  void poll(Core& other) {
    std::array<rte_mbuf*, kBurst> packets;
    std::array<std::uint32_t, kBurst> buckets;
    const std::uint32_t count = port_.receive(packets, buckets);
    std::uint32_t own = 0;
    std::uint32_t foreign = 0;
    std::array<rte_mbuf*, kBurst> foreign_packets;
    std::array<std::uint32_t, kBurst> foreign_buckets;
    for (std::uint32_t i = 0; i < count; ++i) {
      if (owner_of(buckets[i]) == number_) {
        packets[own] = packets[i];
        buckets[own++] = buckets[i];
      } else {
        foreign_packets[foreign] = packets[i];
        foreign_buckets[foreign++] = buckets[i];
      }
    }
    path_.offer(std::span(packets).first(own), std::span(buckets).first(own));
    if (way_ == HandOver::kBulk) {
      hand_off(std::span(foreign_packets).first(foreign), foreign_buckets);
      take_handed(other.hand_off_);
    } else if (way_ == HandOver::kShared) {
      write_into_rings(std::span(foreign_packets).first(foreign), foreign_buckets);
      take_from_rings(other.announcements_);
    }
    path_.depart();
    sent_.set(port_.sent());
  }
  [[nodiscard]] std::uint64_t sent() const { return sent_.get(); }

  // Once both have stopped: what is between them is freed.
  void take_what_is_left(Core& other) {
    for (int round = 0; round < 1000; ++round) {
      hand_off_.flush();
      take_handed(other.hand_off_);
      announce();
      take_from_rings(other.announcements_);
      path_.depart();
    }
  }

 private:
  void hand_off(std::span<rte_mbuf* const> packets, std::span<const std::uint32_t> buckets) {
    const TimePoint now = clock_.now();
    for (std::size_t i = 0; i < packets.size(); ++i) {
      const HandedPacket handed{packets[i],          now, nullptr, buckets[i],
                                packets[i]->pkt_len, 0,   0,       HandedPacket::Kind::kBucket};
      if (!hand_off_.add(handed)) drop(packets[i]);
    }
    hand_off_.flush();
  }
  void take_handed(HandOff& from) {
    std::array<HandedPacket, HandOff::kBurst> handed;
    const std::size_t count = from.pop(handed);
    auto& transmitter = path_.transmitter();
    for (std::size_t i = 0; i < count; ++i) transmitter.prefetch(handed[i].target);
    for (std::size_t i = 0; i < count; ++i) transmitter.prefetch_behind(handed[i].target);
    const TimePoint now = clock_.now();
    for (std::size_t i = 0; i < count; ++i) {
      const HandedPacket& one = handed[i];
      transmitter.offer(one.target, one.packet, one.frame_bytes, 0, one.arrival,
                        std::max(now, one.arrival));
    }
  }

  void write_into_rings(std::span<rte_mbuf* const> packets,
                        std::span<const std::uint32_t> buckets) {
    const TimePoint now = clock_.now();
    for (std::size_t i = 0; i < packets.size(); ++i) rings_[buckets[i]].prefetch();
    for (std::size_t i = 0; i < packets.size(); ++i) rings_[buckets[i]].prefetch_back();
    for (std::size_t i = 0; i < packets.size(); ++i) {
      const auto pushed =
          rings_[buckets[i]].push({UnitRef::packet(packets[i], packets[i]->pkt_len, 0), now});
      if (pushed == SharedRing::Pushed::kFull) drop(packets[i]);
      if (pushed == SharedRing::Pushed::kToAnnounce) to_announce_.push_back(buckets[i]);
    }
    announce();
  }
  // What finds no room stays to be announced: at most one entry a bucket.
  void announce() {
    const std::size_t pushed = announcements_.push(std::span<const std::uint32_t>(to_announce_));
    to_announce_.erase(to_announce_.begin(),
                       to_announce_.begin() + static_cast<std::ptrdiff_t>(pushed));
  }
  void take_from_rings(SpscRing<std::uint32_t>& announced) {
    std::array<std::uint32_t, kBurst> buckets;
    const std::size_t count = announced.pop(buckets);
    auto& transmitter = path_.transmitter();
    for (std::size_t i = 0; i < count; ++i) {
      rings_[buckets[i]].prefetch();
      transmitter.prefetch(buckets[i]);
    }
    for (std::size_t i = 0; i < count; ++i) {
      rings_[buckets[i]].prefetch_front();
      transmitter.prefetch_behind(buckets[i]);
    }
    const TimePoint now = clock_.now();
    for (std::size_t i = 0; i < count; ++i) {
      rings_[buckets[i]].drain([&](const RingEntry& entry) {
        transmitter.offer(buckets[i], entry.unit.address(), entry.unit.wire_bytes(), 0,
                          entry.arrival, std::max(now, entry.arrival));
      });
    }
  }
  void drop(rte_mbuf* packet) {
    void* address = packet;
    port_.drop(std::span<void*>(&address, 1));
  }

  HandOver way_;
  std::uint32_t number_;
  datapath::TscClock::Reader clock_;
  BucketOrder order_;
  BenchPort port_;
  BucketPath path_;
  HandOff hand_off_;
  SharedRings& rings_;
  SpscRing<std::uint32_t> announcements_{HandOff::kSlots};
  std::vector<std::uint32_t> to_announce_;
  Counter sent_;
};

void pin_to(unsigned cpu) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu % std::thread::hardware_concurrency(), &one);
  (void)sched_setaffinity(0, sizeof(one), &one);
}

}  // namespace

std::string_view name(HandOver way) {
  switch (way) {
    case HandOver::kPrivate:
      return "private";
    case HandOver::kBulk:
      return "bulk hand-off";
    case HandOver::kShared:
      return "shared rings";
  }
  return "";
}

absl::StatusOr<double> run_hand_over(const Bench& bench, HandOver way, std::uint32_t buckets,
                                     std::span<const std::unique_ptr<PacketPool>> pools) {
  SharedRings rings(buckets);
  std::array<std::unique_ptr<Core>, 2> cores;
  for (std::uint32_t i = 0; i < 2; ++i) {
    cores[i] = std::make_unique<Core>(bench, way, i, buckets, *pools[i], rings);
  }
  std::atomic<bool> stop{false};
  const auto sent = [&] { return cores[0]->sent() + cores[1]->sent(); };
  std::array<std::thread, 2> threads;
  for (unsigned i = 0; i < 2; ++i) {
    threads[i] = std::thread([&, i] {
      pin_to(bench.options.cpu + i);
      (void)rte_thread_register();  // Or the mempool would have no cache for it.
      while (!stop.load(std::memory_order_relaxed)) cores[i]->poll(*cores[1 - i]);
      rte_thread_unregister();
    });
  }
  const auto span = std::chrono::duration<double>(bench.options.seconds);
  std::this_thread::sleep_for(span / 5);
  const std::uint64_t before = sent();
  const TimePoint begin = bench.clock.now();
  std::this_thread::sleep_for(span);
  const std::uint64_t count = sent() - before;
  const Duration took = bench.clock.now() - begin;
  stop = true;
  for (std::thread& thread : threads) thread.join();
  for (std::uint32_t i = 0; i < 2; ++i) cores[i]->take_what_is_left(*cores[1 - i]);
  return static_cast<double>(count) * 1e3 / static_cast<double>(took.ns);
}

}  // namespace drip::bench
