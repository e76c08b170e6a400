// SPDX-License-Identifier: BSD-3-Clause
// Many runs of the lease protocol's model: --seeds N of them, or --seed N one of them, event by
// event.
#include "lease_simulation.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace drip::cluster {
namespace {

std::uint64_t first_seed = 1;
std::uint64_t seeds = 1000;
bool verbose = false;

TEST(LeaseSimulation, SharesInForceNeverExceedTheRateAndSettleInTheEnd) {
  SimulationResult sum;
  std::uint64_t amnesias = 0;
  for (std::uint64_t seed = first_seed; seed < first_seed + seeds; ++seed) {
    const SimulationResult result = simulate(seed, verbose);
    ASSERT_TRUE(result.safe) << "--seed " << seed << ": " << result.trouble;
    ASSERT_TRUE(result.settled) << "--seed " << seed << ": " << result.trouble;
    sum.steps += result.steps;
    sum.faults += result.faults;
    sum.exchanges += result.exchanges;
    sum.short_exchanges += result.short_exchanges;
    sum.plans += result.plans;
    sum.refused += result.refused;
    amnesias += result.amnesia ? 1U : 0U;
  }
  std::printf(
      "%llu seeds: %llu steps, %llu faults, %llu renewals, %llu short, %llu plans carried out, "
      "%llu refused; "
      "in %llu Redis and all memory were lost at one time\n",
      static_cast<unsigned long long>(seeds), static_cast<unsigned long long>(sum.steps),
      static_cast<unsigned long long>(sum.faults), static_cast<unsigned long long>(sum.exchanges),
      static_cast<unsigned long long>(sum.short_exchanges),
      static_cast<unsigned long long>(sum.plans), static_cast<unsigned long long>(sum.refused),
      static_cast<unsigned long long>(amnesias));
  // A model in which nothing happens proves nothing.
  EXPECT_GT(sum.plans, seeds);
  EXPECT_GT(sum.faults, seeds);
  EXPECT_GT(sum.short_exchanges, seeds);
}

TEST(LeaseSimulation, OneSeedIsOneRun) {
  const SimulationResult first = simulate(7);
  const SimulationResult second = simulate(7);
  EXPECT_EQ(first.steps, second.steps);
  EXPECT_EQ(first.exchanges, second.exchanges);
}

}  // namespace
}  // namespace drip::cluster

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view flag = argv[i];
    if (flag == "--seeds") drip::cluster::seeds = std::strtoull(argv[i + 1], nullptr, 10);
    if (flag == "--from") drip::cluster::first_seed = std::strtoull(argv[i + 1], nullptr, 10);
    if (flag == "--seed") {
      drip::cluster::first_seed = std::strtoull(argv[i + 1], nullptr, 10);
      drip::cluster::seeds = 1;
      drip::cluster::verbose = true;
    }
  }
  return RUN_ALL_TESTS();
}
