// SPDX-License-Identifier: BSD-3-Clause
// What the leader grants, in cases that the drawn runs of the lease simulation seldom come to.
#include "cluster/shares/lease/share_allocator.h"

#include <gtest/gtest.h>

#include "cluster/shares/lease/rate_division.h"
#include "cluster/shares/lease/share_holder.h"
#include "cluster/shares/lease/share_learning.h"

namespace drip::cluster {
namespace {

constexpr LeaseTiming kTiming;
constexpr TimePoint kStart{1'000'000'000};
constexpr LeasedRates kRates{1000, 0};

std::uint64_t part(double of_the_rate) {
  return static_cast<std::uint64_t>(of_the_rate * static_cast<double>(kWholeRate));
}

Shares only(double leased, double safe, LeasedRates rates = kRates) {
  return {{"a", Share{part(leased), part(safe), rates}}};
}

ShareSession session(const std::string& node, Shares holds, double demand = 2) {
  ShareSession session;
  session.node_id = node;
  session.sequence = 1;
  session.held = holds;
  session.taken = holds;
  session.granted = std::move(holds);
  session.demands["a"] = part(demand);
  return session;
}

ShareSnapshot snapshot_of(std::map<std::string, ShareSession> sessions) {
  ShareSnapshot snapshot;
  snapshot.generation = 7;
  snapshot.version = 3;
  snapshot.sessions = std::move(sessions);
  return snapshot;
}

ShareAllocator::Buckets bucket(double reserve, LeasedRates rates = kRates) {
  return {{"a", LeasedBucket{rates, part(reserve), {}}}};
}

// As after the plan; what it does not name stays as it was.
Share granted(const SharePlan& plan, const ShareSnapshot& snapshot, const std::string& id) {
  const auto grant = plan.grants.find(id);
  const Shares& shares =
      grant != plan.grants.end() ? grant->second : snapshot.sessions.at(id).granted.value();
  const auto share = shares.find("a");
  return share == shares.end() ? Share{} : share->second;
}

TEST(LeaseTiming, IsOverForTheHolderBeforeItIsForTheLeader) {
  EXPECT_LT(kTiming.at_holder(kTiming.lease).ns, kTiming.lease.ns);
  EXPECT_GT(kTiming.at_leader(kTiming.lease).ns, kTiming.lease.ns);
  // A holder's clock that is slower than the leader's by the whole skew measures so much longer.
  const double slow = 1 + 1e-6 * static_cast<double>(kTiming.skew_ppm);
  EXPECT_LT(static_cast<double>(kTiming.at_holder(kTiming.lease).ns) * slow,
            static_cast<double>(kTiming.at_leader(kTiming.lease).ns));
}

TEST(ShareAllocator, ASilentSessionIsLostOnlyWhenItsLeaseIsOverOnAnyClock) {
  ShareAllocator allocator(kTiming);
  const ShareSnapshot snapshot = snapshot_of({{"n1:1", session("n1", only(0.5, 0))}});
  EXPECT_TRUE(allocator.plan(snapshot, bucket(0), kStart).lost.empty());
  const TimePoint end = kStart + kTiming.at_leader(kTiming.lease);
  EXPECT_TRUE(allocator.plan(snapshot, bucket(0), end).lost.empty());
  EXPECT_EQ(allocator.plan(snapshot, bucket(0), end + Duration{1}).lost.size(), 1U);
}

TEST(ShareAllocator, ANewLeaderWaitsAWholeLeaseOfItsOwn) {
  const ShareSnapshot snapshot = snapshot_of({{"n1:1", session("n1", only(0.5, 0))}});
  ShareAllocator old_leader(kTiming);
  (void)old_leader.plan(snapshot, bucket(0), kStart);
  const TimePoint later = kStart + Duration{2 * kTiming.lease.ns};
  EXPECT_EQ(old_leader.plan(snapshot, bucket(0), later).lost.size(), 1U);
  EXPECT_TRUE(ShareAllocator(kTiming).plan(snapshot, bucket(0), later).lost.empty());
}

TEST(ShareAllocator, AReserveThatIsRaisedIsGrantedOnlyAsTheLeasesGiveWay) {
  ShareAllocator allocator(kTiming);
  ShareSnapshot snapshot =
      snapshot_of({{"n1:1", session("n1", only(0.5, 0))}, {"n2:1", session("n2", only(0.5, 0))}});
  SharePlan plan = allocator.plan(snapshot, bucket(0.2), kStart);
  for (const char* const id : {"n1:1", "n2:1"}) {
    EXPECT_EQ(granted(plan, snapshot, id).safe, 0U) << "all of the rate is leased still";
    EXPECT_NEAR(static_cast<double>(granted(plan, snapshot, id).leased),
                static_cast<double>(part(0.4)), 1);
  }
  // They hold less: there is room.
  snapshot =
      snapshot_of({{"n1:1", session("n1", only(0.4, 0))}, {"n2:1", session("n2", only(0.4, 0))}});
  plan = allocator.plan(snapshot, bucket(0.2), kStart + Duration{1});
  for (const char* const id : {"n1:1", "n2:1"}) {
    EXPECT_EQ(granted(plan, snapshot, id).safe, part(0.1));
  }
}

TEST(ShareAllocator, AReserveThatIsLoweredIsLeasedOnlyAsTheSafeSharesGiveWay) {
  ShareAllocator allocator(kTiming);
  const ShareSnapshot snapshot = snapshot_of(
      {{"n1:1", session("n1", only(0.35, 0.15))}, {"n2:1", session("n2", only(0.35, 0.15))}});
  const SharePlan plan = allocator.plan(snapshot, bucket(0.1), kStart);
  for (const char* const id : {"n1:1", "n2:1"}) {
    EXPECT_EQ(granted(plan, snapshot, id).safe, part(0.1) / 2);
    EXPECT_NEAR(static_cast<double>(granted(plan, snapshot, id).leased),
                static_cast<double>(part(0.35)), 1)
        << "safe shares are active still";
  }
}

TEST(ShareAllocator, ANodeThatStartedAgainIsNoMoreWhatItWas) {
  ShareAllocator allocator(kTiming);
  ShareSnapshot snapshot =
      snapshot_of({{"n1:1", session("n1", only(0.5, 0.1))}, {"n2:1", session("n2", only(0.4, 0))}});
  (void)allocator.plan(snapshot, bucket(0.1), kStart);
  snapshot.sessions.emplace("n1:2", session("n1", {}));
  ++snapshot.sessions.at("n2:1").sequence;
  SharePlan plan = allocator.plan(snapshot, bucket(0.1), kStart + kTiming.lease);
  EXPECT_TRUE(plan.departed.empty()) << "its lease runs still";
  plan = allocator.plan(snapshot, bucket(0.1),
                        kStart + kTiming.at_leader(kTiming.lease) + Duration{1});
  ASSERT_EQ(plan.departed.size(), 1U);
  EXPECT_EQ(plan.departed.front().first, "n1:1");
  EXPECT_EQ(granted(plan, snapshot, "n1:2").safe, part(0.1) / 2);
}

TEST(ShareAllocator, ALowerRateIsGrantedToOthersOnlyAfterTheHigherOneIsGivenUp) {
  ShareAllocator allocator(kTiming);
  const LeasedRates before{2000, 0};
  const ShareSnapshot snapshot = snapshot_of(
      {{"n1:1", session("n1", only(0.5, 0, before))}, {"n2:1", session("n2", only(0, 0, before))}});
  const SharePlan plan = allocator.plan(snapshot, bucket(0), kStart);
  // n1's half of the rate of before is all of the rate of now.
  EXPECT_EQ(granted(plan, snapshot, "n2:1").leased, 0U);
  EXPECT_LE(granted(plan, snapshot, "n1:1").leased, part(0.5));
  EXPECT_EQ(granted(plan, snapshot, "n1:1").rates, kRates);
}

TEST(ShareAllocator, WhatWasGrantedToALostSessionAfterItsLastExchangeIsFree) {
  ShareAllocator allocator(kTiming);
  ShareSession silent = session("n1", {});
  silent.granted = only(0.5, 0.1);
  ShareSnapshot snapshot = snapshot_of({{"n1:1", silent}, {"n2:1", session("n2", {})}});
  (void)allocator.plan(snapshot, bucket(0.1), kStart);
  ++snapshot.sessions.at("n2:1").sequence;
  const SharePlan plan =
      allocator.plan(snapshot, bucket(0.1), kStart + Duration{2 * kTiming.lease.ns});
  ASSERT_EQ(plan.lost.size(), 1U);
  EXPECT_TRUE(plan.left.at("n1:1").empty());
  EXPECT_EQ(granted(plan, snapshot, "n2:1").safe, part(0.1)) << "all of the reserve";
  EXPECT_EQ(granted(plan, snapshot, "n2:1").leased, kWholeRate - part(0.1));
}

TEST(ShareAllocator, ALostSessionTakesNoRoomForASafeShareThatItCannotGet) {
  ShareAllocator allocator(kTiming);
  ShareSnapshot snapshot =
      snapshot_of({{"n1:1", session("n1", {})}, {"n2:1", session("n2", only(0.95, 0))}});
  snapshot.sessions.at("n1:1").lost = true;
  // n2 still holds 95 % from when nothing was set aside: a twentieth is free, all of it for n2.
  const SharePlan plan = allocator.plan(snapshot, bucket(0.1), kStart);
  EXPECT_NEAR(static_cast<double>(granted(plan, snapshot, "n2:1").safe),
              static_cast<double>(part(0.05)), 2);
}

TEST(ShareAllocator, WhileSafeSharesAreUnknownNobodysGrows) {
  ShareAllocator allocator(kTiming);
  // Data were lost; the rate was doubled meanwhile, so what n1 holds is a smaller part of it.
  ShareSnapshot snapshot = snapshot_of({{"n1:1", session("n1", only(0.3, 0.1, {500, 0}))},
                                        {"n2:1", session("n2", {})},
                                        {"n3:1", session("n3", {})}});
  snapshot.safe_frozen = true;
  const SharePlan plan = allocator.plan(snapshot, bucket(0.12), kStart);
  EXPECT_EQ(granted(plan, snapshot, "n2:1").safe, 0U);
  EXPECT_EQ(granted(plan, snapshot, "n3:1").safe, 0U);
  EXPECT_LE(granted(plan, snapshot, "n1:1").safe, part(0.04));
  // The shares beside them leave all that was set aside alone.
  EXPECT_LE(granted(plan, snapshot, "n1:1").leased + granted(plan, snapshot, "n2:1").leased +
                granted(plan, snapshot, "n3:1").leased,
            kWholeRate - part(0.12));
}

TEST(ShareAllocator, NothingIsGrantedWhileItIsUnknownWhatIsHeld) {
  ShareAllocator allocator(kTiming);
  ShareSnapshot snapshot = snapshot_of({{"n1:1", session("n1", {})}});
  snapshot.learning = true;
  EXPECT_TRUE(allocator.plan(snapshot, bucket(0.2), kStart).changes_nothing());
}

TEST(ShareAllocator, LostSessionsThatHoldNothingOfABucketTakeNothingOfItsReserve) {
  ShareAllocator allocator(kTiming);
  ShareSnapshot snapshot = snapshot_of({{"n1:1", session("n1", {})}, {"n2:1", session("n2", {})}});
  for (int i = 0; i < 6; ++i) {
    const std::string node = "dead" + std::to_string(i);
    snapshot.sessions.emplace(node + ":1", session(node, {})).first->second.lost = true;
  }
  const SharePlan plan = allocator.plan(snapshot, bucket(0.1), kStart);
  EXPECT_EQ(granted(plan, snapshot, "n1:1").safe, part(0.1) / 2);
  EXPECT_EQ(granted(plan, snapshot, "n2:1").safe, part(0.1) / 2);
}

TEST(ShareAllocator, SafeSharesOfLostSessionsStayInTheSum) {
  ShareAllocator allocator(kTiming);
  ShareSnapshot snapshot = snapshot_of({{"n1:1", session("n1", only(0, 0.02))},
                                        {"n2:1", session("n2", {})},
                                        {"n3:1", session("n3", only(0, 0.06))}});
  snapshot.sessions.at("n3:1").lost = true;
  const SharePlan plan = allocator.plan(snapshot, bucket(0.1), kStart);
  const std::uint64_t safe =
      granted(plan, snapshot, "n1:1").safe + granted(plan, snapshot, "n2:1").safe;
  EXPECT_LE(safe, part(0.1) - part(0.06));
  EXPECT_GE(safe + 3, part(0.1) - part(0.06));
}

TEST(ShareAllocator, ALookAtHeadsTellsWhetherAPlanWouldGiveASessionUp) {
  ShareAllocator allocator(kTiming);
  const ShareHeads heads{{"n1:1", {"n1", 1, false}}};
  EXPECT_FALSE(allocator.observe(7, heads, kStart));
  const TimePoint end = kStart + kTiming.at_leader(kTiming.lease);
  EXPECT_FALSE(allocator.observe(7, heads, end));
  EXPECT_TRUE(allocator.observe(7, heads, end + Duration{1}));
  EXPECT_FALSE(allocator.observe(7, {{"n1:1", {"n1", 2, false}}}, end + Duration{1}));
}

TEST(ShareLearning, WaitsUntilEveryLeaseOfBeforeIsOver) {
  ShareLearning learning(kTiming);
  const ShareData data{7, true, false};
  EXPECT_EQ(learning.next(data, kStart), ShareLearning::Step::kNone);
  const TimePoint over = kStart + kTiming.at_leader(kTiming.lease);
  EXPECT_EQ(learning.next(data, over), ShareLearning::Step::kNone);
  EXPECT_EQ(learning.next(data, over + Duration{1}), ShareLearning::Step::kLearned);
  // Other data: from the beginning.
  EXPECT_EQ(learning.next({8, true, false}, over + Duration{1}), ShareLearning::Step::kNone);
}

TEST(ShareLearning, SafeSharesGrowAgainWhenEveryOneOfBeforeIsOver) {
  ShareLearning learning(kTiming);
  const ShareData data{7, false, true};
  EXPECT_EQ(learning.next(data, kStart), ShareLearning::Step::kNone);
  const TimePoint over = kStart + kTiming.at_leader(kTiming.lease + kTiming.safe_hold);
  EXPECT_EQ(learning.next(data, over), ShareLearning::Step::kNone);
  EXPECT_EQ(learning.next(data, over + Duration{1}), ShareLearning::Step::kThawed);
}

TEST(ShareHolder, EndsByTheClockOfWhenTheExchangeWasBegun) {
  ShareHolder holder(kTiming);
  const auto exchange = holder.begin(kStart);
  const Shares shares = only(0.5, 0.1);
  holder.on_answer(exchange.sequence, ExchangeAnswer::kRenewed, 7, &shares);
  EXPECT_EQ(holder.ends().share, kStart + kTiming.at_holder(kTiming.lease));
  EXPECT_EQ(holder.ends().fallback, kStart + kTiming.at_holder(kTiming.lease + kTiming.safe_hold));
  EXPECT_EQ(holder.active_parts("a", kStart), part(0.5) + part(0.1));
  EXPECT_EQ(holder.active_parts("a", holder.ends().share), part(0.1));
  EXPECT_EQ(holder.active_parts("a", holder.ends().fallback), 0U);
  // What it says next that it holds is without what is over.
  EXPECT_EQ(holder.begin(holder.ends().share).held, only(0, 0.1));
  EXPECT_TRUE(holder.begin(holder.ends().fallback).held.empty());
}

TEST(ShareHolder, AnAnswerToAnEarlierExchangeChangesNothing) {
  ShareHolder holder(kTiming);
  const auto first = holder.begin(kStart);
  (void)holder.begin(kStart + Duration{1});
  const Shares shares = only(0.5, 0);
  holder.on_answer(first.sequence, ExchangeAnswer::kRenewed, 7, &shares);
  EXPECT_EQ(holder.active_parts("a", kStart + Duration{2}), 0U);
}

TEST(ShareHolder, IsSettledWhenWhatItReportedIsWhatItHolds) {
  ShareHolder holder(kTiming);
  const Shares shares = only(0.5, 0);
  holder.on_answer(holder.begin(kStart).sequence, ExchangeAnswer::kRenewed, 7, &shares);
  EXPECT_FALSE(holder.settled(kStart)) << "it has reported that it holds nothing";
  holder.on_answer(holder.begin(kStart).sequence, ExchangeAnswer::kRenewed, 7, &shares);
  EXPECT_TRUE(holder.settled(kStart));
  EXPECT_FALSE(holder.settled(holder.ends().share));
  // Renewed from when the renewal was begun.
  const TimePoint later = kStart + Duration{1'000'000};
  holder.on_answer(holder.renew(later).sequence, ExchangeAnswer::kRenewed, 7, nullptr);
  EXPECT_EQ(holder.ends().share, later + kTiming.at_holder(kTiming.lease));
  EXPECT_TRUE(holder.settled(later));
  EXPECT_EQ(holder.held(), shares);
}

TEST(ShareHolder, IsRenewedWithoutBeingSettled) {
  ShareHolder holder(kTiming);
  EXPECT_FALSE(holder.renewable(kStart));
  const Shares shares = only(0.5, 0);
  holder.on_answer(holder.begin(kStart).sequence, ExchangeAnswer::kRenewed, 7, &shares);
  const TimePoint later = kStart + Duration{1'000'000};
  EXPECT_TRUE(holder.renewable(later));
  (void)holder.begin(later);  // The reply does not arrive.
  holder.on_answer(holder.renew(later).sequence, ExchangeAnswer::kRenewed, 7, nullptr);
  EXPECT_EQ(holder.ends().share, later + kTiming.at_holder(kTiming.lease));
  EXPECT_FALSE(holder.settled(later)) << "what is held is not told";
  EXPECT_EQ(holder.held(), shares);
  EXPECT_FALSE(holder.renewable(holder.ends().share));
}

TEST(ShareHolder, RedisHasNoSuchSessionSoNothingIsRenewed) {
  ShareHolder holder(kTiming);
  const Shares shares = only(0.5, 0);
  for (int i = 0; i < 2; ++i) {
    holder.on_answer(holder.begin(kStart).sequence, ExchangeAnswer::kRenewed, 7, &shares);
  }
  const LeaseEnds ends = holder.ends();
  holder.on_answer(holder.renew(kStart + Duration{1}).sequence, ExchangeAnswer::kChanged, 7,
                   nullptr);
  EXPECT_EQ(holder.ends().share, ends.share);
  EXPECT_FALSE(holder.settled(kStart + Duration{1}));
  EXPECT_EQ(holder.held(), shares);
}

}  // namespace
}  // namespace drip::cluster
