// SPDX-License-Identifier: BSD-3-Clause
// Fairness, isolation, tins, drops and marks of the fair queue, each by itself.
#include "drip/queue/fair_queues.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "queue_fixture.h"

namespace drip::test {
namespace {

constexpr std::int64_t kMs = 1'000'000;

// Keeps `flows` backlogged, each with packets of its own length, and counts what each sends.
class Saturated {
 public:
  struct Flow {
    QueueKey key;
    std::uint32_t bytes = 0;
    std::uint32_t tin = 0;
  };
  Saturated(const FairQueueSettings& settings, std::vector<Flow> flows)
      : queue(settings), flows_(std::move(flows)), sent(flows_.size()) {
    for (std::size_t i = 0; i < flows_.size(); ++i) add(i, 4);
  }
  void run(int packets) {
    for (int i = 0; i < packets; ++i) {
      const std::uint64_t id = queue.take().value();
      const std::size_t flow = flow_of_.at(id);
      flow_of_.erase(id);
      sent[flow] += flows_[flow].bytes;
      add(flow, 1);
    }
  }
  [[nodiscard]] double share(std::size_t flow) const {
    double sum = 0;
    for (const std::uint64_t bytes : sent) sum += static_cast<double>(bytes);
    return static_cast<double>(sent[flow]) / sum;
  }

  OneLeaf queue;

 private:
  void add(std::size_t flow, int count) {
    for (int i = 0; i < count; ++i) {
      flow_of_[queue.add(flows_[flow].key, flows_[flow].bytes, Ecn::kNotCapable,
                         flows_[flow].tin)] = flow;
    }
  }
  std::vector<Flow> flows_;
  std::map<std::uint64_t, std::size_t> flow_of_;

