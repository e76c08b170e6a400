// SPDX-License-Identifier: BSD-3-Clause
// The memory of a shaper's rings: no two rings overlap, and what was released is whole again.
#include "drip/internal/ring_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "drawn_seed.h"

namespace drip {
namespace {

constexpr std::uint64_t kSlots = 10'000;  // Not a power of two.

TEST(RingPool, RingsNeverOverlap) {
  test::Draw draw;
  RingPool pool(kSlots);
  std::map<RingEntry*, std::uint32_t> rings;
  for (int step = 0; step < 20'000; ++step) {
    if (!rings.empty() && draw.one_in(2)) {
      const auto any =
          std::next(rings.begin(), static_cast<std::ptrdiff_t>(draw.between(0, rings.size() - 1)));
      pool.release(any->first, any->second);
      rings.erase(any);
    } else {
      const std::uint32_t slots =
          BucketRing::slots_for(static_cast<std::uint32_t>(draw.of_any_size(1, 4096)));
      const std::uint64_t free = pool.free_slots();
      RingEntry* const ring = pool.allocate(slots);
      ASSERT_EQ(pool.free_slots(), ring == nullptr ? free : free - slots);
      if (ring == nullptr) continue;
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(ring) % kCacheLineBytes, 0U);
      ASSERT_TRUE(rings.emplace(ring, slots).second);
    }
    std::uint64_t used = 0;
    const RingEntry* end = nullptr;
    for (const auto& [ring, slots] : rings) {
      ASSERT_TRUE(end == nullptr || end <= ring) << "step " << step;
      end = ring + slots;
      used += slots;
    }
    ASSERT_EQ(pool.free_slots(), kSlots - used);
  }
}

TEST(RingPool, ReleasedRingsAreMerged) {
  RingPool pool(kSlots);
  std::vector<RingEntry*> rings;
  for (RingEntry* ring = pool.allocate(4); ring != nullptr; ring = pool.allocate(4)) {
    rings.push_back(ring);
  }
  EXPECT_EQ(rings.size(), kSlots / 4);
  EXPECT_EQ(pool.free_slots(), 0U);
  std::shuffle(rings.begin(), rings.end(), test::Draw(1).engine());
  for (RingEntry* const ring : rings) pool.release(ring, 4);
  // 10'000 slots are blocks of 8192, 1024, 512, 256 and 16.
  EXPECT_EQ(pool.allocate(16384), nullptr);
  for (const std::uint32_t slots : {8192U, 1024U, 512U, 256U, 16U}) {
    EXPECT_NE(pool.allocate(slots), nullptr) << slots;
  }
  EXPECT_EQ(pool.free_slots(), 0U);
}

}  // namespace
}  // namespace drip
