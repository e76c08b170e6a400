// SPDX-License-Identifier: BSD-3-Clause
// Port ranges against trying them all in order.
#include "classifier/port_ranges.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "support/counted_allocations.h"

namespace drip {
namespace {

constexpr PortRange kAllPorts{0, 0xffff};

bool holds(const PortRange& ports, std::uint16_t port) {
  return port >= ports.first && port <= ports.last;
}

std::uint32_t tried_in_order(const std::vector<PortRanges::Rule>& rules, std::uint16_t src,
                             std::uint16_t dst) {
  for (const PortRanges::Rule& rule : rules) {
    if (holds(rule.src_ports, src) && holds(rule.dst_ports, dst)) return rule.rank;
  }
  return kNoRank;
}

class PortRangesTest : public testing::TestWithParam<std::uint32_t> {
 protected:
  std::uint16_t port() {
    // Also the ends, and few enough for ranges to meet.
    constexpr std::uint16_t kEnds[] = {0, 1, 65534, 65535};
    return random_() % 6 == 0 ? kEnds[random_() % 4]
                              : static_cast<std::uint16_t>(random_() % 300 * 218);
  }
  PortRange ports() {
    const std::uint16_t a = port();
    const std::uint16_t b = random_() % 4 == 0 ? a : port();
    return {std::min(a, b), std::max(a, b)};
  }
  // Rules that bound the destination, the source, both or neither, in the shares of `kinds`.
  std::vector<PortRanges::Rule> rules(std::size_t count, const std::vector<int>& kinds) {
    std::vector<PortRanges::Rule> rules;
    std::uint32_t rank = 0;
    while (rules.size() < count) {
      const int kind = kinds[random_() % kinds.size()];
      rank += 1 + static_cast<std::uint32_t>(random_() % 3);
      rules.push_back(
          {(kind & 2) != 0 ? ports() : kAllPorts, (kind & 1) != 0 ? ports() : kAllPorts, rank});
    }
    return rules;
  }

  std::mt19937 random_{GetParam()};
};

TEST_P(PortRangesTest, FindsTheSameAsALinearSearch) {
  const std::vector<std::vector<int>> shapes = {{1}, {2}, {3}, {1, 2}, {1, 1, 1, 3}, {1, 2, 3, 3}};
  const std::vector<std::size_t> sizes = {
      1, 2, PortRanges::kFewRules, PortRanges::kFewRules + 1, 17, 64, 300};
  // Several sets in one: each must find its own.
  PortRanges ranges;
  std::vector<std::vector<PortRanges::Rule>> sets;
  std::vector<std::uint32_t> numbers;
  for (const auto& kinds : shapes) {
    for (const std::size_t size : sizes) {
      sets.push_back(rules(size, kinds));
      numbers.push_back(ranges.add(sets.back()));
      EXPECT_NE(numbers.back(), 0U);
    }
  }
  for (std::size_t i = 0; i < sets.size(); ++i) {
    for (int packet = 0; packet < 400; ++packet) {
      std::uint16_t src = port();
      std::uint16_t dst = port();
      // At an end of some rule, or just beyond it.
      const PortRanges::Rule& near = sets[i][random_() % sets[i].size()];
      if (packet % 3 == 0) {
        src = static_cast<std::uint16_t>(near.src_ports.last + packet % 2);
        dst = static_cast<std::uint16_t>(near.dst_ports.first - packet % 2);
      }
      const std::uint32_t expected = tried_in_order(sets[i], src, dst);
      ASSERT_EQ(ranges.find(numbers[i], src, dst, kNoRank), expected)
          << "set " << i << ", ports " << src << " and " << dst;
      // What is as good already stays; what is better is found.
      const auto best = static_cast<std::uint32_t>(random_() % (sets[i].back().rank + 2));
      ASSERT_EQ(ranges.find(numbers[i], src, dst, best), std::min(best, expected));
      ASSERT_EQ(ranges.find(numbers[i], src, dst, expected), expected);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, PortRangesTest, testing::Range(1U, 9U));

TEST(PortRanges, MemoryOfManyThatBoundBothPortsIsNearlyLinear) {
  // The worst case for cutting along both axes: every rule overlaps every other.
  const auto bytes_for = [](std::uint16_t count) {
    std::vector<PortRanges::Rule> rules;
    for (std::uint16_t i = 0; i < count; ++i) {
      const auto end = static_cast<std::uint16_t>(65535 - i);
      rules.push_back({{i, end}, {i, end}, i});
    }
    PortRanges ranges;
    const std::size_t before = allocated_bytes;
    const std::uint32_t set = ranges.add(rules);
    EXPECT_EQ(ranges.find(set, 30'000, 30'000, kNoRank), 0U);
    EXPECT_GT(allocated_bytes, before) << "nothing is counted";
    return allocated_bytes - before;
  };
  EXPECT_LT(bytes_for(16'000), 12 * bytes_for(2'000));
}

}  // namespace
}  // namespace drip