 public:
  std::vector<std::uint64_t> sent;
};

// Who is told to ask again has a packet that waits.
TEST(FairQueues, AQueueThatHasDroppedAllAtOnceIsEmpty) {
  for (const int packets : {FairQueues::kMostVisits - 1, FairQueues::kMostVisits}) {
    FairQueueSettings settings;
    settings.max_wait.ns = kMs;
    OneLeaf queue(settings);
    for (int i = 0; i < packets; ++i) queue.add(ipv4_key(1, 2), 100);
    queue.pass(2 * kMs);
    const QueueHead head = queue.queues.head(queue.leaf, queue.profile, queue.now, queue.drops);
    EXPECT_EQ(queue.drops.all.size(), static_cast<std::size_t>(packets));
    EXPECT_EQ(head.status, QueueHead::Status::kEmpty) << packets;
  }
}

TEST(FairQueues, FlowsShareBytesWhateverTheirPackets) {
  for (const std::uint32_t quantum : {64U, 300U, 1'514U, 9'216U}) {
    FairQueueSettings settings;
    settings.quantum = quantum;
    std::vector<Saturated::Flow> flows;
    for (const std::uint32_t bytes : {1U, 64U, 500U, 1'514U, 9'216U, 65'535U}) {
      flows.push_back({ipv4_key(1, 2, static_cast<std::uint16_t>(bytes)), bytes});
    }
    Saturated saturated(settings, flows);
    // The least is compared at any time: DRR differs by a quantum and a packet of each of two.
    for (int i = 0; i < 200; ++i) {
      saturated.run(997);
      const auto [least, most] = std::minmax_element(saturated.sent.begin(), saturated.sent.end());
      EXPECT_LE(*most - *least, quantum + 2U * 65'535) << quantum;
    }
  }
}

TEST(FairQueues, ASparseFlowGoesBeforeBacklogs) {
  FairQueueSettings settings;
  std::vector<Saturated::Flow> flows;
  for (std::uint16_t i = 0; i < 64; ++i) flows.push_back({ipv4_key(1, 2, i), 1'514});
  Saturated saturated(settings, flows);
  for (int i = 0; i < 100; ++i) {
    saturated.run(100);
    const std::uint64_t sparse = saturated.queue.add(ipv4_key(9, 9), 200);
    EXPECT_EQ(saturated.queue.take(), sparse);
  }
}

TEST(FairQueues, AFlowThatEmptiesTimeAndAgainIsNotNewEachTime) {
  FairQueueSettings settings;
  Saturated saturated(settings, {{ipv4_key(1, 2, 1), 1'514}, {ipv4_key(1, 2, 2), 1'514}});
  // Another packet of the third flow whenever it has none.
  std::uint64_t third = saturated.queue.add(ipv4_key(1, 2, 3), 1'514);
  std::uint64_t sent = 0;
  for (int i = 0; i < 3'000; ++i) {
    const QueueHead head = saturated.queue.head();
    if (id_of(head.unit) != third) {
      saturated.run(1);
      continue;
    }
    saturated.queue.take();
    sent += 1'514;
    third = saturated.queue.add(ipv4_key(1, 2, 3), 1'514);
  }
  EXPECT_NEAR(static_cast<double>(sent), static_cast<double>(saturated.sent[0]), 3'000);
}

TEST(FairQueues, IsolatesByWhatIsAskedFor) {
  // Source 1 has three flows to three destinations, source 2 one to the first of these.
  const std::vector<Saturated::Flow> flows = {{ipv4_key(1, 1, 1), 1'000},
                                              {ipv4_key(1, 2, 2), 1'000},
                                              {ipv4_key(1, 3, 3), 1'000},
                                              {ipv4_key(2, 1, 4), 1'000}};
  const std::map<Isolation, std::vector<double>> expected = {
      {Isolation::kFlow, {.25, .25, .25, .25}},
      {Isolation::kSource, {1. / 6, 1. / 6, 1. / 6, .5}},
      {Isolation::kDestination, {1. / 6, 1. / 3, 1. / 3, 1. / 6}},
      // Loads 3, 3, 3 and 2: the busier host of each.
      {Isolation::kHosts, {2. / 9, 2. / 9, 2. / 9, 1. / 3}},
  };
  for (const auto& [isolation, shares] : expected) {
    FairQueueSettings settings;
    settings.isolation = isolation;
    Saturated saturated(settings, flows);
    saturated.run(6'000);
    for (std::size_t i = 0; i < flows.size(); ++i) {
      EXPECT_NEAR(saturated.share(i), shares[i], 0.003) << static_cast<int>(isolation) << " " << i;
    }
  }
}

TEST(FairQueues, AHostWithAThousandFlowsGetsAsMuchAsOneWithOne) {
  FairQueueSettings settings;
  settings.isolation = Isolation::kHosts;
  settings.capacity = 1U << 14;
  std::vector<Saturated::Flow> flows = {{ipv4_key(1, 1), 1'514}};
  for (std::uint16_t i = 0; i < 1'000; ++i) flows.push_back({ipv4_key(2, 1'000U + i, i), 1'514});
  OneLeaf queue(settings, {1U << 15, 1U << 12, 1U << 13, 4, 4});
  std::map<std::uint64_t, std::size_t> flow_of;
  std::vector<std::uint64_t> sent(flows.size());
  const auto add = [&](std::size_t flow) {
    flow_of[queue.add(flows[flow].key, flows[flow].bytes)] = flow;
  };
  for (std::size_t i = 0; i < flows.size(); ++i) {
    add(i);
    add(i);
  }
  std::uint64_t again = 0;
  const int packets = 40'000;
  for (int i = 0; i < packets; ++i) {
    QueueHead head;
    while ((head = queue.queues.head(queue.leaf, queue.profile, queue.now, queue.drops)).status ==
           QueueHead::Status::kAgain) {
      ++again;
    }
    const std::size_t flow = flow_of.at(id_of(head.unit));
    queue.queues.dequeue(queue.leaf, queue.profile, queue.now);
    // The first quantum of each flow is that of a new flow.
    if (i >= 4'000) ++sent[flow];
    add(flow);
  }
  EXPECT_NEAR(static_cast<double>(sent[0]), (packets - 4'000) / 2.0, 200);
  for (std::size_t i = 1; i < sent.size(); ++i) EXPECT_NEAR(static_cast<double>(sent[i]), 18, 2);
  // Each flow waits in its round: no packet needs a visit of hundreds.
  EXPECT_LT(again, packets / 100U);
}

TEST(FairQueues, TinsHavePriorityUpToTheirShares) {
  const std::map<TinMode, std::vector<double>> expected = {
      {TinMode::kDiffserv3, {11. / 16, 1. / 16, 1. / 4}},
      {TinMode::kDiffserv4, {3. / 16, 1. / 16, 1. / 2, 1. / 4}},
  };
  for (const auto& [mode, shares] : expected) {
    FairQueueSettings settings;
    settings.tins = mode;
    std::vector<Saturated::Flow> flows;
    for (std::uint32_t tin = 0; tin < shares.size(); ++tin) {
      flows.push_back({ipv4_key(1, 2, static_cast<std::uint16_t>(tin)), 1'000, tin});
    }
    Saturated saturated(settings, flows);
    saturated.run(16'000);
    for (std::size_t tin = 0; tin < shares.size(); ++tin) {
      EXPECT_NEAR(saturated.share(tin), shares[tin], 0.002) << tin;
    }
    // Alone, a tin has the whole leaf and pays nothing for it later.
    OneLeaf queue(settings);
    const std::uint32_t voice = static_cast<std::uint32_t>(shares.size()) - 1;
    for (int i = 0; i < 200; ++i) {
      queue.add(ipv4_key(1, 2), 1'000, Ecn::kNotCapable, voice);
      queue.take();
    }
    for (int i = 0; i < 40; ++i) {
      queue.add(ipv4_key(1, 2), 1'000, Ecn::kNotCapable, voice);
      queue.add(ipv4_key(1, 3), 1'000, Ecn::kNotCapable, 0);
    }
    int of_voice = 0;
    for (int i = 0; i < 40; ++i) of_voice += queue.take().value() % 2 == 0 ? 1 : 0;
    EXPECT_NEAR(of_voice, 10, 2);
  }
}

TEST(FairQueues, TheHighestTinWithinItsShareGoesFirst) {
  FairQueueSettings settings;
  settings.tins = TinMode::kDiffserv4;
  OneLeaf queue(settings);
  queue.add(ipv4_key(1, 1), 1'000, Ecn::kNotCapable, 0);
  queue.add(ipv4_key(1, 2), 1'000, Ecn::kNotCapable, 1);
  queue.add(ipv4_key(1, 3), 1'000, Ecn::kNotCapable, 2);
  queue.add(ipv4_key(1, 4), 1'000, Ecn::kNotCapable, 3);
  EXPECT_EQ(queue.take(), 3U);
  EXPECT_EQ(queue.take(), 2U);
  EXPECT_EQ(queue.take(), 1U);
  EXPECT_EQ(queue.take(), 0U);
}

TEST(FairQueues, KnowsTheCodePointsOfCake) {
  const Tins& three = tins_of(TinMode::kDiffserv3);
  const Tins& four = tins_of(TinMode::kDiffserv4);
  const auto tin_of = [](const Tins& tins, std::size_t dscp) {
    return static_cast<int>(tins.of_dscp[dscp]);
  };
  std::map<int, int> counts;
  for (std::size_t dscp = 0; dscp < 64; ++dscp) ++counts[tin_of(four, dscp)];
  EXPECT_EQ(counts, (std::map<int, int>{{0, 44}, {1, 2}, {2, 12}, {3, 6}}));
  EXPECT_EQ(tin_of(three, 46), 2);  // EF
  EXPECT_EQ(tin_of(four, 46), 3);
  EXPECT_EQ(tin_of(three, 34), 0);  // AF41
  EXPECT_EQ(tin_of(four, 34), 2);
  EXPECT_EQ(tin_of(three, 8), 1);  // CS1
  EXPECT_EQ(tin_of(four, 1), 1);   // LE
  EXPECT_EQ(tin_of(tins_of(TinMode::kNone), 46), 0);
}

TEST(FairQueues, AFullQueueDropsTheHeadOfTheFattestFlow) {
  FairQueueSettings settings;
  settings.capacity = 100;
  OneLeaf queue(settings);
  std::vector<std::uint64_t> fat;
  for (int i = 0; i < 90; ++i) fat.push_back(queue.add(ipv4_key(1, 1), 1'000));
  for (std::uint16_t i = 0; i < 40; ++i) queue.add(ipv4_key(2, 2, i), 1'000);
  ASSERT_EQ(queue.drops.all.size(), 30U);
  for (std::size_t i = 0; i < 30; ++i) {
    EXPECT_EQ(queue.drops.all[i].id, fat[i]);
    EXPECT_EQ(queue.drops.all[i].reason, QueueDrop::kOverflow);
  }
  EXPECT_EQ(queue.leaf.packets(), 100U);
}

TEST(FairQueues, AFullQueueOfBytesMakesRoomForALongPacket) {
  FairQueueSettings settings;
  settings.capacity_bytes = 20'000;
  OneLeaf queue(settings);
  for (int i = 0; i < 200; ++i) queue.add(ipv4_key(1, 1), 100);
  EXPECT_TRUE(queue.drops.all.empty());
  queue.add(ipv4_key(2, 2), 9'216);
  EXPECT_EQ(queue.drops.count(QueueDrop::kOverflow), 93U);
  EXPECT_LE(queue.queues.bytes(queue.leaf), 20'000U);
}

TEST(FairQueues, ThePacketThatDepartsNextIsNotDroppedAnyMore) {
  FairQueueSettings settings;
  settings.capacity = 2;
  OneLeaf queue(settings);
  const std::uint64_t first = queue.add(ipv4_key(1, 1), 1'000);
  queue.add(ipv4_key(1, 1), 1'000);
  ASSERT_EQ(id_of(queue.head().unit), first);
  for (int i = 0; i < 10; ++i) queue.add(ipv4_key(1, 1), 1'000);
  EXPECT_EQ(queue.take(), first);
  EXPECT_EQ(queue.leaf.packets(), 1U);
}

TEST(FairQueues, ABlockedRetryChangesNothing) {
  FairQueueSettings settings;
  settings.codel = true;
  OneLeaf once(settings);
  OneLeaf often(settings);
  for (int i = 0; i < 1'000; ++i) {
    for (OneLeaf* queue : {&once, &often}) {
      queue->add(ipv4_key(1, 1), 1'000);
      if (i % 2 == 0) continue;
      queue->pass(kMs);
      queue->head();
      for (int retry = 0; retry < 5; ++retry) {
        queue->pass(2'000);
        if (queue == &often) queue->head();
      }
      queue->take();
    }
    ASSERT_EQ(once.drops.all.size(), often.drops.all.size()) << i;
  }
  EXPECT_GT(once.drops.count(QueueDrop::kAqm), 5U);
}

TEST(FairQueues, MarksL4sAtItsOwnThresholdWithoutCodel) {
  FairQueueSettings settings;
  OneLeaf queue(settings);
  for (int i = 0; i < 3; ++i) queue.add(ipv4_key(1, 1), 1'000, Ecn::kEct1);
  queue.add(ipv4_key(1, 1), 1'000, Ecn::kEct0);
  queue.take();
  EXPECT_FALSE(queue.marked);
  queue.pass(kMs);
  queue.take();
  EXPECT_FALSE(queue.marked);  // Not above it.
  queue.pass(64);
  queue.take();
  EXPECT_TRUE(queue.marked);
  queue.take();
  EXPECT_FALSE(queue.marked);
  EXPECT_EQ(queue.queues.counters().marks.get(), 1U);
}

TEST(FairQueues, DropsWhatHasWaitedTooLongEvenTheLast) {
  FairQueueSettings settings;
  settings.max_wait = {10 * kMs};
  OneLeaf queue(settings);
  for (int i = 0; i < 200; ++i) queue.add(ipv4_key(1, 1), 1'000);
  queue.pass(10 * kMs);
  EXPECT_EQ(queue.take(), 0U);
  queue.pass(64);
  // 199 drops are more than one call does.
  EXPECT_EQ(queue.queues.head(queue.leaf, queue.profile, queue.now, queue.drops).status,
            QueueHead::Status::kAgain);
  EXPECT_EQ(queue.drops.count(QueueDrop::kMaxWait), FairQueues::kMostVisits);
  EXPECT_EQ(queue.take(), std::nullopt);
  EXPECT_EQ(queue.drops.count(QueueDrop::kMaxWait), 199U);
  EXPECT_EQ(queue.leaf.packets(), 0U);
}

}  // namespace
}  // namespace drip::test
