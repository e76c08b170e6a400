// SPDX-License-Identifier: BSD-3-Clause
// Paces arrivals, counts departures, and searches for the highest rate that is held.
#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "bench/path/bucket_path.h"
#include "bench/path/cases.h"
#include "bench/path/fused_path.h"
#include "bench/path/sched_peer.h"

namespace drip::bench {
namespace {

constexpr std::uint32_t kBurst = BucketPath::kBurst;
constexpr std::uint32_t kMostWaiting = 1U << 21;
// Beyond those that wait: in bursts and caches.
constexpr std::uint32_t kMorePackets = 1U << 14;
constexpr double kAllowedError = 0.005;
// librte_sched's own rates are off by up to 1.2 %, and it is not held to its receive ring.
constexpr double kSchedAllowedError = 0.03;
// What a stall of the machine makes the receive ring miss is no sign of starvation; a loop that
// does not keep up misses more and more. librte_sched starves its receive ring long before it stops
// letting packets go, so it is not held to this.
constexpr double kAllowedMissed = 0.03;
constexpr double kMostPps = 60e6;
constexpr int kSearchSteps = 7;

std::uint32_t capacity_for(std::uint32_t buckets) {
  return std::clamp(std::bit_floor(kMostWaiting / buckets), 2U, 16U);
}

// What one loop did.
struct Polled {
  std::uint32_t received = 0;
  std::uint32_t departed = 0;
};

// One of those that are measured: takes what has come, lets go what is due.
class Subject {
 public:
  virtual ~Subject() = default;
  virtual Polled poll() = 0;
  virtual BenchPort& port() = 0;
};

class DripBuckets final : public Subject {
 public:
  DripBuckets(PacketPool& pool, BucketOrder& order, const Bench& bench, std::uint32_t buckets,
              double allowed_pps)
      : port_(pool, order), path_(port_, bench.clock, buckets, settings(buckets, allowed_pps)) {}
  static BucketSettings settings(std::uint32_t buckets, double allowed_pps) {
    BucketSettings settings;
    settings.capacity = capacity_for(buckets);
    settings.units_per_second = allowed_pps / buckets;
    settings.departure = Departure::kAtStart;
    return settings;
  }

  Polled poll() override {
    const std::uint32_t departed = path_.depart();
    std::array<rte_mbuf*, kBurst> packets;
    const std::uint64_t before = port_.sent();
    const std::uint32_t count = port_.receive(packets, buckets_);
    if (count > 0) path_.offer(std::span(packets).first(count), std::span(buckets_).first(count));
    return {count, departed + static_cast<std::uint32_t>(port_.sent() - before)};
  }
  BenchPort& port() override { return port_; }

 private:
  BenchPort port_;
  std::array<std::uint32_t, kBurst> buckets_{};
  BucketPath path_;
};

class DripWhole final : public Subject {
 public:
  DripWhole(PacketPool& pool, BucketOrder& order, const Bench& bench, std::uint32_t buckets,
            double allowed_pps)
      : port_(pool, order),
        path_(port_, bench.clock, buckets, DripBuckets::settings(buckets, allowed_pps)) {}
  Polled poll() override {
    const std::uint64_t sent = port_.sent();
    const std::uint64_t received = path_.counters().rx_packets.get();
    path_.poll();
    return {static_cast<std::uint32_t>(path_.counters().rx_packets.get() - received),
            static_cast<std::uint32_t>(port_.sent() - sent)};
  }
  BenchPort& port() override { return port_; }

 private:
  BenchPort port_;
  FusedPath path_;
};

class Sched final : public Subject {
 public:
  Sched(PacketPool& pool, BucketOrder& order, std::unique_ptr<SchedPeer> peer)
      : pool_(pool), port_(pool, order), peer_(std::move(peer)) {}
  ~Sched() override = default;

  Polled poll() override {
    std::array<rte_mbuf*, kBurst> packets;
    std::array<std::uint32_t, kBurst> pipes;
    const std::uint32_t count = port_.receive(packets, pipes);
    for (std::uint32_t i = 0; i < count; ++i) peer_->classify(packets[i], pipes[i]);
    if (count > 0) peer_->enqueue(std::span(packets).first(count));
    const std::uint32_t departed = peer_->dequeue(packets);
    if (departed > 0) pool_.give(std::span(packets).first(departed));
    return {count, departed};
  }
  BenchPort& port() override { return port_; }

