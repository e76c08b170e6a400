// SPDX-License-Identifier: BSD-3-Clause
// States, changes and counters of an interface that comes and goes.
#include "netdev/link_tracker.h"

#include <gtest/gtest.h>

namespace drip::netdev {
namespace {

Link link(int index, bool admin_up, bool carrier, std::uint64_t tx_packets = 0) {
  Link link;
  link.name = "eth1";
  link.index = index;
  link.admin_up = admin_up;
  link.carrier = carrier;
  link.counters.tx_packets = tx_packets;
  return link;
}

TEST(LinkTrackerTest, DownIsToldFromGone) {
  LinkTracker tracker(link(3, true, true));
  EXPECT_EQ(tracker.state(), LinkState::kUp);
  EXPECT_TRUE(tracker.observe(link(3, true, false)));
  EXPECT_EQ(tracker.state(), LinkState::kDown);
  EXPECT_FALSE(tracker.observe(link(3, false, false)));
  EXPECT_TRUE(tracker.observe(link(3, true, true)));
  EXPECT_TRUE(tracker.observe_gone());
  EXPECT_FALSE(tracker.observe_gone());
  EXPECT_EQ(tracker.state(), LinkState::kGone);
  EXPECT_EQ(tracker.changes(), 3U);
}

TEST(LinkTrackerTest, WhatIsGoneStaysGoneUntilThePortOpensAgain) {
  LinkTracker tracker(link(3, true, true));
  tracker.observe_gone();
  // A late message of the old interface.
  EXPECT_FALSE(tracker.observe(link(3, true, true)));
  EXPECT_EQ(tracker.state(), LinkState::kGone);
  EXPECT_TRUE(tracker.follow(link(8, true, true)));
  EXPECT_EQ(tracker.state(), LinkState::kUp);
  EXPECT_EQ(tracker.index(), 8);
  EXPECT_EQ(tracker.changes(), 2U);
}

TEST(LinkTrackerTest, CountersCountFromTheOpeningOverAllInterfaces) {
  LinkTracker tracker(link(3, true, true, 1000));
  EXPECT_EQ(tracker.counters().tx_packets, 0U);
  tracker.observe(link(3, true, true, 1007));
  tracker.observe(link(3, false, false, 1010));
  EXPECT_EQ(tracker.counters().tx_packets, 10U);
  tracker.observe_gone();
  tracker.follow(link(8, true, true, 500));
  tracker.observe(link(8, true, true, 505));
  EXPECT_EQ(tracker.counters().tx_packets, 15U);
  tracker.observe_counters(link(8, false, false, 506));
  EXPECT_EQ(tracker.counters().tx_packets, 16U);
  EXPECT_EQ(tracker.state(), LinkState::kUp);
}

TEST(LinkTrackerTest, AReportThatIsOlderThanWhatWasReadChangesNoCounter) {
  LinkTracker tracker(link(3, true, true, 1000));
  tracker.observe(link(3, true, true, 1010));
  EXPECT_TRUE(tracker.observe_state(link(3, false, false, 1005)));
  tracker.observe(link(3, false, false, 1012));
  EXPECT_EQ(tracker.counters().tx_packets, 12U);
  EXPECT_TRUE(tracker.observe_gone(link(3, false, false, 1011)));
  EXPECT_EQ(tracker.counters().tx_packets, 12U);
}

TEST(LinkTrackerTest, TheLastCountersOfAnInterfaceComeWithItsEnd) {
  LinkTracker tracker(link(3, true, true, 1000));
  EXPECT_TRUE(tracker.observe_gone(link(3, false, false, 1020)));
  EXPECT_EQ(tracker.counters().tx_packets, 20U);
}

TEST(LinkTrackerTest, TheLastCountersMayComeAfterTheEndIsKnown) {
  LinkTracker tracker(link(3, true, true, 1000));
  EXPECT_TRUE(tracker.observe_gone());
  EXPECT_FALSE(tracker.observe_gone(link(3, false, false, 1020)));
  EXPECT_EQ(tracker.counters().tx_packets, 20U);
  EXPECT_EQ(tracker.changes(), 1U);
  EXPECT_FALSE(tracker.observe_gone(link(3, false, false, 1020)));
  EXPECT_EQ(tracker.counters().tx_packets, 20U) << "told twice";
  tracker.follow(link(8, true, true, 500));
  tracker.observe(link(8, true, true, 505));
  EXPECT_EQ(tracker.counters().tx_packets, 25U);
}

TEST(LinkTrackerTest, OfTheLastCountersEachIsTakenByItself) {
  Link before = link(3, true, true, 1000);
  before.counters.rx_packets = 70;
  LinkTracker tracker(before);
  before.counters.rx_packets = 75;
  tracker.observe(before);
  // As a veth tells them, whose peer counted what it received.
  EXPECT_TRUE(tracker.observe_gone(link(3, false, false, 1020)));
  EXPECT_EQ(tracker.counters().tx_packets, 20U);
  EXPECT_EQ(tracker.counters().rx_packets, 5U);
}

TEST(LinkTrackerTest, ADriverThatCountsFromZeroAgainIsNoLeapBack) {
  LinkTracker tracker(link(3, true, true, 1000));
  tracker.observe(link(3, true, true, 1010));
  tracker.observe(link(3, true, true, 4));
  EXPECT_EQ(tracker.counters().tx_packets, 14U);
}

}  // namespace
}  // namespace drip::netdev
