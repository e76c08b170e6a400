// SPDX-License-Identifier: BSD-3-Clause
// What is remembered of a bucket's settings is all of them.
#include "control/model/compact_settings.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <utility>

namespace drip::control {
namespace {

TEST(CompactSettings, GivesBackWhatItWasMadeOf) {
  std::mt19937_64 random(3);
  const auto draw = [&random](auto least, auto most) {
    // The ends of the range as often as what is between them.
    switch (random() % 3) {
      case 0:
        return least;
      case 1:
        return most;
      default:
        return static_cast<decltype(least)>(
            least + random() % static_cast<std::uint64_t>(most - least + 1));
    }
  };
  for (int i = 0; i < 10'000; ++i) {
    BucketSettings settings;
    settings.capacity = draw(std::uint32_t{0}, kMaxCapacity);
    settings.overhead_bytes = draw(kMinOverheadBytes, kMaxOverheadBytes);
    settings.units_per_second =
        std::array{0.0, kMinUnitsPerSecond, 7.25, kMaxUnitsPerSecond}[random() % 4];
    settings.bits_per_second =
        std::array{0.0, kMinBitsPerSecond, 12'345'678.9, kMaxBitsPerSecond}[random() % 4];
    settings.capacity_bytes = draw(std::uint64_t{0}, kMaxCapacityBytes);
    settings.max_catchup.ns = draw(std::int64_t{0}, kMaxMaxCatchup.ns);
    settings.min_frame_bytes = draw(std::uint32_t{0}, kMaxMinFrameBytes);
    settings.departure = random() % 2 == 0 ? Departure::kAtStart : Departure::kAtEnd;
    settings.rate_is_leased = random() % 2 == 0;
    if (random() % 2 == 0) {
      settings.queue.kind = QueueKind::kFair;
      settings.queue.quantum = draw(kMinQuantum, kMaxQuantum);
      settings.queue.max_wait.ns = draw(std::int64_t{0}, kMaxMaxWait.ns);
    }
    const CompactSettings compact(settings);
    ASSERT_EQ(compact.get(), settings) << i;
    CompactSettings other(BucketSettings{});
    CompactSettings moved(settings);
    std::swap(other, moved);
    ASSERT_EQ(other.get(), settings) << i;
    ASSERT_EQ(moved.get(), BucketSettings{}) << i;
  }
}

}  // namespace
}  // namespace drip::control
