// SPDX-License-Identifier: BSD-3-Clause
// Packets that are handed over between polling threads, which one thread polls in turn.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "datapath/poll_loop.h"
#include "fakes.h"
#include "support/frame_builder.h"

namespace drip::datapath {
namespace {

using Kind = RuleAction::Kind;

BucketSettings bits(std::uint32_t capacity, double bits_per_second) {
  BucketSettings settings;
  settings.capacity = capacity;
  settings.bits_per_second = bits_per_second;
  settings.departure = Departure::kAtStart;
  return settings;
}

RuleAction into(std::uint32_t transmitter, std::uint32_t slot) {
  return {Kind::kBucket, BucketRef{transmitter, slot}, 0};
}

// One thread's parts, with its own queue of each of two ports.
struct Side {
  Side(TimePoint* time, bool works, bool transmits, std::uint32_t own, std::uint32_t worker_number,
       std::vector<HandOff*> out, std::vector<HandOff*> in, const FlowHash& spread)
      : ports(2, time) {
    if (transmits) {
      transmitter.emplace(table, *time, ports, 2, counters);
      flows.emplace(*transmitter);
    }
    dispatcher.emplace(ports, transmitter ? &*transmitter : nullptr, flows ? &*flows : nullptr, own,
                       std::move(out), spread, counters);
    if (works) worker.emplace(worker_number, ports, *dispatcher, counters);
    lcore.emplace(VirtualClock{time}, counters, mailbox, *dispatcher, worker ? &*worker : nullptr,
                  transmitter ? &*transmitter : nullptr, flows ? &*flows : nullptr, std::move(in),
                  false);
  }
  ~Side() {
    if (transmitter) transmitter->drop_all({});
  }

