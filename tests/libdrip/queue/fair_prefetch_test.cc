// SPDX-License-Identifier: BSD-3-Clause
// What is asked for ahead of a packet is what that packet touches.
#include "drip/queue/fair_prefetch.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "libdrip/drawn_seed.h"
#include "queue_fixture.h"

namespace drip::test {
namespace {

constexpr std::uint32_t kFlows = 8;
constexpr std::uint32_t kBytes = 1000;
constexpr std::uint32_t kCapacity = 64;

QueueKey key_of_flow(std::uint64_t flow) {
  return ipv4_key(1, 2, static_cast<std::uint16_t>(flow));
}

FairQueueSettings settings_of(std::uint32_t capacity) {
  FairQueueSettings settings;
  settings.capacity = capacity;
  return settings;
}

// All steps, as for a packet that comes.
UnitRef asked_for(OneLeaf& queue, const QueueKey& key) {
  const FairPrefetch prefetch = queue.queues.prefetch();
  const FairPrefetch::Arrival arrival = prefetch.begin(queue.leaf, queue.profile, key, 0);
  prefetch.flow(arrival);
  prefetch.tail(arrival);
  prefetch.head(arrival);
  return prefetch.unit(arrival);
}
// All steps, as for a packet that departs.
UnitRef asked_for(OneLeaf& queue) {
  const FairPrefetch prefetch = queue.queues.prefetch();
  prefetch.leaf(queue.leaf);
  prefetch.tin(queue.leaf);
  prefetch.flow(queue.leaf);
  prefetch.next_flow(queue.leaf);
  prefetch.tail(queue.leaf);
  prefetch.head(queue.leaf);
  return prefetch.unit(queue.leaf);
}

TEST(FairPrefetch, AsksForThePacketThatDeparts) {
  Draw draw;
  OneLeaf queue(settings_of(1000));
  for (std::uint32_t i = 0; i < 4 * kFlows; ++i) queue.add(key_of_flow(i % kFlows), kBytes);
  int right = 0;
  constexpr int kPackets = 1000;
  for (int i = 0; i < kPackets; ++i) {
    const UnitRef asked = asked_for(queue);
    const std::uint64_t taken = queue.take().value();
    right += !asked.is_released() && id_of(asked) == taken ? 1 : 0;
    queue.add(key_of_flow(draw.between(0, kFlows - 1)), kBytes);
  }
  // The first one of a round is known when that begins.
  EXPECT_GT(right, kPackets * 3 / 4);
}

TEST(FairPrefetch, AsksForThePacketThatIsDroppedWhereTheQueueIsFull) {
  Draw draw;
  OneLeaf queue(settings_of(kCapacity));
  // One flow is much longer than the others.
  for (std::uint32_t i = 0; i < kCapacity; ++i) {
    queue.add(key_of_flow(i % 4 != 0 ? 0 : draw.between(1, kFlows - 1)), kBytes);
  }
  int drops = 0;
  int right = 0;
  for (int i = 0; i < 1000; ++i) {
    const QueueKey key = key_of_flow(draw.one_in(4) ? draw.between(1, kFlows - 1) : 0);
    const UnitRef asked = asked_for(queue, key);
    const std::size_t before = queue.drops.all.size();
    queue.add(key, kBytes);
    if (queue.drops.all.size() > before) {
      ++drops;
      right += !asked.is_released() && id_of(asked) == queue.drops.all.back().id ? 1 : 0;
    } else {
      EXPECT_TRUE(asked.is_released()) << "nothing is dropped";
    }
    if (draw.one_in(3)) (void)queue.take();
  }
  EXPECT_GT(drops, 500);
  EXPECT_GT(right, drops * 3 / 4);
}

// A hint for a leaf without packets, without flows, or removed is for no memory of another.
TEST(FairPrefetch, KnowsNothingOfAnEmptyLeaf) {
  Draw draw;
  for (const bool codel : {false, true}) {
    FairQueueSettings settings = settings_of(kCapacity);
    settings.codel = codel;
    settings.tins = TinMode::kDiffserv4;
    OneLeaf queue(settings);
    EXPECT_TRUE(asked_for(queue).is_released());
    EXPECT_TRUE(asked_for(queue, key_of_flow(1)).is_released());
    for (int i = 0; i < 2000; ++i) {
      (void)asked_for(queue);
      (void)asked_for(queue, key_of_flow(draw.between(0, 1000)));
      if (draw.one_in(2)) {
        queue.add(key_of_flow(draw.between(0, 1000)), kBytes, Ecn::kEct0,
                  static_cast<std::uint32_t>(draw.between(0, 3)));
      } else {
        (void)queue.take();
      }
      queue.pass(static_cast<std::int64_t>(draw.of_any_size(1, 200'000'000)));
      if (draw.one_in(100)) {
        queue.queues.remove(queue.leaf, queue.drops);
        EXPECT_TRUE(asked_for(queue).is_released());
      }
    }
  }
}

}  // namespace
}  // namespace drip::test
