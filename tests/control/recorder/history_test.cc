// SPDX-License-Identifier: BSD-3-Clause
// A ring of ten minutes, in 16 bits a value.
#include "control/recorder/history.h"

#include <gtest/gtest.h>

#include "control/recorder/log_code.h"

namespace drip::control {
namespace {

TEST(LogCode, IsCloseToTheValue) {
  EXPECT_EQ(log_decoded(log_encoded(0)), 0);
  EXPECT_EQ(log_encoded(-1), 0);
  for (double value = 1; value < 1e15; value *= 1.37) {
    EXPECT_NEAR(log_decoded(log_encoded(value)), value, 0.00035 * (value + 1)) << value;
  }
  for (int whole = 0; whole <= 1000; ++whole) {
    EXPECT_EQ(std::lround(log_decoded(log_encoded(whole))), whole);
  }
  EXPECT_EQ(log_encoded(1e30), 0xffff);
}

Sample sample_of(double bits) {
  Sample sample;
  sample.bits_per_second = bits;
  sample.units_per_second = bits / 8000;
  sample.backlog = 7;
  sample.sojourn_p50_ns = 1'000'000;
  sample.sojourn_p99_ns = 20'000'000;
  return sample;
}

TEST(History, GivesBackWhatItGot) {
  History history(5);
  Sample sample = sample_of(8e6);
  sample.lost_per_second[static_cast<std::size_t>(Loss::kAqm)] = 0.5;
  history.put(5, sample);
  EXPECT_EQ(history.first(), 5U);
  EXPECT_EQ(history.next(), 6U);
  const Sample got = history.at(5);
  EXPECT_NEAR(got.bits_per_second, 8e6, 8e6 * 0.00035);
  EXPECT_NEAR(got.units_per_second, 1000, 1);
  EXPECT_EQ(got.backlog, 7U);
  EXPECT_NEAR(static_cast<double>(got.sojourn_p50_ns), 1e6, 400);
  EXPECT_NEAR(static_cast<double>(got.sojourn_p99_ns), 2e7, 8000);
  EXPECT_NEAR(got.lost_per_second[static_cast<std::size_t>(Loss::kAqm)], 0.5, 0.001);
  EXPECT_TRUE(history.has(Loss::kAqm));
  EXPECT_FALSE(history.has(Loss::kFull));
}

TEST(History, KeepsTheLastSamples) {
  History history(0);
  for (std::uint64_t step = 0; step < 1000; ++step) {
    history.put(step, sample_of(static_cast<double>(step)));
  }
  EXPECT_EQ(history.first(), 1000 - History::kSamples);
  for (std::uint64_t step = history.first(); step < history.next(); ++step) {
    EXPECT_EQ(std::lround(history.at(step).bits_per_second), static_cast<long>(step));
  }
}

TEST(History, MemoryOfALossIsFreedWhenItHasGoneBy) {
  History history(0);
  const std::size_t without = history.memory_bytes();
  Sample sample = sample_of(1);
  sample.lost_per_second[0] = 3;
  history.put(0, sample);
  EXPECT_EQ(history.memory_bytes(), without + 8 + 2 * History::kSamples);
  EXPECT_LT(history.memory_bytes(), 4096U);
  for (std::uint64_t step = 1; step < History::kSamples; ++step) history.put(step, sample_of(1));
  EXPECT_TRUE(history.has(Loss::kFull));
  EXPECT_NEAR(history.at(0).lost_per_second[0], 3, 0.01);
  history.put(History::kSamples, sample_of(1));
  EXPECT_FALSE(history.has(Loss::kFull));
  EXPECT_EQ(history.memory_bytes(), without);
}

TEST(History, KeepsRoundTripsAsLongAsThereAreAny) {
  History history(0);
  const std::size_t without = history.memory_bytes();
  history.put(0, sample_of(1));
  EXPECT_EQ(history.memory_bytes(), without);
  Sample sample = sample_of(1);
  const auto side = static_cast<std::size_t>(traffic::Side::kSource);
  sample.round_trips[side] = {12'000'000, 15'000'000};
  history.put(1, sample);
  EXPECT_TRUE(history.has(traffic::Side::kSource));
  EXPECT_FALSE(history.has(traffic::Side::kDestination));
  EXPECT_NEAR(static_cast<double>(history.at(1).round_trips[side].p50_ns), 12e6, 4200);
  EXPECT_NEAR(static_cast<double>(history.at(1).round_trips[side].p90_ns), 15e6, 5300);
  EXPECT_EQ(history.at(0).round_trips[side].p50_ns, 0U);
  EXPECT_EQ(history.memory_bytes(), without + 2 * (8 + 2 * History::kSamples));
  for (std::uint64_t step = 2; step <= History::kSamples; ++step) history.put_nothing(step);
  EXPECT_TRUE(history.has(traffic::Side::kSource));
  history.put(History::kSamples + 1, sample_of(1));
  EXPECT_FALSE(history.has(traffic::Side::kSource));
  EXPECT_EQ(history.memory_bytes(), without);
}

TEST(History, ARoundTripIsAnEvent) {
  History history(0);
  Sample sample;
  sample.round_trips[0] = {1000, 1000};
  history.put(0, sample);
  for (std::uint64_t step = 1; step < History::kSamples; ++step) history.put_nothing(step);
  EXPECT_FALSE(history.over());
}

TEST(History, IsOverWhenNothingHappenedInAllOfIt) {
  History history(0);
  history.put(0, sample_of(1));
  for (std::uint64_t step = 1; step < History::kSamples; ++step) {
    history.put_nothing(step);
    EXPECT_FALSE(history.over()) << step;
  }
  history.put_nothing(History::kSamples);
  EXPECT_TRUE(history.over());
}

}  // namespace
}  // namespace drip::control
