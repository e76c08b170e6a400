// SPDX-License-Identifier: BSD-3-Clause
// The ring of one bucket and what it holds: against a deque, across the wrap of its indices, and
// between two threads.
#include "drip/bucket_ring.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <deque>
#include <thread>
#include <vector>

#include "drawn_seed.h"

namespace drip {
namespace {

using test::Draw;

struct alignas(64) Line {
  std::array<unsigned char, 64> bytes;
};

// The `number`-th unit ever pushed, told by its arrival and its bytes.
RingEntry entry(Line& line, std::uint64_t number) {
  return {UnitRef::of(&line, static_cast<std::uint32_t>(number % 60'000), 3), TimePoint{number}};
}
void expect_entry(const RingEntry& got, const Line& line, std::uint64_t number) {
  ASSERT_EQ(got.arrival.ns, number);
  ASSERT_EQ(got.unit.wire_bytes(), number % 60'000);
  ASSERT_EQ(got.unit.address(), &line);
}

TEST(UnitRef, KeepsWhatItWasMadeOf) {
  std::vector<Line> lines(3);
  for (Line& line : lines) {
    for (const std::uint32_t bytes : {0U, 1U, 64U, 1518U, kMaxWireBytes}) {
      for (std::uint16_t egress = 0; egress < kMaxPorts; ++egress) {
        const UnitRef packet = UnitRef::of(&line, bytes, egress);
        ASSERT_EQ(packet.address(), &line);
        ASSERT_EQ(packet.wire_bytes(), bytes);
        ASSERT_EQ(packet.egress(), egress);
        ASSERT_FALSE(packet.is_tagged());
        ASSERT_FALSE(packet.is_released());
      }
      const UnitRef request = UnitRef::tagged(&line, bytes);
      ASSERT_EQ(request.address(), &line);
      ASSERT_EQ(request.wire_bytes(), bytes);
      ASSERT_TRUE(request.is_tagged());
      ASSERT_FALSE(request.is_released());
    }
  }
  EXPECT_TRUE(UnitRef::released().is_released());
  EXPECT_FALSE(UnitRef::released().is_tagged());
  // The highest address of user space.
  void* const highest = reinterpret_cast<void*>(0x7fff'ffff'ffc0);
  EXPECT_EQ(UnitRef::of(highest, kMaxWireBytes, kMaxPorts - 1).address(), highest);
}

TEST(BucketRing, DoesAsADequeDoesAndWrapsItsIndices) {
  Draw draw(1);
  Line line;
  for (int scenario = 0; scenario < 300; ++scenario) {
    // Half of them begin where head and tail are about to wrap.
    const std::uint32_t first =
        draw.one_in(2) ? 0 : 0U - static_cast<std::uint32_t>(draw.between(1, 600));
    std::uint32_t slot_count = 1U << draw.between(0, 8);
    std::vector<RingEntry> slots(slot_count);
    BucketRing ring(slots.data(), slot_count, first);
    std::deque<std::uint64_t> expected;
    std::uint64_t number = 0;
    for (int step = 0; step < 2000; ++step) {
      // Long runs of either, so that it is often full and often empty.
      const bool pushes = step / 100 % 2 == 0 ? !draw.one_in(4) : draw.one_in(4);
      if (pushes) {
        ASSERT_EQ(ring.push(entry(line, number)), expected.size() < slot_count);
        if (expected.size() < slot_count) expected.push_back(number++);
      } else if (!expected.empty()) {
        ASSERT_NO_FATAL_FAILURE(expect_entry(ring.front(), line, expected.front()));
        ring.pop();
        expected.pop_front();
      }
      if (draw.one_in(100)) {
        // To another memory, which may just hold it, in the middle of the backlog.
        std::uint32_t moved_count = 1;
        while (moved_count < expected.size() || draw.one_in(2)) moved_count *= 2;
        std::vector<RingEntry> moved(moved_count);
        RingEntry* const old = slots.data();
        ASSERT_EQ(ring.move_to(moved.data(), moved_count), old);
        slots.swap(moved);
        slot_count = moved_count;
      }
      ASSERT_EQ(ring.size(), expected.size());
      ASSERT_EQ(ring.empty(), expected.empty());
      ASSERT_EQ(ring.slot_count(), slot_count);
      ASSERT_EQ(ring.tail(), first + static_cast<std::uint32_t>(number));
      ASSERT_EQ(ring.head(), ring.tail() - static_cast<std::uint32_t>(expected.size()));
      ring.prefetch_front();
      ring.prefetch_back();
      if (!expected.empty()) {
        const std::uint64_t behind = draw.between(0, expected.size() - 1);
        const std::uint32_t sequence = ring.head() + static_cast<std::uint32_t>(behind);
        ASSERT_NO_FATAL_FAILURE(expect_entry(ring.at(sequence), line, expected[behind]));
      }
    }
  }
}

TEST(BucketRing, TakesTheSlotsOfReleasedUnitsBack) {
  Draw draw;
  Line line;
  for (int scenario = 0; scenario < 500; ++scenario) {
    const std::uint32_t first =
        draw.one_in(2) ? 0 : 0U - static_cast<std::uint32_t>(draw.between(1, 300));
    const std::uint32_t slot_count = 1U << draw.between(0, 7);
    std::vector<RingEntry> slots(slot_count);
    BucketRing ring(slots.data(), slot_count, first);
    std::deque<std::uint64_t> expected;
    std::uint64_t number = 0;
    for (std::uint64_t before = draw.between(0, 2 * slot_count); before > 0; --before) {
      ASSERT_TRUE(ring.push(entry(line, number++)));
      ring.pop();
    }
    while (ring.push(entry(line, number))) expected.push_back(number++);
    const std::uint64_t kept_in_four = draw.between(0, 4);
    std::erase_if(expected, [&](std::uint64_t unit) {
      if (draw.between(1, 4) <= kept_in_four) return false;
      ring.at(first + static_cast<std::uint32_t>(unit)).unit = UnitRef::released();
      return true;
    });
    const std::uint32_t tail = ring.tail();
    std::uint64_t moved = 0;
    ASSERT_EQ(ring.compact([&](UnitRef unit, std::uint32_t sequence) {
      ++moved;
      ASSERT_EQ(unit.wire_bytes(), ring.at(sequence).unit.wire_bytes());
    }),
              slot_count - expected.size());
    ASSERT_LE(moved, expected.size());
    ASSERT_EQ(ring.tail(), tail);
    ASSERT_EQ(ring.size(), expected.size());
    for (const std::uint64_t unit : expected) {
      ASSERT_NO_FATAL_FAILURE(expect_entry(ring.front(), line, unit));
      ring.pop();
    }
  }
}

TEST(BucketRing, LosesNothingBetweenTwoThreads) {
  constexpr std::uint64_t kUnits = 200'000;
  Line line;
  for (const std::uint32_t slot_count : {1U, 2U, 64U, 1024U}) {
    std::vector<RingEntry> slots(slot_count);
    BucketRing ring(slots.data(), slot_count, 0U - 1000U);
    const std::uint64_t units = slot_count < 64 ? kUnits / 10 : kUnits;
    std::thread producer([&] {
      for (std::uint64_t number = 0; number < units;) {
        if (ring.push(entry(line, number))) {
          ++number;
        } else {
          std::this_thread::yield();
        }
      }
    });
    std::uint64_t wrong = 0;
    for (std::uint64_t number = 0; number < units;) {
      if (ring.empty()) {
        std::this_thread::yield();
        continue;
      }
      const RingEntry& got = ring.front();
      if (got.arrival.ns != number || got.unit.wire_bytes() != number % 60'000) ++wrong;
      ring.pop();
      ++number;
    }
    producer.join();
    EXPECT_EQ(wrong, 0U);
    EXPECT_TRUE(ring.empty());
  }
}

}  // namespace
}  // namespace drip
