// SPDX-License-Identifier: BSD-3-Clause
// Which buckets should move, by what their rules have counted at each thread.
#include "control/placement/traffic_follower.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <numeric>

namespace drip::control {
namespace {

TransmitterMap fused(std::uint32_t threads) {
  TransmitterMap map{{}, threads};
  map.transmitter_of_worker.resize(threads);
  std::iota(map.transmitter_of_worker.begin(), map.transmitter_of_worker.end(), 0U);
  return map;
}

// Rules, each to a bucket of its own unless told otherwise, on threads that all do everything.
class TrafficFollowerTest : public testing::Test {
 protected:
  void make_rules(std::vector<BucketRef> targets, std::uint32_t threads = 2) {
    map_ = fused(threads);
    rules_ = RuleSnapshot{};
    for (const BucketRef target : targets) {
      rules_.actions.emplace_back(RuleAction::Kind::kBucket, target);
    }
    rules_.prepare_workers(threads);
    EXPECT_TRUE(follower_.look(rules_, map_, moving_with()).empty());
  }
  void arrive(std::size_t rule, std::uint32_t thread, std::uint64_t packets) {
    rules_.workers[thread][rule].packets.add(packets);
  }
  // As "rule>transmitter", in order.
  std::vector<std::string> look() {
    std::vector<std::string> moves;
    for (const TrafficFollower::Move& move : follower_.look(rules_, map_, moving_with())) {
      EXPECT_EQ(move.from, rules_.targets[move.rule].load());
      moves.push_back(std::to_string(move.rule) + ">" + std::to_string(move.transmitter));
      last_ = move;
    }
    return moves;
  }
  void follow() {
    const BucketRef now{last_.transmitter, 1000 + last_.from.slot};
    for (std::size_t i = 0; i < rules_.rule_slots; ++i) {
      if (rules_.targets[i].load() == last_.from) rules_.targets[i].store(now);
    }
    follower_.moved(now);
  }
  using Moves = std::vector<std::string>;
  // Those of `together_` that have the rule's bucket; it alone if there are none.
  std::function<std::vector<BucketRef>(std::size_t)> moving_with() {
    return [this](std::size_t rule) -> std::vector<BucketRef> {
      const BucketRef bucket = rules_.targets[rule].load();
      for (const std::vector<BucketRef>& some : together_) {
        if (std::ranges::find(some, bucket) != some.end()) return some;
      }
      if (std::ranges::find(stuck_, bucket) != stuck_.end()) return {};
      return {bucket};
    };
  }

