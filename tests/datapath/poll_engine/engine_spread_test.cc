// SPDX-License-Identifier: BSD-3-Clause
// Spread roots on real threads, without ports: made, changed, read and removed as one bucket.
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "datapath/poll_engine/poll_engine.h"
#include "datapath/poll_engine/portless.h"
#include "support/wait_until.h"

namespace drip::datapath {
namespace {

class EngineSpreadTest : public testing::TestWithParam<int> {
 protected:
  static constexpr std::uint32_t kSlots = 1024;

  EngineSpreadTest() {
    EngineOptions options;
    for (int i = 0; i < GetParam(); ++i) {
      options.lcores.push_back({LcoreStats::Role::kFused, -1, -1, true, 0});
    }
    options.buckets_per_transmitter = kSlots;
    options.ring_memory_bytes = 64 << 20;
    engine_ = std::make_unique<PollEngine>(options, portless_poll_threads(), ports_, clock_);
  }
  static BucketChange root(double rate) {
    BucketChange change;
    change.settings.units_per_second = rate;
    change.node = {.inner = true, .spread = true};
    return change;
  }
  static BucketChange child(bool inner, std::optional<BucketRef> parent,
                            std::optional<std::size_t> parent_change = std::nullopt) {
    BucketChange change;
    change.settings.capacity = inner ? 0 : 1000;
    change.settings.units_per_second = inner ? 0 : 1e6;
    change.node = {inner, parent, parent_change, {}};
    return change;
  }
  std::vector<BucketRef> create(std::vector<BucketChange> changes) {
    const absl::Status status = engine_->apply(changes);
    EXPECT_TRUE(status.ok()) << status;
    std::vector<BucketRef> refs;
    for (const BucketChange& change : changes) refs.push_back(change.ref.value_or(BucketRef{}));
    return refs;
  }
  void admit(BucketRef bucket, int count) {
    for (int i = 0; i < count; ++i) {
      ASSERT_EQ(engine_->admit(bucket, records_.emplace_back(), 0).reason, RejectReason::kAdmitted);
    }
  }
  [[nodiscard]] std::size_t threads() const { return static_cast<std::size_t>(GetParam()); }

