// SPDX-License-Identifier: BSD-3-Clause
// A bucket whose port takes nothing, and a bucket whose polling thread is held up.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "one_bucket.h"
#include "support/frame_builder.h"

namespace drip::datapath {
namespace {

using BucketPressureTest = OneBucket;

TEST_F(BucketPressureTest, ABlockedPortHoldsOnlyItsOwnPackets) {
  h.ports.set_room(1, 0);
  BucketSettings settings = bits(4096, 800e6);  // 100 bytes: 1 us.
  use(settings);
  const std::uint32_t other = h.add_bucket(settings);
  arrive(1000, 100, 0);
  h.send_all_to(other);
  arrive(1000, 100, 1);
  h.run_for(Duration{3 * kMillisecond.ns}, Duration{500});
  EXPECT_EQ(h.ports.sent(0).size(), 1000U);
  EXPECT_EQ(h.ports.sent(1).size(), 0U);
  EXPECT_EQ(h.bucket(other).lost_schedule_ns.get(), 0U);
  EXPECT_GT(h.transmitter.tx_buffer().retries(1), 0U);
  EXPECT_EQ(h.transmitter.waiting_packets(), 1000U);
  EXPECT_TRUE(h.balanced());
  for (int i = 0; i < 50; ++i) {  // A few at a time: what is left keeps its order.
    h.ports.set_room(1, 7);
    h.run_for(Duration{5'000}, Duration{500});
  }
  EXPECT_EQ(h.ports.sent(1).size(), 350U);
  h.ports.set_room(1, SIZE_MAX);
  h.run_for(Duration{3 * kMillisecond.ns}, Duration{500});
  EXPECT_EQ(h.ports.sent(1).size(), 1000U);
  EXPECT_EQ(h.ports.dropped(), 0U);
  expect_order(0);
  expect_order(1);
}

// What a port has been given while its link was down would leave at once when it is up again.
TEST_F(BucketPressureTest, AfterALinkWasDownDeparturesKeepToTheScheduleAndMaxCatchup) {
  BucketSettings settings = bits(4096, 8e6);  // 100 bytes: 100 us.
  settings.max_catchup = Duration{10 * kMillisecond.ns};
  use(settings);
  arrive(3000);
  h.run_for(Duration{20 * kMillisecond.ns}, Duration{10'000});
  const std::size_t before = h.ports.sent(1).size();
  h.ports.set_link(1, false);
  h.run_for(Duration{100 * kMillisecond.ns}, Duration{10'000});
  EXPECT_EQ(h.ports.sent(1).size(), before);
  // No more than the burst of one loop has left the bucket.
  EXPECT_LE(h.transmitter.tx_buffer().waiting(), TxBuffer<FakeIo>::kBurst);
  EXPECT_EQ(h.transmitter.tx_buffer().retries(1), 0U);
  h.ports.set_link(1, true);
  const TimePoint up = h.time;
  h.run_for(Duration{50 * kMillisecond.ns}, Duration{10'000});
  // Of any 10 ms: 100 that are due, 100 that are caught up once, and the burst that waited.
  const auto left = left_after(up);
  for (std::size_t first = before; first < left.size(); ++first) {
    const auto within =
        std::count_if(left.begin() + static_cast<std::ptrdiff_t>(first), left.end(),
                      [&](std::int64_t at) { return at < left[first] + 10 * kMillisecond.ns; });
    ASSERT_LE(within, 100 + 100 + TxBuffer<FakeIo>::kBurst) << first;
  }
  EXPECT_GE(left.size() - before, 500U + 100U);
  EXPECT_LE(left.size() - before, 500U + 100U + TxBuffer<FakeIo>::kBurst + 1);
  expect_order(1);
  EXPECT_TRUE(h.balanced());
}

TEST_F(BucketPressureTest, WhatIsNotShapedIsDroppedWhileTheLinkIsDown) {
  use(bits(16, 8e6));
  h.set_rules({}, {}, RuleAction{});
  h.ports.set_link(1, false);
  arrive(1000);
  EXPECT_LE(h.transmitter.tx_buffer().waiting(), TxBuffer<FakeIo>::kBurst);
  EXPECT_EQ(h.drops(DropReason::kTxFull), 1000 - h.transmitter.tx_buffer().waiting());
  h.ports.set_link(1, true);
  arrive(10);
  EXPECT_EQ(h.transmitter.tx_buffer().waiting(), 0U);
}

struct RunningClock {
  TimePoint* time;
  TimePoint now() { return *time = *time + Duration{200}; }
};

TEST_F(BucketPressureTest, ManyBucketsOfABlockedPortDoNotHoldUpTheLoop) {
  h.ports.set_room(1, 0);
  for (int i = 0; i < 3000; ++i) {
    use(bits(4, 8e9));
    arrive(1);
  }
  EXPECT_EQ(h.transmitter.waiting_packets(), 3000U);
  RunningClock clock{&h.time};
  for (int i = 0; i < 10; ++i) {
    const TimePoint before = h.time;
    h.transmitter.transmit(clock);
    ASSERT_LT((h.time - before).ns, 10'000);
  }
}

// A loop receives 32 packets; one that sent fewer would fill a bucket that nothing slows down.
TEST_F(BucketPressureTest, OneFastBucketLetsGoInALoopOfAllThatIsDue) {
  use(bits(4096, 1e9));  // 100 bytes: 0.8 us.
  arrive(200);
  const std::size_t before = h.ports.sent(1).size();
  h.time = h.time + Duration{100 * 800};
  h.lcore.poll_once();
  EXPECT_EQ(h.ports.sent(1).size(), before + 100);
  h.time = h.time + kMillisecond;
  h.lcore.poll_once();
  EXPECT_EQ(h.ports.sent(1).size(), 200U);
  expect_order();
}

TEST_F(BucketPressureTest, ControlTrafficHasRoomLeftAtABlockedPort) {
  h.ports.set_room(1, 0);
  use(bits(4096, 8e9));
  arrive(1000);
  h.run_for(kMillisecond, Duration{500});
  h.set_rules({}, {}, RuleAction{});
  h.ports.arrive(0, udp_frame(1, 2, 3, 4, 100));
  h.ports.arrive(0, udp_frame(1, 2, 3, 3784, 100));  // BFD.
  h.lcore.poll_once();
  EXPECT_EQ(h.drops(DropReason::kTxFull), 1U);
  EXPECT_EQ(h.counters.passed_packets.get(), 1U);
}

// Invariant 2: in any interval at most R t + one unit, plus what max_catchup allows.
void expect_bound(const std::vector<FakeIo::Sent>& sent, double ns_per_byte, Duration max_catchup) {
  double excess = 0;
  for (std::size_t i = 0; i < sent.size(); ++i) {
    const double gap = i == 0 ? 0 : static_cast<double>((sent[i].at - sent[i - 1].at).ns);
    const double service = ns_per_byte * sent[i].frame_bytes;
    excess = std::max(0.0, excess - gap) + service;
    EXPECT_LE(excess, service + static_cast<double>(max_catchup.ns) + 2) << i;
  }
}

TEST_F(BucketPressureTest, ShortStallsCostNoRate) {
  BucketSettings settings = bits(4096, 8e6);
  settings.max_catchup = Duration{1'000'000};
  use(settings);
  const TimePoint begin = h.time;
  for (int i = 0; i < 60; ++i) arrive(64);
  for (int i = 0; i < 100; ++i) h.run_for(Duration{1'400'000}, Duration{900'000});
  EXPECT_EQ(bucket().lost_schedule_ns.get(), 0U);
  const auto span = static_cast<double>((h.time - begin).ns);
  EXPECT_NEAR(static_cast<double>(h.ports.sent(1).size()), span / 100'000, 2);
  expect_bound(h.ports.sent(1), 1000, settings.max_catchup);
  expect_order();
}

TEST_F(BucketPressureTest, LongStallsAreForfeitedBeyondMaxCatchup) {
  for (const Departure departure : {Departure::kAtStart, Departure::kAtEnd}) {
    Harness one;
    BucketSettings settings = bits(4096, 8e6, departure);
    settings.max_catchup = Duration{450'000};
    const std::uint32_t slot = one.add_bucket(settings);
    one.send_all_to(slot);
    for (int i = 0; i < 3000; ++i) one.ports.arrive(0, udp_frame(1, 2, 3, 4, 100));
    while (one.ports.queued(0) > 0) one.lcore.poll_once();
    const TimePoint begin = one.time;
    for (int i = 0; i < 20; ++i) {
      one.run_for(Duration{2'000'000}, Duration{1'000});
      one.time = one.time + Duration{5'000'000};
    }
    one.run_for(Duration{2'000'000}, Duration{1'000});
    const Bucket& bucket = one.bucket(slot);
    // Each stall found a head that was due for 4.9 to 5 ms, and may catch up 0.45 ms of them.
    const auto lost = static_cast<double>(bucket.lost_schedule_ns.get());
    EXPECT_NEAR(lost, 20 * (5'000'000 - 450'000), 20 * 101'000);
    EXPECT_EQ(bucket.lost_schedule_ns.get(), one.transmitter.scheduler().lost_schedule_ns());
    // What has left and what was lost make up all of the time.
    const auto span = static_cast<double>((one.time - begin).ns);
    EXPECT_NEAR(static_cast<double>(bucket.departed.get()) * 100'000, span - lost, 101'000);
    EXPECT_GE(one.counters.stalls.get(), 20U);
    expect_bound(one.ports.sent(1), 1000, settings.max_catchup);
    EXPECT_TRUE(one.balanced());
  }
}

}  // namespace
}  // namespace drip::datapath
