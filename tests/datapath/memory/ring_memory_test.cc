// SPDX-License-Identifier: BSD-3-Clause
// Ring memory: budget to the byte, no overlap, everything is released.
#include "datapath/memory/ring_memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "drip/bucket_settings.h"

namespace drip::datapath {
namespace {

TEST(RingMemoryTest, HasASlotForEachUnit) {
  for (std::uint32_t capacity : {1U, 4U, 5U, 100U, 1024U, 1025U, kMaxCapacity}) {
    EXPECT_GE(BucketRing::slots_for(capacity), capacity);
    EXPECT_LT(BucketRing::slots_for(capacity), std::max(2 * capacity, 5U));
  }
}

TEST(RingMemoryTest, RefusalNamesTheFigures) {
  RingMemory memory(1000 * sizeof(RingEntry), -1);
  ASSERT_TRUE(memory.allocate(512).ok());
  const auto refused = memory.allocate(512);
  ASSERT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(refused.status().message(),
            "ring memory: 8192 bytes more would make 16384 of a budget of 16000; "
            "raise --ring-memory");
  EXPECT_EQ(memory.budget().reserved(), 8192U);
}

TEST(RingMemoryTest, RingsNeverOverlapAndAreReleased) {
  std::mt19937_64 random(11);
  RingMemory memory(std::uint64_t{1} << 30, -1);
  std::vector<std::pair<RingEntry*, std::uint32_t>> live;
  std::uint64_t reserved = 0;
  for (int i = 0; i < 4000; ++i) {
    if (live.empty() || random() % 3 != 0) {
      const std::uint32_t slots = 4U << (random() % 16);
      const auto ring = memory.allocate(slots);
      if (!ring.ok()) continue;
      // Written at both ends: overlap would show below.
      (*ring)[0].arrival = TimePoint{static_cast<std::uint64_t>(i)};
      (*ring)[slots - 1].arrival = TimePoint{static_cast<std::uint64_t>(i)};
      live.emplace_back(*ring, slots);
      reserved += RingMemory::bytes_for(slots);
    } else {
      const std::size_t victim = random() % live.size();
      memory.release(live[victim].first, live[victim].second);
      reserved -= RingMemory::bytes_for(live[victim].second);
      live[victim] = live.back();
      live.pop_back();
    }
    ASSERT_EQ(memory.budget().reserved(), reserved);
  }
  std::sort(live.begin(), live.end());
  for (std::size_t i = 1; i < live.size(); ++i) {
    ASSERT_LE(live[i - 1].first + live[i - 1].second, live[i].first);
  }
  for (const auto& [ring, slots] : live) {
    EXPECT_EQ(ring[0].arrival, ring[slots - 1].arrival);
    memory.release(ring, slots);
  }
  EXPECT_EQ(memory.budget().reserved(), 0U);
}

// A configuration that is refused, or taken back, leaves no memory behind.
TEST(RingMemoryTest, LargeRingsGoBackToTheKernel) {
  constexpr std::uint32_t kLarge = (2U << 20) / sizeof(RingEntry);
  RingMemory memory(std::uint64_t{1} << 30, -1);
  std::vector<RingEntry*> rings;
  for (int i = 0; i < 8; ++i) rings.push_back(*memory.allocate(kLarge));
  RingEntry* const larger = *memory.allocate(4 * kLarge);
  EXPECT_EQ(memory.held_bytes(), 12U << 21);
  for (RingEntry* const ring : rings) memory.release(ring, kLarge);
  EXPECT_EQ(memory.held_bytes(), 4U << 21);
  memory.release(larger, 4 * kLarge);
  EXPECT_EQ(memory.held_bytes(), 0U);
  EXPECT_EQ(memory.budget().reserved(), 0U);
  EXPECT_TRUE(memory.allocate(kLarge).ok());
}

TEST(RingMemoryTest, ReusesReleasedRings) {
  RingMemory memory(std::uint64_t{1} << 30, -1);
  RingEntry* const first = *memory.allocate(64);
  memory.release(first, 64);
  EXPECT_EQ(*memory.allocate(64), first);
}

}  // namespace
}  // namespace drip::datapath
