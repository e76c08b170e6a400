// SPDX-License-Identifier: BSD-3-Clause
// Packets on their way through a bucket with a queue: what their headers say decides, what they
// lose or get is written into them, and every drop is under its reason.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>

#include "one_bucket.h"
#include "packet/ds_field.h"

namespace drip::datapath {
namespace {

constexpr std::size_t kFrame = 1000;
constexpr Duration ms(std::int64_t count) { return {count * 1'000'000}; }
constexpr double kRate = 8e6;  // A frame a millisecond.

// They outlive the transmitter.
struct Pools {
  std::unique_ptr<BucketQueue[]> queues_ = std::make_unique<BucketQueue[]>(Harness::kSlots);
  BucketQueues pools_{queues_.get(), {4096, 4096, 8192, 64, 256}, 1};
};

class QueuePathTest : protected Pools, public OneBucket {
 protected:
  QueuePathTest() { h.transmitter.set_queues(&pools_); }
  void use_queue(BucketSettings settings) {
    if (settings.capacity == 0) settings.capacity = 100;
    settings.bits_per_second = kRate;
    settings.departure = Departure::kAtStart;
    profile_ = std::make_unique<QueueProfile>(QueueProfile::of(settings));
    use(settings);
    h.transmitter.set_queue(slot_, *profile_, nullptr);
  }
  static BucketSettings fair() {
    BucketSettings settings;
    settings.queue.kind = QueueKind::kFair;
    return settings;
  }
  static Bytes ds(Bytes frame, std::uint8_t ds_field) {
    frame[15] = ds_field;
    return frame;
  }
  static Bytes flow(std::uint16_t port) { return udp_frame(1, 2, port, 4, kFrame); }
  void arrive_frame(const Bytes& frame, int count = 1) {
    for (int i = 0; i < count; ++i) h.ports.arrive(0, frame);
    while (h.ports.queued(0) > 0) h.lcore.poll_once();
  }
  // How many of each source port have left.
  std::map<std::uint16_t, int> sent_by_port() {
    std::map<std::uint16_t, int> sent;
    for (const FakeIo::Sent& one : h.ports.sent(1)) {
      ++sent[static_cast<std::uint16_t>(one.bytes[34] << 8 | one.bytes[35])];
    }
    return sent;
  }
  static int ds_of(const FakeIo::Sent& sent) { return sent.bytes[15]; }
  void expect_checksums() {
    for (const FakeIo::Sent& sent : h.ports.sent(1)) {
      // The frames of the builder have a checksum of 0: an update by the difference keeps what is
      // wrong about it (RFC 1624). As a whole the sum stays the same.
      const auto& bytes = sent.bytes;
      std::uint32_t sum = 0;
      for (std::size_t i = 14; i < 34; i += 2) sum += bytes[i] << 8 | bytes[i + 1];
      sum = (sum & 0xffff) + (sum >> 16);
      sums_.push_back((sum & 0xffff) + (sum >> 16));
    }
    EXPECT_EQ(std::count(sums_.begin(), sums_.end(), sums_.front()),
              static_cast<std::ptrdiff_t>(sums_.size()));
  }
  void TearDown() override {
    EXPECT_TRUE(h.balanced());
    EXPECT_EQ(h.ports.alive(), h.transmitter.waiting_packets());
    EXPECT_EQ(bucket().admitted.get(),
              bucket().departed.get() + bucket().dropped.get() + bucket().backlog.get());
    h.transmitter.drop_all(h.time);  // Before the pools go.
    EXPECT_EQ(h.ports.alive(), 0U);
    EXPECT_EQ(pools_.packets_in_use(), 0U);
  }

