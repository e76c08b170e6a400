// SPDX-License-Identifier: BSD-3-Clause
// How the rate of a spread root is divided among transmitters.
#include "datapath/spread/share_division.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

namespace drip::datapath {
namespace {

constexpr std::uint64_t kWhole = kWholeShare;

std::vector<std::uint64_t> divide(const std::vector<CoreClaim>& claims) {
  std::vector<std::uint64_t> shares(claims.size());
  divide_share(claims, shares);
  return shares;
}
double percent(std::uint64_t share) {
  return 100 * static_cast<double>(share) / static_cast<double>(kWhole);
}

TEST(ShareDivisionTest, WhoWantsNothingHasAnEvenPart) {
  for (const std::size_t cores : {1, 2, 3, 64}) {
    const auto shares = divide(std::vector<CoreClaim>(cores));
    for (const std::uint64_t share : shares) {
      EXPECT_NEAR(percent(share), 100.0 / static_cast<double>(cores), 0.001);
    }
  }
}

TEST(ShareDivisionTest, DemandsThatFitAreMetAndTheRestIsEven) {
  const auto shares = divide({{kWhole / 2, 0, 1}, {kWhole / 10, 0, 7}});
  EXPECT_NEAR(percent(shares[0]), 50 + 20, 0.01);
  EXPECT_NEAR(percent(shares[1]), 10 + 20, 0.01);
}

TEST(ShareDivisionTest, WhatOneCannotUseTheOthersGetByWeight) {
  const auto shares = divide({{kWhole, 0, 1}, {kWhole, 0, 3}, {kWhole / 10, 0, 100}});
  EXPECT_NEAR(percent(shares[2]), 10, 0.01);
  EXPECT_NEAR(percent(shares[0]), 90.0 / 4, 0.01);
  EXPECT_NEAR(percent(shares[1]), 90.0 * 3 / 4, 0.01);
}

TEST(ShareDivisionTest, AGuaranteeIsAFloorAndNoBonus) {
  const auto floor = divide({{kWhole, kWhole * 6 / 10, 1}, {kWhole, 0, 1}});
  EXPECT_NEAR(percent(floor[0]), 60, 0.01);
  const auto no_bonus = divide({{kWhole, kWhole * 4 / 10, 1}, {kWhole, 0, 1}});
  EXPECT_NEAR(percent(no_bonus[0]), 50, 0.01);
  // What is guaranteed and not used is for others.
  const auto unused = divide({{kWhole / 10, kWhole * 6 / 10, 1}, {kWhole, 0, 1}});
  EXPECT_NEAR(percent(unused[0]), 10, 0.01);
  EXPECT_NEAR(percent(unused[1]), 90, 0.01);
}

TEST(ShareDivisionTest, WhoIsIdleKeepsALittleToBeginWith) {
  const auto shares = divide({{0, 0, 1}, {kWhole, 0, 1000}});
  EXPECT_EQ(shares[0], kStandby / 2);
  EXPECT_NEAR(percent(shares[1]), 100 - 0.2, 0.01);
}

TEST(ShareDivisionTest, NeverMoreThanTheWholeAndNothingLeftThatSomebodyWants) {
  std::mt19937_64 random(1);
  const auto below = [&](std::uint64_t end) { return random() % end; };
  for (int trial = 0; trial < 20'000; ++trial) {
    std::vector<CoreClaim> claims(1 + below(16));
    for (CoreClaim& claim : claims) {
      claim.demand = below(4) == 0 ? kWhole : below(kWhole + 1);
      // More than the whole together, as with rates of two kinds.
      claim.guaranteed = below(2) == 0 ? 0 : below(2 * kWhole);
      claim.weight = 1 + (below(2) == 0 ? below(10) : below(1'000'000'000));
    }
    const auto shares = divide(claims);
    const std::uint64_t sum = std::accumulate(shares.begin(), shares.end(), std::uint64_t{0});
    ASSERT_LE(sum, kWhole);
    const bool all_met = std::ranges::all_of(claims, [&](const CoreClaim& claim) {
      return shares[static_cast<std::size_t>(&claim - claims.data())] >= claim.demand;
    });
    ASSERT_TRUE(all_met || sum > kWhole - kWhole / 1'000'000) << percent(sum);
    for (const std::uint64_t share : shares) ASSERT_GE(share, kStandby / claims.size());
  }
}

}  // namespace
}  // namespace drip::datapath
