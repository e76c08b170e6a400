// SPDX-License-Identifier: BSD-3-Clause
// A load of connections and packets, and what the plan makes of it.
#include "traffic/sample_planner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <set>

namespace drip::traffic {
namespace {

constexpr std::uint32_t kWanted = 10'000;

// Of a load of so many packets a second, all TCP of very many connections.
SamplePlanner::Taken taken(const SamplePlan& plan, double packets_per_second, double seconds) {
  SamplePlanner::Taken counts;
  const double packets = packets_per_second * seconds;
  counts.for_flows = static_cast<std::uint64_t>(packets / (plan.mask + 1.0));
  counts.at_random = plan.one_in == 0 ? 0 : static_cast<std::uint64_t>(packets / plan.one_in);
  counts.packets = counts.at_random * plan.one_in;
  return counts;
}

class Load {
 public:
  // So many periods; afterwards samples a second of the last one.
  double run(double packets_per_second, int periods) {
    double samples = 0;
    for (int i = 0; i < periods; ++i) {
      now_ = now_ + SamplePlanner::kPeriod;
      const auto counts = taken(planner_.plan(), packets_per_second, 0.1);
      samples = 10 * static_cast<double>(counts.for_flows + counts.at_random);
      planner_.adjust(counts, SamplePlanner::kPeriod, now_);
    }
    return samples;
  }
  SamplePlanner& planner() { return planner_; }

 private:
  SamplePlanner planner_{kWanted};
  TimePoint now_{1};
};

TEST(SamplePlanner, TakesAllOfALittleTraffic) {
  Load load;
  load.run(100, 30);
  EXPECT_EQ(load.planner().plan().mask, 0);
  EXPECT_EQ(load.planner().plan().one_in, 1U);
}

TEST(SamplePlanner, KeepsToTheBoundAtAnyLoad) {
  for (const double packets : {1e4, 1e5, 1e6, 1e7, 1e8}) {
    Load load;
    load.run(packets, 50);
    // Half of each kind; of connections only powers of two can be had.
    const double samples = load.run(packets, 1);
    EXPECT_LE(samples, 1.2 * kWanted) << packets;
    EXPECT_GE(samples, 0.5 * kWanted) << packets;
  }
}

TEST(SamplePlanner, FollowsALoadThatComesAtOnceWithinASecond) {
  Load load;
  load.run(100, 30);
  load.run(1e7, 10);
  EXPECT_LE(load.run(1e7, 1), 2 * kWanted);
}

TEST(SamplePlanner, IsSteadyUnderASteadyLoad) {
  Load load;
  load.run(3e6, 50);
  std::set<std::uint16_t> masks;
  for (int i = 0; i < 50; ++i) {
    load.run(3e6, 1);
    masks.insert(load.planner().plan().mask);
  }
  EXPECT_EQ(masks.size(), 1U);
}

TEST(SamplePlanner, LostSamplesMakeFewer) {
  SamplePlanner planner(kWanted);
  const SamplePlan before = planner.plan();
  SamplePlanner::Taken counts;
  counts.lost = 1;
  planner.adjust(counts, SamplePlanner::kPeriod, {1});
  EXPECT_GT(planner.plan().mask, before.mask);
  EXPECT_GT(planner.plan().one_in, before.one_in);
  for (int i = 0; i < 100; ++i) planner.adjust(counts, SamplePlanner::kPeriod, {1});
  EXPECT_EQ(planner.plan().mask, 0xffff);
  EXPECT_LE(planner.plan().one_in, 1'000'000U);
}

TEST(SamplePlanner, AllConnectionsHaveTheirTurn) {
  SamplePlanner planner(kWanted);
  std::set<int> turns;
  for (int i = 0; i < 64; ++i) {
    planner.adjust({}, SamplePlanner::kPeriod,
                   TimePoint{} + Duration{(i + 1) * SamplePlanner::kTurn.ns});
    turns.insert(planner.plan().turn & 63);
  }
  EXPECT_EQ(turns.size(), 64U);
  // Not before its time.
  const SamplePlan plan = planner.plan();
  planner.adjust({}, SamplePlanner::kPeriod,
                 TimePoint{} + Duration{64 * SamplePlanner::kTurn.ns + SamplePlanner::kPeriod.ns});
  EXPECT_EQ(planner.plan().turn, plan.turn);
}

}  // namespace
}  // namespace drip::traffic
