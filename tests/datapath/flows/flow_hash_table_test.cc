// SPDX-License-Identifier: BSD-3-Clause
// The flow table against std::unordered_map, to the last free entry and over again.
#include "datapath/flows/flow_hash_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <unordered_map>
#include <vector>

#include "support/counted_allocations.h"

namespace drip {
namespace {

FlowKey numbered(std::uint32_t number) {
  FlowKey key;
  key.ip_version = IpVersion::kV4;
  key.src_address = {10, static_cast<std::uint8_t>(number >> 16),
                     static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)};
  key.dst_port = 80;
  return key;
}

void random_churn(std::uint32_t seed, std::uint32_t capacity, int steps) {
  SCOPED_TRACE(testing::Message() << "seed " << seed << ", capacity " << capacity);
  std::mt19937 random(seed);
  FlowHashTable table(capacity, FlowHash(seed));
  std::unordered_map<std::uint32_t, std::uint32_t> expected;
  // More keys than room, so that it is full often; the balance of inserts drifts to and fro.
  const std::uint32_t keys = capacity + capacity / 2 + 1;
  for (int step = 0; step < steps; ++step) {
    const std::uint32_t number = random() % keys;
    const FlowKey key = numbered(number);
    const unsigned insert_share = 2 + static_cast<unsigned>(step * 8 / steps) % 4 * 2;
    if (random() % 10 < insert_share) {
      const auto value = static_cast<std::uint32_t>(random() >> 1);
      const bool present = expected.contains(number);
      const bool full = expected.size() == capacity;
      ASSERT_EQ(table.insert(key, value), present ? FlowHashTable::Insert::kPresent
                                          : full  ? FlowHashTable::Insert::kFull
                                                  : FlowHashTable::Insert::kDone);
      if (!present && !full) expected[number] = value;
    } else if (random() % 3 != 0) {
      ASSERT_EQ(table.erase(key), expected.erase(number) == 1);
    }
    ASSERT_EQ(table.size(), expected.size());
    const std::uint32_t other = random() % keys;
    const auto found = table.find(numbered(other));
    ASSERT_EQ(found.has_value(), expected.contains(other));
    ASSERT_TRUE(!found || *found == expected[other]);
  }
  for (std::uint32_t number = 0; number < keys; ++number) {
    ASSERT_EQ(table.find(numbered(number)).has_value(), expected.contains(number));
  }
}

TEST(FlowHashTable, AgreesWithUnorderedMapUnderChurn) {
  for (std::uint32_t seed = 0; seed < 40; ++seed) {
    random_churn(seed, 1 + seed, 3000);
    random_churn(seed, 200 + 37 * seed, 20'000);
    if (HasFatalFailure()) return;
  }
}

TEST(FlowHashTable, FillsToItsCapacityWhateverTheSeed) {
  for (const std::uint32_t capacity :
       {1U, 2U, 3U, 8U, 16U, 17U, 32U, 64U, 100U, 128U, 1000U, 4096U}) {
    for (std::uint32_t seed = 0; seed < 200; ++seed) {
      FlowHashTable table(capacity, FlowHash(seed));
      for (std::uint32_t i = 0; i < capacity; ++i) {
        ASSERT_EQ(table.insert(numbered(i), i), FlowHashTable::Insert::kDone)
            << "seed " << seed << ", capacity " << capacity << ", at " << i;
      }
      ASSERT_EQ(table.insert(numbered(capacity), 0), FlowHashTable::Insert::kFull);
      ASSERT_EQ(table.insert(numbered(0), 5), FlowHashTable::Insert::kPresent);
      ASSERT_EQ(table.find(numbered(0)), 0);
    }
  }
}

TEST(FlowHashTable, FillsToAMillionAndDoesNotAge) {
  FlowHashTable table(FlowHashTable::kMaxCapacity, FlowHash(1));
  const std::uint32_t capacity = table.capacity();
  for (std::uint32_t i = 0; i < capacity; ++i) {
    ASSERT_EQ(table.insert(numbered(i), i), FlowHashTable::Insert::kDone) << i;
  }
  for (std::uint32_t i = 0; i < capacity; ++i) {
    ASSERT_TRUE(table.erase(numbered(i)));
    ASSERT_EQ(table.insert(numbered(capacity + i), i), FlowHashTable::Insert::kDone) << i;
  }
  EXPECT_EQ(table.size(), capacity);
  EXPECT_FALSE(table.find(numbered(0)));
  EXPECT_EQ(table.find(numbered(2 * capacity - 1)), capacity - 1);
}

TEST(FlowHashTable, NeverAllocatesOnceMade) {
  const std::size_t at_first = allocations;
  FlowHashTable table(5000, FlowHash(1));
  const std::size_t before = allocations;
  EXPECT_GT(before, at_first) << "nothing is counted";
  for (std::uint32_t i = 0; i < 6000; ++i) static_cast<void>(table.insert(numbered(i), i));
  std::uint32_t found = 0;
  for (std::uint32_t i = 0; i < 6000; ++i) found += table.find(numbered(i)).has_value();
  for (std::uint32_t i = 0; i < 6000; ++i) table.erase(numbered(i));
  EXPECT_EQ(allocations, before);
  EXPECT_EQ(found, 5000);
  EXPECT_EQ(table.size(), 0);
}

TEST(FlowHashTable, TheSweepMeetsEachFlowOnceAndTakesBackWhatItIsTold) {
  constexpr std::uint32_t kFlows = 700;
  FlowHashTable table(1000, FlowHash(4));
  for (std::uint32_t i = 0; i < kFlows; ++i) static_cast<void>(table.insert(numbered(i), i));
  std::vector<int> met(kFlows, 0);
  std::uint32_t cursor = 0;
  do {
    cursor = table.sweep(cursor, 64, [&met](const FlowKey& key, std::uint32_t value) {
      EXPECT_EQ(key, numbered(value));
      ++met[value];
      return value % 3 == 0;
    });
  } while (cursor != 0);
  EXPECT_TRUE(std::ranges::all_of(met, [](int times) { return times == 1; }));
  for (std::uint32_t i = 0; i < kFlows; ++i) {
    EXPECT_EQ(table.find(numbered(i)).has_value(), i % 3 != 0);
  }
}

TEST(FlowHashTable, TheSweepMissesNoFlowThatStaysWhileOthersComeAndGo) {
  std::mt19937 random(5);
  FlowHashTable table(512, FlowHash(5));
  for (std::uint32_t i = 0; i < 100; ++i) static_cast<void>(table.insert(numbered(i), i));
  std::vector<int> met(100, 0);
  std::uint32_t cursor = 0;
  do {
    for (int i = 0; i < 50; ++i) {
      const std::uint32_t number = 100 + random() % 1000;
      if (random() % 2 == 0) {
        static_cast<void>(table.insert(numbered(number), number));
      } else {
        table.erase(numbered(number));
      }
    }
    cursor = table.sweep(cursor, 10, [&met](const FlowKey&, std::uint32_t value) {
      if (value < met.size()) ++met[value];
      return false;
    });
  } while (cursor != 0);
  EXPECT_TRUE(std::ranges::all_of(met, [](int times) { return times == 1; }));
}

}  // namespace
}  // namespace drip
