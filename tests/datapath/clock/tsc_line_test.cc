// SPDX-License-Identifier: BSD-3-Clause
// The TSC line: conversion, continuity when it is bent, wrap.
#include "datapath/clock/tsc_line.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

namespace drip::datapath {
namespace {

TEST(TscLineTest, ConvertsAtTheGivenRate) {
  const TscLine line = TscLine::through(1000, 5'000'000, 2.3e9);
  EXPECT_EQ(line.at(1000).ns, 5'000'000U);
  // A day: 2.3e9 * 86400 ticks; the slope is good for 1 part in 10^17, so for the nanosecond.
  const std::uint64_t day_ticks = 2'300'000'000ULL * 86400;
  EXPECT_NEAR(static_cast<double>(line.at(1000 + day_ticks).ns - 5'000'000), 86400e9, 20);
}

TEST(TscLineTest, ToleratesATscSlightlyBehindTheOrigin) {
  const TscLine line = TscLine::through(1'000'000, 5'000'000, 1e9);
  EXPECT_EQ(line.at(999'990).ns, 4'999'990U);
}

TEST(TscLineTest, WrapsWithTheTsc) {
  const std::uint64_t near_wrap = ~std::uint64_t{0} - 500;
  const TscLine line = TscLine::through(near_wrap, 7'000, 1e9);
  EXPECT_NEAR(static_cast<double>(line.at(near_wrap + 2000).ns), 9000, 1);
}

TEST(TscLineTest, BendsWithoutAJumpAndNeverBackwards) {
  std::mt19937_64 random(7);
  TscLine line = TscLine::through(0, 0, 2.3e9);
  std::uint64_t tsc = 0;
  for (int i = 0; i < 1000; ++i) {
    tsc += 2'300'000'000;
    const Duration ahead{static_cast<std::int64_t>(random() % 20'000'000) - 10'000'000};
    const TscLine bent = line.bent_at(tsc, 2.3e9, ahead, Duration{4'000'000'000});
    EXPECT_EQ(bent.at(tsc).ns, line.at(tsc).ns);
    const auto second = static_cast<double>(bent.at(tsc + 2'300'000'000).ns - bent.at(tsc).ns);
    EXPECT_NEAR(second, 1e9, 1e9 * TscLine::kMaxBend + 1);
    if (std::llabs(ahead.ns) < 1'900'000) {
      EXPECT_NEAR(second, 1e9 - static_cast<double>(ahead.ns) / 4, 2);
    }
    line = bent;
  }
}

TEST(TscLineTest, ConvergesOnTheReference) {
  // The first calibration was 100 ppm off, and the true rate is learnt at the first look.
  const double true_hz = 2.3e9;
  TscLine line = TscLine::through(0, 0, true_hz * 1.0001);
  std::int64_t offset = 0;
  for (int second = 1; second <= 60; ++second) {
    const auto tsc = static_cast<std::uint64_t>(true_hz) * static_cast<std::uint64_t>(second);
    const TimePoint reference{static_cast<std::uint64_t>(second) * 1'000'000'000};
    offset = (line.at(tsc) - reference).ns;
    line = line.bent_at(tsc, true_hz, Duration{offset}, Duration{4'000'000'000});
  }
  EXPECT_LT(std::llabs(offset), 10);
}

}  // namespace
}  // namespace drip::datapath
