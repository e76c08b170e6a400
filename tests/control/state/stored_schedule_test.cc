// SPDX-License-Identifier: BSD-3-Clause
// How long a bucket is busy after a restart, whatever became of the clocks.
#include "control/state/stored_schedule.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace drip::control {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kHour = 3600 * kSecond;

const MachineTime kThen{"boot-1", 100 * kSecond, 1'700'000'000 * kSecond};

TEST(StoredSchedule, GoesOnWhileNobodyRuns) {
  const StoredSchedule schedule = schedule_of(kThen, Duration{kHour});
  const auto after = [&](std::int64_t ns) {
    return busy_at({"boot-1", kThen.boot_ns + ns, kThen.wall_ns + ns}, schedule).ns;
  };
  EXPECT_EQ(after(0), kHour);
  EXPECT_EQ(after(60 * kSecond), kHour - 60 * kSecond);
  EXPECT_EQ(after(kHour), 0);
  EXPECT_EQ(after(2 * kHour), 0);
}

// Within one boot the wall clock does not matter at all.
TEST(StoredSchedule, TheWallClockMaybeSetBackAndForth) {
  const StoredSchedule schedule = schedule_of(kThen, Duration{kHour});
  for (const std::int64_t step : {-10 * kHour, -kHour, kHour, 10 * kHour}) {
    const MachineTime now{"boot-1", kThen.boot_ns + 60 * kSecond, kThen.wall_ns + step};
    EXPECT_EQ(busy_at(now, schedule).ns, kHour - 60 * kSecond) << step;
  }
}

TEST(StoredSchedule, AfterAnotherBootTheWallClockCounts) {
  const StoredSchedule schedule = schedule_of(kThen, Duration{kHour});
  const auto after = [&](std::int64_t wall) {
    return busy_at({"boot-2", 5 * kSecond, kThen.wall_ns + wall}, schedule).ns;
  };
  EXPECT_EQ(after(60 * kSecond), kHour - 60 * kSecond);
  EXPECT_EQ(after(kHour), 0);
  // Set back meanwhile: as busy as when it was stored, and not for longer.
  EXPECT_EQ(after(-10 * kHour), kHour);
}

TEST(StoredSchedule, WithoutANameOfTheBootTheWallClockCounts) {
  const MachineTime then{"unknown", 100, 1'000'000};
  const StoredSchedule schedule = schedule_of(then, Duration{500});
  EXPECT_EQ(busy_at({"unknown", 9'000'000, 1'000'100}, schedule).ns, 400);
}

// As a file may say that was not written by dripd.
TEST(StoredSchedule, AnyTimeIsBeforeOrAfterAnother) {
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const MachineTime later{"boot-2", 5 * kSecond, kThen.wall_ns};
  for (const MachineTime& now : {kThen, later}) {
    EXPECT_EQ(busy_at(now, {"boot-1", kLeast, kLeast, kMost}).ns, 0);
    EXPECT_EQ(busy_at(now, {"boot-1", kMost, kMost, kHour}).ns, kHour);
    EXPECT_EQ(busy_at(now, {"boot-1", kMost, kMost, kLeast}).ns, 0);
  }
}

TEST(StoredSchedule, ReadsBack) {
  const StoredSchedule schedule = schedule_of(kThen, Duration{kHour});
  const auto read = schedule_from(to_text(schedule));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->boot_id, "boot-1");
  EXPECT_EQ(read->until_boot_ns, schedule.until_boot_ns);
  EXPECT_EQ(read->until_wall_ns, schedule.until_wall_ns);
  EXPECT_EQ(read->left_ns, kHour);
  for (const char* text : {"", "boot-1", "boot-1 1 2", "boot-1 1 2 x", "boot-1 1 2 3 4"}) {
    EXPECT_FALSE(schedule_from(text).ok()) << text;
  }
}

TEST(StoredSchedule, TheMachineHasClocks) {
  const MachineTime now = machine_time();
  EXPECT_FALSE(now.boot_id.empty());
  EXPECT_GT(now.boot_ns, 0);
  EXPECT_GT(now.wall_ns, now.boot_ns);
}

}  // namespace
}  // namespace drip::control
