// SPDX-License-Identifier: BSD-3-Clause
// Runs the compositions of stages side by side and divides cycles by packets.
#include <array>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/path/bucket_path.h"
#include "bench/path/cases.h"
#include "bench/path/fused_path.h"
#include "bench/path/sched_peer.h"
#include "packet/headers.h"

namespace drip::bench {
namespace {

constexpr std::uint32_t kBurst = BucketPath::kBurst;
constexpr std::uint32_t kCapacity = 16;

// Faster than any packet can come, so that nothing is throttled.
BucketSettings straight_settings() {
  BucketSettings settings;
  settings.capacity = kCapacity;
  settings.bits_per_second = kMaxBitsPerSecond;
  settings.departure = Departure::kAtStart;
  return settings;
}
BucketSettings scheduled_settings() {
  BucketSettings settings;
  settings.capacity = kCapacity;
  settings.units_per_second = kMaxUnitsPerSecond;
  settings.departure = Departure::kAtEnd;
  return settings;
}

// Cycles and packets of what was timed.
struct Timed {
  std::uint64_t cycles = 0;
  std::uint64_t packets = 0;
};

// Calls `burst`, which adds to what was timed, until the run is over.
template <class Burst>
double cycles_a_packet(const Bench& bench, Burst&& burst) {
  const auto span = static_cast<std::uint64_t>(bench.options.seconds * bench.tsc_hz());
  // The first tenth warms the caches.
  Timed timed;
  const std::uint64_t begin = rte_rdtsc();
  while (rte_rdtsc() - begin < span / 10) burst(timed);
  timed = {};
  while (rte_rdtsc() - begin < span) burst(timed);
  return timed.packets == 0
             ? 0
             : static_cast<double>(timed.cycles) / static_cast<double>(timed.packets);
}

// A burst from the pool, with the buckets that it is for.
struct Arrivals {
  std::array<rte_mbuf*, kBurst> packets{};
  std::array<std::uint32_t, kBurst> buckets{};

