// SPDX-License-Identifier: BSD-3-Clause
// Times each departure of one bucket and compares the gaps with the ideal.
#include <time.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/quantile.h"
#include "bench/path/bucket_path.h"
#include "bench/path/cases.h"
#include "bench/path/sched_peer.h"

namespace drip::bench {
namespace {

// Deep enough to outlast a stall of 2 ms at 14.88 Mpps.
constexpr std::uint32_t kBacklog = 32768;
constexpr std::size_t kMostDepartures = 1U << 21;
constexpr double kStallNs = 1000;
constexpr double kBusyPps = 2e6;  // Departures of the other buckets together.

struct Rate {
  const char* name;
  double bits_per_second;  // One of the two.
  double units_per_second;
  std::uint32_t frame_bytes;

  [[nodiscard]] double gap_ns() const {
    return bits_per_second > 0 ? 8e9 * frame_bytes / bits_per_second : 1e9 / units_per_second;
  }
};
constexpr std::array<Rate, 9> kRates = {{{"64 kbit/s", 64e3, 0, kFullFrameBytes},
                                         {"1 Mbit/s", 1e6, 0, kFullFrameBytes},
                                         {"10 Mbit/s", 10e6, 0, kFullFrameBytes},
                                         {"100 Mbit/s", 100e6, 0, kFullFrameBytes},
                                         {"1 Gbit/s", 1e9, 0, kFullFrameBytes},
                                         {"10 Gbit/s", 10e9, 0, kFullFrameBytes},
                                         {"10 kpps", 0, 10e3, kSmallFrameBytes},
                                         {"1 Mpps", 0, 1e6, kSmallFrameBytes},
                                         {"14.88 Mpps", 0, 14.88e6, kSmallFrameBytes}}};

double raw_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}
// A moment on both clocks, as close together as of several tries.
struct Moment {
  std::uint64_t tsc;
  double ns;
};
Moment moment() {
  Moment best{};
  std::uint64_t shortest = ~0ULL;
  for (int i = 0; i < 50; ++i) {
    const std::uint64_t before = rte_rdtsc();
    const double ns = raw_ns();
    const std::uint64_t after = rte_rdtsc();
    if (after - before < shortest) {
      shortest = after - before;
      best = {before + shortest / 2, ns};
    }
  }
  return best;
}

// What the loop saw: departures of the bucket in question, and when it was held up.
struct Track {
  std::vector<std::uint64_t> departures;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> stalls;
  double tsc_hz = 0;
};

// Polls for `seconds` and fills the track. `poll` does one loop.
template <class Poll>
void follow(double seconds, double approximate_hz, Track& track, Poll&& poll) {
  const Moment begin = moment();
  const auto span = static_cast<std::uint64_t>(seconds * approximate_hz);
  const auto stall = static_cast<std::uint64_t>(kStallNs * 1e-9 * approximate_hz);
  std::uint64_t last = rte_rdtsc();
  while (last - begin.tsc < span) {
    poll();
    const std::uint64_t now = rte_rdtsc();
    if (now - last > stall && track.stalls.size() < track.stalls.capacity()) {
      track.stalls.emplace_back(last, now);
    }
    last = now;
  }
  const Moment end = moment();
  track.tsc_hz = static_cast<double>(end.tsc - begin.tsc) / (end.ns - begin.ns) * 1e9;
}

// [seconds since the first departure, ns behind the ideal one of the same number], at 201 of them.
nlohmann::ordered_json departure_curve(const Rate& rate, const Track& track) {
  auto curve = nlohmann::ordered_json::array();
  const std::vector<std::uint64_t>& at = track.departures;
  for (std::size_t i = 0; i <= 200 && !at.empty(); ++i) {
    const std::size_t number = i * (at.size() - 1) / 200;
    const double ns = static_cast<double>(at[number] - at[0]) * 1e9 / track.tsc_hz;
    curve.push_back({ns * 1e-9, ns - rate.gap_ns() * static_cast<double>(number)});
  }
  return curve;
}

void report_track(const Bench& bench, const char* path, const Rate& rate, std::uint32_t beside,
                  const Track& track) {
  const double ns_per_tsc = 1e9 / track.tsc_hz;
  const std::vector<std::uint64_t>& at = track.departures;
  std::vector<double> all, calm;
  std::size_t stall = 0;
  // The rate is that between two departures that were not held up: over some seconds a stall of 10
  // us at an end would look like several ppm.
  std::size_t first_calm = 0;
  std::size_t last_calm = 0;
  double excess_ns = 0;  // How far ahead of the curve, in time.
  double ahead = 0;
  for (std::size_t i = 1; i < at.size(); ++i) {
    const double gap = static_cast<double>(at[i] - at[i - 1]) * ns_per_tsc;
    const double error = std::abs(gap - rate.gap_ns());
    all.push_back(error);
    while (stall < track.stalls.size() && track.stalls[stall].second <= at[i - 1]) ++stall;
    // A stall in the gap, or in the one before it, whose lateness this gap makes up for.
    const bool touched = (stall < track.stalls.size() && track.stalls[stall].first < at[i]) ||
                         (stall > 0 && i > 1 && track.stalls[stall - 1].second > at[i - 2]);
    if (!touched) {
      calm.push_back(error);
      if (first_calm == 0) first_calm = i;
      last_calm = i;
    }
    // Units that have left less units that the rate allows since the worst moment before.
    ahead = std::max(0.0, ahead + rate.gap_ns() - gap);
    excess_ns = std::max(excess_ns, ahead);
  }
  std::sort(all.begin(), all.end());
  std::sort(calm.begin(), calm.end());
  if (last_calm <= first_calm && !at.empty()) {
    first_calm = 0;
    last_calm = at.size() - 1;
  }
  const double span_ns =
      at.empty() ? 0 : static_cast<double>(at[last_calm] - at[first_calm]) * ns_per_tsc;
  const double ideal_ns = rate.gap_ns() * static_cast<double>(last_calm - first_calm);
  nlohmann::ordered_json curve;
  for (int i = 0; i <= 200; ++i) {
    curve.push_back({quantile(all, i / 200.0), quantile(calm, i / 200.0)});
  }
  bench.report.row({{"case", "precision"}, {"path", path}, {"rate", rate.name}, {"beside", beside}})
      .figure("gaps", static_cast<double>(all.size()))
      .figure("p50_ns", quantile(all, 0.5))
      .figure("p99_ns", quantile(all, 0.99))
      .figure("p999_ns", quantile(all, 0.999))
      .figure("max_ns", all.empty() ? 0 : all.back())
      .figure("calm_gaps", static_cast<double>(calm.size()))
      .figure("calm_p50_ns", quantile(calm, 0.5))
      .figure("calm_p99_ns", quantile(calm, 0.99))
      .figure("calm_p999_ns", quantile(calm, 0.999))
      .figure("rate_error_ppm", span_ns > 0 ? 1e6 * (ideal_ns / span_ns - 1) : 0)
      .figure("excess_units", excess_ns / rate.gap_ns())
      .figure("stalls", static_cast<double>(track.stalls.size()))
      .series("error_quantiles_ns", curve)
      .series("departure_curve_ns", departure_curve(rate, track))
      .end_row();
}

void reserve(Track& track) {
  track.departures.reserve(kMostDepartures);
  track.stalls.reserve(1U << 20);
}

// Long enough for a hundred gaps of the slow ones.
double seconds_for(const Bench& bench, const Rate& rate) {
  return std::clamp(100 * rate.gap_ns() * 1e-9, bench.options.seconds, 20.0);
}

void run_drip(const Bench& bench, PacketPool& pool, PacketPool& busy_pool, const Rate& rate,
              std::uint32_t beside) {
  BucketOrder order(BucketOrder::Kind::kRoundRobin, std::max(beside, 1U));
  Track track;
  reserve(track);
  BenchPort port(pool, order);
  port.note_departures(&track.departures, rate.frame_bytes);

  BucketSettings settings;
  settings.capacity = kBacklog;
  settings.units_per_second = beside == 0 ? rate.units_per_second : kBusyPps / beside;
  settings.bits_per_second = beside == 0 ? rate.bits_per_second : 0;
  settings.departure = Departure::kAtStart;
  if (beside > 0) settings.capacity = 4;
  // The last bucket is the one in question.
  BucketPath path(port, bench.reader(), beside + 1, settings);
  if (beside > 0) {
    settings.capacity = kBacklog;
    settings.units_per_second = rate.units_per_second;
    settings.bits_per_second = rate.bits_per_second;
    path.use(beside, settings);
  }
  ArrivalPace busy(2 * kBusyPps, bench.tsc_hz());
  std::array<rte_mbuf*, BucketPath::kBurst> packets;
  std::array<std::uint32_t, BucketPath::kBurst> buckets;
  const std::uint32_t mine = beside;
  std::uint64_t refill_at = 0;
  follow(seconds_for(bench, rate), bench.tsc_hz(), track, [&] {
    path.depart();
    // A burst at a time, and only when half of the backlog has departed.
    if (path.backlog(mine) < kBacklog / 2 || refill_at > 0) {
      const std::uint32_t room = kBacklog - path.backlog(mine);
      const std::uint32_t count = std::min(room, BucketPath::kBurst);
      refill_at = room > BucketPath::kBurst ? 1 : 0;
      if (count > 0 && pool.take(std::span(packets).first(count))) {
        for (std::uint32_t i = 0; i < count; ++i) {
          pool.write(packets[i], mine);
          buckets[i] = mine;
        }
        path.offer(std::span(packets).first(count), std::span(buckets).first(count));
      }
    }
    if (beside == 0) return;
    const std::uint32_t count = busy.take(BucketPath::kBurst);
    if (count == 0 || !busy_pool.take(std::span(packets).first(count))) return;
    for (std::uint32_t i = 0; i < count; ++i) {
      buckets[i] = order.next();
      busy_pool.write(packets[i], buckets[i]);
    }
    path.offer(std::span(packets).first(count), std::span(buckets).first(count));
  });
  report_track(bench, "drip", rate, beside, track);
}

absl::Status run_sched(const Bench& bench, PacketPool& pool, const Rate& rate) {
  const double bits = rate.bits_per_second > 0 ? rate.bits_per_second
                                               : rate.units_per_second * 8 * rate.frame_bytes;
  auto peer = SchedPeer::create({1, bits, std::max(1e9, bits * 1.1), kBacklog, rate.frame_bytes});
  if (!peer.ok()) return peer.status();
  Track track;
  reserve(track);
  std::array<rte_mbuf*, BucketPath::kBurst> packets;
  std::uint32_t backlog = 0;
  follow(seconds_for(bench, rate), bench.tsc_hz(), track, [&] {
    const std::uint32_t count = (*peer)->dequeue(packets);
    if (count > 0) {
      const std::uint64_t now = rte_rdtsc();
      for (std::uint32_t i = 0; i < count; ++i) {
        if (track.departures.size() < track.departures.capacity()) track.departures.push_back(now);
      }
      pool.give(std::span(packets).first(count));
      backlog -= count;
    }
    if (backlog + BucketPath::kBurst <= kBacklog && pool.take(packets)) {
      for (rte_mbuf* const packet : packets) {
        pool.write(packet, 0);
        (*peer)->classify(packet, 0);
      }
      backlog += (*peer)->enqueue(packets);
    }
  });
  report_track(bench, "librte_sched", rate, 0, track);
  // What still waits is freed with its queues.
  return absl::OkStatus();
}

}  // namespace

absl::Status run_precision(const Bench& bench) {
  auto full = PacketPool::create(1U << 16, kFullFrameBytes);
  auto small = PacketPool::create(1U << 16, kSmallFrameBytes);
  // Of another length, so that their departures are not taken for the bucket's in question.
  auto busy = PacketPool::create(1U << 19, kSmallFrameBytes + 4);
  for (const auto* pool : {&full, &small, &busy}) {
    if (!pool->ok()) return pool->status();
  }
  // The clock knows its rate the better the longer it has run.
  std::this_thread::sleep_for(std::chrono::seconds(3));
  for (const Rate& rate : kRates) {
    PacketPool& pool = rate.frame_bytes == kFullFrameBytes ? **full : **small;
    run_drip(bench, pool, **busy, rate, 0);
    if (rate.gap_ns() >= 500) {
      for (const std::uint32_t beside : bench.options.buckets) {
        if (beside >= 1024 && beside <= 65536) run_drip(bench, pool, **busy, rate, beside);
      }
    }
    // Below 1.6e-7 of its port's rate a pipe crashes it.
    if (rate.gap_ns() < 15e6) {
      if (absl::Status status = run_sched(bench, pool, rate); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace drip::bench
