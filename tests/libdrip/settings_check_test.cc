// SPDX-License-Identifier: BSD-3-Clause
// Settings are refused with the field, the value, and what is allowed.
#include "drip/settings_check.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "drip/shaper.h"

namespace drip {
namespace {

BucketSettings valid() {
  BucketSettings settings;
  settings.capacity = 1;
  settings.bits_per_second = 1e9;
  return settings;
}
std::string error_with(void (*change)(BucketSettings&)) {
  BucketSettings settings = valid();
  change(settings);
  const auto error = check(settings);
  return error ? error->message : "";
}

TEST(SettingsCheck, TakesAllThatIsWithinTheLimits) {
  EXPECT_FALSE(check(valid()));
  EXPECT_EQ(error_with([](BucketSettings& s) {
              s.capacity = kMaxCapacity;
              s.units_per_second = kMaxUnitsPerSecond;
              s.bits_per_second = kMaxBitsPerSecond;
              s.capacity_bytes = kMaxCapacityBytes;
              s.overhead_bytes = kMaxOverheadBytes;
              s.min_frame_bytes = kMaxMinFrameBytes;
              s.max_catchup = kMaxMaxCatchup;
            }),
            "");
  EXPECT_EQ(error_with([](BucketSettings& s) {
              s.units_per_second = kMinUnitsPerSecond;
              s.bits_per_second = kMinBitsPerSecond;
              s.overhead_bytes = kMinOverheadBytes;
              s.max_catchup = Duration{0};
            }),
            "");
}

TEST(SettingsCheck, NamesFieldValueAndLimits) {
  EXPECT_EQ(error_with([](BucketSettings& s) { s.capacity = 0; }),
            "capacity: 0 given, 1 to 1048576 allowed");
  EXPECT_EQ(error_with([](BucketSettings& s) { s.capacity = kMaxCapacity + 1; }),
            "capacity: 1048577 given, 1 to 1048576 allowed");
  EXPECT_EQ(error_with([](BucketSettings& s) { s.bits_per_second = 0.5; }),
            "bits_per_second: 0.5 given, 1 to 4e+11, or 0 for no such rate, allowed");
  EXPECT_EQ(error_with([](BucketSettings& s) { s.units_per_second = -1; }),
            "units_per_second: -1 given, 0.0002777777778 to 1000000000, or 0 for no such rate, "
            "allowed");
  EXPECT_EQ(error_with([](BucketSettings& s) { s.bits_per_second = 0; }),
            "units_per_second, bits_per_second: both are 0, at least one rate is required");
  EXPECT_EQ(error_with([](BucketSettings& s) { s.capacity_bytes = kMaxCapacityBytes + 1; }),
            "capacity_bytes: 1099511627777 given, 0 to 1099511627776 allowed");
  EXPECT_EQ(error_with([](BucketSettings& s) { s.overhead_bytes = -65; }),
            "overhead_bytes: -65 given, -64 to 256 allowed");
  EXPECT_EQ(error_with([](BucketSettings& s) { s.min_frame_bytes = 9217; }),
            "min_frame_bytes: 9217 given, 0 to 9216 allowed");
  EXPECT_EQ(error_with([](BucketSettings& s) { s.max_catchup = Duration{-1}; }),
            "max_catchup.ns: -1 given, 0 to 10000000000 allowed");
}

TEST(SettingsCheck, RefusesWhatIsNoNumber) {
  EXPECT_NE(error_with([](BucketSettings& s) { s.bits_per_second = std::nan(""); }), "");
  EXPECT_NE(error_with([](BucketSettings& s) {
              s.units_per_second = std::numeric_limits<double>::infinity();
            }),
            "");
}

TEST(SettingsCheck, ChecksTheOptionsOfAShaper) {
  EXPECT_FALSE(check(ShaperOptions{}));
  EXPECT_EQ(check(ShaperOptions{0, 1, {}})->message, "max_buckets: 0 given, 1 to 16777216 allowed");
  EXPECT_EQ(check(ShaperOptions{1, 0, {}})->message,
            "ring_slots: 0 given, 1 to 2147483648 allowed");
  EXPECT_THROW(Shaper<int>(ShaperOptions{0, 1, {}}), std::invalid_argument);
}

}  // namespace
}  // namespace drip
