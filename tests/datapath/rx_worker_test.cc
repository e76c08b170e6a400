// SPDX-License-Identifier: BSD-3-Clause
// Where packets go by rules, protected traffic and ports, on one fused thread.
#include <gtest/gtest.h>

#include <array>
#include <utility>
#include <vector>

#include "harness.h"
#include "support/encapsulate.h"
#include "support/frame_builder.h"

namespace drip::datapath {
namespace {

using Kind = RuleAction::Kind;

constexpr std::uint32_t kHost = 0x0a000001;  // 10.0.0.1
constexpr std::uint16_t kVlan = 0x8100;

RuleAction pass() { return {}; }
RuleAction drop() { return {Kind::kDrop, {}, 0}; }
RuleAction into(std::uint32_t slot) { return {Kind::kBucket, BucketRef{0, slot}, 0}; }

ClassifierRule to_port(std::uint16_t port) {
  ClassifierRule rule;
  rule.match.dst_port = PortRange{port, port};
  return rule;
}

std::vector<std::uint8_t> frame_to(std::uint16_t port, std::size_t frame_bytes = 100) {
  return udp_frame(kHost, kHost + 1, 5000, port, frame_bytes);
}

std::vector<std::uint8_t> arp() {
  auto frame = frame_to(1, 60);
  frame[12] = 0x08;
  frame[13] = 0x06;
  return frame;
}

// `more`: not the last fragment. `offset`: in units of 8 bytes.
std::vector<std::uint8_t> fragment(std::uint16_t port, bool more, std::uint16_t offset) {
  auto frame = frame_to(port, 100);
  frame[18] = 0x12;  // Identification.
  frame[19] = 0x34;
  frame[20] = static_cast<std::uint8_t>((more ? 0x20 : 0) | offset >> 8);
  frame[21] = static_cast<std::uint8_t>(offset);
  return frame;
}

BucketSettings slow(std::uint32_t capacity) {
  BucketSettings settings;
  settings.capacity = capacity;
  settings.bits_per_second = 8e3;  // 100 bytes: 100 ms.
  settings.departure = Departure::kAtStart;
  return settings;
}

class RxWorkerTest : public testing::Test {
 protected:
  void poll() {
    while (h.ports.queued(0) > 0 || h.ports.queued(1) > 0) h.lcore.poll_once();
  }
  std::pair<std::uint64_t, std::uint64_t> hits(std::size_t index) const {
    const WorkerRule& one = h.rules().workers[0][index];
    return {one.packets.get(), one.bytes.get()};
  }
  // Of all kinds of packets.
  std::pair<std::uint64_t, std::uint64_t> default_hits() const {
    std::pair<std::uint64_t, std::uint64_t> sum;
    for (std::size_t kind = 0; kind < kPacketKinds; ++kind) {
      const auto [packets, bytes] = hits(h.rules().fallback_index(static_cast<PacketKind>(kind)));
      sum.first += packets;
      sum.second += bytes;
    }
    return sum;
  }
  void TearDown() override {
    EXPECT_TRUE(h.balanced());
    EXPECT_EQ(h.ports.alive(), h.transmitter.waiting_packets());
  }
  using Hits = std::pair<std::uint64_t, std::uint64_t>;

