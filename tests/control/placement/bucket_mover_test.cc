// SPDX-License-Identifier: BSD-3-Clause
// Buckets follow their packets, while they are used by others.
#include "control/placement/bucket_mover.h"

#include <atomic>
#include <thread>

#include "control/config/configuration_fixture.h"

namespace drip::control {
namespace {

class BucketMoverTest : public ConfigurationTest {
 protected:
  BucketMoverTest() {
    for (std::uint32_t i = 0; i < 2; ++i) {
      LcoreStats& lcore = engine_.lcore_readings.emplace_back();
      lcore.transmitter = i;
    }
    EXPECT_TRUE(configure({"bucket_id: 'a' capacity: 4 leak_rate_bps: 1e6",
                           "bucket_id: 'b' capacity: 4 leak_rate_bps: 1e6",
                           "bucket_id: 'rest' capacity: 4 leak_rate_bps: 1e6"})
                    .ok());
    EXPECT_TRUE(set_rules("rules { rule_id: 'r' bucket_id: 'a' match { vlan_id: 1 } } "
                          "rules { rule_id: 's' bucket_id: 'b' match { vlan_id: 2 } } "
                          "rules { rule_id: 't' drop: true match { vlan_id: 3 } } "
                          "default_bucket_id: 'rest'")
                    .ok());
    mover_.emplace(engine_, configuration_);
    EXPECT_EQ(mover_->follow(), 0U);  // Sees what there is.
  }

  void arrive(std::size_t rule, std::uint32_t thread, std::uint64_t packets) {
    configuration_.with_rules([&](const RuleStore& rules) {
      rules.snapshot()->workers[thread][rule].packets.add(packets);
    });
  }
  void arrive_at_default(std::uint32_t thread, std::uint64_t packets) {
    std::size_t index = 0;
    configuration_.with_rules(
        [&](const RuleStore& rules) { index = rules.snapshot()->fallback_index(); });
    arrive(index, thread, packets);
  }
  BucketState state(const std::string& id) { return *buckets_.find(id)->state(); }

