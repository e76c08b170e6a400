// SPDX-License-Identifier: BSD-3-Clause
// Two polling threads with one spread root, loop by loop in virtual time: what both send together
// is bounded as by one root, and nearly all of the rate is used.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <vector>

#include "datapath/harness.h"
#include "datapath/spread/transmitter_spreads.h"

namespace drip::datapath {
namespace {

constexpr std::int64_t kUs = 1000;
constexpr std::int64_t kMs = 1'000'000;
constexpr double kRate = 1e9;  // Bits a second.
constexpr std::uint32_t kFrame = 1000;
constexpr std::size_t kCores = 2;

// The excess over a rate in any window: a bucket that leaks at it and is filled by what departs.
class Meter {
 public:
  explicit Meter(double bits_per_second) : bytes_per_ns_(bits_per_second / 8e9) {}
  void set_rate(double bits_per_second) { bytes_per_ns_ = bits_per_second / 8e9; }
  void count(TimePoint at, std::uint32_t bytes) {
    const auto leaked = bytes_per_ns_ * static_cast<double>((at - last_).ns);
    level_ = std::max(0.0, level_ - leaked) + bytes;
    last_ = at;
    most_ = std::max(most_, level_);
  }
  [[nodiscard]] double most() const { return most_; }

 private:
  double bytes_per_ns_;
  TimePoint last_{};
  double level_ = 0;
  double most_ = 0;
};

class SpreadPathTest : public testing::Test {
 protected:
  static constexpr Duration kCatchup{2 * kMs};

  SpreadPathTest() {
    for (std::size_t i = 0; i < kCores; ++i) {
      Harness& core = *cores_.emplace_back(std::make_unique<Harness>());
      SpreadPart& part = parts_[i];
      part.root = &root_;
      part.core = static_cast<std::uint32_t>(i);
      part.slot = core.take_slot();
      part.rates = {0, kRate};
      if (i == 0) part.granter = std::make_unique<ShareGranter>(root_);
      core.transmitter.create(part.slot, root_settings(kRate), nullptr, 0, core.time);
      core.transmitter.spreads().add(part, core.time);
    }
  }
  static BucketSettings root_settings(double rate) {
    BucketSettings settings;
    settings.bits_per_second = rate;
    settings.rate_is_leased = true;
    settings.max_catchup = kCatchup;
    settings.departure = Departure::kAtStart;
    return settings;
  }
  std::uint32_t add_leaf(std::size_t core, const NodeSettings& share = {}, double rate = 10 * kRate,
                         std::uint32_t capacity = 1024) {
    BucketSettings settings;
    settings.capacity = capacity;
    settings.bits_per_second = rate;
    settings.departure = Departure::kAtStart;
    const std::uint32_t slot = cores_[core]->add_bucket(settings);
    NodeSettings node = share;
    node.parent = parts_[core].slot;
    cores_[core]->transmitter.set_node(slot, node, cores_[core]->time);
    return slot;
  }
  void offer(std::size_t core, std::uint32_t leaf, std::uint32_t count,
             std::uint32_t bytes = kFrame) {
    Harness& h = *cores_[core];
    for (std::uint32_t i = 0; i < count; ++i) {
      h.ports.arrive(0, std::vector<std::uint8_t>(bytes));
      void* packet = nullptr;
      ASSERT_EQ(h.ports.rx(0, {&packet, 1}), 1U);
      h.transmitter.offer(leaf, packet, bytes, 1, h.time, h.time);
    }
  }
  // What has departed since the last call, of all cores in the order of time.
  void count_departures(Meter& meter) {
    std::vector<std::pair<std::uint64_t, std::uint32_t>> departed;
    for (std::size_t i = 0; i < kCores; ++i) {
      const auto& sent = cores_[i]->ports.sent(1);
      for (; counted_[i] < sent.size(); ++counted_[i]) {
        departed.emplace_back(sent[counted_[i]].at.ns, sent[counted_[i]].frame_bytes);
        bytes_[i] += sent[counted_[i]].frame_bytes;
      }
    }
    std::ranges::sort(departed);
    for (const auto& [at, bytes] : departed) meter.count(TimePoint{at}, bytes);
  }
  // Of the whole rate, what each core has sent in a time since the last call.
  std::array<double, kCores> used(Duration span) {
    std::array<double, kCores> result{};
    for (std::size_t i = 0; i < kCores; ++i) {
      result[i] = 8e9 * static_cast<double>(bytes_[i] - before_[i]) /
                  (kRate * static_cast<double>(span.ns));
      before_[i] = bytes_[i];
    }
    return result;
  }
  // Runs all cores in steps of 5 us; `each(core)` comes before each of its loops.
  template <class Each>
  void run(Duration span, Meter& meter, Each each) {
    const TimePoint end = cores_[0]->time + span;
    while (cores_[0]->time < end) {
      for (std::size_t i = 0; i < kCores; ++i) {
        Harness& core = *cores_[i];
        each(i);
        if (core.time >= stalled_until_[i]) core.lcore.poll_once();
        core.time = core.time + Duration{5 * kUs};
      }
      count_departures(meter);
    }
  }
  // Keeps `count` packets waiting.
  void refill(std::size_t core, std::uint32_t leaf, std::uint32_t count) {
    const std::uint32_t waiting = cores_[core]->bucket(leaf).backlog.get();
    if (waiting < count) offer(core, leaf, count - waiting);
  }

