// SPDX-License-Identifier: BSD-3-Clause
// Queues of buckets on real threads, without ports: they are made, changed and removed with their
// buckets, and what is refused leaves nothing behind.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "datapath/poll_engine/poll_engine.h"
#include "datapath/poll_engine/portless.h"

namespace drip::datapath {
namespace {

class EngineQueuesTest : public testing::Test {
 protected:
  EngineQueuesTest() {
    EngineOptions options;
    for (int i = 0; i < 2; ++i) {
      options.lcores.push_back({LcoreStats::Role::kFused, -1, -1, true, 0});
    }
    options.buckets_per_transmitter = 256;
    options.ring_memory_bytes = 1 << 20;
    engine_ = std::make_unique<PollEngine>(options, portless_poll_threads(), ports_, clock_);
  }
  static BucketChange bucket(QueueKind kind, Aqm aqm = Aqm::kNone) {
    BucketChange change;
    change.settings.capacity = 1 << 14;
    change.settings.bits_per_second = 1e6;
    change.settings.departure = Departure::kAtStart;
    change.settings.queue.kind = kind;
    change.settings.queue.aqm = aqm;
    return change;
  }
  BucketRef create(BucketChange change) {
    const absl::Status status = engine_->apply({&change, 1});
    EXPECT_TRUE(status.ok()) << status;
    return change.ref.value_or(BucketRef{});
  }
  absl::Status change(BucketRef ref, BucketChange to) {
    to.ref = ref;
    return engine_->apply({&to, 1});
  }

  NoPorts ports_;
  TscClock clock_;
  RequestRecord record_;  // It may wait until the engine has ended.
  std::unique_ptr<PollEngine> engine_;
};

TEST_F(EngineQueuesTest, ABucketWithAQueueTakesNoRingOfItsCapacity) {
  const BucketRef plain = create(bucket(QueueKind::kFifo));
  EXPECT_EQ(engine_->read(plain).ring_slots, 1U << 14);
  EXPECT_EQ(engine_->read(plain).queue, std::nullopt);
  const std::uint64_t reserved = engine_->memory().reserved_bytes;
  const BucketRef fair = create(bucket(QueueKind::kFair));
  EXPECT_EQ(engine_->read(fair).ring_slots, BucketRing::kMinSlots);
  EXPECT_LE(engine_->memory().reserved_bytes - reserved, 4096U);
  ASSERT_TRUE(engine_->read(fair).queue);
  EXPECT_EQ(engine_->read(fair).queue->marks, 0U);
}

TEST_F(EngineQueuesTest, QueuesAreChangedInUse) {
  const BucketRef ref = create(bucket(QueueKind::kFifo));
  for (const auto& [kind, aqm] : {std::pair(QueueKind::kFair, Aqm::kCodel),
                                  {QueueKind::kFifo, Aqm::kDualPi2},
                                  {QueueKind::kFair, Aqm::kNone},
                                  {QueueKind::kFifo, Aqm::kNone},
                                  {QueueKind::kFifo, Aqm::kDualPi2},
                                  {QueueKind::kFifo, Aqm::kCodel}}) {
    const absl::Status status = change(ref, bucket(kind, aqm));
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_TRUE(engine_->read(ref).queue);
  }
  engine_->remove(ref, false);
  EXPECT_EQ(engine_->memory().reserved_bytes, 0U);
}

// So that nothing of a former bucket is left in its slot.
TEST_F(EngineQueuesTest, SlotsAreUsedAgain) {
  for (int round = 0; round < 300; ++round) {
    const BucketRef ref = create(bucket(QueueKind::kFair, Aqm::kCodel));
    engine_->remove(ref, (round & 1) != 0);
  }
  const BucketRef plain = create(bucket(QueueKind::kFifo));
  EXPECT_EQ(engine_->read(plain).queue, std::nullopt);
}

// Its ring has no room for units, and its queue does not know them.
TEST_F(EngineQueuesTest, ABucketWithAQueueTakesNoUnits) {
  const BucketRef ref = create(bucket(QueueKind::kFair));
  EXPECT_EQ(engine_->admit(ref, record_, 100).reason, RejectReason::kDraining);
  EXPECT_EQ(record_.state.load(), RequestRecord::State::kIdle);
  UnitsToAdmit units;
  units.bucket = ref;
  units.wire_bytes = 100;
  units.count = 9;
  engine_->admit_many({&units, 1});
  EXPECT_EQ(units.admitted, 0U);
  EXPECT_EQ(units.admission.reason, RejectReason::kDraining);
  const BucketStats stats = engine_->read(ref);
  EXPECT_EQ(stats.admitted, 0U);
  EXPECT_EQ(stats.rejected[static_cast<std::size_t>(RejectReason::kDraining)], 10U);
  // Until the change before it has settled, it is a bucket with a ring again.
  ASSERT_TRUE(change(ref, bucket(QueueKind::kFifo)).ok());
  EXPECT_EQ(engine_->admit(ref, record_, 100).reason, RejectReason::kAdmitted);
}

// A bucket that takes requests is busy, is given a queue, and continues after a restart.
TEST_F(EngineQueuesTest, ABucketWithAQueueContinuesAsBusyAsItWas) {
  constexpr Duration kBusy{60'000'000'000};
  const BucketRef ref = create(bucket(QueueKind::kFair));
  engine_->occupy(ref, kBusy);
  EXPECT_EQ(engine_->read(ref).backlog, 0U);
  EXPECT_GT(engine_->busy_for(ref).ns, kBusy.ns / 2);
  EXPECT_LE(engine_->busy_for(ref).ns, kBusy.ns);
  engine_->remove(ref, false);
}

TEST_F(EngineQueuesTest, WhatDoesNotFitChangesNothing) {
  // The first is made, and undone with the second, for which there is no memory.
  std::vector<BucketChange> changes = {bucket(QueueKind::kFair), bucket(QueueKind::kFifo)};
  changes[1].settings.capacity = 1 << 20;
  EXPECT_EQ(engine_->apply(changes).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(engine_->memory().reserved_bytes, 0U);
  EXPECT_EQ(engine_->lcores()[0].buckets + engine_->lcores()[1].buckets, 0U);
}

TEST_F(EngineQueuesTest, BucketsOfFlowsHaveQueues) {
  FlowRuleSettings rule;
  rule.key.kind = FlowKeyKind::kSource;
  rule.bucket = bucket(QueueKind::kFair, Aqm::kCodel).settings;
  rule.bucket.capacity = 64;
  rule.max_flows = 16;
  rule.idle_timeout = Duration{1'000'000'000};
  const auto number = engine_->create_flow_rule(rule);
  ASSERT_TRUE(number.ok()) << number.status();
  rule.bucket.queue = {};
  EXPECT_TRUE(engine_->change_flow_rule(*number, rule).ok());
  rule.bucket.queue.kind = QueueKind::kFair;
  rule.bucket.queue.isolation = Isolation::kHosts;
  EXPECT_TRUE(engine_->change_flow_rule(*number, rule).ok());
  engine_->remove_flow_rule(*number);
}

}  // namespace
}  // namespace drip::datapath