  NoPorts ports_;
  TscClock clock_;
  std::deque<RequestRecord> records_;
  std::unique_ptr<PollEngine> engine_;
};

TEST_P(EngineSpreadTest, ChildrenAreOnAllThreadsAndOneRootCountsThem) {
  std::vector<BucketChange> changes = {root(1e6)};
  for (int i = 0; i < 8; ++i) changes.push_back(child(false, {}, 0));
  const auto refs = create(changes);
  std::set<std::uint32_t> used;
  for (std::size_t i = 1; i < refs.size(); ++i) {
    used.insert(refs[i].transmitter);
    admit(refs[i], 50);
  }
  EXPECT_EQ(used.size(), threads());
  EXPECT_TRUE(wait_until([&] { return engine_->read(refs[0]).departed == 400; }));
  const BucketStats stats = engine_->read(refs[0]);
  if (threads() == 1) {
    EXPECT_TRUE(stats.core_shares.empty()) << "an ordinary root";
    return;
  }
  ASSERT_EQ(stats.core_shares.size(), threads());
  std::uint64_t sum = 0;
  for (const CoreShare& share : stats.core_shares) sum += share.departed;
  EXPECT_EQ(sum, 400U);
  EXPECT_EQ(engine_->arrivals(refs[0]).units, 400U);
  EXPECT_EQ(stats.node_state, NodeState::kIdle);
  EXPECT_NEAR(stats.periods.true_units_per_second(), 1e6, 1);
}

TEST_P(EngineSpreadTest, ASubtreeIsOnOneThread) {
  const auto refs = create({root(1e6), child(true, {}, 0), child(false, {}, 1), child(true, {}, 0),
                            child(false, {}, 3)});
  EXPECT_EQ(refs[1].transmitter, refs[2].transmitter);
  EXPECT_EQ(refs[3].transmitter, refs[4].transmitter);
  EXPECT_EQ(refs[1].transmitter == refs[3].transmitter, threads() == 1);
  const auto later = create({child(false, refs[1])});
  EXPECT_EQ(later[0].transmitter, refs[1].transmitter);
}

TEST_P(EngineSpreadTest, ABucketOfAnyThreadMayMoveBelowIt) {
  std::vector<BucketChange> flat(4);
  for (BucketChange& change : flat) {
    change.settings.capacity = 100;
    change.settings.units_per_second = 1.0 / 3600;
  }
  const auto buckets = create(flat);
  const auto up = create({root(1e6)});
  for (const BucketRef bucket : buckets) {
    admit(bucket, 10);
    BucketChange move = child(false, up[0]);
    move.settings = flat[0].settings;
    move.ref = bucket;
    move.moves = true;
    EXPECT_EQ(create({move})[0], bucket);
    // What it has waits for the root as well from now on.
    move.settings.units_per_second = 1e6;
    move.node = std::nullopt;
    move.moves = false;
    create({move});
  }
  EXPECT_TRUE(wait_until([&] {
    std::uint64_t waiting = 0;
    for (const BucketRef bucket : buckets) waiting += engine_->backlog(bucket);
    return waiting == 0;
  }));
  EXPECT_TRUE(wait_until([&] { return engine_->read(up[0]).departed == 40; }));
}

TEST_P(EngineSpreadTest, ASubtreeMovesOntoItAndOffIt) {
  const auto up = create({root(1e6)});
  std::vector<std::vector<BucketRef>> trees;
  for (std::size_t i = 0; i < threads(); ++i) {
    trees.push_back(create({child(true, {}), child(false, {}, 0)}));
  }
  const auto move_to = [&](BucketRef node, std::optional<BucketRef> parent) {
    BucketChange move = child(true, parent);
    move.ref = node;
    move.moves = true;
    return engine_->apply(std::span(&move, 1));
  };
  for (const auto& tree : trees) EXPECT_TRUE(move_to(tree[0], up[0]).ok());
  for (const auto& tree : trees) admit(tree[1], 10);
  EXPECT_TRUE(wait_until([&] { return engine_->read(up[0]).departed == 10 * threads(); }));
  for (const auto& tree : trees) EXPECT_TRUE(move_to(tree[0], std::nullopt).ok());
  for (const auto& tree : trees) admit(tree[1], 10);
  for (const auto& tree : trees) {
    EXPECT_TRUE(wait_until([&] { return engine_->read(tree[0]).departed == 20; }));
  }
  EXPECT_EQ(engine_->read(up[0]).departed, 10 * threads());
  if (threads() == 1) return;
  ASSERT_NE(trees[0][0].transmitter, trees[1][0].transmitter);
  const absl::Status refused = move_to(trees[0][0], trees[1][0]);
  EXPECT_NE(refused.message().find("the bucket is on transmitter " +
                                   std::to_string(trees[0][0].transmitter) + " and the parent on " +
                                   std::to_string(trees[1][0].transmitter)),
            std::string::npos)
      << refused;
}

TEST_P(EngineSpreadTest, AChangeOfTheRateIsThatOfAllParts) {
  std::vector<BucketChange> changes = {root(1.0 / 3600)};
  for (int i = 0; i < 4; ++i) changes.push_back(child(false, {}, 0));
  const auto refs = create(changes);
  for (std::size_t i = 1; i < refs.size(); ++i) admit(refs[i], 20);
  EXPECT_LE(engine_->read(refs[0]).departed, 4U);
  BucketChange faster = root(1e6);
  faster.ref = refs[0];
  faster.node = std::nullopt;
  create({faster});
  EXPECT_TRUE(wait_until([&] { return engine_->read(refs[0]).departed == 80; }));
}

TEST_P(EngineSpreadTest, ItDrainsAsAWholeAndItsSlotsAreFreeAgain) {
  for (int round = 0; round < 50; ++round) {
    const auto refs = create({root(1e5), child(true, {}, 0), child(false, {}, 1),
                              child(false, {}, 0), child(false, {}, 0)});
    admit(refs[2], 20);
    admit(refs[3], 20);
    for (auto ref = refs.rbegin(); ref != refs.rend(); ++ref) engine_->remove(*ref, round % 2 == 0);
  }
  EXPECT_TRUE(wait_until([&] {
    EXPECT_TRUE(engine_->apply({}).ok());
    std::uint64_t live = 0;
    for (const LcoreStats& lcore : engine_->lcores()) live += lcore.buckets;
    return engine_->memory().reserved_bytes == 0 && live == 0;
  }));
}

TEST_P(EngineSpreadTest, FlowsOfARuleMayBeOnAnyThreadBelowIt) {
  const auto roots = create({root(1e6), child(true, {})});
  FlowRuleSettings below;
  below.key.kind = FlowKeyKind::kSource;
  below.bucket.capacity = 1;
  below.bucket.units_per_second = 1;
  below.idle_timeout = Duration{1'000'000'000};
  below.max_flows = 600;  // Of 1024 buckets on each thread.
  below.parent = roots[0];
  const auto rule = engine_->create_flow_rule(below);
  ASSERT_TRUE(rule.ok()) << rule.status();
  FlowRuleSettings flat = below;
  flat.parent.reset();
  EXPECT_FALSE(engine_->create_flow_rule(flat).ok()) << "each thread has room for all flows";
  EXPECT_TRUE(engine_->change_flow_rule(*rule, flat).ok());
  EXPECT_TRUE(engine_->change_flow_rule(*rule, below).ok());
  FlowRuleSettings on_one = below;
  on_one.parent = roots[1];
  const absl::Status moved = engine_->change_flow_rule(*rule, on_one);
  EXPECT_EQ(moved.ok(), threads() == 1);
  if (threads() > 1) {
    EXPECT_NE(moved.message().find("they are spread over all transmitters and would be on "
                                   "transmitter " +
                                   std::to_string(roots[1].transmitter)),
              std::string::npos)
        << moved;
  }
  engine_->remove_flow_rule(*rule);
  engine_->remove(roots[0], true);
  engine_->remove(roots[1], true);
  EXPECT_TRUE(wait_until([&] {
    const auto again = engine_->create_flow_rule(flat);
    if (again.ok()) engine_->remove_flow_rule(*again);
    return again.ok();
  }));
}

TEST_P(EngineSpreadTest, WithoutRoomOnOneThreadNothingIsMade) {
  std::vector<BucketChange> flat(kSlots * threads() - 1);
  for (BucketChange& change : flat) {
    change.settings.capacity = 1;
    change.settings.units_per_second = 1;
  }
  const auto buckets = create(flat);
  std::vector<BucketChange> one = {root(1e6)};
  EXPECT_EQ(engine_->apply(one).ok(), threads() == 1);
  if (threads() == 1) return;
  EXPECT_EQ(engine_->apply(one).code(), absl::StatusCode::kResourceExhausted);
  for (std::size_t i = 0; i < threads(); ++i) engine_->remove(buckets[i], true);
  EXPECT_TRUE(engine_->apply(one).ok()) << "what was reserved is free again";
}

INSTANTIATE_TEST_SUITE_P(Lcores, EngineSpreadTest, testing::Values(1, 2, 3));

}  // namespace
}  // namespace drip::datapath
