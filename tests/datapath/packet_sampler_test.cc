// SPDX-License-Identifier: BSD-3-Clause
// Which packets are sampled on their way to a bucket, and what a sample says.
#include "datapath/packet_sampler.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "harness.h"
#include "support/frame_builder.h"

namespace drip::datapath {
namespace {

using Kind = RuleAction::Kind;

constexpr std::uint8_t kAckFlag = 0x10;

// A segment of 10 bytes from `src_port` of one host to `dst_port` of the other one.
Bytes tcp_frame(bool to_second, std::uint16_t src_port, std::uint16_t dst_port) {
  Ipv4Fields ip{.protocol = 6};
  if (!to_second) std::swap(ip.src, ip.dst);
  return FrameBuilder()
      .ipv4(ip)
      .ports(src_port, dst_port)
      .raw({0, 0, 0, 100, 0, 0, 0, 200, 0x50, kAckFlag, 0, 0, 0, 0, 0, 0})
      .raw(Bytes(10))
      .build();
}

class PacketSamplerTest : public testing::Test {
 protected:
  PacketSamplerTest() {
    BucketSettings settings;
    settings.capacity = 16;
    settings.bits_per_second = 8e3;
    slot_ = h.add_bucket(settings);
    h.send_all_to(slot_);
  }
  void TearDown() override { EXPECT_TRUE(h.balanced()); }
  void sample(SamplePlan plan) {
    ring_.plan.store(plan);
    h.worker.set_samples(&ring_);
  }
  void arrive(std::uint16_t port, const Bytes& frame) {
    h.ports.arrive(port, frame);
    poll();
  }
  void poll() {
    while (h.ports.queued(0) > 0 || h.ports.queued(1) > 0) h.lcore.poll_once();
  }
  std::vector<PacketSample> taken() {
    std::vector<PacketSample> all(SampleRing::kSamples);
    all.resize(ring_.samples.pop(all));
    return all;
  }