  std::unique_ptr<QueueProfile> profile_;
  std::vector<std::uint32_t> sums_;
};

TEST_F(QueuePathTest, AFloodDoesNotKeepAModestFlowOut) {
  use_queue(fair());
  for (int i = 0; i < 100; ++i) {
    arrive_frame(flow(1), 3);
    if (i % 4 == 0) arrive_frame(flow(2));
    h.run_for(kMillisecond, kMillisecond);
  }
  h.run_for(ms(200), kMillisecond);
  EXPECT_EQ(sent_by_port()[2], 25);
  EXPECT_EQ(h.drops(DropReason::kQueueOverflow), 325U - h.ports.sent(1).size());
  EXPECT_EQ(h.dropped_bytes(DropReason::kQueueOverflow),
            kFrame * h.drops(DropReason::kQueueOverflow));
  EXPECT_EQ(bucket().dropped.get(), h.drops(DropReason::kQueueOverflow));
}

TEST_F(QueuePathTest, CongestionIsMarkedInThePacket) {
  BucketSettings settings = fair();
  settings.queue.aqm = Aqm::kCodel;
  settings.capacity = 1'000;
  use_queue(settings);
  for (int i = 0; i < 600; ++i) {
    arrive_frame(ds(flow(1), 46 << 2 | 2), 2);
    h.run_for(kMillisecond, kMillisecond);
  }
  const auto& sent = h.ports.sent(1);
  const auto marked = std::count_if(sent.begin(), sent.end(),
                                    [](const auto& one) { return ds_of(one) == (46 << 2 | 3); });
  const auto as_before = std::count_if(sent.begin(), sent.end(),
                                       [](const auto& one) { return ds_of(one) == (46 << 2 | 2); });
  EXPECT_GT(marked, 5);
  EXPECT_EQ(static_cast<std::size_t>(marked + as_before), sent.size());
  EXPECT_EQ(queues_[slot_].read().marks, static_cast<std::uint64_t>(marked));
  expect_checksums();
}

TEST_F(QueuePathTest, ACongestedSenderWithoutEcnLosesPackets) {
  BucketSettings settings = fair();
  settings.queue.aqm = Aqm::kCodel;
  settings.capacity = 1'000;
  use_queue(settings);
  for (int i = 0; i < 600; ++i) {
    arrive_frame(flow(1), 2);
    h.run_for(kMillisecond, kMillisecond);
  }
  EXPECT_GT(h.drops(DropReason::kAqm), 5U);
  EXPECT_EQ(h.drops(DropReason::kAqm), queues_[slot_].read().aqm_drops);
}

TEST_F(QueuePathTest, TinsGoByTheDscpThatAPacketCameWith) {
  BucketSettings settings = fair();
  settings.queue.tins = TinMode::kDiffserv4;
  settings.queue.wash = true;
  use_queue(settings);
  arrive_frame(flow(1), 50);
  arrive_frame(ds(flow(2), 46 << 2 | 2), 3);
  h.run_for(ms(10), kMillisecond);
  EXPECT_EQ(sent_by_port()[2], 3) << "voice first";
  // Packets that wait beyond the L4S threshold are marked.
  for (const FakeIo::Sent& sent : h.ports.sent(1)) EXPECT_EQ(ds_of(sent) >> 2, 0);
  // Also of packets that do not wait.
  h.run_for(ms(200), kMillisecond);
  arrive_frame(ds(flow(3), 46 << 2));
  EXPECT_EQ(ds_of(h.ports.sent(1).back()), 0);
  EXPECT_EQ(bucket().backlog.get(), 0U);
}

TEST_F(QueuePathTest, AnIdleQueueIsCutThrough) {
  use_queue(fair());
  arrive_frame(flow(1));
  EXPECT_EQ(h.ports.sent(1).size(), 1U);
  EXPECT_EQ(pools_.packets_in_use(), 0U);
  EXPECT_EQ(bucket().departed.get(), 1U);
}

TEST_F(QueuePathTest, ARuleRemarksBeforeTheTins) {
  BucketSettings settings = fair();
  settings.queue.tins = TinMode::kDiffserv4;
  use_queue(settings);
  arrive_frame(flow(1), 50);
  RuleAction action{RuleAction::Kind::kBucket, BucketRef{0, slot_}};
  action.dscp = 46;
  h.set_rules({}, {}, action);
  arrive_frame(ds(flow(2), 8 << 2 | 2), 3);
  h.run_for(ms(10), kMillisecond);
  EXPECT_EQ(sent_by_port()[2], 3) << "voice first";
  for (const FakeIo::Sent& sent : h.ports.sent(1)) {
    if (sent.bytes[35] == 2) {
      EXPECT_EQ(ds_of(sent), 46 << 2 | 2);
    }
  }
}

TEST_F(QueuePathTest, WhatIsPassedIsRemarkedAsWell) {
  use_queue(fair());
  RuleAction action;
  action.dscp = 10;
  h.set_rules({}, {}, action);
  arrive_frame(ds(flow(1), 3));
  h.lcore.poll_once();
  ASSERT_EQ(h.ports.sent(1).size(), 1U);
  EXPECT_EQ(ds_of(h.ports.sent(1)[0]), 10 << 2 | 3);
}

TEST_F(QueuePathTest, PacketsThatWaitedTooLongAreDropped) {
  BucketSettings settings = fair();
  settings.queue.max_wait = ms(20);
  use_queue(settings);
  arrive_frame(flow(1), 60);
  h.run_for(ms(100), kMillisecond);
  EXPECT_NEAR(static_cast<double>(h.ports.sent(1).size()), 21, 1);
  EXPECT_EQ(h.drops(DropReason::kMaxWait), 60 - h.ports.sent(1).size());
  EXPECT_EQ(bucket().backlog.get(), 0U);
}

TEST_F(QueuePathTest, AFullPoolIsCounted) {
  BucketQueues small(queues_.get(), {8, 8, 16, 4, 16}, 1);
  h.transmitter.set_queues(&small);
  use_queue(fair());
  arrive_frame(flow(1), 20);
  EXPECT_EQ(h.drops(DropReason::kQueueMemory), 11U);  // One has left, eight wait.
  h.run_for(ms(20), kMillisecond);
  EXPECT_EQ(h.ports.sent(1).size(), 9U);
  EXPECT_TRUE(h.balanced());
  h.transmitter.set_queues(&pools_);
}

TEST_F(QueuePathTest, APortWithoutRoomHoldsTheChosenPacket) {
  use_queue(fair());
  arrive_frame(flow(1), 10);
  h.ports.set_link(1, false);
  h.run_for(ms(3), Duration{100'000});
  const std::size_t sent = h.ports.sent(1).size();
  h.run_for(ms(3), Duration{100'000});
  EXPECT_LE(h.ports.sent(1).size(), sent + 1);
  h.ports.set_link(1, true);
  h.run_for(ms(20), Duration{100'000});
  EXPECT_EQ(h.ports.sent(1).size(), 10U);
}

}  // namespace
}  // namespace drip::datapath
