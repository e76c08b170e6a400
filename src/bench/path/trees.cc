// SPDX-License-Identifier: BSD-3-Clause
// Closed loops through trees in virtual time: what leaves comes back, so that cycles alone count.
#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/path/cases.h"
#include "bench/path/sched_peer.h"
#include "bench/path/tree_path.h"
#include "fmt/format.h"

namespace drip::bench {
namespace {

constexpr std::uint32_t kBurst = 32;
constexpr std::uint32_t kSites = 16;   // Subports of librte_sched.
constexpr std::uint32_t kClasses = 4;  // Best-effort queues of each of its pipes.
constexpr std::uint32_t kPoints = 64;
constexpr std::uint32_t kCapacity = 8;
constexpr std::uint32_t kMostWaiting = 1U << 21;
constexpr std::uint32_t kMorePackets = 1U << 14;
constexpr std::uint32_t kShapes = 2;  // Of one bottleneck in which packets wait.
// In virtual time a burst comes each us.
constexpr Duration kBurstTime{1'000};
constexpr double kAllPps = kBurst * 1e6;
// Where nothing is throttled, packets come further apart than what any node takes for one.
constexpr Duration kApart{2};

enum class Bottleneck : std::uint8_t { kRoot, kLeaves, kNone };
constexpr std::array<const char*, 3> kNames = {"root", "leaves", "idle"};

struct Setting {
  const Bench& bench;
  PacketPool& pool;
  std::uint32_t leaves;
  Bottleneck bottleneck;
};

// Packets that wait in each leaf, so that all of them have one all the time.
std::uint32_t waiting_a_leaf(Bottleneck bottleneck, std::uint32_t leaves) {
  return bottleneck == Bottleneck::kNone ? 0 : std::clamp(kMostWaiting / leaves, 2U, kCapacity / 2);
}

struct Timed {
  std::uint64_t cycles = 0;
  std::uint64_t packets = 0;
};

// One of those that are measured, each with its own order of the leaves.
class Subject {
 public:
  explicit Subject(const Setting& setting)
      : setting_(setting), order_(BucketOrder::Kind::kRoundRobin, setting.leaves) {}
  virtual ~Subject() = default;
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;

  // A burst comes in and one goes out.
  virtual void burst(Timed& timed) = 0;

 protected:
  // A burst from the pool, with the leaves that it is for.
  bool draw() {
    if (!setting_.pool.take(packets_)) return false;
    for (std::size_t i = 0; i < kBurst; ++i) {
      leaves_[i] = order_.next();
      setting_.pool.write(packets_[i], leaves_[i]);
    }
    return true;
  }
  // Calls `offer` for bursts until each leaf has had `rounds` packets.
  template <class Offer>
  void fill(std::uint32_t rounds, Offer offer) {
    const std::uint64_t packets = std::uint64_t{rounds} * setting_.leaves;
    for (std::uint64_t i = 0; i < packets && draw(); i += kBurst) offer();
  }

  Setting setting_;
  BucketOrder order_;
  std::array<rte_mbuf*, kBurst> packets_{};
  std::array<std::uint32_t, kBurst> leaves_{};
};

class DripTree final : public Subject {
 public:
  DripTree(const Setting& setting, const FanOuts& fan_outs)
      : Subject(setting), port_(setting.pool, order_), path_(port_, load(setting, fan_outs)) {
    sent_.reserve(std::size_t{2} * datapath::Transmitter<BenchPort>::kDeparturesACall);
    port_.keep_sent(&sent_);
    // The first packet of a leaf leaves at once if the leaves are the bottleneck: so they are due
    // one after the other. What comes after it waits.
    if (setting.bottleneck == Bottleneck::kLeaves) fill(1, [&] { pass_burst(); });
    fill(waiting_a_leaf(setting.bottleneck, setting.leaves),
         [&] { path_.offer(packets_, leaves_); });
  }

  void burst(Timed& timed) override {
    if (!draw()) return;
    const std::uint64_t begin = rte_rdtsc();
    if (setting_.bottleneck == Bottleneck::kNone) {
      path_.offer(packets_, leaves_, kApart);
    } else {
      path_.pass(kBurstTime);
      path_.offer(packets_, leaves_);
    }
    path_.depart();
    timed.cycles += rte_rdtsc() - begin;
    give_back(timed);
  }

 private:
  static TreeLoad load(const Setting& setting, const FanOuts& fan_outs) {
    TreeLoad load{fan_outs, setting.leaves};
    load.capacity = kCapacity;
    if (setting.bottleneck == Bottleneck::kRoot) load.root_units_per_second = kAllPps;
    if (setting.bottleneck == Bottleneck::kLeaves) {
      load.leaf_units_per_second = kAllPps / setting.leaves;
    }
    return load;
  }
  void pass_burst() {
    Timed untimed;
    path_.pass(kBurstTime);
    path_.offer(packets_, leaves_, kApart);
    path_.depart();
    give_back(untimed);
  }
  void give_back(Timed& timed) {
    timed.packets += sent_.size();
    setting_.pool.give(sent_);
    sent_.clear();
  }

  BenchPort port_;
  TreePath path_;
  std::vector<rte_mbuf*> sent_;
};

class Sched final : public Subject {
 public:
  Sched(const Setting& setting, std::unique_ptr<SchedPeer> peer)
      : Subject(setting), peer_(std::move(peer)) {
    fill(waiting_a_leaf(setting.bottleneck, setting.leaves), [&] {
      classify();
      peer_->enqueue(packets_);
    });
  }
  ~Sched() override {
    Timed untimed;
    while (depart(untimed) > 0) {
    }
  }

  void burst(Timed& timed) override {
    if (!draw()) return;
    classify();
    const std::uint64_t begin = rte_rdtsc();
    peer_->enqueue(packets_);
    timed.cycles += rte_rdtsc() - begin;
    depart(timed);
  }

 private:
  void classify() {
    for (std::size_t i = 0; i < kBurst; ++i) peer_->classify(packets_[i], leaves_[i]);
  }
  std::uint32_t depart(Timed& timed) {
    std::array<rte_mbuf*, kBurst> sent{};
    const std::uint64_t begin = rte_rdtsc();
    const std::uint32_t count = peer_->dequeue(sent);
    timed.cycles += rte_rdtsc() - begin;
    timed.packets += count;
    setting_.pool.give(std::span(sent).first(count));
    return count;
  }

  std::unique_ptr<SchedPeer> peer_;
};

// Calls burst() until the run is over.
double cycles_a_packet(const Bench& bench, Subject& subject) {
  const auto span = static_cast<std::uint64_t>(bench.options.seconds * bench.tsc_hz());
  // The first tenth warms the caches.
  Timed timed;
  const std::uint64_t begin = rte_rdtsc();
  while (rte_rdtsc() - begin < span / 10) subject.burst(timed);
  timed = {};
  while (rte_rdtsc() - begin < span) subject.burst(timed);
  return timed.packets == 0
             ? 0
             : static_cast<double>(timed.cycles) / static_cast<double>(timed.packets);
}

std::string text_of(const FanOuts& fan_outs) {
  return fan_outs.empty() ? "flat" : fmt::format("{}", fmt::join(fan_outs, " x "));
}

// Shapes with so many leaves; those with too few of them for their levels are left out.
std::vector<FanOuts> shapes(Bottleneck bottleneck, std::uint32_t leaves) {
  const std::uint32_t a_site = leaves / kSites;
  std::vector<FanOuts> all = {{kSites, a_site / kClasses, kClasses},
                              {kSites, kPoints, a_site / kPoints}};
  if (bottleneck == Bottleneck::kNone) {
    all.push_back({});
    all.push_back({leaves});
    all.push_back({kSites, a_site});
    all.push_back({kSites, 8, a_site / 8 / kClasses, kClasses});
  }
  std::erase_if(all, [&](const FanOuts& fan_outs) {
    std::uint64_t product = fan_outs.empty() ? leaves : 1;
    for (const std::uint32_t fan_out : fan_outs) product *= fan_out;
    return product != leaves;
  });
  return all;
}

absl::Status run_one(const Setting& setting) {
  struct Measured {
    std::string path;
    std::string shape;
    std::size_t levels;
    std::unique_ptr<Subject> subject;
    Samples cycles;
  };
  std::vector<Measured> all;
  for (const FanOuts& fan_outs : shapes(setting.bottleneck, setting.leaves)) {
    all.push_back({"drip",
                   text_of(fan_outs),
                   fan_outs.size(),
                   std::make_unique<DripTree>(setting, fan_outs),
                   {}});
  }
  // Its pipes are paced by the TSC: beside them no closed loop in virtual time can be run.
  if (setting.bottleneck != Bottleneck::kLeaves && setting.leaves <= SchedPeer::kMaxPipes &&
      setting.leaves % (kSites * kClasses) == 0) {
    SchedPeerSettings settings{setting.leaves / kSites / kClasses, 100e9, 100e9, kCapacity,
                               setting.pool.frame_bytes()};
    settings.subports = kSites;
    settings.queues_a_pipe = kClasses;
    auto peer = SchedPeer::create(settings);
    if (!peer.ok()) return peer.status();
    all.push_back({"librte_sched",
                   text_of({kSites, settings.pipes, kClasses}),
                   3,
                   std::make_unique<Sched>(setting, *std::move(peer)),
                   {}});
  }
  for (int run = 0; run < setting.bench.options.repeat; ++run) {
    for (Measured& one : all) one.cycles.add(cycles_a_packet(setting.bench, *one.subject));
  }
  for (const Measured& one : all) {
    setting.bench.report
        .row({{"case", "trees"},
              {"bottleneck", kNames[static_cast<std::size_t>(setting.bottleneck)]},
              {"path", one.path},
              {"leaves", setting.leaves},
              {"levels", one.levels},
              {"shape", one.shape}})
        .figure("cycles", one.cycles)
        .end_row();
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status run_trees(const Bench& bench) {
  for (const std::uint32_t leaves : bench.options.buckets) {
    for (const auto bottleneck : {Bottleneck::kRoot, Bottleneck::kLeaves, Bottleneck::kNone}) {
      const std::string_view name = kNames[static_cast<std::size_t>(bottleneck)];
      if (!bench.options.only.empty() && bench.options.only != name) continue;
      const std::uint32_t waiting = waiting_a_leaf(bottleneck, leaves);
      const std::uint32_t subjects = kShapes + (leaves <= SchedPeer::kMaxPipes ? 1U : 0U);
      auto pool = PacketPool::create(subjects * leaves * waiting + kMorePackets, kSmallFrameBytes);
      if (!pool.ok()) return pool.status();
      if (auto status = run_one({bench, **pool, leaves, bottleneck}); !status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

}  // namespace drip::bench