  Harness h;
};

TEST_F(RxWorkerTest, NothingIsReceivedBeforeThereAreRules) {
  h.ports.arrive(0, frame_to(1));
  EXPECT_FALSE(h.lcore.poll_once());
  EXPECT_EQ(h.ports.queued(0), 1U);
  h.set_rules({}, {}, pass());
  EXPECT_TRUE(h.lcore.poll_once());
  EXPECT_EQ(h.ports.sent(1).size(), 1U);
}

TEST_F(RxWorkerTest, APacketBehindAnyHeaderGoesToTheBucketOfARuleThatLooksInside) {
  const std::uint32_t slot = h.add_bucket(slow(1000));
  ClassifierRule customer;
  customer.match.inner = true;
  customer.match.src_prefix = IpPrefix::of(IpVersion::kV4, {10, 0, 0, 1}, 32);
  h.set_rules(std::vector{customer}, {into(slot)}, drop());
  const Bytes frame = FrameBuilder().ipv4({}).ports(1, 2).raw(Bytes(40, 0)).build();
  std::uint64_t frames = 0;
  for (const Encapsulated& each : encapsulated(frame)) {
    h.ports.arrive(0, each.frame);
    ++frames;
  }
  poll();
  EXPECT_EQ(hits(0).first, frames);
  EXPECT_EQ(h.bucket(slot).admitted.get(), frames);
  EXPECT_GT(frames, 100U);
}

TEST_F(RxWorkerTest, WhatTheDefaultTakesIsCountedByKind) {
  h.set_rules({}, {}, pass());
  const Bytes frame = FrameBuilder().ipv4({}).ports(1, 2).raw(Bytes(40, 0)).build();
  std::array<std::uint64_t, kPacketKinds> expected{};
  for (const Encapsulated& each : encapsulated(frame)) {
    h.ports.arrive(0, each.frame);
    const Headers headers = parse_frame(each.frame, static_cast<std::uint32_t>(each.frame.size()));
    ++expected[static_cast<std::size_t>(packet_kind(headers))];
  }
  poll();
  for (std::size_t kind = 0; kind < kPacketKinds; ++kind) {
    EXPECT_EQ(hits(h.rules().fallback_index(static_cast<PacketKind>(kind))).first, expected[kind])
        << kind;
  }
  EXPECT_GT(expected[static_cast<std::size_t>(PacketKind::kTunnel)], 10U);
}

TEST_F(RxWorkerTest, EachRuleAppliesItsActionAndIsCounted) {
  const std::uint32_t first = h.add_bucket(slow(100));
  const std::uint32_t second = h.add_bucket(slow(100));
  const std::vector<ClassifierRule> rules = {to_port(1), to_port(2), to_port(3), to_port(4)};
  h.set_rules(rules, {into(first), pass(), drop(), into(second)}, into(second));
  for (int i = 0; i < 5; ++i) {
    h.ports.arrive(0, frame_to(1));
    h.ports.arrive(0, frame_to(2, 110));
    h.ports.arrive(1, frame_to(3, 120));
    h.ports.arrive(0, frame_to(4, 130));
    h.ports.arrive(1, frame_to(5, 140));
  }
  poll();
  EXPECT_EQ(hits(0), Hits(5, 500));
  EXPECT_EQ(hits(1), Hits(5, 550));
  EXPECT_EQ(hits(2), Hits(5, 600));
  EXPECT_EQ(hits(3), Hits(5, 650));
  EXPECT_EQ(default_hits(), Hits(5, 700));
  EXPECT_EQ(hits(h.rules().protected_index()), Hits(0, 0));
  EXPECT_EQ(h.bucket(first).admitted.get(), 5U);
  EXPECT_EQ(h.bucket(second).admitted.get(), 10U);
  EXPECT_EQ(h.counters.passed_packets.get(), 5U);
  EXPECT_EQ(h.drops(DropReason::kRuleDrop), 5U);
  EXPECT_EQ(h.counters.dropped_bytes[static_cast<std::size_t>(DropReason::kRuleDrop)].get(), 600U);
  EXPECT_EQ(h.counters.rx_packets.get(), 25U);
}

TEST_F(RxWorkerTest, TheFallbackMayBeAnyAction) {
  h.set_rules({}, {}, drop());
  h.ports.arrive(0, frame_to(1));
  poll();
  EXPECT_EQ(h.drops(DropReason::kRuleDrop), 1U);
  h.send_all_to(h.add_bucket(slow(10)));
  h.ports.arrive(0, frame_to(1));
  poll();
  EXPECT_EQ(h.bucket(0).admitted.get(), 1U);
  h.set_rules({}, {}, pass());
  h.ports.arrive(0, frame_to(1));
  poll();
  EXPECT_EQ(h.counters.passed_packets.get(), 1U);
}

TEST_F(RxWorkerTest, PassedPacketsDoNotWaitForABucket) {
  const std::uint32_t slot = h.add_bucket(slow(100));
  h.set_rules(std::vector{to_port(1)}, {into(slot)}, pass());
  for (int i = 0; i < 20; ++i) h.ports.arrive(0, frame_to(1));
  const std::uint64_t passed = h.ports.arrive(0, frame_to(2));
  poll();
  ASSERT_EQ(h.ports.sent(1).size(), 2U);  // After the first packet, which found the bucket idle.
  EXPECT_EQ(h.ports.sent(1)[1].id, passed);
}

TEST_F(RxWorkerTest, ControlTrafficPassesAFullBucket) {
  const std::uint32_t slot = h.add_bucket(slow(2));
  h.send_all_to(slot);
  for (int i = 0; i < 10; ++i) h.ports.arrive(0, frame_to(1));
  for (int i = 0; i < 3; ++i) h.ports.arrive(0, arp());
  h.ports.arrive(0, frame_to(3784));  // BFD.
  poll();
  EXPECT_EQ(h.ports.sent(1).size(), 5U);  // And the first packet, which found the bucket idle.
  EXPECT_EQ(hits(h.rules().protected_index()), Hits(4, 280));
  EXPECT_EQ(default_hits(), Hits(10, 1000));
  EXPECT_EQ(h.drops(DropReason::kBucketFull), 8U);
}

TEST_F(RxWorkerTest, ControlTrafficIsProtectedFromRulesThatDrop) {
  ClassifierRule rule;
  rule.match.ether_type = 0x0806;
  h.set_rules(std::vector{rule}, {drop()}, drop());
  h.ports.arrive(0, arp());
  poll();
  EXPECT_EQ(h.ports.sent(1).size(), 1U);
  EXPECT_EQ(hits(0), Hits(0, 0));
}

TEST_F(RxWorkerTest, ControlTrafficIsShapedIfItIsNotProtected) {
  const std::uint32_t slot = h.add_bucket(slow(2));
  h.set_rules({}, {}, into(slot), /*protect=*/false);
  for (int i = 0; i < 10; ++i) h.ports.arrive(0, arp());
  poll();
  EXPECT_EQ(hits(h.rules().protected_index()), Hits(0, 0));
  EXPECT_EQ(default_hits(), Hits(10, 600));
  EXPECT_EQ(h.drops(DropReason::kBucketFull), 8U);
}

TEST_F(RxWorkerTest, PacketsOfAPortWithoutPeerAreDropped) {
  h.ports.set_egress(0, kNoPort);
  const std::uint32_t slot = h.add_bucket(slow(100));
  h.send_all_to(slot);
  h.ports.arrive(0, frame_to(1));
  h.ports.arrive(0, arp());
  h.ports.arrive(1, frame_to(1));  // This port has a peer.
  poll();
  EXPECT_EQ(h.drops(DropReason::kNoEgress), 2U);
  EXPECT_EQ(h.bucket(slot).admitted.get(), 1U);
}

TEST_F(RxWorkerTest, FramesTooLongForTheEgressAreDroppedBeforeAnythingCountsThem) {
  const std::uint32_t slot = h.add_bucket(slow(100));
  h.send_all_to(slot);
  h.ports.set_longest_frame(1, 114);
  h.ports.arrive(0, frame_to(1, 114));
  h.ports.arrive(0, frame_to(1, 118));  // What a VLAN tag adds.
  h.ports.arrive(0, frame_to(1, 119));
  auto long_arp = arp();
  long_arp.resize(200);
  h.ports.arrive(0, long_arp);          // Control traffic as well.
  h.ports.arrive(1, frame_to(1, 500));  // The other way is another port.
  poll();
  EXPECT_EQ(h.drops(DropReason::kEgressMtu), 2U);
  EXPECT_EQ(h.counters.dropped_bytes[static_cast<std::size_t>(DropReason::kEgressMtu)].get(), 319U);
  EXPECT_EQ(h.bucket(slot).admitted.get(), 3U);
  EXPECT_EQ(hits(h.rules().fallback_index(PacketKind::kOther)), (Hits{3, 114 + 118 + 500}));
  h.ports.set_longest_frame(1, 1514);
  h.ports.arrive(0, frame_to(1, 119));
  poll();
  EXPECT_EQ(h.drops(DropReason::kEgressMtu), 2U);
  EXPECT_EQ(h.bucket(slot).admitted.get(), 4U);
}

TEST_F(RxWorkerTest, HairpinLeavesByItsIngressPort) {
  h.ports.set_egress(0, 0);
  h.send_all_to(h.add_bucket(slow(100)));
  for (int i = 0; i < 3; ++i) h.ports.arrive(0, frame_to(1));
  h.ports.arrive(0, arp());
  poll();
  h.run_for(Duration{300'000'000}, Duration{1'000'000});
  EXPECT_EQ(h.ports.sent(0).size(), 4U);
  EXPECT_EQ(h.ports.sent(1).size(), 0U);
}

TEST_F(RxWorkerTest, OneBucketServesBothDirections) {
  h.send_all_to(h.add_bucket(slow(100)));
  for (int i = 0; i < 5; ++i) {
    h.ports.arrive(0, frame_to(1));
    h.ports.arrive(1, frame_to(1));
  }
  poll();
  h.run_for(Duration{450'000'000}, Duration{1'000'000});
  EXPECT_EQ(h.ports.sent(0).size() + h.ports.sent(1).size(), 5U);
  h.run_for(Duration{500'000'000}, Duration{1'000'000});
  EXPECT_EQ(h.ports.sent(0).size(), 5U);
  EXPECT_EQ(h.ports.sent(1).size(), 5U);
}

TEST_F(RxWorkerTest, FragmentsOfOneDatagramGoToOneBucket) {
  // Only the first fragment has ports, so no fragment matches a rule by ports.
  const std::uint32_t by_port = h.add_bucket(slow(100));
  const std::uint32_t by_address = h.add_bucket(slow(100));
  ClassifierRule address;
  address.match.dst_prefix = IpPrefix::of(IpVersion::kV4, IpAddress{10, 0, 0, 2}, 32);
  ClassifierRule port = to_port(53);
  port.priority = 10;
  h.set_rules(std::vector{port, address}, {into(by_port), into(by_address)}, pass());
  h.ports.arrive(0, frame_to(53));
  h.ports.arrive(0, fragment(53, true, 0));
  h.ports.arrive(0, fragment(53, true, 10));
  h.ports.arrive(0, fragment(0x3535, false, 20));
  poll();
  EXPECT_EQ(h.bucket(by_port).admitted.get(), 1U);
  EXPECT_EQ(h.bucket(by_address).admitted.get(), 3U);
}

TEST_F(RxWorkerTest, QueuesAreReceivedInTurnsOfOneBurst) {
  h.set_rules({}, {}, pass());
  for (int i = 0; i < 100; ++i) h.ports.arrive(0, frame_to(1));
  for (int i = 0; i < 10; ++i) h.ports.arrive(1, frame_to(1));
  h.lcore.poll_once();
  EXPECT_EQ(h.counters.rx_packets.get(), 42U);
  EXPECT_EQ(h.ports.sent(0).size(), 10U);
  poll();
  EXPECT_EQ(h.ports.sent(1).size(), 100U);
}

TEST_F(RxWorkerTest, MalformedFramesAreShapedAsWell) {
  const std::uint32_t slot = h.add_bucket(slow(100));
  h.send_all_to(slot);
  h.ports.arrive(0, {});
  h.ports.arrive(0, {1, 2, 3});
  auto cut = frame_to(1);
  cut.resize(20);
  h.ports.arrive(0, cut);
  auto tag = frame_to(1);
  tag[12] = static_cast<std::uint8_t>(kVlan >> 8);
  tag[13] = static_cast<std::uint8_t>(kVlan & 0xff);
  tag.resize(15);
  h.ports.arrive(0, tag);
  poll();
  EXPECT_EQ(h.bucket(slot).admitted.get(), 4U);
  h.run_for(Duration{100'000'000}, Duration{1'000'000});
  EXPECT_EQ(h.ports.sent(1).size(), 4U);
}

// ---- Rules added to others

TEST_F(RxWorkerTest, AddedRulesCompeteWithTheOthersByPriorityThenByOrder) {
  ClassifierRule first = to_port(1);
  first.priority = 5;
  h.set_rules(std::vector{first, to_port(2)}, {drop(), drop()}, pass());
  ClassifierRule higher = to_port(2);
  higher.priority = 1;
  ClassifierRule address;  // Every packet.
  address.match.ip_protocol = std::uint8_t{17};
  ClassifierRule tagged;  // Looks deeper than the others.
  tagged.match.dst_mac = MacPrefix{0x020000000000, 8};
  const auto count_of = [&](std::uint16_t port) {
    std::array<std::uint64_t, 5> before{};
    for (std::size_t i = 0; i < before.size(); ++i) before[i] = hits(i).first;
    h.ports.arrive(0, frame_to(port));
    poll();
    for (std::size_t i = 0; i < before.size(); ++i) {
      if (hits(i).first != before[i]) return static_cast<int>(i);
    }
    return -1;
  };
  h.add_rule({higher}, pass());
  EXPECT_EQ(count_of(1), 0);
  EXPECT_EQ(count_of(2), 2) << "a higher priority";
  EXPECT_EQ(count_of(3), -1);
  h.add_rule({higher, address}, drop());
  EXPECT_EQ(count_of(1), 0);
  EXPECT_EQ(count_of(2), 2);
  EXPECT_EQ(count_of(3), 3);
  EXPECT_EQ(hits(3), Hits(1, 100)) << "counts stay with more rules";
  h.add_rule({higher, address, tagged}, drop());
  EXPECT_EQ(count_of(2), 2);
  EXPECT_EQ(count_of(3), 3) << "of equals the first";
  EXPECT_EQ(hits(3), Hits(2, 200));
  EXPECT_EQ(default_hits().first, 1U);
  EXPECT_TRUE(h.balanced());
}

}  // namespace
}  // namespace drip::datapath