 private:
  PacketPool& pool_;
  BenchPort port_;
  std::unique_ptr<SchedPeer> peer_;
};

enum class Kind : std::uint8_t { kBuckets, kWhole, kSched };
constexpr std::array<const char*, 3> kNames = {"buckets", "whole", "librte_sched"};

// When the buckets' first departures are. All have the same rate, so this stays so.
enum class Start : std::uint8_t {
  kStaggered,  // Spread over the whole period, as those of customers are.
  kInStep,     // In one half of the period, at twice the rate: the hard case.
};
constexpr std::array kStarts = {Start::kStaggered, Start::kInStep};
const char* name_of(Start start) { return start == Start::kStaggered ? "staggered" : "in step"; }

// Longer than any number of packets that one loop handles takes; stalls of the machine are as well.
constexpr double kLongLoopSeconds = 100e-6;

// Until rings are full, but no longer.
constexpr double kLongestWarmUpSeconds = 4;

struct Setting {
  const Bench& bench;
  PacketPool& pool;
  std::uint32_t buckets;
};

absl::StatusOr<std::unique_ptr<Subject>> make(Kind kind, const Setting& setting, BucketOrder& order,
                                              double allowed_pps) {
  switch (kind) {
    case Kind::kBuckets:
      return std::make_unique<DripBuckets>(setting.pool, order, setting.bench, setting.buckets,
                                           allowed_pps);
    case Kind::kWhole:
      return std::make_unique<DripWhole>(setting.pool, order, setting.bench, setting.buckets,
                                         allowed_pps);
    case Kind::kSched:
      break;
  }
  const double bits_a_packet = 8.0 * setting.pool.frame_bytes();
  // Its port paces too, and is given a tenth more than the pipes together.
  auto peer = SchedPeer::create({setting.buckets, allowed_pps / setting.buckets * bits_a_packet,
                                 1.1 * allowed_pps * bits_a_packet, capacity_for(setting.buckets),
                                 setting.pool.frame_bytes()});
  if (!peer.ok()) return peer.status();
  return std::make_unique<Sched>(setting.pool, order, *std::move(peer));
}

struct Outcome {
  double departed_pps = 0;
  double missed_share = 0;      // Of what arrived.
  double polls_per_second = 0;  // Of the receive ring.
  double busy_share = 0;        // Of the time, in loops that did something.
  double busy_cycles = 0;       // A packet offered.
  double long_loops = 0;        // A second.
};

void poll_for(Subject& subject, double cycles) {
  const std::uint64_t begin = rte_rdtsc();
  while (static_cast<double>(rte_rdtsc() - begin) < cycles) subject.poll();
}

Outcome run_at(const Bench& bench, Subject& subject, std::uint32_t buckets, double allowed_pps,
               Start start_of_buckets) {
  const double hz = bench.tsc_hz();
  // All buckets have the same rate and depart in turn: whole rounds, or the count depends on where
  // in the round it begins.
  const double round = buckets / allowed_pps * hz;
  const auto span =
      static_cast<std::uint64_t>(std::ceil(bench.options.seconds * hz / round) * round);
  // Packets come in turn, so the first round's pace is that of the first departures.
  if (start_of_buckets == Start::kStaggered) {
    subject.port().set_pace(ArrivalPace(allowed_pps, hz));
    poll_for(subject, round);
  }
  subject.port().set_pace(ArrivalPace(2 * allowed_pps, hz));
  // A ring gains one packet a round.
  poll_for(subject,
           std::max(static_cast<double>(span),
                    std::min((capacity_for(buckets) + 2) * round, kLongestWarmUpSeconds * hz)));

  const std::uint64_t missed_before = subject.port().pace().missed();
  std::uint64_t received = 0;
  std::uint64_t departed = 0;
  std::uint64_t polls = 0;
  std::uint64_t busy = 0;
  std::uint64_t long_loops = 0;
  const auto long_loop = static_cast<std::uint64_t>(kLongLoopSeconds * hz);
  const std::uint64_t start = rte_rdtsc();
  std::uint64_t now = start;
  while (now - start < span) {
    const Polled polled = subject.poll();
    const std::uint64_t after = rte_rdtsc();
    if (polled.received + polled.departed > 0) busy += after - now;
    if (after - now > long_loop) ++long_loops;
    now = after;
    received += polled.received;
    departed += polled.departed;
    ++polls;
  }
  const double seconds = static_cast<double>(now - start) / hz;
  const auto missed = static_cast<double>(subject.port().pace().missed() - missed_before);
  return {static_cast<double>(departed) / seconds,
          missed / std::max(1.0, missed + static_cast<double>(received)),
          static_cast<double>(polls) / seconds,
          static_cast<double>(busy) / static_cast<double>(now - start),
          static_cast<double>(busy) / std::max(1.0, static_cast<double>(received)),
          static_cast<double>(long_loops) / seconds};
}

absl::Status run_load(const Setting& setting, Kind kind, Start start, double offered_pps) {
  Samples departed, missed, busy, cycles, long_loops;
  for (int run = 0; run < setting.bench.options.repeat; ++run) {
    BucketOrder order(BucketOrder::Kind::kRoundRobin, setting.buckets);
    auto subject = make(kind, setting, order, offered_pps / 2);
    if (!subject.ok()) return subject.status();
    const Outcome outcome =
        run_at(setting.bench, **subject, setting.buckets, offered_pps / 2, start);
    departed.add(outcome.departed_pps / 1e6);
    missed.add(100 * outcome.missed_share);
    busy.add(100 * outcome.busy_share);
    cycles.add(outcome.busy_cycles);
    long_loops.add(outcome.long_loops);
  }
  setting.bench.report
      .row({{"case", "load"},
            {"path", kNames[static_cast<std::size_t>(kind)]},
            {"start", name_of(start)},
            {"buckets", setting.buckets},
            {"offered_mpps", offered_pps / 1e6}})
      .figure("departed_mpps", departed)
      .figure("missed_percent", missed)
      .figure("busy_percent", busy)
      .figure("busy_cycles", cycles)
      .figure("long_loops", long_loops)
      .end_row();
  return absl::OkStatus();
}

// The search's answer: the highest allowed rate that was held, and what was seen at it.
struct Most {
  double allowed_pps = 0;
  Outcome outcome;
};

absl::StatusOr<Most> search(const Setting& setting, Kind kind, Start start) {
  double low = 0;
  double high = kMostPps;
  Most most;
  for (int step = 0; step < kSearchSteps; ++step) {
    const double allowed = low == 0 ? high / 4 : (low + high) / 2;
    BucketOrder order(BucketOrder::Kind::kRoundRobin, setting.buckets);
    auto subject = make(kind, setting, order, allowed);
    if (!subject.ok()) return subject.status();
    const Outcome outcome = run_at(setting.bench, **subject, setting.buckets, allowed, start);
    const bool is_peer = kind == Kind::kSched;
    const bool held = (is_peer || outcome.missed_share < kAllowedMissed) &&
                      std::abs(outcome.departed_pps / allowed - 1) <
                          (is_peer ? kSchedAllowedError : kAllowedError);
    if (held) {
      low = allowed;
      most = {allowed, outcome};
    } else {
      high = allowed;
    }
  }
  return most;
}

absl::Status run_most(const Setting& setting, Start start) {
  std::vector<Kind> kinds = {Kind::kBuckets, Kind::kWhole};
  if (setting.buckets <= SchedPeer::kMaxPipes) kinds.push_back(Kind::kSched);
  std::array<Samples, 3> departed, error, polls;
  for (int run = 0; run < setting.bench.options.repeat; ++run) {
    for (const Kind kind : kinds) {
      const auto at = static_cast<std::size_t>(kind);
      const absl::StatusOr<Most> most = search(setting, kind, start);
      if (!most.ok()) return most.status();
      departed[at].add(most->outcome.departed_pps / 1e6);
      error[at].add(
          most->allowed_pps == 0 ? 0 : 100 * (most->outcome.departed_pps / most->allowed_pps - 1));
      polls[at].add(most->outcome.polls_per_second / 1e6);
    }
  }
  for (const Kind kind : kinds) {
    const auto at = static_cast<std::size_t>(kind);
    setting.bench.report
        .row({{"case", "most"},
              {"path", kNames[at]},
              {"start", name_of(start)},
              {"buckets", setting.buckets}})
        .figure("departed_mpps", departed[at])
        .figure("error_percent", error[at])
        .figure("million_polls", polls[at])
        .end_row();
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status run_throttled(const Bench& bench) {
  for (const std::uint32_t buckets : bench.options.buckets) {
    // No more than it takes: a larger pool is a larger walk through memory for each packet.
    auto pool =
        PacketPool::create(buckets * capacity_for(buckets) + kMorePackets, kSmallFrameBytes);
    if (!pool.ok()) return pool.status();
    const Setting setting{bench, **pool, buckets};
    for (const Start start : kStarts) {
      if (bench.options.only.empty() || bench.options.only == "load") {
        for (const double offered : {1e6, 4e6, 8e6}) {
          for (const Kind kind : {Kind::kBuckets, Kind::kWhole, Kind::kSched}) {
            if (kind == Kind::kSched && buckets > SchedPeer::kMaxPipes) continue;
            if (auto status = run_load(setting, kind, start, offered); !status.ok()) return status;
          }
        }
      }
      if (bench.options.only.empty() || bench.options.only == "most") {
        if (auto status = run_most(setting, start); !status.ok()) return status;
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace drip::bench
