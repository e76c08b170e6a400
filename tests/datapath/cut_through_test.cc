// SPDX-License-Identifier: BSD-3-Clause
// Packets that leave past ring and wheel, and each reason for which one does not.
#include <gtest/gtest.h>

#include <vector>

#include "one_bucket.h"
#include "support/frame_builder.h"

namespace drip::datapath {
namespace {

// 100 bytes take 100 us.
constexpr double kRate = 8e6;

class StraightPathTest : public OneBucket {
 protected:
  // Offers a packet without letting anything depart by the wheel; whether it left at once.
  bool leaves_at_once(std::size_t frame_bytes = 100) {
    const std::uint64_t before =
        h.transmitter.tx_buffer().sent() + h.transmitter.tx_buffer().waiting();
    h.ports.arrive(0, udp_frame(1, 2, 3, 4, frame_bytes));
    VirtualClock clock{&h.time};
    EXPECT_EQ(h.worker.take(), 1U);
    h.worker.handle(clock);
    return h.transmitter.tx_buffer().sent() + h.transmitter.tx_buffer().waiting() > before;
  }
  void TearDown() override {
    h.transmitter.flush();
    OneBucket::TearDown();
  }
};

TEST_F(StraightPathTest, AtTheStartIntoAnIdleBucket) {
  use(bits(10, kRate));
  EXPECT_TRUE(leaves_at_once());
  EXPECT_EQ(bucket().admitted.get(), 1U);
  EXPECT_EQ(bucket().departed.get(), 1U);
  EXPECT_EQ(bucket().departed_bytes.get(), 100U);
  EXPECT_EQ(bucket().backlog.get(), 0U);
  EXPECT_EQ(bucket().in_service_bytes, 100U);
  EXPECT_FALSE(bucket().hook.scheduled());
  EXPECT_EQ(TimePoint(bucket().hook.due), h.time + Duration{100'000});
  EXPECT_EQ(h.latencies(slot_).sojourn.max_ns, 0U);
}

TEST_F(StraightPathTest, NotWhileTheServerIsBusy) {
  use(bits(10, kRate));
  EXPECT_TRUE(leaves_at_once());
  EXPECT_FALSE(leaves_at_once());
  h.time = h.time + Duration{99'999};
  EXPECT_FALSE(leaves_at_once());
  EXPECT_EQ(bucket().backlog.get(), 2U);
}

TEST_F(StraightPathTest, AgainFromTheNanosecondInWhichTheServerIsFree) {
  use(bits(10, kRate));
  EXPECT_TRUE(leaves_at_once());
  h.time = h.time + Duration{100'000};
  EXPECT_TRUE(leaves_at_once());
}

TEST_F(StraightPathTest, NotPastOneThatWaits) {
  use(bits(10, kRate));
  EXPECT_TRUE(leaves_at_once());
  EXPECT_FALSE(leaves_at_once());
  // The server is free, but the one that waits has not departed yet.
  h.time = h.time + Duration{150'000};
  EXPECT_FALSE(leaves_at_once());
  EXPECT_EQ(bucket().backlog.get(), 2U);
  h.run_for(kMillisecond, Duration{1000});
  expect_order();
}

TEST_F(StraightPathTest, NotAtTheEnd) {
  use(bits(10, kRate, Departure::kAtEnd));
  EXPECT_FALSE(leaves_at_once());
  EXPECT_EQ(bucket().backlog.get(), 1U);
}

TEST_F(StraightPathTest, NotIntoABucketThatIsBeingDeleted) {
  use(bits(10, kRate));
  EXPECT_TRUE(leaves_at_once());
  EXPECT_FALSE(leaves_at_once());
  h.transmitter.remove(slot_, false, h.time);
  h.run_for(kMillisecond, Duration{1000});
  EXPECT_EQ(bucket().state.load(), BucketPhase::kRetired);
  EXPECT_FALSE(leaves_at_once());
  EXPECT_EQ(h.drops(DropReason::kBucketDraining), 1U);
}

TEST_F(StraightPathTest, NotOnALease) {
  BucketSettings settings = bits(10, kRate);
  settings.rate_is_leased = true;
  use(settings);
  EXPECT_FALSE(leaves_at_once());  // Paused: nothing may leave at all.
  LeaseTerms terms;
  terms.slot = slot_;
  h.transmitter.leases().set_ends({h.time + kMillisecond, h.time + LeaseList::kNever});
  h.transmitter.lease(terms, {{0, kRate}, {}, true}, h.time);
  h.run_for(Duration{500'000}, Duration{1000});
  EXPECT_EQ(bucket().backlog.get(), 0U);
  EXPECT_FALSE(leaves_at_once());
  h.transmitter.end_lease(terms, h.time);
}

TEST_F(StraightPathTest, NotWithABoundOfBytes) {
  BucketSettings settings = bits(10, kRate);
  settings.capacity_bytes = 150;
  use(settings);
  EXPECT_FALSE(leaves_at_once());
  h.run_for(kMillisecond, Duration{1000});
  // It is the long way that sees that this one does not fit.
  EXPECT_FALSE(leaves_at_once(200));
  EXPECT_EQ(rejected(RejectReason::kFullBytes), 1U);
}

TEST_F(StraightPathTest, NotOnAStoppingNode) {
  use(bits(10, kRate));
  h.transmitter.stop_admission();
  EXPECT_FALSE(leaves_at_once());
  EXPECT_EQ(h.drops(DropReason::kBucketDraining), 1U);
  EXPECT_EQ(rejected(RejectReason::kDraining), 1U);
}

TEST_F(StraightPathTest, NotToAPortThatTakesNothing) {
  use(bits(1000, 400e9));
  h.ports.set_room(1, 0);
  std::uint32_t left = 0;
  while (leaves_at_once()) {
    ASSERT_LT(++left, 1000U);
    h.time = h.time + Duration{1000};
  }
  // What control traffic is to have stays free.
  EXPECT_EQ(left, TxBuffer<FakeIo>::kSlots - TxBuffer<FakeIo>::kReserved);
  EXPECT_EQ(bucket().backlog.get(), 1U);
  h.ports.set_room(1, SIZE_MAX);
  h.run_for(kMillisecond, Duration{1000});
  EXPECT_EQ(h.ports.sent(1).size(), left + 1);
  expect_order();
}

TEST_F(StraightPathTest, TooLongIsStillDropped) {
  BucketSettings settings = bits(10, kRate);
  settings.overhead_bytes = 256;
  use(settings);
  EXPECT_FALSE(leaves_at_once(65'300));
  EXPECT_EQ(h.drops(DropReason::kTooLong), 1U);
}

// ---- What is dropped is freed together

TEST_F(StraightPathTest, DropsAreCountedAtOnceAndFreedAtTheFlush) {
  use(bits(1, kRate));
  EXPECT_TRUE(leaves_at_once());
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(leaves_at_once());
  EXPECT_EQ(h.drops(DropReason::kBucketFull), 10U);
  EXPECT_EQ(h.ports.dropped(), 0U);
  h.transmitter.flush();
  EXPECT_EQ(h.ports.dropped(), 10U);
  h.transmitter.flush();
  EXPECT_EQ(h.ports.dropped(), 10U);
}

TEST_F(StraightPathTest, DropsAreFreedBeforeThereIsNoMoreRoomForThem) {
  use(bits(1, kRate));
  EXPECT_TRUE(leaves_at_once());
  for (int i = 0; i < 63; ++i) EXPECT_FALSE(leaves_at_once());
  EXPECT_EQ(h.ports.dropped(), 0U);
  EXPECT_FALSE(leaves_at_once());
  EXPECT_EQ(h.ports.dropped(), 64U);
  EXPECT_FALSE(leaves_at_once());
  EXPECT_EQ(h.ports.dropped(), 64U);
  h.transmitter.flush();
  EXPECT_EQ(h.ports.dropped(), 65U);
}

TEST_F(StraightPathTest, WhatIsDroppedAtTheEndIsFreedThere) {
  use(bits(200, kRate));
  for (int i = 0; i < 100; ++i) (void)leaves_at_once();
  EXPECT_EQ(h.transmitter.drop_all(h.time), 100U);  // The one that left still waits to be sent.
  EXPECT_EQ(h.ports.alive(), 0U);
  EXPECT_EQ(h.drops(DropReason::kShutdown), 100U);
  EXPECT_EQ(h.dropped_bytes(DropReason::kShutdown), 100U * 100);
}

// ---- How late is within max_catchup

TEST_F(StraightPathTest, LatenessBesideTheBoundOfCatchUp) {
  // 1500 is not a power of two: up to 1023 the first look decides, beyond it the bound itself.
  BucketSettings settings = bits(100, kRate, Departure::kAtEnd);
  settings.max_catchup = Duration{1500};
  for (const std::int64_t late : {0, 1023, 1024, 1499, 1500, 1501, 2047, 2048, 5000}) {
    Harness one;
    const std::uint32_t slot = one.add_bucket(settings);
    one.send_all_to(slot);
    one.ports.arrive(0, udp_frame(1, 2, 3, 4, 100));
    one.lcore.poll_once();
    one.time = one.time + Duration{100'000 + late};
    one.lcore.poll_once();
    ASSERT_EQ(one.ports.sent(1).size(), 1U);
    EXPECT_EQ(one.bucket(slot).lost_schedule_ns.get(),
              static_cast<std::uint64_t>(std::max<std::int64_t>(late - 1500, 0)))
        << late;
  }
  use(settings);
}

TEST_F(StraightPathTest, NoCatchUpAtAll) {
  BucketSettings settings = bits(100, kRate, Departure::kAtEnd);
  settings.max_catchup = Duration{0};
  use(settings);
  EXPECT_FALSE(leaves_at_once());
  h.time = h.time + Duration{100'001};
  h.lcore.poll_once();
  EXPECT_EQ(bucket().lost_schedule_ns.get(), 1U);
}

// ---- What a worker has of the rules

TEST(RuleSnapshotTest, EachWorkerHasItsOwnCountsAndAllActions) {
  RuleSnapshot rules;
  rules.actions = {{RuleAction::Kind::kDrop, {}, 0}, {RuleAction::Kind::kBucket, {1, 7}, 0}};
  rules.fallback = {RuleAction::Kind::kFlows, {}, 5};
  rules.prepare_workers(3);
  ASSERT_EQ(rules.workers.size(), 3U);
  rules.workers[0][1].packets.add(1);
  for (std::size_t worker = 0; worker < 3; ++worker) {
    const WorkerRule* const mine = rules.workers[worker].get();
    EXPECT_EQ(mine[0].action.kind, RuleAction::Kind::kDrop);
    EXPECT_EQ(mine[1].action.kind, RuleAction::Kind::kBucket);
    EXPECT_EQ(mine[1].action.bucket, (BucketRef{1, 7}));
    for (std::size_t kind = 0; kind < kPacketKinds; ++kind) {
      const WorkerRule& fallback = mine[rules.fallback_index(static_cast<PacketKind>(kind))];
      EXPECT_EQ(fallback.action.kind, RuleAction::Kind::kFlows);
      EXPECT_EQ(fallback.action.flow_rule, 5U);
    }
    EXPECT_EQ(mine[1].packets.get(), worker == 0 ? 1U : 0U);
    EXPECT_EQ(mine[rules.protected_index()].packets.get(), 0U);
  }
  constexpr BucketRef kNone = RuleSnapshot::kNoBucket;
  const auto targets = [kNone](BucketRef fallback) {
    std::vector<BucketRef> result{kNone, {1, 7}};
    result.insert(result.end(), kPacketKinds, fallback);
    return result;
  };
  const auto present = [&rules] {
    return std::vector<BucketRef>(rules.targets.get(),
                                  rules.targets.get() + rules.protected_index());
  };
  EXPECT_EQ(present(), targets(kNone));
  // Prepared again: what there was is gone.
  rules.fallback = {RuleAction::Kind::kBucket, {0, 3}, 0};
  rules.prepare_workers(1);
  EXPECT_EQ(present(), targets({0, 3}));
  ASSERT_EQ(rules.workers.size(), 1U);
  EXPECT_EQ(rules.workers[0][1].packets.get(), 0U);
}

}  // namespace
}  // namespace drip::datapath
