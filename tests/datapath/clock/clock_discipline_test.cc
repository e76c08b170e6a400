// SPDX-License-Identifier: BSD-3-Clause
// The clock's discipline, against clocks whose truth is known: jumps, rates, uncertain samples.
#include "datapath/clock/clock_discipline.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>
#include <vector>

namespace drip::datapath {
namespace {

using Kind = ClockEvent::Kind;

/// Three clocks driven by true time. The TSC and CLOCK_MONOTONIC_RAW can be made to jump and to run
/// at another rate.
class Machine {
 public:
  static constexpr double kHz = 2.5e9;

  void pass(double seconds) {
    truth_ += seconds;
    tsc_ += seconds * kHz * tsc_rate;
    raw_ += seconds * 1e9 * raw_rate;
  }
  void move_tsc(double seconds) { tsc_ += seconds * kHz; }
  void move_raw(double seconds) { raw_ += seconds * 1e9; }

  [[nodiscard]] ClockSample sample(double uncertain_ns = 40) {
    const double error = (unit_(random_) - 0.5) * uncertain_ns;
    return {.tsc = static_cast<std::uint64_t>(tsc_ + error * kHz * 1e-9),
            .raw_ns = static_cast<std::uint64_t>(raw_),
            .monotonic_ns = static_cast<std::uint64_t>(truth_ * 1e9),
            .uncertainty = static_cast<std::uint64_t>(uncertain_ns * kHz * 1e-9)};
  }
  [[nodiscard]] std::uint64_t tsc() const { return static_cast<std::uint64_t>(tsc_); }

  double tsc_rate = 1;
  double raw_rate = 1;

 private:
  // From the start on, so that nothing wraps below zero: a TSC that starts at 0 may jump back.
  long double truth_ = 1000;
  long double tsc_ = 1000 * kHz;
  long double raw_ = 1000e9;
  std::mt19937_64 random_{11};
  std::uniform_real_distribution<double> unit_{0, 1};
};

class ClockDisciplineTest : public testing::Test {
 protected:
  ClockDisciplineTest() : clock_(calibrated()) {}

  ClockDiscipline calibrated() {
    const ClockSample first = machine_.sample();
    machine_.pass(0.05);
    return {first, machine_.sample()};
  }

  /// Lets time pass, with a sample each `interval`, and keeps what happened.
  void run(double seconds, double interval = 0.25, double uncertain_ns = 40) {
    for (double left = seconds; left > 1e-9; left -= interval) {
      const std::uint64_t before = clock_.line().at(machine_.tsc()).ns;
      machine_.pass(std::min(interval, left));
      const ClockEvent event = clock_.update(machine_.sample(uncertain_ns));
      const std::uint64_t after = clock_.line().at(machine_.tsc()).ns;
      ASSERT_GE(static_cast<std::int64_t>(after - before), 0) << "Drip's time went back";
      if (event.kind != Kind::kNone) events_.push_back(event);
    }
  }

  /// Drip's seconds in a second of the reference from now on, less 1, in ppm.
  [[nodiscard]] double rate_error_ppm() const {
    const double line_hz = static_cast<double>(1ULL << TscLine::kSlopeBits) * 1e9 /
                           static_cast<double>(clock_.line().slope);
    return (Machine::kHz * machine_.tsc_rate / machine_.raw_rate / line_hz - 1) * 1e6;
  }

