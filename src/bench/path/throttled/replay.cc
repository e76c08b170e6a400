// SPDX-License-Identifier: BSD-3-Clause
// Runs the same loops again and again, and keeps the shortest time of each.
#include "bench/path/throttled/replay.h"

#include <rte_cycles.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "base/quantile.h"
#include "bench/path/bench_port.h"
#include "bench/path/bucket_path.h"
#include "bench/path/fused_path.h"
#include "bench/path/tree_path.h"

namespace drip::bench {
namespace {

constexpr int kReplays = 3;
constexpr std::uint64_t kLoopNs = 2'000;
constexpr std::uint64_t kStallEveryNs = 10'000'000;
// Of the paced load before loops are timed.
constexpr std::uint64_t kSettleNs = 10'000'000;
constexpr double kWithheldSeconds = 10e-6;

/// The time of one replay, in ns.
struct VirtualClock {
  const std::uint64_t* ns;
  [[nodiscard]] TimePoint now() const { return TimePoint{*ns}; }
};

// A path whose queues are full, in virtual time.
class Replay {
 public:
  virtual ~Replay() = default;
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  /// Times each loop; keeps the shorter one of it and `shortest`.
  void run(Duration stall, std::vector<std::uint32_t>& shortest, std::vector<std::uint32_t>& last) {
    port_.set_pace(ArrivalPace(2 * load_.allowed_pps, 1e9, &ns_));
    for (std::uint64_t passed = 0; passed < kSettleNs; passed += kLoopNs) loop();
    const std::uint64_t sent_before = port_.sent();
    const double missed_before = port_.pace().missed();
    std::uint64_t next_stall = ns_ + kStallEveryNs;
    for (std::size_t i = 0; i < shortest.size(); ++i) {
      if (ns_ >= next_stall) {
        ns_ += static_cast<std::uint64_t>(stall.ns);
        next_stall += kStallEveryNs;
      }
      const std::uint64_t begin = rte_rdtsc();
      loop();
      last[i] = static_cast<std::uint32_t>(
          std::min<std::uint64_t>(rte_rdtsc() - begin, std::numeric_limits<std::uint32_t>::max()));
      shortest[i] = std::min(shortest[i], last[i]);
    }
    left_ = port_.sent() - sent_before;
    missed_ = static_cast<std::uint64_t>(port_.pace().missed() - missed_before);
  }
  [[nodiscard]] std::uint64_t left() const { return left_; }
  [[nodiscard]] std::uint64_t missed() const { return missed_; }

 protected:
  explicit Replay(const Load& load)
      : load_(load), arrivals_(load.traffic.arrivals()), port_(load.pool, arrivals_) {}
  virtual void poll() = 0;
  void loop() {
    poll();
    ns_ += kLoopNs;
  }
  [[nodiscard]] std::uint64_t packets_to_fill() const {
    return std::uint64_t{load_.traffic.least_capacity()} * load_.traffic.buckets();
  }

  const Load& load_;
  std::uint64_t ns_ = 1'000'000'000;
  BucketOrder arrivals_;
  BenchPort port_;

 private:
  std::uint64_t left_ = 0;
  std::uint64_t missed_ = 0;
};

class WholeReplay final : public Replay {
 public:
  explicit WholeReplay(const Load& load)
      : Replay(load),
        path_(port_, VirtualClock{&ns_}, load.traffic.buckets(),
              SettingsOf([&](std::uint32_t bucket) { return load.settings(bucket); })) {
    fill();
  }

 private:
  void poll() override { path_.poll(); }
  // As measure.h has it, a burst each loop.
  void fill() {
    BucketOrder order = load_.traffic.fill_order();
    port_.set_order(order);
    const std::vector<std::uint32_t>& numbers = order.numbers();
    const std::uint64_t begin = ns_;
    for (std::size_t at = 0; at < numbers.size(); at += BucketPath::kBurst) {
      const std::size_t end = std::min<std::size_t>(at + BucketPath::kBurst, numbers.size());
      const double seconds = 1e-9 * static_cast<double>(ns_ - begin);
      for (std::size_t i = at; i < end; ++i) {
        path_.buckets().hold(numbers[i], load_.first_wait(numbers[i], i, seconds));
      }
      loop();
    }
    for (std::uint64_t i = 0; i < packets_to_fill(); i += BucketPath::kBurst) loop();
    port_.set_order(arrivals_);
  }

  BasicFusedPath<VirtualClock> path_;
};

// All leaves are children of one root, at which half of what comes is too much: without ports'
// rules.
class TreeReplay final : public Replay {
 public:
  explicit TreeReplay(const Load& load) : Replay(load), path_(port_, tree_load(load)), last_(ns_) {
    for (std::uint64_t i = 0; i < packets_to_fill(); i += packets_.size()) {
      offer(port_.receive(packets_, leaves_));
    }
  }

 private:
  static TreeLoad tree_load(const Load& load) {
    TreeLoad tree{{load.traffic.buckets()}, load.traffic.buckets()};
    tree.root_units_per_second = load.allowed_pps;
    tree.capacity = load.traffic.least_capacity();
    return tree;
  }
  // As PollLoop has it: what has come is taken first, and says how many may leave.
  void poll() override {
    using Transmitter = datapath::Transmitter<BenchPort>;
    path_.pass(Duration{static_cast<std::int64_t>(ns_ - last_)});
    last_ = ns_;
    const std::uint32_t count = port_.receive(packets_, leaves_);
    path_.depart(count == packets_.size() ? Transmitter::kDeparturesBesideFullBurst
                                          : Transmitter::kDeparturesACall);
    offer(count);
  }
  void offer(std::uint32_t count) {
    if (count > 0) path_.offer(std::span(packets_).first(count), std::span(leaves_).first(count));
  }

  std::array<rte_mbuf*, BucketPath::kBurst> packets_{};
  std::array<std::uint32_t, BucketPath::kBurst> leaves_{};
  TreePath path_;
  std::uint64_t last_;
};

std::unique_ptr<Replay> make_replay(Path path, const Load& load) {
  if (path == Path::kTree) return std::make_unique<TreeReplay>(load);
  return std::make_unique<WholeReplay>(load);
}

}  // namespace

absl::StatusOr<LoopTimes> replay_loops(Path path, const Load& load, double seconds,
                                       Duration stall) {
  const auto loops = static_cast<std::size_t>(std::max(1.0, seconds * 1e9 / kLoopNs));
  std::vector<std::uint32_t> shortest(loops, std::numeric_limits<std::uint32_t>::max());
  std::vector<std::uint32_t> last(loops);
  LoopTimes times;
  for (int i = 0; i < kReplays; ++i) {
    const std::unique_ptr<Replay> replay = make_replay(path, load);
    replay->run(stall, shortest, last);
    if (i > 0 && (replay->left() != times.left || replay->missed() != times.missed)) {
      return absl::InternalError("throttled: a replay did something else than the one before it");
    }
    times.left = replay->left();
    times.missed = replay->missed();
  }
  const double withheld = kWithheldSeconds * load.bench.tsc_hz();
  for (std::size_t i = 0; i < loops; ++i) {
    if (static_cast<double>(last[i] - shortest[i]) > withheld) ++times.withheld;
  }
  std::vector<double> sorted(shortest.begin(), shortest.end());
  std::sort(sorted.begin(), sorted.end());
  times.loops = loops;
  times.longest = sorted.back();
  times.p999 = quantile(sorted, 0.999);
  times.p50 = quantile(sorted, 0.5);
  return times;
}

}  // namespace drip::bench