  std::uint32_t add_bucket(const BucketSettings& settings) {
    rings.push_back(std::make_unique<RingEntry[]>(8192));
    transmitter->create(next_slot, settings, rings.back().get(), 8192, {1'000'000'000});
    return next_slot++;
  }
  std::uint64_t drops(DropReason reason) const {
    return counters.drops[static_cast<std::size_t>(reason)].get();
  }

  BucketTable table{256, -1};
  std::vector<std::unique_ptr<RingEntry[]>> rings;
  std::uint32_t next_slot = 0;
  FakeIo ports;
  LcoreCounters counters;
  Mailbox mailbox;
  std::optional<Transmitter<FakeIo>> transmitter;
  std::optional<FlowBuckets<FakeIo>> flows;
  std::optional<Dispatcher<FakeIo>> dispatcher;
  std::optional<RxWorker<FakeIo>> worker;
  std::optional<PollLoop<FakeIo, VirtualClock>> lcore;
};

class HandOffTest : public testing::Test {
 protected:
  // Two fused threads.
  void fused() {
    sides_.clear();
    sides_.push_back(std::make_unique<Side>(&time, true, true, 0, 0,
                                            std::vector<HandOff*>{nullptr, &there_},
                                            std::vector{&back_}, spread_));
    sides_.push_back(std::make_unique<Side>(&time, true, true, 1, 1,
                                            std::vector<HandOff*>{&back_, nullptr},
                                            std::vector{&there_}, spread_));
  }
  // A worker and a transmitter.
  void split() {
    sides_.clear();
    sides_.push_back(std::make_unique<Side>(&time, true, false, 0, 0, std::vector{&there_},
                                            std::vector<HandOff*>{}, spread_));
    sides_.push_back(std::make_unique<Side>(
        &time, false, true, 0, 0, std::vector<HandOff*>{nullptr}, std::vector{&there_}, spread_));
  }
  // A worker and two transmitters.
  void split_in_three() {
    sides_.clear();
    sides_.push_back(std::make_unique<Side>(&time, true, false, 0, 0, std::vector{&there_, &back_},
                                            std::vector<HandOff*>{}, spread_));
    for (const std::uint32_t own : {0, 1}) {
      sides_.push_back(std::make_unique<Side>(&time, false, true, own, 0,
                                              std::vector<HandOff*>{nullptr, nullptr},
                                              std::vector{own == 0 ? &there_ : &back_}, spread_));
    }
  }
  Side& a() { return *sides_[0]; }
  Side& b() { return *sides_[1]; }
  Side& c() { return *sides_[2]; }

  const RuleSnapshot& set_rules(RuleAction fallback, std::span<const ClassifierRule> rules = {},
                                std::vector<RuleAction> actions = {}) {
    auto snapshot = std::make_unique<RuleSnapshot>();
    snapshot->classifier = std::move(Classifier::build(rules)).value();
    snapshot->actions = std::move(actions);
    snapshot->fallback = fallback;
    snapshot->flow_paths.assign(kMaxFlowRules, FlowPath{.overflow = fallback});
    snapshot->prepare_workers(2);
    for (const auto& side : sides_) {
      if (side->worker) side->worker->set_rules(snapshot.get());
    }
    snapshots_.push_back(std::move(snapshot));
    return *snapshots_.back();
  }
  void arrive(Side& side, std::size_t count, std::uint16_t port = 0, std::uint16_t dst_port = 9) {
    for (std::size_t i = 0; i < count; ++i) {
      side.ports.arrive(port, udp_frame(1, 2, 7, dst_port, 100));
    }
  }
  void run(Duration span, Duration step) {
    for (const TimePoint end = time + span; time < end; time = time + step) {
      for (const auto& side : sides_) side->lcore->poll_once();
      expect_balance();
    }
  }
  void expect_balance() {
    std::uint64_t received = 0;
    std::uint64_t accounted = 0;
    for (const auto& side : sides_) {
      received += side->counters.rx_packets.get();
      for (const Counter& drop : side->counters.drops) accounted += drop.get();
      if (side->transmitter) {
        accounted += side->transmitter->tx_buffer().sent() + side->transmitter->waiting_packets();
      }
      accounted += side->dispatcher->waiting();
    }
    EXPECT_EQ(received, accounted);
    EXPECT_EQ(there_.waiting() + back_.waiting(),
              sides_[0]->dispatcher->waiting() + sides_[1]->dispatcher->waiting());
  }
  static void expect_order(const std::vector<FakeIo::Sent>& sent) {
    for (std::size_t i = 1; i < sent.size(); ++i) EXPECT_LT(sent[i - 1].id, sent[i].id) << i;
  }
  void TearDown() override { expect_balance(); }

  TimePoint time{1'000'000'000};

 private:
  HandOff there_;  // From the first to the second.
  HandOff back_;
  FlowHash spread_{42};
  std::vector<std::unique_ptr<RuleSnapshot>> snapshots_;
  std::vector<std::unique_ptr<Side>> sides_;
};

TEST_F(HandOffTest, FromAWorkerToATransmitter) {
  split();
  const std::uint32_t slot = b().add_bucket(bits(4096, 80e6));  // 10 us each.
  set_rules(into(0, slot));
  arrive(a(), 1000);
  a().lcore->poll_once();
  EXPECT_EQ(a().dispatcher->waiting(), 32U);
  expect_balance();
  run(Duration{11'000'000}, Duration{1'000});
  const auto& sent = b().ports.sent(1);
  ASSERT_EQ(sent.size(), 1000U);
  expect_order(sent);
  EXPECT_NEAR(static_cast<double>((sent.back().at - sent.front().at).ns), 9'990'000, 2'000);
  EXPECT_EQ(b().table[slot].admitted.get(), 1000U);
}

TEST_F(HandOffTest, PassedAndControlTrafficGoesThroughATransmitter) {
  split();
  set_rules(RuleAction{});
  arrive(a(), 10, 0);
  arrive(a(), 5, 1, 3784);  // BFD.
  b().ports.set_room(1, 0);
  run(Duration{100'000}, Duration{1'000});
  EXPECT_EQ(b().ports.sent(0).size(), 5U);
  b().ports.set_room(1, SIZE_MAX);
  run(Duration{10'000}, Duration{1'000});
  EXPECT_EQ(b().ports.sent(1).size(), 10U);
  EXPECT_EQ(b().counters.passed_packets.get(), 15U);
  expect_order(b().ports.sent(1));
}

TEST_F(HandOffTest, PassedPacketsAreSpreadOverTransmittersByIngressAndStayInOrder) {
  split_in_three();
  set_rules(RuleAction{});
  for (int i = 0; i < 300; ++i) {
    arrive(a(), 1, 0);
    arrive(a(), 1, 1);
  }
  run(Duration{100'000}, Duration{1'000});
  EXPECT_EQ(b().ports.sent(1).size(), 300U);  // What came in by port 0 leaves by port 1.
  EXPECT_EQ(b().ports.sent(0).size(), 0U);
  EXPECT_EQ(c().ports.sent(0).size(), 300U);
  EXPECT_EQ(c().ports.sent(1).size(), 0U);
  expect_order(b().ports.sent(1));
  expect_order(c().ports.sent(0));
}

TEST_F(HandOffTest, ControlTrafficKeepsItsReserveAcrossTheHandOff) {
  split();
  set_rules(RuleAction{});
  b().ports.set_room(1, 0);
  arrive(a(), 400);
  run(Duration{30'000}, Duration{1'000});
  const std::uint64_t full = b().drops(DropReason::kTxFull);
  EXPECT_GT(full, 0U);
  arrive(a(), 8, 0, 3784);
  run(Duration{10'000}, Duration{1'000});
  EXPECT_EQ(b().drops(DropReason::kTxFull), full);
}

struct alignas(64) Frame {};

HandedPacket handed(Frame& frame, const RuleSnapshot* rules, TimePoint arrival) {
  HandedPacket packet;
  packet.packet = &frame;
  packet.rules = rules;
  packet.arrival = arrival;
  return packet;
}

TEST(HandOff, IsFullWithRingAndBurstAndKeepsTheOrder) {
  HandOff hand_off;
  Frame frame;
  std::uint32_t added = 0;
  const auto add = [&] {
    HandedPacket packet = handed(frame, nullptr, {});
    packet.target = added;
    const bool taken = hand_off.add(packet);
    if (taken) ++added;
    return taken;
  };
  while (add()) {
  }
  EXPECT_EQ(added, HandOff::kSlots + HandOff::kBurst);
  std::array<HandedPacket, 10> few;
  std::uint32_t next = 0;
  for (int round = 0; round < 1000; ++round) {
    ASSERT_EQ(hand_off.pop(few), few.size());
    for (const HandedPacket& packet : few) ASSERT_EQ(packet.target, next++);
    for (std::size_t i = 0; i < few.size(); ++i) ASSERT_TRUE(add()) << round << ", " << i;
    ASSERT_FALSE(add());
    EXPECT_EQ(hand_off.waiting(), HandOff::kSlots + HandOff::kBurst);
  }
}

TEST(HandOff, GivesWhatItTook) {
  using Handed = HandedPacket::Kind;
  const auto frames = std::make_unique<std::array<Frame, 64>>();
  const auto rules = std::make_unique<std::array<RuleSnapshot, 3>>();
  HandOff hand_off;
  std::mt19937_64 random(1);
  const auto draw = [&](std::uint64_t below) {
    return std::uniform_int_distribution<std::uint64_t>(0, below - 1)(random);
  };
  const RuleSnapshot* present = nullptr;
  TimePoint now{1'000'000'000};
  std::deque<HandedPacket> expected;
  for (int round = 0; round < 2000; ++round) {
    if (draw(20) == 0) present = &(*rules)[draw(rules->size())];
    // Between packets nothing, some ns, the longest that a context has, more; and a clock set back.
    constexpr std::array<std::int64_t, 6> kSteps = {0,         7,      0xffff'ffff, 0x1'0000'0000,
                                                    1LL << 40, -12'345};
    now = now + Duration{kSteps[draw(20) == 0 ? draw(kSteps.size()) : draw(2)]};
    for (std::uint64_t i = draw(2 * HandOff::kBurst); i > 0; --i) {
      HandedPacket packet = handed((*frames)[draw(frames->size())], present, now);
      packet.kind = std::array{Handed::kBucket, Handed::kFlows, Handed::kPass,
                               Handed::kControlTraffic}[draw(4)];
      packet.frame_bytes = static_cast<std::uint32_t>(draw(kMaxWireBytes + 1));
      packet.egress = static_cast<std::uint16_t>(draw(kMaxPorts));
      if (packet.kind == Handed::kBucket)
        packet.target = static_cast<std::uint32_t>(draw(1U << 28));
      if (packet.kind == Handed::kFlows) {
        packet.target = static_cast<std::uint32_t>(draw(kMaxFlowRules));
        packet.ingress = static_cast<std::uint16_t>(draw(kMaxPorts));
      }
      if (hand_off.add(packet)) expected.push_back(packet);
    }
    hand_off.flush();
    std::array<HandedPacket, HandOff::kBurst> out;
    const std::size_t most = draw(out.size() + 1);
    const std::size_t count = hand_off.pop(std::span(out).first(most));
    for (std::size_t i = 0; i < count; ++i) {
      const HandedPacket& packet = out[i];
      const HandedPacket& wanted = expected.front();
      ASSERT_EQ(packet.packet, wanted.packet);
      ASSERT_EQ(packet.arrival, wanted.arrival) << round;
      ASSERT_EQ(packet.rules, wanted.rules);
      ASSERT_EQ(packet.target, wanted.target);
      ASSERT_EQ(packet.frame_bytes, wanted.frame_bytes);
      ASSERT_EQ(packet.ingress, wanted.ingress);
      ASSERT_EQ(packet.egress, wanted.egress);
      ASSERT_EQ(packet.kind, wanted.kind);
      expected.pop_front();
    }
  }
  EXPECT_GT(expected.size(), 0U);
}

// What waits must keep what it came with, however often the rules change.
TEST(HandOff, TakesNothingOfAFifthContextBeforeTheFirstOneIsThrough) {
  Frame frame;
  const auto rules = std::make_unique<std::array<RuleSnapshot, 8>>();
  HandOff hand_off;
  const auto add = [&](std::size_t number) {
    return hand_off.add(handed(frame, &(*rules)[number], {}));
  };
  for (std::size_t i = 0; i < 4; ++i) EXPECT_TRUE(add(i)) << i;
  EXPECT_FALSE(add(4));
  EXPECT_TRUE(add(3));
  hand_off.flush();
  EXPECT_FALSE(add(4));
  std::array<HandedPacket, 1> one;
  EXPECT_EQ(hand_off.pop(one), 1U);
  EXPECT_EQ(one[0].rules, rules->data());
  EXPECT_TRUE(add(4));
  EXPECT_FALSE(add(5));
  hand_off.flush();
  for (const std::size_t number : {1, 2, 3, 3, 4}) {
    EXPECT_EQ(hand_off.pop(one), 1U);
    EXPECT_EQ(one[0].rules, &(*rules)[number]);
  }
  EXPECT_EQ(hand_off.waiting(), 0U);
}

TEST_F(HandOffTest, AFullRingIsCountedAndRecovers) {
  split();
  const std::uint32_t slot = b().add_bucket(bits(8192, 8e9));
  set_rules(into(0, slot));
  arrive(a(), 5000);
  while (a().ports.queued(0) > 0) {
    a().lcore->poll_once();  // And the transmitter is held up.
    expect_balance();
  }
  EXPECT_EQ(a().dispatcher->waiting(), HandOff::kSlots + HandOff::kBurst);
  EXPECT_EQ(a().drops(DropReason::kHandOffFull), 5000 - HandOff::kSlots - HandOff::kBurst);
  run(Duration{1'000'000}, Duration{1'000});
  EXPECT_EQ(a().dispatcher->waiting(), 0U);
  EXPECT_EQ(b().ports.sent(1).size(), HandOff::kSlots + HandOff::kBurst);
  arrive(a(), 100);
  run(Duration{1'000'000}, Duration{1'000});
  EXPECT_EQ(b().ports.sent(1).size(), HandOff::kSlots + HandOff::kBurst + 100);
  expect_order(b().ports.sent(1));
}

TEST_F(HandOffTest, TwoFusedThreadsReachEachOthersBuckets) {
  fused();
  const std::uint32_t mine = a().add_bucket(bits(4096, 800e6));
  const std::uint32_t other = b().add_bucket(bits(4096, 800e6));
  ClassifierRule even;
  even.match.dst_port = PortRange{2, 2};
  set_rules(into(1, other), std::vector{even}, {into(0, mine)});
  for (int i = 0; i < 500; ++i) {
    arrive(a(), 1, 0, static_cast<std::uint16_t>(1 + i % 2));
    arrive(b(), 1, 1, static_cast<std::uint16_t>(1 + i % 2));
  }
  run(Duration{2'000'000}, Duration{500});
  EXPECT_EQ(a().table[mine].departed.get(), 500U);
  EXPECT_EQ(b().table[other].departed.get(), 500U);
  EXPECT_EQ(a().table[mine].lost_schedule_ns.get(), 0U);
  for (std::uint16_t port = 0; port < 2; ++port) {
    EXPECT_EQ(a().ports.sent(port).size(), 250U);
    EXPECT_EQ(b().ports.sent(port).size(), 250U);
    expect_order(a().ports.sent(port));
    expect_order(b().ports.sent(port));
  }
}

TEST_F(HandOffTest, RulesAreSwappedWhilePacketsAreHandedOver) {
  for (const bool is_fused : {false, true}) {
    SCOPED_TRACE(is_fused);
    is_fused ? fused() : split();
    const std::uint32_t owner = is_fused ? 1 : 0;
    const std::uint32_t old_slot = b().add_bucket(bits(8192, 8e9));
    const std::uint32_t new_slot = b().add_bucket(bits(8192, 8e9));
    set_rules(into(owner, old_slot));
    arrive(a(), 100);
    a().lcore->poll_once();
    a().lcore->poll_once();
    EXPECT_EQ(a().dispatcher->waiting(), 64U);
    set_rules(into(owner, new_slot));
    // As the engine does: no packet of the old rules is between threads now.
    b().lcore->drain_hand_offs(time);
    EXPECT_EQ(a().dispatcher->waiting(), 0U);
    EXPECT_EQ(b().table[old_slot].admitted.get(), 64U);
    // The first packet found the bucket idle and has departed.
    EXPECT_EQ(b().transmitter->remove(old_slot, true, time).dropped, 63U);
    run(Duration{100'000}, Duration{500});
    EXPECT_EQ(b().table[new_slot].departed.get(), 36U);
    EXPECT_EQ(b().drops(DropReason::kBucketDeleted), 63U);
    EXPECT_EQ(b().drops(DropReason::kBucketDraining), 0U);
    expect_balance();
  }
}

TEST_F(HandOffTest, RulesAreSwappedWhileTheRingIsFull) {
  split();
  const std::uint32_t old_slot = b().add_bucket(bits(8192, 8e9));
  const std::uint32_t new_slot = b().add_bucket(bits(8192, 8e9));
  set_rules(into(0, old_slot));
  arrive(a(), 5000);
  while (a().ports.queued(0) > 0) a().lcore->poll_once();
  set_rules(into(0, new_slot));
  b().lcore->drain_hand_offs(time);
  EXPECT_EQ(a().dispatcher->waiting(), HandOff::kBurst);  // They had no room in the ring.
  a().dispatcher->flush();
  b().lcore->drain_hand_offs(time);
  EXPECT_EQ(a().dispatcher->waiting(), 0U);
  EXPECT_EQ(b().table[old_slot].admitted.get(), HandOff::kSlots + HandOff::kBurst);
  arrive(a(), 10);
  run(Duration{20'000}, Duration{500});
  EXPECT_EQ(b().table[new_slot].admitted.get(), 10U);
}

TEST_F(HandOffTest, AFlowGoesToOneTransmitterWhicheverThreadReceivesIt) {
  fused();
  FlowRuleSettings settings;
  settings.bucket = bits(64, 8e9);
  settings.max_flows = 128;
  settings.idle_timeout = Duration{1'000'000'000};
  const auto limit = std::make_shared<FlowLimit>(settings.max_flows);
  const auto memory = std::make_unique<RingEntry[]>(128 * 64);
  FlowRings rings(64, 2);
  for (std::uint32_t i = 0; i < 128; ++i) rings.add(&memory[std::size_t{i} * 64], i % 2);
  std::vector<std::unique_ptr<FlowTable>> tables;
  std::vector<std::uint32_t> slots(128);
  for (std::uint32_t i = 0; i < 128; ++i) slots[i] = i;
  for (Side* const side : {&a(), &b()}) {
    const auto number = static_cast<std::uint32_t>(tables.size());
    tables.push_back(std::make_unique<FlowTable>(settings, limit, &rings, number, slots));
    side->flows->add_table(0, tables.back().get());
  }
  set_rules({Kind::kFlows, {}, 0});
  for (int round = 0; round < 4; ++round) {
    for (std::uint16_t flow = 0; flow < 100; ++flow) {
      arrive(a(), 1, 0, static_cast<std::uint16_t>(20'000 + flow));
      arrive(b(), 1, 0, static_cast<std::uint16_t>(20'000 + flow));
    }
  }
  run(Duration{1'000'000}, Duration{500});
  EXPECT_EQ(tables[0]->flows.get() + tables[1]->flows.get(), 100U);
  EXPECT_GT(tables[0]->flows.get(), 20U);
  EXPECT_GT(tables[1]->flows.get(), 20U);
  for (int i = 100; i < 128; ++i) EXPECT_TRUE(limit->acquire());
  EXPECT_FALSE(limit->acquire());
  std::uint64_t departed = 0;
  for (std::size_t side = 0; side < 2; ++side) {
    for (std::uint32_t flow = 0; flow < 128; ++flow) {
      if (!tables[side]->key_of(flow)) continue;
      const Bucket& bucket = (side == 0 ? a() : b()).table[flow];
      EXPECT_EQ(bucket.departed.get(), 8U);
      departed += bucket.departed.get();
    }
  }
  EXPECT_EQ(departed, 800U);
}

TEST_F(HandOffTest, FlowsWithoutRoomGoToTheFallbackOnTheOtherSide) {
  fused();
  const std::uint32_t slot = a().add_bucket(bits(4096, 8e9));
  ClassifierRule all;
  all.match.ip_protocol = 17;
  set_rules(into(0, slot), std::vector{all},
            {{Kind::kFlows, {}, 3}});  // No transmitter has that table.
  for (std::uint16_t flow = 0; flow < 100; ++flow) {
    arrive(a(), 1, 0, static_cast<std::uint16_t>(20'000 + flow));
    arrive(b(), 1, 0, static_cast<std::uint16_t>(20'000 + flow));
  }
  run(Duration{1'000'000}, Duration{500});
  EXPECT_EQ(a().table[slot].departed.get(), 200U);
}

}  // namespace
}  // namespace drip::datapath
