// SPDX-License-Identifier: BSD-3-Clause
// A customer's two buckets, `down` and `up`, and a connection through both.
#include "traffic/traffic_table.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

namespace drip::traffic {
namespace {

TimePoint at_ms(std::uint64_t ms) { return {ms * 1'000'000 + 1}; }
std::size_t side(Side which) { return static_cast<std::size_t>(which); }

FlowKey flow(std::uint8_t from, std::uint8_t to, std::uint16_t from_port, std::uint16_t to_port) {
  FlowKey key;
  key.src_address = {10, 0, 0, from};
  key.dst_address = {10, 0, 0, to};
  key.src_port = from_port;
  key.dst_port = to_port;
  key.ip_protocol = 6;
  key.ip_version = IpVersion::kV4;
  return key;
}
FlowKey to_customer() { return flow(1, 2, 443, 5000); }
FlowKey from_customer() { return flow(2, 1, 5000, 443); }

PacketSample segment(const FlowKey& key, TimePoint at, std::uint32_t sequence, std::uint32_t length,
                     std::uint32_t value, std::uint32_t echo) {
  PacketSample sample;
  sample.at = at;
  sample.flow = key;
  sample.frame_bytes = 66 + length;
  sample.is_tcp = true;
  sample.tcp.sequence = sequence;
  sample.tcp.length = length;
  sample.tcp.ack = true;
  sample.tcp.timestamps = true;
  sample.tcp.ts_value = value;
  sample.tcp.ts_echo = echo;
  return sample;
}
PacketSample random_packet(const FlowKey& key, TimePoint at, std::uint32_t bytes,
                           std::uint32_t stands_for) {
  PacketSample sample;
  sample.at = at;
  sample.flow = key;
  sample.frame_bytes = bytes;
  sample.stands_for = stands_for;
  return sample;
}

TEST(TrafficTable, ARoundTripIsOfTheOneBucketsDestinationAndTheOthersSource) {
  TrafficTable table;
  table.add(segment(to_customer(), at_ms(0), 1, 1000, 50, 0), "down");
  table.add(segment(from_customer(), at_ms(30), 1, 0, 900, 50), "up");
  BucketTraffic& down = *table.find("down");
  BucketTraffic& up = *table.find("up");
  EXPECT_EQ(down.round_trips[side(Side::kDestination)].all.total(), 1U);
  EXPECT_EQ(down.round_trips[side(Side::kDestination)].all.sum_ns, 30'000'000U);
  EXPECT_EQ(down.round_trips[side(Side::kSource)].all.total(), 0U);
  EXPECT_EQ(up.round_trips[side(Side::kSource)].recent.sorted_us(at_ms(30)),
            std::vector<std::uint32_t>{30'000});
  EXPECT_EQ(up.round_trips[side(Side::kDestination)].all.total(), 0U);
  EXPECT_EQ(down.segments, 1U);
  EXPECT_EQ(up.segments, 0U);
}

TEST(TrafficTable, CountsRetransmissionsWhereTheyPass) {
  TrafficTable table;
  table.add(segment(to_customer(), at_ms(0), 1, 1000, 50, 0), "down");
  table.add(segment(to_customer(), at_ms(200), 1, 1000, 250, 0), "down");
  EXPECT_EQ(table.find("down")->segments, 2U);
  EXPECT_EQ(table.find("down")->retransmitted_segments, 1U);
}

TEST(TrafficTable, ConnectionsDoNotMix) {
  TrafficTable table;
  table.add(segment(flow(1, 2, 443, 5000), at_ms(0), 1, 10, 50, 0), "down");
  table.add(segment(flow(2, 1, 5001, 443), at_ms(5), 1, 0, 7, 50), "up");
  table.add(segment(flow(3, 1, 5000, 443), at_ms(5), 1, 0, 7, 50), "up");
  EXPECT_EQ(table.find("up")->round_trips[side(Side::kSource)].all.total(), 0U);
  EXPECT_EQ(table.flows(), 3U);
}

TEST(TrafficTable, FlowsAreWeighedByThePacketsForWhichTheyStand) {
  TrafficTable table;
  table.add(random_packet(to_customer(), at_ms(0), 1000, 5), "down");
  table.add(random_packet(flow(9, 2, 80, 6000), at_ms(1), 100, 5), "down");
  const auto reading = table.find("down")->flows.read(at_ms(2000));
  ASSERT_EQ(reading.flows.size(), 2U);
  EXPECT_EQ(reading.flows[0].key, to_customer());
  EXPECT_EQ(reading.flows[0].bytes, 5000U);
  EXPECT_EQ(reading.total_bytes, 5500U);
  EXPECT_EQ(reading.span.ns, 2'000'000'000);
}

TEST(TrafficTable, FlowsAreThoseOfTheLastWindowThatIsOver) {
  TrafficTable table;
  table.add(random_packet(to_customer(), at_ms(0), 1000, 1), "down");
  table.add(random_packet(flow(9, 2, 80, 6000), at_ms(10'500), 100, 1), "down");
  FlowWindows& flows = table.find("down")->flows;
  EXPECT_EQ(flows.read(at_ms(10'600)).flows.at(0).key, to_customer());
  EXPECT_EQ(flows.read(at_ms(10'600)).span.ns, 10'500'000'000);
  EXPECT_EQ(flows.read(at_ms(20'600)).flows.at(0).bytes, 100U);
  // After a pause nothing came in the window before, whatever came before the pause.
  table.add(random_packet(to_customer(), at_ms(21'000), 1000, 1), "down");
  EXPECT_TRUE(flows.read(at_ms(60'000)).flows.empty());
  EXPECT_EQ(flows.read(at_ms(60'000)).total_bytes, 0U);
}

TEST(TrafficTable, OldSpansAreNotRecent) {
  RecentSpans spans;
  spans.add(Duration{5'000'000}, at_ms(0));
  for (int i = 0; i < 200; ++i) spans.add(Duration{i * 1000}, at_ms(30'000));
  const auto recent = spans.sorted_us(at_ms(30'000));
  ASSERT_EQ(recent.size(), RecentSpans::kMost);
  EXPECT_EQ(recent.front(), 200 - RecentSpans::kMost);
  EXPECT_EQ(recent.back(), 199U);
  EXPECT_EQ(spans.sorted_us(at_ms(90'000)).size(), RecentSpans::kMost);
  EXPECT_TRUE(spans.sorted_us(at_ms(90'001)).empty());
}

TEST(TrafficTable, SpansBetweenTwoMoments) {
  RecentSpans spans;
  for (const int ms : {40, 10, 30, 20}) {
    spans.add(Duration{ms * 1'000'000}, at_ms(static_cast<std::uint64_t>(ms)));
  }
  EXPECT_EQ(spans.sorted_us_between(at_ms(20), at_ms(40)),
            (std::vector<std::uint32_t>{20'000, 30'000}));
  EXPECT_TRUE(spans.sorted_us_between(at_ms(41), at_ms(1000)).empty());
  EXPECT_TRUE(spans.sorted_us_between(at_ms(0), at_ms(0)).empty());
}

class FullTrafficTable : public testing::Test {
 protected:
  static PacketSample packet(std::uint64_t ms) {
    return random_packet(to_customer(), at_ms(ms), 60, 1);
  }
  void add(const std::string& bucket, std::uint64_t ms, std::uint32_t samples) {
    for (std::uint32_t i = 0; i < samples; ++i) table_.add(packet(ms), bucket);
  }
  /// Buckets "0", "1" and so on, a millisecond apart.
  void fill(std::uint32_t samples) {
    for (std::size_t i = 0; i < TrafficTable::kMostBuckets; ++i) {
      add(std::to_string(i), i, samples);
    }
  }
  TrafficTable table_;
};

TEST_F(FullTrafficTable, IdleOnesMakeRoomAndTheOthersAreCounted) {
  fill(TrafficTable::kEstablished);
  add("more", 10'000, 1);
  EXPECT_EQ(table_.find("more"), nullptr);
  EXPECT_EQ(table_.refused(), 1U);
  table_.sweep(at_ms(600'000));
  EXPECT_EQ(table_.buckets(), TrafficTable::kMostBuckets);
  table_.sweep(at_ms(600'001));
  EXPECT_EQ(table_.buckets(), TrafficTable::kMostBuckets - 1);
  table_.sweep(at_ms(610'000));
  EXPECT_EQ(table_.buckets(), 0U);
  add("more", 610'000, 1);
  EXPECT_NE(table_.find("more"), nullptr);
}

TEST_F(FullTrafficTable, OfThoseThatPassTheOlderHalfMakesRoom) {
  fill(1);
  add("9999", 10'000, 1);
  add("more", 10'001, 1);
  EXPECT_EQ(table_.refused(), 0U);
  EXPECT_NE(table_.find("more"), nullptr);
  EXPECT_EQ(table_.buckets(), TrafficTable::kMostBuckets / 2);
  EXPECT_EQ(table_.find("0"), nullptr);
  EXPECT_EQ(table_.find("5000"), nullptr);
  EXPECT_NE(table_.find("5001"), nullptr);
  EXPECT_NE(table_.find("9999"), nullptr);
}

TEST_F(FullTrafficTable, EverNewAddressesPushOutTheirOwn) {
  add("customer", 0, TrafficTable::kEstablished);
  for (std::uint64_t i = 1; i <= 5 * TrafficTable::kMostBuckets; ++i) {
    table_.add(packet(i), "spoofed-" + std::to_string(i));
    ASSERT_LE(table_.buckets(), TrafficTable::kMostBuckets);
  }
  EXPECT_NE(table_.find("customer"), nullptr);
  EXPECT_EQ(table_.refused(), 0U);
}

TEST(TrafficTable, ConnectionsAreBounded) {
  TrafficTable table;
  const auto add = [&](std::size_t i, std::uint32_t samples) {
    const auto port = static_cast<std::uint16_t>(i);
    const FlowKey key = flow(1, static_cast<std::uint8_t>(2 + i / 65536), 443, port);
    for (std::uint32_t n = 0; n < samples; ++n) {
      table.add(segment(key, at_ms(i / 1000), 1 + 10 * n, 10, 50 + n, 0), "down");
    }
  };
  add(0, TrafficTable::kEstablished);
  for (std::size_t i = 1; i <= TrafficTable::kMostFlows; ++i) add(i, 1);
  // The one that lasts and the younger half of the others.
  EXPECT_LE(table.flows(), TrafficTable::kMostFlows / 2 + 2);
  EXPECT_GT(table.flows(), TrafficTable::kMostFlows / 2 - 1000);
  EXPECT_EQ(table.refused(), 0U);
  for (std::size_t i = 0; i <= TrafficTable::kMostFlows; ++i) add(i, TrafficTable::kEstablished);
  EXPECT_EQ(table.flows(), TrafficTable::kMostFlows);
  EXPECT_EQ(table.refused(), TrafficTable::kEstablished);
  table.sweep(at_ms(60'051));
  EXPECT_EQ(table.flows(), 0U);
}

}  // namespace
}  // namespace drip::traffic