  bool draw(PacketPool& pool, BucketOrder& order) {
    if (!pool.take(packets)) return false;
    for (std::size_t i = 0; i < kBurst; ++i) {
      buckets[i] = order.next();
      pool.write(packets[i], buckets[i]);
    }
    return true;
  }
};

void time_bucket_path(BucketPath& path, PacketPool& pool, BucketOrder& order,
                      std::vector<rte_mbuf*>& sent, Timed& timed) {
  Arrivals arrivals;
  if (!arrivals.draw(pool, order)) return;
  sent.clear();
  const std::uint64_t begin = rte_rdtsc();
  path.offer(arrivals.packets, arrivals.buckets);
  path.depart();
  timed.cycles += rte_rdtsc() - begin;
  timed.packets += kBurst;
  pool.give(sent);
}

void time_sched(SchedPeer& peer, PacketPool& pool, BucketOrder& order, Timed& timed) {
  Arrivals arrivals;
  if (!arrivals.draw(pool, order)) return;
  for (std::size_t i = 0; i < kBurst; ++i) {
    peer.classify(arrivals.packets[i], arrivals.buckets[i]);
  }
  std::array<rte_mbuf*, kBurst> sent{};
  const std::uint64_t begin = rte_rdtsc();
  peer.enqueue(arrivals.packets);
  const std::uint32_t count = peer.dequeue(sent);
  timed.cycles += rte_rdtsc() - begin;
  timed.packets += kBurst;
  pool.give(std::span(sent).first(count));
}

enum class Stages : std::uint8_t { kSource, kParse, kClassify };

// rx and tx with the stages in between that dripd's worker has there.
void time_stages(BenchPort& port, const Classifier& classifier, Stages stages, Timed& timed) {
  std::array<void*, kBurst> packets;
  const std::uint64_t begin = rte_rdtsc();
  const std::uint32_t count = port.rx(0, packets);
  if (stages != Stages::kSource) {
    std::array<Headers, kBurst> headers;
    std::array<std::uint32_t, kBurst> rules{};
    for (std::uint32_t i = 0; i < count; ++i) port.prefetch(packets[i]);
    for (std::uint32_t i = 0; i < count; ++i) {
      const datapath::FrameBytes frame = port.frame(packets[i]);
      parse_frame(frame.bytes, frame.frame_bytes, headers[i]);
    }
    if (stages == Stages::kClassify) {
      classifier.classify_burst(std::span(headers).first(count), 0, rules);
    }
    // Otherwise the compiler sees that nobody wants them.
    asm volatile("" : : "r"(headers.data()), "r"(rules.data()) : "memory");
  }
  port.tx(0, std::span(packets).first(count));
  timed.cycles += rte_rdtsc() - begin;
  timed.packets += count;
}

absl::Status run_one(const Bench& bench, PacketPool& pool, BucketOrder::Kind kind,
                     std::uint32_t buckets) {
  BucketOrder order(kind, buckets);
  BenchPort port(pool, order);
  BenchPort keeping_port(pool, order);
  std::vector<rte_mbuf*> sent;
  sent.reserve(std::size_t{2} * datapath::Transmitter<BenchPort>::kDeparturesACall);
  keeping_port.keep_sent(&sent);

  BucketPath straight(keeping_port, bench.reader(), buckets, straight_settings());
  BucketPath scheduled(keeping_port, bench.reader(), buckets, scheduled_settings());
  FusedPath whole(port, bench.reader(), buckets, straight_settings());
  std::unique_ptr<SchedPeer> peer;
  if (buckets <= SchedPeer::kMaxPipes) {
    // A rate that the port's 64-bit arithmetic takes and no core reaches.
    auto made = SchedPeer::create({buckets, 100e9, 100e9, kCapacity, pool.frame_bytes()});
    if (!made.ok()) return made.status();
    peer = *std::move(made);
  }

  using Burst = std::function<void(Timed&)>;
  const Classifier& classifier = whole.rules().classifier;
  std::vector<std::pair<std::string, Burst>> variants = {
      {"straight", [&](Timed& t) { time_bucket_path(straight, pool, order, sent, t); }},
      {"scheduled", [&](Timed& t) { time_bucket_path(scheduled, pool, order, sent, t); }},
      {"source", [&](Timed& t) { time_stages(port, classifier, Stages::kSource, t); }},
      {"parse", [&](Timed& t) { time_stages(port, classifier, Stages::kParse, t); }},
      {"classify", [&](Timed& t) { time_stages(port, classifier, Stages::kClassify, t); }},
      {"whole", [&](Timed& t) {
         const std::uint64_t before = port.sent();
         const std::uint64_t begin = rte_rdtsc();
         whole.poll();
         t.cycles += rte_rdtsc() - begin;
         t.packets += port.sent() - before;
       }}};
  if (peer != nullptr) {
    variants.emplace_back("librte_sched", [&](Timed& t) { time_sched(*peer, pool, order, t); });
  }

  if (!bench.options.only.empty()) {
    std::erase_if(variants, [&](const auto& one) { return one.first != bench.options.only; });
  }
  std::vector<Samples> cycles(variants.size());
  for (int run = 0; run < bench.options.repeat; ++run) {
    for (std::size_t i = 0; i < variants.size(); ++i) {
      cycles[i].add(cycles_a_packet(bench, variants[i].second));
    }
  }
  for (std::size_t i = 0; i < variants.size(); ++i) {
    bench.report
        .row({{"case", "cost"},
              {"path", variants[i].first},
              {"buckets", buckets},
              {"order", BucketOrder::name(kind)}})
        .figure("cycles", cycles[i])
        .end_row();
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status run_cost(const Bench& bench) {
  auto pool = PacketPool::create(1U << 17, kSmallFrameBytes);
  if (!pool.ok()) return pool.status();
  for (const auto kind : {BucketOrder::Kind::kRoundRobin, BucketOrder::Kind::kZipf}) {
    if (!bench.options.order.empty() && bench.options.order != BucketOrder::name(kind)) continue;
    for (const std::uint32_t buckets : bench.options.buckets) {
      if (absl::Status status = run_one(bench, **pool, kind, buckets); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace drip::bench
