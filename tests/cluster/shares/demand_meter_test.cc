// SPDX-License-Identifier: BSD-3-Clause
// What a node says that it could use.
#include "cluster/shares/lease/demand_meter.h"

#include <gtest/gtest.h>

#include "cluster/shares/lease/rate_division.h"

namespace drip::cluster {
namespace {

constexpr double kMemory = 0.1;

double wanted(const DemandMeter& meter, const LeasedRates& rates) {
  return static_cast<double>(meter.demand(rates)) / static_cast<double>(kWholeRate);
}

TEST(DemandMeter, IsTheMeanOfWhatArrivesAndForgetsItSoon) {
  DemandMeter meter;
  ArrivalCounts counts{1'000'000, 0, 0, 0};
  meter.update(counts, 0.05, kMemory);
  EXPECT_EQ(meter.demand({1000, 0}), 0U) << "what came before it looked is no demand";
  for (int i = 0; i < 40; ++i) {
    counts.units += 25;
    meter.update(counts, 0.05, kMemory);
  }
  EXPECT_NEAR(wanted(meter, {1000, 0}), 0.5, 1e-6);
  // Two heartbeats of 100 ms later a sixteenth is left.
  for (int i = 0; i < 4; ++i) meter.update(counts, 0.05, kMemory);
  EXPECT_NEAR(wanted(meter, {1000, 0}), 0.5 / 16, 1e-6);
}

TEST(DemandMeter, WhatWaitsCountsAtOnce) {
  DemandMeter meter;
  meter.update({0, 0, 500, 0}, 0.05, kMemory);
  EXPECT_NEAR(wanted(meter, {1000, 0}), 2, 1e-6);
  meter.update({0, 0, 0, 0}, 0.05, kMemory);
  EXPECT_EQ(meter.demand({1000, 0}), 0U);
}

TEST(DemandMeter, OfTwoRatesTheOneThatIsShortOfMoreCounts) {
  DemandMeter meter;
  meter.update({0, 0, 0, 0}, 1, kMemory);
  meter.update({100, 100'000, 0, 0}, 1, kMemory);  // 100 units and 800 kbit a second.
  EXPECT_NEAR(wanted(meter, {1000, 1e6}), 0.8, 1e-6);
  EXPECT_NEAR(wanted(meter, {100, 1e9}), 1, 1e-6);
  EXPECT_NEAR(wanted(meter, {0, 1.6e6}), 0.5, 1e-6);
}

// Of the root of a tree it is only known whether something waits.
TEST(DemandMeter, ARootThatIsShortOfRateWantsAllOfIt) {
  DemandMeter meter;
  const LeasedRates rates{100, 0};
  ArrivalCounts counts;
  for (int i = 0; i < 40; ++i) {
    meter.update(counts, 0.1, 1);
    counts.units += 3;  // A share of 30 a second.
    counts.waits = true;
  }
  EXPECT_NEAR(wanted(meter, rates), 1.3, 0.05);
  // What departs alone, once nothing waits.
  for (int i = 0; i < 60; ++i) {
    counts.units += 3;
    counts.waits = false;
    meter.update(counts, 0.1, 1);
  }
  EXPECT_NEAR(wanted(meter, rates), 0.3, 0.02);
}

TEST(DemandMeter, IsBounded) {
  DemandMeter meter;
  meter.update({0, 0, 1'000'000, 0}, 1, kMemory);
  EXPECT_EQ(meter.demand({1.0 / 3600, 0}), 1000 * kWholeRate);
}

}  // namespace
}  // namespace drip::cluster
