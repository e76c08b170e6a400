// SPDX-License-Identifier: BSD-3-Clause
// The calendar serves each flow in the round in which plain deficit round robin would, and keys
// depend on all of a flow.
#include "drip/queue/round_calendar.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <vector>

#include "../drawn_seed.h"
#include "drip/queue/queue_key.h"

namespace drip::test {
namespace {

TEST(RoundCalendar, ServesInTheRoundsOfPlainDeficitRoundRobin) {
  Draw draw(7);
  for (int trial = 0; trial < 300; ++trial) {
    const std::uint32_t quantum = 1'024U * 1'024;  // Divided by every load without remainder.
    struct Flow {
      std::uint32_t load = 1;
      std::int64_t deficit = 0;  // Of the plain one.
      std::int64_t round = 0;
    };
    std::vector<Flow> flows(draw.of_any_size(1, 60));
    std::vector<FlowRecord> records(flows.size() + 1);
    RoundCalendar calendar;
    for (std::size_t i = 0; i < flows.size(); ++i) {
      flows[i].load = 1U << draw.between(0, trial % 2 == 0 ? 4 : 10);
      calendar.insert(records, static_cast<QueueIndex>(i + 1), quantum, flows[i].load);
    }
    std::int64_t last_round = 0;
    for (int served = 0; served < 3'000;) {
      const QueueIndex index = calendar.front(records);
      Flow& flow = flows[index - 1];
      if (records[index].deficit > 0) {
        // Plainly: a quantum a round until it may send.
        while (flow.deficit <= 0) {
          flow.deficit += quantum / flow.load;
          ++flow.round;
        }
        ASSERT_EQ(records[index].deficit, flow.deficit);
        ASSERT_GE(flow.round, last_round);
        last_round = flow.round;
        const auto cost = static_cast<std::int32_t>(draw.of_any_size(1, 9'216) * 1'024);
        flow.deficit -= cost;
        records[index].deficit -= cost;
        ++served;
        continue;
      }
      calendar.pop(records);
      calendar.insert(records, index, quantum, flow.load);
    }
  }
}

TEST(QueueHash, DependsOnEveryBitOfAnIpv6FlowInBothHalves) {
  const QueueHash hash(1);
  const auto key_of = [&](std::size_t bit) {
    std::array<std::uint8_t, sizeof(QueueKey)> bytes{};
    if (bit < 8 * 37) bytes[bit / 8] = static_cast<std::uint8_t>(1U << bit % 8);
    bytes[37] = 6;
    return hash.flow(std::bit_cast<QueueKey>(bytes));
  };
  const ShortKey none = key_of(~std::size_t{0});
  EXPECT_NE(none.low >> 63, 0U);
  for (std::size_t bit = 0; bit < 8 * 37; ++bit) {
    const ShortKey key = key_of(bit);
    EXPECT_NE(key.high, none.high) << bit;
    EXPECT_NE(key.low, none.low) << bit;
  }
  // Another seed, other keys.
  const QueueHash other(2);
  QueueKey key;
  key.version = 6;
  EXPECT_NE(other.flow(key).high, none.high);
}

}  // namespace
}  // namespace drip::test