  std::optional<BucketMover> mover_;
};

TEST_F(BucketMoverTest, ABucketIsWhereItsPacketsCome) {
  arrive(0, 1, 5000);
  arrive(1, 0, 5000);
  arrive(2, 1, 9000);
  EXPECT_EQ(mover_->follow(), 1U);
  EXPECT_EQ(state("a").transmitter, 1U);
  EXPECT_EQ(state("a").moves, 1U);
  EXPECT_EQ(state("b").transmitter, 0U);
  EXPECT_EQ(state("b").moves, 0U);
  // Rules that are made now send packets there.
  ASSERT_TRUE(set_rule("rule_id: 'u' bucket_id: 'a' match { vlan_id: 4 }").ok());
  configuration_.with_rules([&](const RuleStore& rules) {
    EXPECT_EQ(rules.snapshot()->targets[3].load(), buckets_.find("a")->ref());
  });
  ASSERT_TRUE(configure({"bucket_id: 'a' capacity: 8 leak_rate_bps: 2e6"}).ok());
  EXPECT_EQ(state("a").settings.capacity, 8U);
}

TEST_F(BucketMoverTest, TheBucketOfTheDefaultMovesAsWell) {
  arrive_at_default(1, 5000);
  arrive(0, 0, 5000);
  EXPECT_EQ(mover_->follow(), 1U);
  EXPECT_EQ(state("rest").transmitter, 1U);
}

TEST_F(BucketMoverTest, WhatIsUsedOrHasRequestsStays) {
  {
    const auto use = buckets_.find("a")->use();
    arrive(0, 1, 5000);
    EXPECT_EQ(mover_->follow(), 0U);
  }
  const auto bucket = buckets_.find("b");
  requests_.admit(*bucket, {.request_id = "one"},
                  [](const auto& ticket) { EXPECT_TRUE(ticket.ok()); });
  arrive(1, 1, 5000);
  EXPECT_EQ(mover_->follow(), 0U);
  EXPECT_EQ(state("b").moves, 0U);
  arrive(0, 1, 5000);
  EXPECT_EQ(mover_->follow(), 1U);
}

// A tree is on one thread: all of it moves, parents first, or none of it.
TEST_F(BucketMoverTest, ATreeMovesAsAWhole) {
  ASSERT_TRUE(configure({"bucket_id: 'up' inner: true leak_rate_bps: 1e9",
                         "bucket_id: 'mid' inner: true parent_id: 'up'",
                         "bucket_id: 'x' capacity: 4 leak_rate_bps: 1e6 parent_id: 'mid' weight: 3",
                         "bucket_id: 'y' capacity: 4 leak_rate_bps: 1e6 parent_id: 'up'"})
                  .ok());
  ASSERT_TRUE(set_rules("rules { rule_id: 'r' bucket_id: 'x' match { vlan_id: 1 } } "
                        "rules { rule_id: 's' bucket_id: 'y' match { vlan_id: 2 } } ")
                  .ok());
  EXPECT_EQ(mover_->follow(), 0U);  // Sees the new rules.
  const auto expect_on = [&](std::uint32_t thread, std::uint32_t moves) {
    for (const char* const id : {"up", "mid", "x", "y"}) {
      EXPECT_EQ(state(id).transmitter, thread) << id;
      EXPECT_EQ(state(id).moves, moves) << id;
    }
  };
  arrive(0, 1, 5000);
  {
    const auto use = buckets_.find("mid")->use();
    EXPECT_EQ(mover_->follow(), 0U);
  }
  expect_on(0, 0);
  arrive(0, 1, 5000);
  arrive(1, 1, 5000);
  EXPECT_EQ(mover_->follow(), 4U);
  expect_on(1, 1);
  ASSERT_EQ(engine_.moved_trees.size(), 1U);
  // Each after its parent, and how it shares.
  std::vector<std::uint32_t> parents;
  for (const BucketMove& move : engine_.moved_trees.front()) parents.push_back(move.parent);
  EXPECT_EQ(engine_.moved_trees.front().front().nodes, 4U);
  EXPECT_EQ(parents, (std::vector<std::uint32_t>{0, 0, 0, 1}));
  EXPECT_EQ(engine_.moved_trees.front()[3].share.weight, 3U);
}

TEST_F(BucketMoverTest, TreesThatCannotMoveStay) {
  ASSERT_TRUE(configure({"bucket_id: 'flows' inner: true leak_rate_bps: 1e9",
                         "bucket_id: 'x' capacity: 4 leak_rate_bps: 1e6 parent_id: 'flows'",
                         "bucket_id: 'wide' inner: true leak_rate_bps: 1e9"})
                  .ok());
  for (std::size_t i = 0; i < Engine::kMostNodesOfAMove - 1; ++i) {
    ASSERT_TRUE(configure({"bucket_id: 'w" + std::to_string(i) +
                           "' capacity: 4 leak_rate_bps: 1e6 parent_id: 'wide'"})
                    .ok());
  }
  ASSERT_TRUE(set_rules("rules { rule_id: 'r' bucket_id: 'x' match { vlan_id: 1 } } "
                        "rules { rule_id: 's' bucket_id: 'w0' match { vlan_id: 2 } } "
                        "rules { rule_id: 't' match { vlan_id: 3 } per_flow { key: 2 "
                        "max_flows: 2 bucket { capacity: 4 leak_rate_bps: 1e6 "
                        "parent_id: 'flows' } } }")
                  .ok());
  EXPECT_EQ(mover_->follow(), 0U);
  arrive(0, 1, 5000);  // A per-flow rule has its buckets beside it.
  EXPECT_EQ(mover_->follow(), 0U);
  arrive(1, 1, 5000);
  EXPECT_EQ(mover_->follow(), Engine::kMostNodesOfAMove);
  ASSERT_TRUE(
      configure({"bucket_id: 'more' capacity: 4 leak_rate_bps: 1e6 parent_id: 'wide'"}).ok());
  for (int rest = 0; rest < 6; ++rest) EXPECT_EQ(mover_->follow(), 0U);
  arrive(1, 0, 5000);  // One too many.
  EXPECT_EQ(mover_->follow(), 0U);
}

TEST_F(BucketMoverTest, NothingMovesAfterStop) {
  mover_->stop();
  arrive(0, 1, 5000);
  EXPECT_EQ(mover_->follow(), 0U);
}

// Readers find the bucket wherever it is, and wait while it is on its way.
TEST_F(BucketMoverTest, ReadersSeeItAllTheTime) {
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> reads{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      const BucketEntryRef bucket = buckets_.find("a");
      while (!stop) {
        const std::optional<BucketState> state = bucket->state();
        ASSERT_TRUE(state);
        ASSERT_EQ(state->settings.capacity, 4U);
        ++reads;
        std::this_thread::yield();
      }
    });
  }
  std::uint32_t moves = 0;
  const BucketEntryRef bucket = buckets_.find("a");
  for (int i = 0; i < 100'000 && (moves < 500 || reads < 5000); ++i) {
    BucketEntry::Move move = bucket->try_move();
    if (!move) continue;
    BucketMove one{bucket->ref(), 1 - bucket->ref().transmitter, bucket->settings(), {}};
    engine_.move(std::span(&one, 1));
    ASSERT_TRUE(one.moved);
    move.finish(*one.moved);
    ++moves;
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_GE(moves, 500U);
  EXPECT_EQ(bucket->moves(), moves);
}

}  // namespace
}  // namespace drip::control
