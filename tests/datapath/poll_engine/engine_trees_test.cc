// SPDX-License-Identifier: BSD-3-Clause
// Trees on real threads, without ports: they are made, moved and removed as wholes.
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "datapath/poll_engine/poll_engine.h"
#include "datapath/poll_engine/portless.h"
#include "support/wait_until.h"

namespace drip::datapath {
namespace {

class EngineTreesTest : public testing::TestWithParam<int> {
 protected:
  EngineTreesTest() {
    EngineOptions options;
    for (int i = 0; i < GetParam(); ++i) {
      options.lcores.push_back({LcoreStats::Role::kFused, -1, -1, true, 0});
    }
    options.buckets_per_transmitter = 2048;
    options.ring_memory_bytes = 64 << 20;
    engine_ = std::make_unique<PollEngine>(options, portless_poll_threads(), ports_, clock_);
  }

  // `rate`: units a second; an inner node needs none.
  static BucketChange node(bool inner, double rate, std::optional<BucketRef> parent,
                           std::optional<std::size_t> parent_change = std::nullopt) {
    BucketChange change;
    change.settings.capacity = inner ? 0 : 100;
    change.settings.units_per_second = rate;
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
  static BucketChange move(BucketRef ref, const BucketChange& as, BucketRef parent) {
    BucketChange change = as;
    change.ref = ref;
    change.node->parent = parent;
    change.node->parent_change = std::nullopt;
    change.moves = true;
    return change;
  }
  void admit(BucketRef bucket, int count) {
    for (int i = 0; i < count; ++i) {
      ASSERT_EQ(engine_->admit(bucket, records_.emplace_back(), 0).reason, RejectReason::kAdmitted);
    }
  }

  NoPorts ports_;
  TscClock clock_;
  std::deque<RequestRecord> records_;
  std::unique_ptr<PollEngine> engine_;
};

TEST_P(EngineTreesTest, AWholeTreeIsOnOneThreadAndItsRootBindsAll) {
  // The root lets nothing depart but the first unit.
  const auto refs = create({node(true, 1.0 / 3600, {}), node(true, 0, {}, 0),
                            node(false, 1e6, {}, 1), node(false, 1e6, {}, 1)});
  for (const BucketRef ref : refs) EXPECT_EQ(ref.transmitter, refs[0].transmitter);
  EXPECT_EQ(engine_->read(refs[1]).node_state, NodeState::kIdle);
  admit(refs[2], 10);
  admit(refs[3], 10);
  EXPECT_TRUE(wait_until([&] { return engine_->read(refs[0]).node_state == NodeState::kParked; }));
  EXPECT_LE(engine_->read(refs[2]).departed + engine_->read(refs[3]).departed, 1U);
  // A bucket in no tree has no such state.
  BucketChange flat;
  flat.settings.capacity = 1;
  flat.settings.units_per_second = 1;
  EXPECT_EQ(engine_->read(create({flat})[0]).node_state, std::nullopt);
  // Without the root's ceiling all of it leaves.
  BucketChange faster = node(true, 1e6, {});
  faster.ref = refs[0];
  faster.node = std::nullopt;
  create({faster});
  EXPECT_TRUE(wait_until(
      [&] { return engine_->read(refs[2]).departed + engine_->read(refs[3]).departed == 20; }));
  EXPECT_EQ(engine_->read(refs[0]).departed, 20U);
}

TEST_P(EngineTreesTest, MovesExchangeParentsAndKeepBacklogs) {
  const BucketChange slow = node(true, 1.0 / 3600, {});
  const auto refs =
      create({slow, node(true, 0, {}, 0), node(true, 0, {}, 1), node(false, 1e6, {}, 2)});
  admit(refs[3], 20);
  // The two inner nodes change places: each is below the other on the way, in either order.
  BucketChange upper = move(refs[2], node(true, 0, {}), refs[0]);
  BucketChange lower = move(refs[1], node(true, 0, {}), refs[2]);
  BucketChange leaf = move(refs[3], node(false, 1e6, {}), refs[1]);
  create({upper, lower, leaf});
  EXPECT_GE(engine_->read(refs[3]).backlog, 19U);
  // Out of the tree it leaves at its own rate.
  BucketChange out = move(refs[3], node(false, 1e6, {}), {});
  out.node->parent = std::nullopt;
  create({out});
  EXPECT_TRUE(wait_until([&] { return engine_->read(refs[3]).departed == 20; }));
  EXPECT_EQ(engine_->read(refs[3]).node_state, std::nullopt);
}

TEST_P(EngineTreesTest, ABucketStaysOnItsThread) {
  const auto roots = create({node(true, 0, {}), node(true, 0, {})});
  if (roots[0].transmitter == roots[1].transmitter) {
    EXPECT_EQ(GetParam(), 1);
    return;
  }
  const auto leaf = create({node(false, 1, roots[0])});
  std::vector<BucketChange> change = {move(leaf[0], node(false, 1, {}), roots[1])};
  const absl::Status status = engine_->apply(change);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find("a tree is on one polling thread"), std::string::npos) << status;
}

TEST_P(EngineTreesTest, MoreMovesThanOneMomentAllowsAreRefused) {
  const auto roots = create({node(true, 0, {})});
  std::vector<BucketChange> leaves(PollEngine::kMaxMovesACall + 1, node(false, 1, roots[0]));
  const auto refs = create(leaves);
  const auto other = create({node(true, 0, roots[0])});
  std::vector<BucketChange> moves;
  for (const BucketRef ref : refs) moves.push_back(move(ref, node(false, 1, {}), other[0]));
  EXPECT_EQ(engine_->apply(moves).code(), absl::StatusCode::kFailedPrecondition);
  moves.pop_back();
  EXPECT_TRUE(engine_->apply(moves).ok());
}

TEST_P(EngineTreesTest, SlotsAndMemoryOfRemovedTreesAreReleased) {
  for (int round = 0; round < 50; ++round) {
    const auto refs = create({node(true, 1e6, {}), node(true, 0, {}, 0), node(false, 1e6, {}, 1)});
    admit(refs[2], 5);
    // From the leaves on; what waits drains through nodes that are being removed.
    for (auto ref = refs.rbegin(); ref != refs.rend(); ++ref) engine_->remove(*ref, round % 2 == 0);
  }
  EXPECT_TRUE(wait_until([&] {
    EXPECT_TRUE(engine_->apply({}).ok());
    return engine_->memory().reserved_bytes == 0;
  }));
}

TEST_P(EngineTreesTest, FlowsOfARuleAreOnTheThreadOfTheirParent) {
  const auto roots = create({node(true, 0, {}), node(true, 0, {})});
  const bool spread = roots[0].transmitter != roots[1].transmitter;
  FlowRuleSettings settings;
  settings.key.kind = FlowKeyKind::kSource;
  settings.bucket.capacity = 1;
  settings.bucket.units_per_second = 1;
  settings.idle_timeout = Duration{1'000'000'000};
  settings.max_flows = 1500;  // Of 2048 buckets on each thread.
  settings.parent = roots[0];
  const auto first = engine_->create_flow_rule(settings);
  ASSERT_TRUE(first.ok()) << first.status();
  // Where the flows of one root take no room, those of the other one have it.
  settings.parent = roots[1];
  const auto second = engine_->create_flow_rule(settings);
  EXPECT_EQ(second.ok(), spread) << second.status();
  const absl::Status moved = engine_->change_flow_rule(*first, settings);
  EXPECT_EQ(moved.ok(), !spread);
  FlowRuleSettings flat = settings;
  flat.parent = std::nullopt;
  EXPECT_EQ(engine_->change_flow_rule(*first, flat).code(),
            GetParam() == 1 ? absl::StatusCode::kOk : absl::StatusCode::kFailedPrecondition);
  engine_->remove_flow_rule(*first);
  if (second.ok()) engine_->remove_flow_rule(*second);
  // All of it is free again.
  EXPECT_TRUE(wait_until([&] {
    const auto again = engine_->create_flow_rule(settings);
    if (again.ok()) engine_->remove_flow_rule(*again);
    return again.ok();
  }));
}

INSTANTIATE_TEST_SUITE_P(Lcores, EngineTreesTest, testing::Values(1, 2));

}  // namespace
}  // namespace drip::datapath