  Harness h;
  SampleRing ring_{0x9e3779b97f4a7c15};
  std::uint32_t slot_ = 0;
};

TEST_F(PacketSamplerTest, NothingIsSampledUnlessItIsAskedFor) {
  arrive(0, tcp_frame(true, 5000, 80));
  sample({});
  h.worker.set_samples(nullptr);
  arrive(0, tcp_frame(true, 5000, 80));
  EXPECT_TRUE(taken().empty());
}

TEST_F(PacketSamplerTest, AConnectionHasAllItsPacketsAndTheirFields) {
  sample({.mask = 0, .turn = 0, .one_in = 0});
  arrive(0, tcp_frame(true, 5000, 80));
  h.time = h.time + Duration{1'000'000};
  arrive(1, tcp_frame(false, 80, 5000));
  arrive(0, udp_frame(1, 2, 5000, 80, 100));
  const auto samples = taken();
  ASSERT_EQ(samples.size(), 2U);
  EXPECT_EQ(to_text(samples[0].flow), "10.0.0.1:5000>10.0.0.2:80/tcp");
  EXPECT_EQ(to_text(samples[1].flow), "10.0.0.2:80>10.0.0.1:5000/tcp");
  EXPECT_EQ((samples[1].at - samples[0].at).ns, 1'000'000);
  for (const PacketSample& sample : samples) {
    EXPECT_EQ(sample.target, Kind::kBucket);
    EXPECT_EQ(sample.bucket, (BucketRef{0, slot_}));
    EXPECT_EQ(sample.frame_bytes, 64U);
    EXPECT_EQ(sample.stands_for, 0U);
    ASSERT_TRUE(sample.is_tcp);
    EXPECT_EQ(sample.tcp.sequence, 100U);
    EXPECT_EQ(sample.tcp.acknowledgment, 200U);
    EXPECT_EQ(sample.tcp.length, 10U);
  }
}

TEST_F(PacketSamplerTest, WhatTheBucketRejectsIsSampledToo) {
  sample({.mask = 0, .turn = 0, .one_in = 0});
  for (int i = 0; i < 40; ++i) arrive(0, tcp_frame(true, 5000, 80));
  EXPECT_GT(h.drops(DropReason::kBucketFull), 0U);
  EXPECT_EQ(taken().size(), 40U);
}

// Of 1024 connections one in 16 is taken, both directions of it, and each has its turn once.
TEST_F(PacketSamplerTest, TurnsPartTheConnections) {
  constexpr std::uint16_t kConnections = 1024;
  std::map<std::uint16_t, int> seen;
  for (std::uint16_t turn = 0; turn < 16; ++turn) {
    sample({.mask = 15, .turn = turn, .one_in = 0});
    std::map<std::uint16_t, int> now;
    for (std::uint16_t port = 0; port < kConnections; ++port) {
      arrive(0, tcp_frame(true, static_cast<std::uint16_t>(5000 + port), 80));
      arrive(1, tcp_frame(false, 80, static_cast<std::uint16_t>(5000 + port)));
    }
    for (const PacketSample& sample : taken()) {
      ++now[std::max(sample.flow.src_port, sample.flow.dst_port)];
    }
    // 64 are expected; of a fair draw, 16 of them beside 5 standard deviations.
    EXPECT_GT(now.size(), 24U) << turn;
    EXPECT_LT(now.size(), 104U) << turn;
    for (const auto& [port, packets] : now) {
      EXPECT_EQ(packets, 2) << port;
      seen[port] += packets;
    }
  }
  EXPECT_EQ(seen.size(), kConnections);
  for (const auto& [port, packets] : seen) EXPECT_EQ(packets, 2) << port;
}

TEST_F(PacketSamplerTest, AtRandomEachStandsForThoseSinceTheLastOne) {
  sample({.mask = 0xffff, .turn = 1, .one_in = 10});
  constexpr std::uint64_t kPackets = 20'000;
  std::uint64_t stands_for = 0;
  std::size_t samples = 0;
  std::set<std::uint32_t> gaps;
  for (std::uint64_t i = 0; i < kPackets; ++i) {
    arrive(0, udp_frame(1, 2, 5000, 80, 100));
    for (const PacketSample& sample : taken()) {
      EXPECT_FALSE(sample.is_tcp);
      EXPECT_EQ(sample.frame_bytes, 100U);
      stands_for += sample.stands_for;
      gaps.insert(sample.stands_for);
      ++samples;
    }
  }
  EXPECT_LE(stands_for, kPackets);
  EXPECT_GT(stands_for, kPackets - 20);
  // Gaps of 1 to 19, each as likely: 2000 samples, their standard deviation below 25.
  EXPECT_NEAR(static_cast<double>(samples), 2000, 125);
  EXPECT_EQ(*gaps.begin(), 1U);
  EXPECT_EQ(*gaps.rbegin(), 19U);
  EXPECT_EQ(gaps.size(), 19U);
}

TEST_F(PacketSamplerTest, PacketsSinceTheLastOneAreStoodForWhenThePlanChanges) {
  const auto arrive_udp = [&](int packets) {
    for (int i = 0; i < packets; ++i) arrive(0, udp_frame(1, 2, 5000, 80, 100));
  };
  // Nothing stands for those before the first plan.
  sample({.mask = 0xffff, .turn = 1, .one_in = 0});
  arrive_udp(50);
  ring_.plan.store({.mask = 0xffff, .turn = 1, .one_in = 1});
  arrive_udp(1);
  auto samples = taken();
  ASSERT_EQ(samples.size(), 1U);
  EXPECT_EQ(samples[0].stands_for, 1U);
  std::uint64_t stands_for = 0;
  for (std::uint32_t change = 0; change < 200; ++change) {
    ring_.plan.store({.mask = 0xffff, .turn = 1, .one_in = 100 + change % 2});
    arrive_udp(20);
    for (const PacketSample& sample : taken()) stands_for += sample.stands_for;
  }
  ring_.plan.store({.mask = 0xffff, .turn = 1, .one_in = 1});
  arrive_udp(1);
  samples = taken();
  ASSERT_EQ(samples.size(), 1U);
  EXPECT_EQ(stands_for + samples[0].stands_for, 200U * 20 + 1);
}

TEST_F(PacketSamplerTest, WithoutRoomTheyAreCountedAsLost) {
  sample({.mask = 0, .turn = 0, .one_in = 0});
  for (std::size_t i = 0; i < SampleRing::kSamples + 5; ++i) arrive(0, tcp_frame(true, 5000, 80));
  EXPECT_EQ(ring_.lost.load(), 5U);
  EXPECT_EQ(taken().size(), SampleRing::kSamples);
}

TEST_F(PacketSamplerTest, APacketOfAPerFlowRuleTellsItsFlow) {
  constexpr std::uint32_t kNumber = 3;
  FlowRuleSettings settings;
  settings.key = {FlowKeyKind::kDestination, 24, 64};
  settings.max_flows = 4;
  settings.bucket.capacity = 16;
  settings.bucket.bits_per_second = 8e3;
  std::vector<std::uint32_t> slots;
  FlowRings rings(16, 1);
  for (std::uint32_t i = 0; i < settings.max_flows; ++i) {
    slots.push_back(h.take_slot());
    rings.add(h.more_ring(16), 0);
  }
  const auto limit = std::make_shared<FlowLimit>(settings.max_flows);
  FlowTable table(settings, limit, &rings, 0, slots);
  h.flows.add_table(kNumber, &table);
  h.flow_paths.resize(kNumber + 1);
  h.flow_paths[kNumber] = {settings.key, {Kind::kDrop, {}, 0}};
  h.set_rules({}, {}, {Kind::kFlows, {}, kNumber});
  sample({.mask = 0, .turn = 0, .one_in = 0});
  arrive(0, tcp_frame(true, 5000, 80));
  const auto samples = taken();
  ASSERT_EQ(samples.size(), 1U);
  EXPECT_EQ(samples[0].target, Kind::kFlows);
  EXPECT_EQ(samples[0].flow_rule, kNumber);
  EXPECT_EQ(to_text(samples[0].rule_flow), "10.0.0.0/24");
  h.transmitter.drop_all(h.time);
}

}  // namespace
}  // namespace drip::datapath