  Machine machine_;
  ClockDiscipline clock_;
  std::vector<ClockEvent> events_;
};

TEST_F(ClockDisciplineTest, KeepsToAReferenceThatIsWell) {
  run(600);
  EXPECT_TRUE(events_.empty());
  EXPECT_LT(std::abs(clock_.offset(machine_.sample(0)).ns), 200);
  EXPECT_NEAR(clock_.tsc_hz(), Machine::kHz, Machine::kHz * 10e-9);
}

TEST_F(ClockDisciplineTest, FollowsACrystalThatDrifts) {
  for (int minute = 0; minute < 10; ++minute) {
    machine_.tsc_rate = 1 + minute * 20e-6;
    run(60);
    EXPECT_LT(std::abs(rate_error_ppm()), 5) << "minute " << minute;
  }
  EXPECT_TRUE(events_.empty());
  // The rate is that of the last minute, not of the whole life.
  run(64);
  EXPECT_NEAR(clock_.tsc_hz(), Machine::kHz * machine_.tsc_rate, Machine::kHz * 0.1e-6);
}

// At an age of 10 s, +4 s used to make 1.47 times the rate, which faded over hours.
TEST_F(ClockDisciplineTest, AJumpOfTheReferenceDoesNotTouchTheRate) {
  for (const double jump : {4.0, -4.0, 0.3, -0.3, 0.001, -0.001, 3600.0}) {
    run(10.1);
    events_.clear();
    const std::uint64_t before = clock_.line().at(machine_.tsc()).ns;
    machine_.move_raw(jump);
    for (int i = 0; i < 40; ++i) {
      run(0.25);
      EXPECT_LT(std::abs(rate_error_ppm()), 500.001) << jump << " s, " << i;
      if (i >= 8) {
        EXPECT_LT(std::abs(rate_error_ppm()), 2) << jump << " s, " << i;
      }
    }
    EXPECT_NEAR(static_cast<double>(clock_.line().at(machine_.tsc()).ns - before), 10e9, 3e5);
    ASSERT_EQ(events_.size(), 1U) << jump;
    EXPECT_EQ(events_[0].kind, Kind::kReferenceJump);
    EXPECT_NEAR(static_cast<double>(events_[0].jump.ns), jump * 1e9, 1000);
    EXPECT_LT(std::abs(clock_.offset(machine_.sample(0)).ns), 1000);
  }
}

TEST_F(ClockDisciplineTest, AfterATscThatJumpsBackTimeGoesOnWhereItShouldBe) {
  run(10.1);
  const std::uint64_t before = clock_.line().at(machine_.tsc()).ns;
  machine_.move_tsc(-4);
  // Not run(): between the jump and the next sample the line can only follow the TSC.
  machine_.pass(0.25);
  EXPECT_EQ(clock_.update(machine_.sample()).kind, Kind::kNone);
  EXPECT_NEAR(static_cast<double>(clock_.line().at(machine_.tsc()).ns - before), 0.25e9, 1000);
  run(2);
  ASSERT_EQ(events_.size(), 1U);
  EXPECT_EQ(events_[0].kind, Kind::kTscJump);
  EXPECT_NEAR(static_cast<double>(events_[0].jump.ns), -4e9, 1000);
  EXPECT_LT(std::abs(rate_error_ppm()), 2);
}

TEST_F(ClockDisciplineTest, AfterATscThatJumpsForwardTimeDoesNotGoBack) {
  run(10.1);
  const std::uint64_t before = clock_.line().at(machine_.tsc()).ns;
  machine_.move_tsc(4);
  run(2.25);
  EXPECT_NEAR(static_cast<double>(clock_.line().at(machine_.tsc()).ns - before), 6.25e9, 2000);
  ASSERT_EQ(events_.size(), 1U);
  EXPECT_EQ(events_[0].kind, Kind::kTscJump);
  EXPECT_LT(std::abs(rate_error_ppm()), 2);
}

TEST_F(ClockDisciplineTest, ARateThatChangesIsTakenOverWithinTwoSeconds) {
  for (const double factor : {1.02, 0.98, 1.3, 0.999}) {
    run(100.1);
    events_.clear();
    machine_.tsc_rate *= factor;
    run(2);
    EXPECT_LT(std::abs(rate_error_ppm()), 500) << factor;
    ASSERT_EQ(events_.size(), 1U) << factor;
    EXPECT_EQ(events_[0].kind, Kind::kRateChange) << factor;
    EXPECT_NEAR(events_[0].rate_ppm, (factor - 1) * 1e6, 10) << factor;
    run(30);
    EXPECT_LT(std::abs(rate_error_ppm()), 2) << factor;
    EXPECT_EQ(events_.size(), 1U) << factor;
  }
}

// A change in the middle of an interval first looks like a jump.
TEST_F(ClockDisciplineTest, AChangeBetweenTwoSamplesIsNotToldAsAJump) {
  run(100);
  machine_.pass(0.17);
  machine_.raw_rate = 1.02;
  machine_.pass(0.08);
  const ClockEvent event = clock_.update(machine_.sample());
  EXPECT_EQ(event.kind, Kind::kNone);
  run(2);
  ASSERT_EQ(events_.size(), 1U);
  EXPECT_EQ(events_[0].kind, Kind::kRateChange);
  EXPECT_LT(std::abs(rate_error_ppm()), 500);
}

TEST_F(ClockDisciplineTest, JumpsOneAfterTheOtherDoNotBecomeARate) {
  std::mt19937_64 random(5);
  run(10);
  for (int i = 0; i < 200; ++i) {
    machine_.move_raw((static_cast<double>(random() % 2000) - 1000) * 1e-3);
    run(0.25);
    EXPECT_LT(std::abs(rate_error_ppm()), 600) << i;
  }
  run(3);
  EXPECT_LT(std::abs(rate_error_ppm()), 2);
}

TEST_F(ClockDisciplineTest, UncertainAndLateSamplesAreNoEvent) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 2000; ++i) {
    run(0.2 + static_cast<double>(random() % 3000) * 1e-3, 1e9,
        40 + static_cast<double>(random() % 20'000));
  }
  EXPECT_TRUE(events_.empty());
  run(5);
  EXPECT_LT(std::abs(rate_error_ppm()), 50);
}

}  // namespace
}  // namespace drip::datapath
