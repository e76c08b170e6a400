// SPDX-License-Identifier: BSD-3-Clause
// The pools of the fair queue: what a flow and a leaf cost, what happens when one is used up, and
// that all is given back.
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <map>
#include <set>

#include "../drawn_seed.h"
#include "drip/queue/fair_queues.h"
#include "queue_fixture.h"
#include "support/counted_allocations.h"

namespace drip::test {
namespace {

constexpr std::int64_t kMs = 1'000'000;

TEST(FairQueuePools, FlowsOfManyLeavesNeverMeet) {
  FairQueues queues({1'000, 1'000, 10, 10, 10}, 3);
  const FairQueueProfile profile = FairQueueProfile::of({});
  FairLeaf one(1);
  FairLeaf two(2);
  Drops drops;
  const TimePoint now{1'000'000};
  for (std::uint64_t i = 0; i < 10; ++i) {
    queues.enqueue(one, profile, unit_of(i, 100), ipv4_key(1, 1), 0, Ecn::kEct0, now, drops);
    queues.enqueue(two, profile, unit_of(100 + i, 100), ipv4_key(1, 1), 0, Ecn::kEct0, now, drops);
  }
  EXPECT_EQ(queues.flows_in_use(), 2U);
  for (std::uint64_t i = 0; i < 10; ++i) {
    ASSERT_EQ(id_of(queues.head(two, profile, now, drops).unit), 100 + i);
    queues.dequeue(two, profile, now);
  }
  EXPECT_EQ(queues.head(two, profile, now, drops).status, QueueHead::Status::kEmpty);
  EXPECT_EQ(one.packets(), 10U);
}

TEST(FairQueuePools, RejectsAndCountsWhenAPoolIsUsedUpAndRecovers) {
  struct Case {
    FairQueueSizes sizes;
    std::uint32_t queued;
  };
  for (const Case& tried : {Case{{8, 100, 200, 4, 4}, 8}, Case{{100, 8, 200, 4, 4}, 8},
                            Case{{100, 100, 16, 4, 4}, 8}}) {
    FairQueueSettings settings;
    settings.isolation = Isolation::kHosts;
    OneLeaf queue(settings, tried.sizes);
    for (std::uint32_t i = 0; i < 20; ++i) queue.add(ipv4_key(i, i + 100), 500);
    EXPECT_EQ(queue.leaf.packets(), tried.queued);
    EXPECT_EQ(queue.drops.count(QueueDrop::kNoMemory), 20 - tried.queued);
    for (std::uint32_t i = 0; i < tried.queued; ++i) EXPECT_EQ(queue.take(), i);
    EXPECT_EQ(queue.take(), std::nullopt);
    EXPECT_EQ(queue.queues.flows_in_use(), 0U);
    for (std::uint32_t i = 0; i < tried.queued; ++i) queue.add(ipv4_key(i, 50), 500);
    EXPECT_EQ(queue.leaf.packets(), tried.queued);
  }
}

TEST(FairQueuePools, LeavesWithoutMemoryRejectAndLeaveNothingBehind) {
  FairQueues queues({100, 100, 10, 1, 1}, 3);
  const FairQueueProfile profile = FairQueueProfile::of({});
  FairLeaf one(1);
  FairLeaf two(2);
  Drops drops;
  const TimePoint now{1'000'000};
  EXPECT_TRUE(
      queues.enqueue(one, profile, unit_of(1, 9), ipv4_key(1, 1), 0, Ecn::kEct0, now, drops));
  EXPECT_FALSE(
      queues.enqueue(two, profile, unit_of(2, 9), ipv4_key(1, 1), 0, Ecn::kEct0, now, drops));
  EXPECT_EQ(queues.packets_in_use(), 1U);
  ASSERT_EQ(id_of(queues.head(one, profile, now, drops).unit), 1U);
  queues.dequeue(one, profile, now);
  EXPECT_TRUE(
      queues.enqueue(two, profile, unit_of(2, 9), ipv4_key(1, 1), 0, Ecn::kEct0, now, drops));
}

TEST(FairQueuePools, AFlowWithAqmStateIsForgottenOnlyWhenItsRecordIsNeeded) {
  FairQueueSettings settings;
  settings.codel = true;
  OneLeaf queue(settings, {1'000, 4, 8, 4, 4});
  for (int i = 0; i < 400; ++i) queue.add(ipv4_key(1, 1), 1'000);
  while (queue.take()) queue.pass(kMs);
  ASSERT_GT(queue.drops.count(QueueDrop::kAqm), 0U);
  EXPECT_EQ(queue.leaf.flows(), 0U);
  EXPECT_EQ(queue.queues.flows_in_use(), 1U);
  for (std::uint32_t i = 0; i < 3; ++i) queue.add(ipv4_key(2, i), 1'000);
  EXPECT_EQ(queue.queues.flows_in_use(), 4U);
  EXPECT_EQ(queue.queues.forgotten_flows(), 0U);
  queue.add(ipv4_key(2, 3), 1'000);
  EXPECT_EQ(queue.queues.forgotten_flows(), 1U);
  EXPECT_EQ(queue.drops.count(QueueDrop::kNoMemory), 0U);
}

TEST(FairQueuePools, AStateAtRestGivesItsRecordBack) {
  FairQueueSettings settings;
  settings.codel = true;
  OneLeaf queue(settings);
  for (int i = 0; i < 400; ++i) queue.add(ipv4_key(1, 1), 1'000);
  while (queue.take()) queue.pass(kMs);
  ASSERT_EQ(queue.queues.flows_in_use(), 1U);
  queue.pass(60'000 * kMs);
  queue.add(ipv4_key(2, 2), 1'000);
  EXPECT_EQ(queue.queues.flows_in_use(), 1U);
  EXPECT_EQ(queue.queues.forgotten_flows(), 0U);
}

TEST(FairQueuePools, ManyFlowsOfAnIdleLeafArePutAwayLittleByLittle) {
  FairQueueSettings settings;
  OneLeaf queue(settings);
  // All are served once, and none is looked at again before the last packet departs.
  for (std::uint32_t i = 0; i < 500; ++i) queue.add(ipv4_key(1, i), 1'000);
  for (std::uint32_t i = 0; i < 500; ++i) ASSERT_TRUE(queue.take());
  EXPECT_EQ(queue.leaf.packets(), 0U);
  FairLeaf other(8);
  Drops drops;
  for (std::uint64_t i = 0; i < 200; ++i) {
    queue.queues.enqueue(other, queue.profile, unit_of(i, 100), ipv4_key(9, 9), 0, Ecn::kEct0,
                         queue.now, drops);
  }
  EXPECT_EQ(queue.leaf.flows(), 0U);
  EXPECT_EQ(queue.queues.flows_in_use(), 1U);
}

TEST(FairQueuePools, RemovingALeafGivesEverythingBack) {
  FairQueueSettings settings;
  settings.isolation = Isolation::kHosts;
  settings.codel = true;
  settings.tins = TinMode::kDiffserv4;
  OneLeaf queue(settings);
  for (int round = 0; round < 70; ++round) {
    for (std::uint32_t i = 0; i < 100; ++i) {
      queue.add(ipv4_key(i % 7, i % 5, static_cast<std::uint16_t>(i)), 500, Ecn::kEct0, i % 4);
    }
    queue.take();
    queue.head();
    const std::size_t before = queue.drops.all.size();
    EXPECT_EQ(queue.queues.remove(queue.leaf, queue.drops), 99U);
    EXPECT_EQ(queue.drops.all.size() - before, 99U);
    EXPECT_EQ(queue.drops.all.back().reason, QueueDrop::kQueueRemoved);
    EXPECT_EQ(queue.leaf.packets(), 0U);
    EXPECT_EQ(queue.queues.packets_in_use(), 0U);
    EXPECT_EQ(queue.queues.flows_in_use(), 0U);
  }
}

TEST(FairQueuePools, AFreshLeafHasNothingOfTheAqmOfARemovedOne) {
  FairQueueSettings settings;
  settings.codel = true;
  OneLeaf queue(settings);
  const auto drops_of_a_busy_period = [&] {
    const std::size_t before = queue.drops.count(QueueDrop::kAqm);
    for (int i = 0; i < 400; ++i) queue.add(ipv4_key(1, 1), 1'000);
    while (queue.take()) queue.pass(kMs);
    return queue.drops.count(QueueDrop::kAqm) - before;
  };
  const std::size_t fresh = drops_of_a_busy_period();
  EXPECT_GT(drops_of_a_busy_period(), fresh);
  queue.queues.remove(queue.leaf, queue.drops);
  EXPECT_EQ(drops_of_a_busy_period(), fresh);
}

TEST(FairQueuePools, KeepsIpv6AndMacFlowsApart) {
  for (const std::uint8_t version : {0, 4, 6}) {
    for (const Isolation isolation : {Isolation::kFlow, Isolation::kHosts}) {
      FairQueueSettings settings;
      settings.isolation = isolation;
      settings.capacity = 4'096;
      OneLeaf queue(settings, {5'000, 5'000, 10'000, 4, 4});
      // Keys that differ in a single bit of a field that counts.
      std::set<std::array<std::uint8_t, 40>> keys;
      const std::size_t address_bytes = version == 6 ? 16 : version == 4 ? 4 : 6;
      for (std::size_t bit = 0; bit < 8 * (2 * address_bytes + (version == 0 ? 2 : 5)); ++bit) {
        std::array<std::uint8_t, 40> bytes{};
        std::size_t at = bit / 8;
        if (at >= address_bytes) at += 16 - address_bytes;
        if (at >= 16 + address_bytes) at += 16 - address_bytes;
        bytes[at] = static_cast<std::uint8_t>(1U << bit % 8);
        bytes[37] = version;
        keys.insert(bytes);
      }
      for (const auto& bytes : keys) queue.add(std::bit_cast<QueueKey>(bytes), 100);
      EXPECT_EQ(queue.leaf.flows(), keys.size()) << int{version};
    }
  }
}

TEST(FairQueuePools, OrderInAFlowAndConservationWithHostsSmallQuantaAndStalls) {
  Draw draw(3);
  for (int trial = 0; trial < 60; ++trial) {
    FairQueueSettings settings;
    settings.isolation = Isolation::kHosts;
    settings.quantum = static_cast<std::uint32_t>(draw.of_any_size(64, 3'000));
    settings.capacity = static_cast<std::uint32_t>(draw.of_any_size(1, 500));
    settings.codel = draw.one_in(2);
    settings.tins = static_cast<TinMode>(draw.between(0, 2));
    OneLeaf queue(settings,
                  {4096, static_cast<std::uint32_t>(draw.of_any_size(4, 4096)), 1'000, 2, 8});
    std::map<std::uint64_t, QueueKey> key_of;
    std::map<std::uint64_t, std::uint64_t> last_of;  // Port to id: the tin follows the port.
    std::uint64_t departed = 0;
    for (int i = 0; i < 4'000; ++i) {
      if (draw.one_in(2)) {
        const auto port = static_cast<std::uint16_t>(draw.of_any_size(1, 200));
        const QueueKey key = ipv4_key(port % 3, port % 11, port);
        key_of[queue.next_id] = key;
        queue.add(key, static_cast<std::uint32_t>(draw.of_any_size(1, 9'216)),
                  static_cast<Ecn>(draw.between(0, 3)), port % queue.profile.tins.count);
      } else if (const auto id = queue.take()) {
        ++departed;
        const std::uint64_t port = key_of.at(*id).source_port;
        EXPECT_TRUE(!last_of.contains(port) || last_of[port] < *id);
        last_of[port] = *id;
        queue.pass(static_cast<std::int64_t>(draw.of_any_size(1, 4 * kMs)));
      }
      ASSERT_EQ(queue.next_id, departed + queue.drops.all.size() + queue.leaf.packets());
    }
    std::set<std::uint64_t> dropped;
    for (const Dropped& drop : queue.drops.all) EXPECT_TRUE(dropped.insert(drop.id).second);
    while (queue.take()) queue.pass(kMs);
    EXPECT_EQ(queue.leaf.packets(), 0U);
    EXPECT_EQ(queue.queues.packets_in_use(), 0U);
  }
}

TEST(FairQueuePools, AllocatesNothingAfterConstruction) {
  FairQueueSettings settings;
  settings.isolation = Isolation::kHosts;
  settings.codel = true;
  OneLeaf queue(settings);
  queue.drops.all.reserve(10'000);
  const std::size_t before = allocations;
  for (std::uint32_t i = 0; i < 5'000; ++i) {
    queue.add(ipv4_key(i % 50, i % 70, static_cast<std::uint16_t>(i % 300)), 1'000);
    if (i % 3 == 0) queue.take();
    queue.pass(100'000);
  }
  EXPECT_EQ(allocations, before);
}

TEST(FairQueuePools, CostsWhatItSays) {
  EXPECT_EQ(sizeof(FairLeaf), 16U);
  EXPECT_EQ(sizeof(QueueSlot), 16U);
  EXPECT_EQ(sizeof(FlowRecord), 64U);
  EXPECT_EQ(sizeof(HostRecord) + sizeof(QueueIndex), 36U);
  EXPECT_EQ(sizeof(LeafBacklog), 256U);
  EXPECT_EQ(sizeof(TinBacklog), 288U);
  const std::size_t before = allocated_bytes;
  const FairQueues queues({10'000, 10'000, 20'000, 100, 100}, 1);
  EXPECT_LE(allocated_bytes - before,
            10'001U * 16 + 10'001U * 64 + 20'001U * 36 + 101U * 256 + 101U * 288);
}

TEST(FairQueuePools, SettingsThatDoNotFitAreNamed) {
  FairQueueSettings settings;
  EXPECT_FALSE(check(settings));
  settings.quantum = 10;
  EXPECT_EQ(check(settings)->message, "quantum: 10 given, 64 to 65535 allowed");
  settings.quantum = 1'514;
  settings.target = {200 * kMs};
  EXPECT_EQ(check(settings)->message, "target_ns: 200000000 given, 1000 to 100000000 allowed");
  settings.target = {5 * kMs};
  settings.max_wait = {-1};
  EXPECT_TRUE(check(settings));
  settings.max_wait = {};
  settings.capacity_bytes = std::uint64_t{1} << 32;
  EXPECT_TRUE(check(settings));
}

}  // namespace
}  // namespace drip::test