  SpreadRoot root_{kCores};
  std::array<SpreadPart, kCores> parts_;
  std::vector<std::unique_ptr<Harness>> cores_;
  std::array<std::size_t, kCores> counted_{};
  std::array<std::uint64_t, kCores> bytes_{};
  std::array<std::uint64_t, kCores> before_{};
  std::array<TimePoint, kCores> stalled_until_{};
};

TEST_F(SpreadPathTest, TheRateGoesToWhoHasPacketsAndIsUsed) {
  const std::array leaves = {add_leaf(0), add_leaf(1)};
  Meter meter(kRate);
  const Duration span{20 * kMs};
  run(span, meter, [&](std::size_t core) { refill(core, leaves[core], 200); });
  auto parts = used(span);
  EXPECT_NEAR(parts[0], 0.5, 0.02);
  EXPECT_NEAR(parts[1], 0.5, 0.02);
  EXPECT_GT(parts[0] + parts[1], 0.99);
  // One alone.
  run(span, meter, [&](std::size_t core) {
    if (core == 1) refill(core, leaves[core], 200);
  });
  parts = used(span);
  EXPECT_GT(parts[1], 0.85) << "beside what still waited at the other one";
  EXPECT_GT(parts[0] + parts[1], 0.97);
  // One that sends a fifth all the time; the other has all the rest.
  Meter fifth(0);
  double owed = 0;
  run(span, meter, [&](std::size_t core) {
    if (core == 0) return refill(core, leaves[core], 200);
    owed += 0.2 * kRate / 8e9 * 5 * kUs;
    for (; owed >= kFrame; owed -= kFrame) offer(core, leaves[core], 1);
  });
  used(span);
  run(span, meter, [&](std::size_t core) {
    if (core == 0) return refill(core, leaves[core], 200);
    owed += 0.2 * kRate / 8e9 * 5 * kUs;
    for (; owed >= kFrame; owed -= kFrame) offer(core, leaves[core], 1);
  });
  parts = used(span);
  EXPECT_NEAR(parts[1], 0.2, 0.005);
  EXPECT_GT(parts[0] + parts[1], 0.97);
  // A packet of each core beside the rate, and what a loop is late by.
  EXPECT_LE(meter.most(), kCores * kFrame + kRate / 8e9 * 10 * kUs);
}

TEST_F(SpreadPathTest, WeightsAndGuaranteesHoldOverCores) {
  const std::uint32_t heavy = add_leaf(0, {.weight = 3});
  const std::uint32_t light = add_leaf(1);
  const std::uint32_t guaranteed = add_leaf(1, {.guaranteed_bits_per_second = 0.6 * kRate});
  Meter meter(kRate);
  run(Duration{5 * kMs}, meter,
      [&](std::size_t core) { refill(core, core == 0 ? heavy : light, 100); });
  used(Duration{5 * kMs});
  const Duration span{20 * kMs};
  run(span, meter, [&](std::size_t core) { refill(core, core == 0 ? heavy : light, 100); });
  auto parts = used(span);
  EXPECT_NEAR(parts[0], 0.75, 0.03);
  EXPECT_NEAR(parts[1], 0.25, 0.03);
  const auto all = [&](std::size_t core) {
    if (core == 0) return refill(core, heavy, 100);
    refill(core, light, 100);
    refill(core, guaranteed, 100);
  };
  run(Duration{5 * kMs}, meter, all);
  used(Duration{5 * kMs});
  const std::uint64_t before = cores_[1]->bucket(guaranteed).departed_bytes.get();
  run(span, meter, all);
  const double got =
      8e9 * static_cast<double>(cores_[1]->bucket(guaranteed).departed_bytes.get() - before) /
      (kRate * static_cast<double>(span.ns));
  EXPECT_GT(got, 0.59);
}

// What is late on one core does not become more because it is given the share of another one that
// was late as well, and has caught up.
TEST_F(SpreadPathTest, ALateCoreThatGetsMoreCatchesUpNoMore) {
  constexpr Duration kLong{20 * kMs};
  const std::array leaves = {add_leaf(0, {}, 10 * kRate, 8192), add_leaf(1, {}, 10 * kRate, 8192)};
  for (std::size_t i = 0; i < kCores; ++i) {
    BucketSettings settings = root_settings(kRate);
    settings.max_catchup = kLong;
    cores_[i]->transmitter.change(parts_[i].slot, settings, nullptr, 0, cores_[i]->time);
    offer(i, leaves[i], i == 0 ? 1300 : 8000);
  }
  Meter meter(kRate);
  const auto nothing = [](std::size_t) {};
  run(Duration{1 * kMs}, meter, nothing);
  // Both stand still; the first one goes on, catches up and has nothing more, and then the second.
  stalled_until_[0] = cores_[0]->time + kLong;
  stalled_until_[1] = stalled_until_[0] + Duration{1 * kMs};
  run(Duration{21 * kMs}, meter, nothing);
  ASSERT_EQ(cores_[0]->bucket(leaves[0]).backlog.get(), 0U);
  ASSERT_GT(root_[1].granted(), kWholeShare * 9 / 10);
  run(Duration{2 * kMs}, meter, nothing);
  const double catch_up = kRate / 8e9 * static_cast<double>(kLong.ns);
  EXPECT_LE(meter.most(), kCores * kFrame + catch_up);
  EXPECT_GT(meter.most(), 0.9 * catch_up);
}

TEST_F(SpreadPathTest, StallsAndChangesLetOutNoMoreThanOneRootWould) {
  std::mt19937_64 random(7);
  const auto below = [&](std::uint64_t end) { return random() % end; };
  std::array<std::vector<std::uint32_t>, kCores> leaves;
  for (std::size_t core = 0; core < kCores; ++core) {
    for (int i = 0; i < 8; ++i) {
      NodeSettings share;
      share.weight = 1 + static_cast<std::uint32_t>(below(20));
      if (i == 0) share.guaranteed_bits_per_second = 0.2 * kRate;
      leaves[core].push_back(add_leaf(core, share));
    }
  }
  Meter meter(kRate);
  constexpr std::uint32_t kLongest = 1500;
  std::array<std::uint32_t, kCores> burst{};
  run(Duration{600 * kMs}, meter, [&](std::size_t core) {
    if (below(2000) == 0) burst[core] = static_cast<std::uint32_t>(below(4) * below(12));
    if (below(4000) == 0) {
      stalled_until_[core] =
          cores_[core]->time + Duration{static_cast<std::int64_t>(below(4 * kMs))};
    }
    if (cores_[core]->time < stalled_until_[core] || burst[core] == 0) return;
    offer(core, leaves[core][below(8)], static_cast<std::uint32_t>(below(burst[core] + 1)),
          static_cast<std::uint32_t>(64 + below(kLongest - 63)));
  });
  const double catch_up = kRate / 8e9 * static_cast<double>(kCatchup.ns);
  const double loops = kRate / 8e9 * 5 * kUs;
  EXPECT_LE(meter.most(), kCores * kLongest + catch_up + loops);
  EXPECT_GT(meter.most(), catch_up / 2) << "the test was too easy";
}

TEST_F(SpreadPathTest, AChangeOfTheRateKeepsTheSum) {
  const std::array leaves = {add_leaf(0), add_leaf(1)};
  Meter meter(kRate);
  const auto all = [&](std::size_t core) { refill(core, leaves[core], 200); };
  run(Duration{10 * kMs}, meter, all);
  for (std::size_t i = 0; i < kCores; ++i) {
    Harness& core = *cores_[i];
    core.transmitter.change(parts_[i].slot, root_settings(kRate / 4), nullptr, 0, core.time);
    core.transmitter.spreads().change(parts_[i], {0, kRate / 4}, core.time);
  }
  meter.set_rate(kRate / 4);
  used(Duration{1});
  run(Duration{20 * kMs}, meter, all);
  const auto parts = used(Duration{20 * kMs});
  EXPECT_NEAR(parts[0] + parts[1], 0.25, 0.005);
  EXPECT_LE(meter.most(), kCores * kFrame + kRate / 8e9 * 10 * kUs);
  // The same with one core of which the share is 0.
  EXPECT_EQ(SharePeriods::of({0, 1}, 1).none, true) << "below what a bucket can have: it waits";
}

TEST_F(SpreadPathTest, APartThatHasDrainedDoesNothingMore) {
  const std::uint32_t leaf = add_leaf(1);
  Meter meter(kRate);
  run(Duration{2 * kMs}, meter, [&](std::size_t core) {
    if (core == 1) refill(core, leaf, 50);
  });
  Harness& core = *cores_[1];
  core.transmitter.remove(leaf, false, core.time);
  core.transmitter.remove(parts_[1].slot, false, core.time);
  EXPECT_EQ(core.bucket(parts_[1].slot).state.load(), BucketPhase::kDraining);
  run(Duration{20 * kMs}, meter, [](std::size_t) {});
  EXPECT_EQ(core.bucket(parts_[1].slot).state.load(), BucketPhase::kRetired);
  core.transmitter.spreads().remove(parts_[1]);
  EXPECT_TRUE(core.transmitter.spreads().empty());
}

TEST_F(SpreadPathTest, WhoHasAPartLetsGoOfItWhenTheRootIsFinished) {
  Meter meter(kRate);
  const auto nothing = [](std::size_t) {};
  run(Duration{1 * kMs}, meter, nothing);
  for (std::size_t i = 0; i < kCores; ++i) {
    cores_[i]->transmitter.remove(parts_[i].slot, false, cores_[i]->time);
  }
  run(Duration{1 * kMs}, meter, nothing);
  EXPECT_FALSE(parts_[0].released.load());
  root_.finish();
  run(Duration{1 * kMs}, meter, nothing);
  for (std::size_t i = 0; i < kCores; ++i) {
    EXPECT_TRUE(parts_[i].released.load());
    EXPECT_TRUE(cores_[i]->transmitter.spreads().empty());
  }
}

// Demand that goes from one core to the other every 10 ms, together never less than the rate.
TEST_F(SpreadPathTest, ChangingDemandUsesNearlyAllOfTheRate) {
  constexpr std::int64_t kPhase = 10 * kMs;
  constexpr std::array<std::array<double, kCores>, 8> kPhases = {
      {{1, 1}, {1, 0}, {0, 1}, {1, 0.25}, {0.5, 0.75}, {0, 1}, {0.25, 1}, {0.75, 0.5}}};
  std::array<std::vector<std::uint32_t>, kCores> leaves;
  for (std::size_t core = 0; core < kCores; ++core) {
    for (int i = 0; i < 16; ++i) leaves[core].push_back(add_leaf(core, {}, 10 * kRate, 16));
  }
  const TimePoint begin = cores_[0]->time;
  std::array<double, kCores> owed{};
  std::array<std::size_t, kCores> next{};
  std::array<TimePoint, kCores> last{begin, begin};
  const auto arrive = [&](std::size_t core) {
    const TimePoint now = cores_[core]->time;
    const auto phase = static_cast<std::size_t>((now - begin).ns / kPhase) % kPhases.size();
    owed[core] +=
        kPhases[phase][core] * kRate / 8e9 / kFrame * static_cast<double>((now - last[core]).ns);
    last[core] = now;
    for (; owed[core] >= 1; --owed[core]) offer(core, leaves[core][next[core]++ % 16], 1);
  };
  Meter meter(kRate);
  const Duration round{8 * kPhase};
  run(round, meter, arrive);
  used(round);
  for (int i = 0; i < 3; ++i) {
    run(round, meter, arrive);
    const auto parts = used(round);
    EXPECT_GT(parts[0] + parts[1], 0.98) << parts[0] << " and " << parts[1];
  }
  EXPECT_LE(meter.most(), kCores * kFrame + kRate / 8e9 * 10 * kUs);
}

// A claim counts all children in some looks, however many of them come and go meanwhile.
TEST_F(SpreadPathTest, ChildrenAreCountedWhileOthersComeAndGo) {
  constexpr std::size_t kChildren = 512;
  std::vector<std::uint32_t> leaves;
  for (std::size_t i = 0; i < kChildren; ++i) leaves.push_back(add_leaf(1, {.weight = 2}));
  std::mt19937_64 random(3);
  std::deque<std::uint32_t> gone;
  Meter meter(kRate);
  const auto churn = [&](std::size_t core) {
    if (core == 0) return;
    Harness& h = *cores_[1];
    // Nearly a fifth of them in a look.
    for (std::size_t i = 0; i < 4; ++i) {
      const std::uint32_t removed = leaves[random() % kChildren];
      if (h.bucket(removed).state.load() == BucketPhase::kActive) {
        h.transmitter.remove(removed, true, h.time);
        gone.push_back(removed);
      }
      if (gone.size() < kChildren / 8) continue;
      const std::uint32_t leaf = gone.front();
      if (h.bucket(leaf).state.load() != BucketPhase::kRetired) continue;
      gone.pop_front();
      BucketSettings settings;
      settings.capacity = 2;
      settings.bits_per_second = 10 * kRate;
      settings.departure = Departure::kAtStart;
      const std::uint32_t slots = BucketRing::slots_for(settings.capacity);
      h.transmitter.create(leaf, settings, h.more_ring(slots), slots, h.time);
      NodeSettings node{.weight = 2};
      node.parent = parts_[1].slot;
      h.transmitter.set_node(leaf, node, h.time);
    }
    for (const std::uint32_t leaf : leaves) {
      if (h.bucket(leaf).state.load() == BucketPhase::kActive) refill(1, leaf, 2);
    }
  };
  // Half as many looks as all of them need, for most of them are new before their turn comes.
  run(Duration{kChildren / 32 * TransmitterSpreads::kPeriod.ns}, meter, churn);
  // Of those that have come since the look began nothing is known.
  EXPECT_GT(root_[1].claim().weight, kChildren / 2);
  EXPECT_LE(root_[1].claim().weight, 2 * kChildren);
}

}  // namespace
}  // namespace drip::datapath
