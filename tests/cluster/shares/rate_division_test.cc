// SPDX-License-Identifier: BSD-3-Clause
// Properties of the division of a rate, over drawn demands.
#include "cluster/shares/lease/rate_division.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "cluster/shares/lease/share.h"

namespace drip::cluster {
namespace {

using Parts = std::vector<std::uint64_t>;

TEST(DivideRate, OneTakesWhatOthersDoNotUse) {
  EXPECT_EQ(divide_rate(100, std::vector<ShareDemand>{{10, 1}, {200, 1}, {20, 1}}),
            (Parts{10, 70, 20}));
  EXPECT_EQ(divide_rate(100, std::vector<ShareDemand>{{200, 1}, {200, 3}}), (Parts{25, 75}));
}

TEST(DivideRate, SpareIsSpread) {
  EXPECT_EQ(divide_rate(100, std::vector<ShareDemand>{{0, 1}, {0, 1}}), (Parts{50, 50}));
  EXPECT_EQ(divide_rate(100, std::vector<ShareDemand>{{10, 1}, {0, 1}, {0, 1}}),
            (Parts{40, 30, 30}));
  EXPECT_EQ(divide_rate(100, {}), Parts{});
}

TEST(DivideRate, MaxMinFairOverDrawnDemands) {
  std::mt19937_64 random(11);
  for (int round = 0; round < 20'000; ++round) {
    const std::uint64_t total = random() % 3 == 0 ? random() % 50 : random() % (kWholeRate + 1);
    std::vector<ShareDemand> demands(1 + random() % 12);
    for (ShareDemand& demand : demands) {
      demand.demand = random() % 4 == 0 ? 0 : random() % (2 * total / demands.size() + 2);
      demand.weight = 1 + static_cast<std::uint32_t>(random() % (random() % 2 == 0 ? 1 : 1000));
    }
    const Parts shares = divide_rate(total, demands);
    ASSERT_EQ(shares, divide_rate(total, demands));
    ASSERT_EQ(std::accumulate(shares.begin(), shares.end(), std::uint64_t{0}), total);
    for (std::size_t i = 0; i < demands.size(); ++i) {
      if (shares[i] >= demands[i].demand) continue;
      // It wants more: nobody has more for each unit of weight, but for the part of rounding, and
      // nobody has more than it wants.
      for (std::size_t j = 0; j < demands.size(); ++j) {
        EXPECT_LE(Uint128{shares[j]} * demands[i].weight,
                  Uint128{shares[i] + 1} * demands[j].weight + demands[i].weight)
            << round;
        EXPECT_LE(shares[j], demands[j].demand) << round;
      }
    }
  }
}

TEST(DivideRate, MoreDemandNeverGetsLess) {
  std::mt19937_64 random(12);
  for (int round = 0; round < 5'000; ++round) {
    std::vector<ShareDemand> demands(2 + random() % 6);
    for (ShareDemand& demand : demands) demand = {random() % kWholeRate, 1};
    const std::size_t who = random() % demands.size();
    const std::uint64_t before = divide_rate(kWholeRate, demands)[who];
    // Below its demand it had what it asked for: asking for more cannot lower it. (Above, it had
    // spare, of which there may be less now.)
    const bool had_spare = before > demands[who].demand;
    demands[who].demand += random() % kWholeRate;
    const std::uint64_t after = divide_rate(kWholeRate, demands)[who];
    if (!had_spare) {
      EXPECT_GE(after + 1, before);
    }
  }
}

TEST(Share, PartsKeepTheirMeaningWhenTheRateChanges) {
  EXPECT_EQ(parts_of(100, {10, 0}, {10, 0}), 100U);
  EXPECT_EQ(parts_of(100, {10, 0}, {5, 0}), 201U);  // Rounded up.
  EXPECT_EQ(parts_of(100, {10, 0}, {20, 0}), 51U);
  EXPECT_EQ(parts_of(100, {10, 1e6}, {20, 1e5}), 1001U);
  EXPECT_EQ(parts_of(100, {10, 0}, {20, 1e5}), kWholeRate);  // Bits were not bounded.
  EXPECT_EQ(parts_of(0, {10, 0}, {20, 1e5}), 0U);
}

TEST(Share, ReadsWhatItWrote) {
  const Shares shares{{"a:b", {1, 2, {0.1, 0}}}, {"z", {kWholeRate, 0, {1.0 / 3, 4e11}}}};
  EXPECT_EQ(to_shares(to_text(shares)), shares);
  EXPECT_EQ(to_shares(""), Shares{});
  for (const char* bad : {"a", "a 1 2 3 4", "a 1 2 3\n", "a 1 2 3 x\n", "a 1 2 -3 4\n",
                          "a 4294967297 0 1 0\n", "a 1 2 3 4\na 1 2 3 4\n", " 1 2 3 4\n"}) {
    EXPECT_FALSE(to_shares(bad)) << bad;
  }
  const Demands demands{{"a", 7}};
  EXPECT_EQ(to_demands(to_text(demands)), demands);
  EXPECT_FALSE(to_demands("a b\n"));
}

}  // namespace
}  // namespace drip::cluster
