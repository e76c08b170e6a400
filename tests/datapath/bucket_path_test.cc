// SPDX-License-Identifier: BSD-3-Clause
// When packets leave a bucket, to the nanosecond, and what changes and deletion do to those in it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "one_bucket.h"
#include "support/frame_builder.h"

namespace drip::datapath {
namespace {

using BucketPathTest = OneBucket;
using Spans = std::vector<std::int64_t>;

TEST_F(BucketPathTest, LeavesAtTheStartOfServiceToTheNanosecond) {
  // 33.3 Mbit/s: no service is a whole number of ns. 100 + 24 bytes, or 64 + 24 at the least.
  BucketSettings settings = bits(100, 33.3e6);
  settings.overhead_bytes = 24;
  settings.min_frame_bytes = 64;
  use(settings);
  const TimePoint begin = h.time;
  std::vector<std::size_t> sizes;
  for (std::size_t i = 0; i < 30; ++i) sizes.push_back(42 + i * 37 % 60);
  for (const std::size_t size : sizes) h.ports.arrive(0, udp_frame(1, 2, 3, 4, size));
  h.run_for(kMillisecond, Duration{1});
  Spans expected;
  long double start = 0;
  for (const std::size_t size : sizes) {
    expected.push_back(static_cast<std::int64_t>(std::ceil(start)));
    start += static_cast<long double>(std::max<std::size_t>(size, 64) + 24) * 8e9L / 33.3e6L;
  }
  EXPECT_EQ(left_after(begin), expected);
  expect_order();
  EXPECT_EQ(bucket().departed_bytes.get(), bucket().admitted_bytes.get());
  EXPECT_EQ(h.latencies(slot_).lateness.max_ns, 0U);
}

TEST_F(BucketPathTest, LeavesAtTheEndOfServiceToTheNanosecond) {
  use(bits(100, 7e6, Departure::kAtEnd));
  const TimePoint begin = h.time;
  arrive(20);
  h.run_for(Duration{3 * kMillisecond.ns}, Duration{3});
  ASSERT_EQ(h.ports.sent(1).size(), 20U);
  for (std::size_t i = 0; i < 20; ++i) {
    const long double end = static_cast<long double>(i + 1) * 800e9L / 7e6L;
    const std::int64_t at = left_after(begin)[i];
    EXPECT_GE(static_cast<long double>(at), end);
    EXPECT_LT(static_cast<long double>(at), end + 1 + 3);
  }
  expect_order();
}

TEST_F(BucketPathTest, OfTwoRatesTheSlowerOneBinds) {
  BucketSettings settings = bits(100, 8e6);  // 100 bytes: 100 us. 1000 bytes: 1 ms.
  settings.units_per_second = 5000;          // 200 us.
  use(settings);
  const TimePoint begin = h.time;
  arrive(2, 100);
  arrive(2, 1000);
  arrive(2, 100);
  h.run_for(Duration{5 * kMillisecond.ns}, Duration{100});
  EXPECT_EQ(left_after(begin), (Spans{0, 200'000, 400'000, 1'400'000, 2'400'000, 2'600'000}));
}

TEST_F(BucketPathTest, IdleTimeGivesNoCredit) {
  for (const Departure departure : {Departure::kAtStart, Departure::kAtEnd}) {
    SCOPED_TRACE(static_cast<int>(departure));
    use(bits(100, 8e6, departure));
    arrive(1);
    h.run_for(Duration{1'000 * kMillisecond.ns}, Duration{10'000});
    const TimePoint begin = h.time;
    const std::size_t before = h.ports.sent(1).size();
    arrive(4);
    h.run_for(kMillisecond, Duration{100});
    ASSERT_EQ(h.ports.sent(1).size(), before + 4);
    const std::int64_t first = departure == Departure::kAtStart ? 0 : 100'000;
    for (std::size_t i = 0; i < 4; ++i) {
      const std::int64_t due = first + static_cast<std::int64_t>(i) * 100'000;
      EXPECT_GE(left_after(begin)[before + i], due);
      EXPECT_LE(left_after(begin)[before + i], due + 100);
    }
  }
}

TEST_F(BucketPathTest, CapacityCountsTheOneInService) {
  use(bits(3, 8e6));
  arrive(5);  // One poll: the first has not left yet.
  EXPECT_EQ(bucket().admitted.get(), 3U);
  EXPECT_EQ(rejected(RejectReason::kFull), 2U);
  h.lcore.poll_once();
  EXPECT_EQ(h.ports.sent(1).size(), 1U);
  arrive(1);  // It has left and is still served.
  EXPECT_EQ(rejected(RejectReason::kFull), 3U);
  h.run_for(Duration{99'999}, Duration{1});
  arrive(1);
  EXPECT_EQ(rejected(RejectReason::kFull), 4U);
  h.time = h.time + Duration{1};
  arrive(2);
  EXPECT_EQ(bucket().admitted.get(), 4U);
  EXPECT_EQ(rejected(RejectReason::kFull), 5U);
  EXPECT_EQ(h.drops(DropReason::kBucketFull), 5U);
  EXPECT_EQ(bucket().rejected_bytes.get(), 500U);
}

TEST_F(BucketPathTest, CapacityOfOneNeverQueues) {
  use(bits(1, 8e6));
  for (int i = 0; i < 40; ++i) {
    arrive(1);
    h.run_for(Duration{25'000}, Duration{1'000});
  }
  EXPECT_EQ(bucket().departed.get(), 10U);
  EXPECT_EQ(rejected(RejectReason::kFull), 30U);
}

TEST_F(BucketPathTest, CapacityBytesBoundWhatWaits) {
  BucketSettings settings = bits(100, 8e3);
  settings.capacity_bytes = 1000;
  use(settings);
  arrive(3, 300);
  arrive(1, 101);
  EXPECT_EQ(rejected(RejectReason::kFullBytes), 0U);  // One has left meanwhile.
  arrive(1, 300);
  EXPECT_EQ(rejected(RejectReason::kFullBytes), 1U);
  arrive(1, 299);
  EXPECT_EQ(bucket().backlog_bytes(), 1000U);
  arrive(1, 42);
  EXPECT_EQ(rejected(RejectReason::kFullBytes), 2U);
  EXPECT_EQ(h.drops(DropReason::kBucketFullBytes), 2U);
}

TEST_F(BucketPathTest, TooLongForARingWord) {
  BucketSettings settings = bits(10, 1e9);
  settings.overhead_bytes = 20;
  use(settings);
  arrive(1, 65535 - 20);
  arrive(1, 65535 - 19);
  EXPECT_EQ(h.drops(DropReason::kTooLong), 1U);
  EXPECT_EQ(rejected(RejectReason::kTooLong), 1U);
  EXPECT_EQ(bucket().rejected_bytes.get(), 65536U);
  EXPECT_EQ(bucket().admitted.get(), 1U);
  h.run_for(kMillisecond, Duration{1000});
  EXPECT_EQ(bucket().departed_bytes.get(), 65535U);
}

TEST_F(BucketPathTest, RateChangesInTheMiddleOfAService) {
  use(bits(100, 8e6));  // 100 us each.
  const TimePoint begin = h.time;
  arrive(6);
  h.run_for(Duration{150'000}, Duration{100});  // Two have left, half of a service is to come.
  change(bits(100, 16e6));
  h.run_for(Duration{50'000},
            Duration{100});  // The third has left at 175, half of its 50 are gone.
  change(bits(100, 4e6));
  h.run_for(kMillisecond, Duration{100});
  // What is left of a service is rounded up, by less than 1 ns, so as not to end early.
  EXPECT_EQ(left_after(begin), (Spans{0, 100'000, 175'100, 300'100, 500'100, 700'100}));
  expect_order();
}

TEST_F(BucketPathTest, RateChangeServesTheUnitThatLeftLastAsWell) {
  use(bits(100, 8e6));
  const TimePoint begin = h.time;
  arrive(1);
  h.run_for(Duration{20'000}, Duration{100});
  EXPECT_EQ(bucket().backlog.get(), 0U);
  change(bits(100, 800e3));  // 80 us were left: they are 800 now.
  arrive(2);
  h.run_for(Duration{3 * kMillisecond.ns}, Duration{10});
  EXPECT_EQ(left_after(begin), (Spans{0, 820'010, 1'820'010}));
}

TEST_F(BucketPathTest, AHeadThatWaitsForYearsLeavesSoonAtAHigherRate) {
  use(bits(100, 1, Departure::kAtEnd));
  arrive(3, 1500);
  h.run_for(Duration{1'000'000'000}, Duration{1'000'000});
  EXPECT_EQ(h.ports.sent(1).size(), 0U);
  change(bits(100, 12e6, Departure::kAtEnd));
  h.run_for(Duration{3 * kMillisecond.ns}, Duration{100});
  EXPECT_EQ(h.ports.sent(1).size(), 3U);
}

TEST_F(BucketPathTest, SmallerCapacityKeepsWhoWaits) {
  use(bits(50, 8e6));
  arrive(50);
  change(bits(10, 8e6));
  EXPECT_EQ(bucket().backlog.get(), 49U);
  arrive(1);
  EXPECT_EQ(rejected(RejectReason::kFull), 1U);
  h.run_for(Duration{40'000'000}, Duration{1000});
  EXPECT_EQ(h.ports.sent(1).size(), 50U);
  expect_order();
  arrive(12);
  EXPECT_EQ(rejected(RejectReason::kFull), 3U);
}

TEST_F(BucketPathTest, LargerRingInTheMiddleOfABacklogKeepsOrder) {
  use(bits(8, 8e6));
  for (int round = 0; round < 3; ++round) {  // So that the ring has wrapped.
    arrive(8 - bucket().occupancy(h.time));
    h.run_for(Duration{500'000}, Duration{1000});
  }
  arrive(8 - bucket().occupancy(h.time));
  const std::uint64_t departed = bucket().departed.get();
  const std::uint64_t waiting = bucket().backlog.get();
  RingEntry* const ring = h.more_ring(64);
  RingEntry* const old = h.transmitter.change(slot_, bits(64, 8e6), ring, 64, h.time);
  EXPECT_NE(old, nullptr);
  EXPECT_NE(old, ring);
  EXPECT_EQ(bucket().ring.slot_count(), 64U);
  const auto room = 64 - bucket().occupancy(h.time);
  arrive(room + 3);
  EXPECT_EQ(rejected(RejectReason::kFull), 3U);
  h.run_for(Duration{10'000'000}, Duration{1000});
  EXPECT_EQ(bucket().departed.get(), departed + waiting + room);
  expect_order();
  const auto& sent = h.ports.sent(1);
  for (std::size_t i = 1; i < sent.size(); ++i) {
    EXPECT_GE((sent[i].at - sent[i - 1].at).ns, 100'000 - 1000) << i;
  }
}

TEST_F(BucketPathTest, DepartureSwitchedInTheMiddleOfABacklog) {
  use(bits(100, 8e6));
  const TimePoint begin = h.time;
  arrive(4);
  h.run_for(Duration{130'000}, Duration{100});  // Two have left; the third was to leave at 200.
  change(bits(100, 8e6, Departure::kAtEnd));
  h.run_for(Duration{200'000}, Duration{100});
  EXPECT_EQ(left_after(begin), (Spans{0, 100'000, 300'100}));
  change(bits(100, 8e6, Departure::kAtStart));  // The fourth keeps its 400.
  arrive(1);
  h.run_for(Duration{250'000}, Duration{100});
  EXPECT_EQ(left_after(begin), (Spans{0, 100'000, 300'100, 400'100, 500'100}));
}

TEST_F(BucketPathTest, RateChangesAfterTheDepartureWasSwitched) {
  use(bits(100, 800, Departure::kAtEnd));  // 1 s each.
  const TimePoint begin = h.time;
  arrive(2);
  h.time = h.time + Duration{500'000'000};
  change(bits(100, 800, Departure::kAtStart));
  change(bits(100, 8e6, Departure::kAtStart));  // 0.5 s were left of 1 s: 50 us.
  h.run_for(kMillisecond, Duration{100});
  const Spans left = left_after(begin);
  ASSERT_EQ(left.size(), 2U);
  EXPECT_NEAR(static_cast<double>(left[0]), 500'050'000, 100);
  EXPECT_NEAR(static_cast<double>(left[1]), 500'150'000, 100);
}

TEST_F(BucketPathTest, DeleteDrains) {
  use(bits(100, 8e6));
  arrive(10);
  h.lcore.poll_once();
  const Removal removal = h.transmitter.remove(slot_, false, h.time);
  EXPECT_EQ(removal.dropped, 0U);
  EXPECT_EQ(removal.draining, 9U);
  arrive(2);
  EXPECT_EQ(h.drops(DropReason::kBucketDraining), 2U);
  EXPECT_EQ(rejected(RejectReason::kDraining), 2U);
  h.run_for(Duration{899'000}, Duration{1000});
  EXPECT_EQ(bucket().state.load(), BucketPhase::kDraining);
  h.run_for(Duration{2'000}, Duration{1000});
  EXPECT_EQ(bucket().state.load(), BucketPhase::kRetired);
  EXPECT_EQ(h.ports.sent(1).size(), 10U);
  EXPECT_EQ(h.transmitter.scheduler().live_buckets(), 0U);
  EXPECT_TRUE(h.transmitter.idle());
}

TEST_F(BucketPathTest, DeleteDrops) {
  use(bits(100, 8e6));
  arrive(10);
  h.lcore.poll_once();
  const Removal removal = h.transmitter.remove(slot_, true, h.time);
  EXPECT_EQ(removal.dropped, 9U);
  EXPECT_EQ(removal.draining, 0U);
  EXPECT_EQ(bucket().state.load(), BucketPhase::kRetired);
  EXPECT_EQ(h.drops(DropReason::kBucketDeleted), 9U);
  EXPECT_EQ(bucket().dropped_bytes.get(), 900U);
  EXPECT_TRUE(h.transmitter.idle());
  h.run_for(kMillisecond, Duration{1000});
  EXPECT_EQ(h.ports.sent(1).size(), 1U);
}

}  // namespace
}  // namespace drip::datapath