  std::vector<std::vector<BucketRef>> together_;
  std::vector<BucketRef> stuck_;
  TransmitterMap map_;
  RuleSnapshot rules_;
  TrafficFollower follower_;
  TrafficFollower::Move last_;
};

TEST_F(TrafficFollowerTest, ABucketGoesWhereThreeQuartersOfItsPacketsCome) {
  make_rules({{0, 1}, {0, 2}, {0, 3}, {1, 1}});
  arrive(0, 1, 768);
  arrive(0, 0, 256);
  arrive(1, 1, 767);  // A packet less at the other thread.
  arrive(1, 0, 257);
  arrive(2, 1, 1023);  // Too few.
  arrive(3, 1, 5000);  // There already.
  arrive(2, 0, 4000);
  EXPECT_EQ(look(), Moves{"0>1"});
  EXPECT_EQ(last_.packets, 1024U);
  // What has been looked at counts no more.
  EXPECT_EQ(look(), Moves{});
}

TEST_F(TrafficFollowerTest, AllRulesOfABucketCountTogether) {
  make_rules({{0, 1}, {0, 1}, {0, 2}});
  arrive(0, 1, 600);
  arrive(1, 1, 600);
  arrive(2, 0, 1500);
  EXPECT_EQ(look(), Moves{"0>1"});
  arrive(0, 1, 2000);
  arrive(1, 0, 2000);
  EXPECT_EQ(look(), Moves{});
}

TEST_F(TrafficFollowerTest, ABucketThatHasMovedRests) {
  make_rules({{0, 1}, {0, 2}});
  arrive(0, 1, 2000);
  arrive(1, 0, 2000);
  ASSERT_EQ(look(), Moves{"0>1"});
  follow();
  for (std::uint64_t i = 0; i < TrafficFollower::kRest; ++i) {
    arrive(0, 0, 2000);
    arrive(1, 0, 500);
    EXPECT_EQ(look(), Moves{}) << i;
  }
  arrive(0, 0, 2000);
  EXPECT_EQ(look(), Moves{"0>0"});
}

TEST_F(TrafficFollowerTest, TwoThatAreBothWrongChangePlaces) {
  make_rules({{0, 1}, {1, 1}});
  arrive(0, 1, 3000);
  arrive(1, 0, 2000);
  EXPECT_EQ(look(), (Moves{"0>1", "1>0"}));
}

// All packets come in at one thread: the others go on sending, or they would do nothing.
TEST_F(TrafficFollowerTest, NoThreadGetsEverything) {
  std::vector<BucketRef> targets;
  for (std::uint32_t i = 0; i < 1000; ++i) targets.push_back({i % 4, i / 4});
  make_rules(targets, 4);
  for (std::size_t rule = 0; rule < 1000; ++rule) arrive(rule, 2, 2000);
  // Of 1000 it has 250 and may have 1.25 times as many.
  EXPECT_EQ(look().size(), 62U);
}

// A single large one goes where it belongs: it is no worse there than where it is.
TEST_F(TrafficFollowerTest, AnElephantMoves) {
  make_rules({{0, 1}, {1, 1}});
  arrive(0, 1, 1'000'000);
  arrive(1, 1, 10);
  EXPECT_EQ(look(), Moves{"0>1"});
}

TEST_F(TrafficFollowerTest, TheBusiestGoFirstAndNotTooManyAtOnce) {
  std::vector<BucketRef> targets;
  for (std::uint32_t i = 0; i < 3000; ++i) targets.push_back({i % 2, i / 2});
  make_rules(targets);
  for (std::size_t rule = 0; rule < 3000; ++rule) {
    arrive(rule, 1 - targets[rule].transmitter, 2000 + rule);
  }
  const Moves moves = look();
  EXPECT_EQ(moves.size(), TrafficFollower::kMostMoves);
  EXPECT_EQ(moves.front(), "2999>0");
}

TEST_F(TrafficFollowerTest, ManyRulesAreLookedAtInTurns) {
  std::vector<BucketRef> targets(TrafficFollower::kRulesALook + 10, BucketRef{0, 9});
  targets.front() = {0, 1};
  targets.back() = {0, 2};
  make_rules(targets);
  const auto count = [&] {
    arrive(0, 1, 2000);
    arrive(targets.size() - 1, 1, 2000);
    arrive(1, 0, 2000);
    arrive(targets.size() - 2, 0, 2000);
  };
  count();
  EXPECT_EQ(look(), Moves{"0>1"});
  EXPECT_EQ(look(), Moves{std::to_string(targets.size() - 1) + ">1"});
}

TEST_F(TrafficFollowerTest, OtherRulesBeginAnew) {
  make_rules({{0, 1}});
  arrive(0, 1, 5000);
  const RuleSnapshot former = std::move(rules_);  // So that its memory is not used again.
  make_rules({{0, 1}});
  EXPECT_EQ(look(), Moves{});
  arrive(0, 1, 5000);
  EXPECT_EQ(look(), Moves{"0>1"});
}

TEST(TransmitterMapTest, OnlyWhereAllThreadsSendAndThereAreSeveral) {
  using Role = LcoreStats::Role;
  const auto of = [](std::vector<Role> roles) {
    std::vector<LcoreStats> lcores;
    std::uint32_t transmitters = 0;
    for (const Role role : roles) {
      LcoreStats& lcore = lcores.emplace_back();
      lcore.role = role;
      if (role != Role::kWorker) lcore.transmitter = transmitters++;
    }
    return TransmitterMap::of(lcores);
  };
  EXPECT_FALSE(of({Role::kFused}).can_follow());
  EXPECT_FALSE(of({Role::kWorker, Role::kTransmitter}).can_follow());
  EXPECT_FALSE(of({Role::kWorker, Role::kFused, Role::kFused}).can_follow());
  EXPECT_TRUE(of({Role::kFused, Role::kFused}).can_follow());
  const TransmitterMap map = of({Role::kTransmitter, Role::kFused, Role::kFused});
  EXPECT_TRUE(map.can_follow());
  EXPECT_EQ(map.transmitters, 3U);
  EXPECT_EQ(map.transmitter_of_worker, (std::vector<std::uint32_t>{1, 2}));
}

// Buckets 0, 1 and the root, which no rule names, are one tree; 2 cannot move.
TEST_F(TrafficFollowerTest, ATreeGoesWhereThreeQuartersOfAllOfItsPacketsCome) {
  make_rules({{0, 1}, {0, 2}, {0, 3}, {0, 4}});
  together_ = {{{0, 9}, {0, 1}, {0, 2}}};
  stuck_ = {{0, 3}};
  const auto others = [&] {
    arrive(3, 0, 50'000);
    arrive(3, 1, 50'000);
  };
  // One of them should be elsewhere, but not the two of them.
  arrive(0, 1, 4000);
  arrive(1, 0, 2000);
  others();
  EXPECT_EQ(look(), Moves{});
  arrive(0, 1, 4000);
  arrive(1, 0, 1000);
  others();
  EXPECT_EQ(look(), Moves{"0>1"});
  EXPECT_EQ(last_.packets, 5000U);
  // Both of them would: one move, and what cannot move stays.
  arrive(0, 1, 4000);
  arrive(1, 1, 6000);
  arrive(2, 1, 5000);
  others();
  EXPECT_EQ(look(), Moves{"1>1"});
  EXPECT_EQ(last_.packets, 10'000U);
  // Those that have moved rest.
  together_ = {{{1, 9}, {1, 1}, {1, 2}}};
  for (const std::uint32_t slot : {1U, 2U}) rules_.targets[slot - 1].store({1, slot});
  for (const BucketRef bucket : together_.front()) follower_.moved(bucket);
  arrive(0, 0, 4000);
  arrive(1, 0, 4000);
  others();
  EXPECT_EQ(look(), Moves{});
}

}  // namespace
}  // namespace drip::control
