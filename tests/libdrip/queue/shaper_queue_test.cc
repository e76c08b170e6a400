// SPDX-License-Identifier: BSD-3-Clause
// Shaper with fair queues, AQMs and tins, as an application uses it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <map>
#include <vector>

#include "drip/shaper.h"

namespace drip::test {
namespace {

struct Packet {
  std::uint32_t flow = 0;
};

struct Handler {
  std::vector<QueueDrop> drops;
  std::uint64_t marks = 0;

  void dropped(Packet*, QueueDrop reason) { drops.push_back(reason); }
  void marked(Packet*) { ++marks; }
};

QueueInput input_of(std::uint32_t flow, Ecn ecn = Ecn::kNotCapable, std::uint8_t dscp = 0) {
  QueueInput input;
  std::memcpy(input.key.source.data(), &flow, sizeof(flow));
  input.key.version = 4;
  input.ecn = ecn;
  input.dscp = dscp;
  return input;
}

BucketSettings fair(double bits_per_second, std::uint32_t capacity = 100) {
  BucketSettings settings;
  settings.capacity = capacity;
  settings.bits_per_second = bits_per_second;
  settings.departure = Departure::kAtStart;
  settings.queue.kind = QueueKind::kFair;
  return settings;
}

class ShaperQueueTest : public testing::Test {
 protected:
  static constexpr TimePoint kStart{1'000'000'000};
  using Id = Shaper<Packet>::BucketId;

  static ShaperOptions options() {
    ShaperOptions options;
    options.max_buckets = 16;
    options.ring_slots = 4096;
    options.start = kStart;
    options.max_inner_nodes = 4;
    options.max_queued_packets = 4096;
    options.queue_seed = 1;
    return options;
  }
  RejectReason arrive(Id bucket, std::uint32_t flow, Ecn ecn = Ecn::kNotCapable,
                      std::uint8_t dscp = 0) {
    packets_.push_back({flow});
    return shaper_.enqueue(bucket, &packets_.back(), 1'000, input_of(flow, ecn, dscp), now_,
                           handler_);
  }
  // Flows of what departs.
  std::vector<std::uint32_t> run_for(std::int64_t ns) {
    std::vector<std::uint32_t> flows;
    const TimePoint end = now_ + Duration{ns};
    for (;;) {
      std::array<Packet*, 32> out;
      const std::size_t count = shaper_.dequeue(now_, out, handler_);
      for (std::size_t i = 0; i < count; ++i) flows.push_back(out[i]->flow);
      const auto next = shaper_.next_departure();
      if (!next || end < *next) break;
      now_ = std::max(*next, now_ + Duration{1});
    }
    now_ = end;
    return flows;
  }

  Shaper<Packet> shaper_{options()};
  Handler handler_;
  TimePoint now_ = kStart;
  std::deque<Packet> packets_;
};

TEST_F(ShaperQueueTest, FlowsTakeTurnsAtTheRateOfTheBucket) {
  const Id bucket = *shaper_.add_bucket(fair(8e6), now_);  // A packet a ms.
  for (int i = 0; i < 60; ++i) {
    EXPECT_EQ(arrive(bucket, i < 30 ? 1 : i < 50 ? 2 : 3), RejectReason::kAdmitted);
  }
  EXPECT_EQ(shaper_.queue_stats(bucket).flows, 3U);
  const auto flows = run_for(29'500'000);
  EXPECT_EQ(flows.size(), 30U);
  std::map<std::uint32_t, int> sent;
  for (const std::uint32_t flow : flows) ++sent[flow];
  for (const std::uint32_t flow : {1U, 2U, 3U}) EXPECT_NEAR(sent[flow], 10, 2) << "flow " << flow;
}

TEST_F(ShaperQueueTest, TheLongestFlowPaysForAFullQueue) {
  const Id bucket = *shaper_.add_bucket(fair(8e6, 50), now_);
  for (int i = 0; i < 100; ++i) (void)arrive(bucket, 1);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(arrive(bucket, 2), RejectReason::kAdmitted);
  EXPECT_EQ(shaper_.queue_stats(bucket).overflow_drops, 55U);
  EXPECT_EQ(handler_.drops, std::vector(55, QueueDrop::kOverflow));
  int of_flow_2 = 0;
  for (const std::uint32_t flow : run_for(100'000'000)) of_flow_2 += flow == 2 ? 1 : 0;
  EXPECT_EQ(of_flow_2, 5);
}

TEST_F(ShaperQueueTest, MarksAreToldBeforeAPacketDeparts) {
  BucketSettings settings = fair(8e6, 1'000);
  settings.queue.aqm = Aqm::kCodel;
  const Id bucket = *shaper_.add_bucket(settings, now_);
  for (int i = 0; i < 400; ++i) (void)arrive(bucket, 1, Ecn::kEct0);
  EXPECT_EQ(run_for(400'000'000).size(), 400U);
  EXPECT_GT(handler_.marks, 3U);
  EXPECT_EQ(shaper_.queue_stats(bucket).marks, handler_.marks);
}

TEST_F(ShaperQueueTest, DualPi2AndTinsWorkBelowAParent) {
  BucketSettings uplink;
  uplink.bits_per_second = 8e6;
  NodeSettings share;
  share.parent = *shaper_.add_inner_node(uplink, {}, now_);
  BucketSettings dual = fair(8e6, 1'000);
  dual.queue = {};
  dual.queue.aqm = Aqm::kDualPi2;
  const Id l4s = *shaper_.add_bucket(dual, share, now_);
  BucketSettings tins = fair(8e6, 1'000);
  tins.queue.tins = TinMode::kDiffserv4;
  const Id office = *shaper_.add_bucket(tins, share, now_);
  for (int i = 0; i < 200; ++i) {
    (void)arrive(l4s, 1, Ecn::kEct1);
    (void)arrive(office, 2);
  }
  for (int i = 0; i < 2; ++i) (void)arrive(office, 3, Ecn::kNotCapable, 46);
  const auto first = run_for(20'000'000);
  EXPECT_EQ(first.size(), 21U) << "the rate of the uplink";
  EXPECT_EQ(std::count(first.begin(), first.end(), 3U), 2) << "voice first";
  run_for(1'000'000'000);
  EXPECT_GT(shaper_.queue_stats(l4s).marks, 50U);
}

TEST_F(ShaperQueueTest, AChangeKeepsWhatWaitsAndWaitsForIt) {
  const Id bucket = *shaper_.add_bucket(fair(8e6), now_);
  for (int i = 0; i < 20; ++i) (void)arrive(bucket, 1);
  BucketSettings settings = fair(8e6);
  settings.queue.isolation = Isolation::kHosts;
  EXPECT_EQ(shaper_.change_bucket(bucket, settings, now_), std::nullopt);
  (void)arrive(bucket, 2);
  settings.queue = {};
  const auto refused = shaper_.change_bucket(bucket, settings, now_);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->message,
            "queue: packets wait that came before its last change and depart first");
  std::vector<std::uint32_t> expected(20, 1);
  expected.push_back(2);
  EXPECT_EQ(run_for(30'000'000), expected);
  EXPECT_EQ(shaper_.change_bucket(bucket, settings, now_), std::nullopt);
  EXPECT_EQ(arrive(bucket, 1), RejectReason::kAdmitted);
  EXPECT_EQ(run_for(2'000'000).size(), 1U);
}

TEST_F(ShaperQueueTest, ARemovedBucketGivesItsPacketsBackAndItsNumber) {
  for (int round = 0; round < 20; ++round) {
    const Id bucket = *shaper_.add_bucket(fair(8e6), now_);
    for (int i = 0; i < 50; ++i) (void)arrive(bucket, static_cast<std::uint32_t>(i) % 7);
    std::uint64_t back = 0;
    EXPECT_EQ(shaper_.remove_bucket(bucket, [&](Packet*) { ++back; }), 50U);
    EXPECT_EQ(back, 50U);
  }
}

TEST_F(ShaperQueueTest, ErrorsNameTheField) {
  const auto error_of = [&](const BucketSettings& settings) {
    const auto added = shaper_.add_bucket(settings, now_);
    return added.ok() ? std::string() : added.error();
  };
  BucketSettings settings = fair(8e6);
  settings.departure = Departure::kAtEnd;
  EXPECT_EQ(error_of(settings),
            "departure: kAtEnd given, kAtStart allowed with a queue other than plain kFifo");
  settings = fair(8e6);
  settings.queue.quantum = 10;
  EXPECT_EQ(error_of(settings), "queue.quantum: 10 given, 64 to 65535 allowed");
  settings = fair(8e6);
  settings.queue.aqm = Aqm::kDualPi2;
  EXPECT_EQ(error_of(settings), "queue.aqm: kDualPi2 given, kNone or kCodel allowed with kFair");

  ShaperOptions without = options();
  without.max_queued_packets = 0;
  Shaper<Packet> plain(without);
  const auto added = plain.add_bucket(fair(8e6), now_);
  ASSERT_FALSE(added.ok());
  EXPECT_EQ(added.error(),
            "queue: other than plain kFifo given, plain kFifo allowed with max_queued_packets 0");
}

}  // namespace
}  // namespace drip::test
