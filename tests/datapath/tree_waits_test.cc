// SPDX-License-Identifier: BSD-3-Clause
// How long requests wait in leaves of trees: exact where the leaf alone decides, else by the share
// that it got lately.
#include <gtest/gtest.h>

#include <deque>

#include "harness.h"

namespace drip::datapath {
namespace {

constexpr std::int64_t kMs = 1'000'000;

class TreeWaitsTest : public testing::Test {
 protected:
  // Units of 10 ms in all; each leaf could have all of them.
  TreeWaitsTest() {
    BucketSettings root;
    root.units_per_second = 100;
    root_ = h.take_slot();
    h.transmitter.create(root_, root, nullptr, 0, h.time);
    leaf_ = add_leaf(100);
    sibling_ = add_leaf(100);
  }
  std::uint32_t add_leaf(double units_per_second) {
    BucketSettings leaf;
    leaf.capacity = 1000;
    leaf.units_per_second = units_per_second;
    leaf.departure = Departure::kAtStart;
    const std::uint32_t slot = h.add_bucket(leaf);
    NodeSettings node;
    node.parent = root_;
    h.transmitter.set_node(slot, node, h.time);
    return slot;
  }
  Admission admit(std::uint32_t slot, const WaitLimits& limits = {}) {
    return h.transmitter.admit_request(slot, records_.emplace_back(), 0, h.time, limits);
  }
  void admit_many(std::uint32_t slot, int count) {
    for (int i = 0; i < count; ++i) ASSERT_EQ(admit(slot).reason, RejectReason::kAdmitted);
  }
  void run_ms(std::int64_t ms) { h.run_for(Duration{ms * kMs}, Duration{100'000}); }

  std::deque<RequestRecord> records_;
  Harness h;
  std::uint32_t root_ = 0;
  std::uint32_t leaf_ = 0;
  std::uint32_t sibling_ = 0;
};

TEST_F(TreeWaitsTest, ALeafThatDepartsAtItsOwnRateSaysExactlyWhen) {
  const Admission first = admit(leaf_);
  EXPECT_FALSE(first.wait_is_estimate) << "its whole path is due";
  EXPECT_EQ(first.wait.ns, 0);
  admit_many(leaf_, 20);
  run_ms(101);
  const Admission next = admit(leaf_);
  EXPECT_FALSE(next.wait_is_estimate);
  EXPECT_EQ(next.unit_period.ns, 0);
  const std::size_t index = records_.size() - 1;
  const TimePoint came = h.time;
  run_ms(1000);
  EXPECT_EQ((records_[index].departed - came).ns, next.wait.ns);
}

TEST_F(TreeWaitsTest, WhatSiblingsTakeIsInTheEstimate) {
  admit_many(leaf_, 60);
  admit_many(sibling_, 200);
  const Admission early = admit(leaf_);
  EXPECT_TRUE(early.wait_is_estimate) << "nothing is known yet";
  EXPECT_EQ(early.unit_period.ns, 0);
  run_ms(400);
  // It gets one of two units: 20 ms each, for the 41 that wait.
  const Admission next = admit(leaf_);
  EXPECT_TRUE(next.wait_is_estimate);
  EXPECT_NEAR(static_cast<double>(next.unit_period.ns), 20.0 * kMs, 0.5 * kMs);
  EXPECT_NEAR(static_cast<double>(next.wait.ns), 41 * 20.0 * kMs, 30.0 * kMs);
  const std::size_t index = records_.size() - 1;
  const TimePoint came = h.time;
  run_ms(900);
  EXPECT_NEAR(static_cast<double>((records_[index].departed - came).ns),
              static_cast<double>(next.wait.ns), 30.0 * kMs);
}

TEST_F(TreeWaitsTest, ALimitGoesByTheEstimate) {
  admit_many(leaf_, 60);
  admit_many(sibling_, 200);
  run_ms(400);
  // By its own rate it would wait 400 ms.
  WaitLimits limits;
  limits.start = Duration{600 * kMs};
  const std::uint64_t admitted = h.bucket(leaf_).admitted.get();
  const Admission refused = admit(leaf_, limits);
  EXPECT_EQ(refused.reason, RejectReason::kWaitTooLong);
  EXPECT_TRUE(refused.wait_is_estimate);
  EXPECT_GT(refused.wait.ns, 750 * kMs);
  EXPECT_EQ(h.bucket(leaf_).admitted.get(), admitted);
  // Of several units the last one counts.
  UnitsToAdmit units;
  units.bucket = {0, leaf_};
  units.count = 100;
  units.limits.start = Duration{1200 * kMs};
  h.transmitter.admit_units(units, h.time);
  EXPECT_NEAR(units.admitted, 20, 2);
}

TEST_F(TreeWaitsTest, BelowAPausedRootNobodyKnowsTheWait) {
  h.transmitter.pause(root_, h.time);
  const Admission refused = admit(leaf_, {.start = Duration{600 * kMs}});
  EXPECT_EQ(refused.reason, RejectReason::kWaitTooLong);
  EXPECT_EQ(refused.wait, Admission::kUnknownWait);
  EXPECT_EQ(h.bucket(leaf_).admitted.get(), 0U);
}

TEST_F(TreeWaitsTest, TheMeasureFollowsTheShare) {
  admit_many(leaf_, 400);
  admit_many(sibling_, 100);
  run_ms(1500);
  EXPECT_NEAR(static_cast<double>(admit(leaf_).unit_period.ns), 20.0 * kMs, 0.5 * kMs);
  run_ms(1100);  // From 2 s on the sibling has nothing.
  admit(leaf_);
  run_ms(1100);
  EXPECT_FALSE(admit(leaf_).wait_is_estimate) << "all of the root's rate is its own";
  run_ms(5000);
  // Nothing waits any more: what was measured says nothing of next time.
  const Admission fresh = admit(leaf_);
  EXPECT_FALSE(fresh.wait_is_estimate);
  EXPECT_EQ(fresh.wait.ns, 0);
}

}  // namespace
}  // namespace drip::datapath
