// SPDX-License-Identifier: BSD-3-Clause
// The ring between two threads: against a deque, in bursts, and between two threads.
#include "drip/spsc_ring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "drawn_seed.h"

namespace drip {
namespace {

using test::Draw;

TEST(SpscRing, RoundsItsCapacityUp) {
  EXPECT_EQ(SpscRing<int>(1).capacity(), 1U);
  EXPECT_EQ(SpscRing<int>(2).capacity(), 2U);
  EXPECT_EQ(SpscRing<int>(3).capacity(), 4U);
  EXPECT_EQ(SpscRing<int>(1000).capacity(), 1024U);
}

TEST(SpscRing, TakesAndGivesWhatFitsOfABurst) {
  SpscRing<int> ring(4);
  const std::array<int, 3> first = {1, 2, 3};
  const std::array<int, 3> second = {4, 5, 6};
  std::array<int, 8> out{};
  EXPECT_EQ(ring.pop(out), 0U);
  EXPECT_EQ(ring.push(std::span<const int>()), 0U);
  EXPECT_EQ(ring.push(first), 3U);
  EXPECT_EQ(ring.push(second), 1U);
  EXPECT_FALSE(ring.push(7));
  EXPECT_EQ(ring.size(), 4U);
  EXPECT_EQ(ring.pop(std::span<int>(out).first(3)), 3U);
  EXPECT_EQ(out[2], 3);
  EXPECT_TRUE(ring.push(8));
  EXPECT_EQ(ring.pop(out), 2U);
  EXPECT_EQ(out[0], 4);
  EXPECT_EQ(out[1], 8);
  EXPECT_TRUE(ring.empty());
}

TEST(SpscRing, DoesAsADequeDoes) {
  Draw draw(1);
  for (int scenario = 0; scenario < 200; ++scenario) {
    SpscRing<std::uint64_t> ring(draw.between(1, 300));
    std::deque<std::uint64_t> expected;
    std::uint64_t number = 0;
    for (int step = 0; step < 1000; ++step) {
      std::vector<std::uint64_t> burst(draw.between(0, draw.one_in(10) ? 400 : 40));
      if (draw.one_in(2)) {
        for (std::uint64_t& item : burst) item = number++;
        const std::size_t room = ring.capacity() - expected.size();
        const std::size_t count = ring.push(burst);
        ASSERT_EQ(count, std::min(room, burst.size()));
        expected.insert(expected.end(), burst.begin(),
                        burst.begin() + static_cast<std::ptrdiff_t>(count));
      } else {
        const std::size_t count = ring.pop(burst);
        ASSERT_EQ(count, std::min(expected.size(), burst.size()));
        for (std::size_t i = 0; i < count; ++i) {
          ASSERT_EQ(burst[i], expected.front());
          expected.pop_front();
        }
      }
      ASSERT_EQ(ring.size(), expected.size());
      ASSERT_EQ(ring.empty(), expected.empty());
    }
  }
}

// More than a word, so that a torn item would show.
struct Item {
  std::uint64_t number = 0;
  std::uint64_t twice = 0;
  std::uint64_t thrice = 0;
};

TEST(SpscRing, LosesNothingBetweenTwoThreads) {
  constexpr std::uint64_t kItems = 500'000;
  for (const std::size_t capacity : {1U, 8U, 256U}) {
    SpscRing<Item> ring(capacity);
    const std::uint64_t items = capacity < 8 ? kItems / 20 : kItems;
    std::thread producer([&] {
      std::array<Item, 32> burst;
      for (std::uint64_t number = 0; number < items;) {
        const std::uint64_t wanted = std::min(number % 32 + 1, items - number);
        for (std::uint64_t i = 0; i < wanted; ++i) {
          burst[i] = {number + i, 2 * (number + i), 3 * (number + i)};
        }
        const std::size_t count = ring.push(std::span<const Item>(burst.data(), wanted));
        number += count;
        if (count == 0) std::this_thread::yield();
      }
    });
    std::uint64_t wrong = 0;
    std::array<Item, 32> out;
    for (std::uint64_t number = 0; number < items;) {
      const std::size_t count = ring.pop(std::span<Item>(out.data(), number % 29 + 1));
      for (std::size_t i = 0; i < count; ++i, ++number) {
        const Item& item = out[i];
        if (item.number != number || item.twice != 2 * number || item.thrice != 3 * number) ++wrong;
      }
      if (count == 0) std::this_thread::yield();
    }
    producer.join();
    EXPECT_EQ(wrong, 0U);
    EXPECT_TRUE(ring.empty());
  }
}

}  // namespace
}  // namespace drip
