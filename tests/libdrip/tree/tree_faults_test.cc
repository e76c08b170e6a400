// SPDX-License-Identifier: BSD-3-Clause
// Faults that other shapers have had in their trees, and what happens around the edges: egress
// without room, pauses, several roots, live changes, and the straight path.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "libdrip/drawn_seed.h"
#include "libdrip/reference_bucket.h"
#include "libdrip/tree/saturated_tree.h"

namespace drip::test {
namespace {

constexpr double kRate = 1e9;
constexpr Duration kSecond{1'000'000'000};
constexpr TimePoint kBegin = SaturatedTree::kBegin;

// Four children with ceilings far above the parent's: none starves.
TEST(TreeFaults, ChildrenFarAboveTheRateDoNotStarve) {
  SaturatedTree tree;
  const std::uint32_t root = tree.root(1e7);
  std::vector<std::uint32_t> leaves;
  for (int i = 0; i < 4; ++i) leaves.push_back(tree.leaf(under(root), 1514, 400e9));
  tree.run_for(kSecond);
  for (const std::uint32_t leaf : leaves) {
    EXPECT_NEAR(tree.bytes(leaf), tree.bytes(root) / 4, 3 * 1514);
  }
}

// Units of 65,535 bytes among those of 64, weights of 1 and 50: everybody goes on.
TEST(TreeFaults, TheLongestUnitsWedgeNobody) {
  SaturatedTree tree;
  const std::uint32_t root = tree.root(kRate);
  const std::uint32_t longest = tree.leaf(under(root, 1), kMaxWireBytes);
  const std::uint32_t heavy = tree.leaf(under(root, 50), kMaxWireBytes);
  const std::uint32_t small = tree.leaf(under(root, 50), 64);
  tree.run_for(kSecond);
  EXPECT_NEAR(tree.bytes(longest) / tree.bytes(root), 1.0 / 101, 1.0 / 500);
  EXPECT_NEAR(tree.bytes(heavy) / tree.bytes(root), 50.0 / 101, 0.05);
  EXPECT_NEAR(tree.bytes(small) / tree.bytes(root), 50.0 / 101, 0.05);
}

// A thousand children with a share of 100 kbit/s each: full frames all the same.
TEST(TreeFaults, AThousandChildrenSendFullFrames) {
  SaturatedTree tree(1'100);
  const std::uint32_t root = tree.root(1e8);
  std::vector<std::uint32_t> leaves;
  for (int i = 0; i < 1'000; ++i) leaves.push_back(tree.leaf(under(root), 1514));
  tree.run_for(kSecond);
  for (const std::uint32_t leaf : leaves) EXPECT_NEAR(tree.bytes(leaf), 1e8 / 8 / 1000, 2.5 * 1514);
}

// A node leaves idle when a leaf below it comes due: its guarantee gathers nothing before that.
TEST(TreeFaults, AGuaranteeGathersNothingWhileItsLeafIsParked) {
  constexpr Duration kService{1'000'000};  // Of 1000 bytes at 8 Mbit/s.
  TestTree tree(4, 4, kBegin);
  BucketSettings settings;
  settings.bits_per_second = 1e9;
  settings.departure = Departure::kAtStart;
  NodeSettings share;
  share.parent = tree.add_inner(settings, {});
  share.guaranteed_bits_per_second = 8e6;
  const std::uint32_t customer = tree.add_inner(settings, share);
  settings.bits_per_second = 8e6;
  settings.capacity = 4;
  settings.departure = Departure::kAtEnd;
  const std::uint32_t leaf = tree.add_leaf(settings, under(customer));
  for (int i = 1; i <= 3; ++i) {
    const TimePoint arrival = kBegin + Duration{i * kSecond.ns};
    tree.poll(arrival);
    tree.admit(leaf, 1000);
    tree.poll(arrival + kService);
    EXPECT_EQ(tree.record(leaf).departed, static_cast<std::uint64_t>(i));
    EXPECT_EQ(tree.guarantee_point(customer).ceil(), arrival + kService + kService);
  }
}

// Sums of shares at the highest rates and weights, over times in which tags wrap many times.
TEST(TreeFaults, TagsWrapWithoutHarm) {
  SaturatedTree tree;
  const std::uint32_t root = tree.root(400e9);
  const std::uint32_t one = tree.leaf(under(root, 1), 9216);
  const std::uint32_t heavy = tree.leaf(under(root, 256), 9216);
  // Tags of the light one wrap each 2^33 bytes: here they begin just before.
  tree.run_for(Duration{100'000});
  for (const std::uint64_t to_wrap : {1ULL << 62, 1ULL << 45, (1ULL << 63) + (1ULL << 45)}) {
    TreeNode& a = tree.tree().node(one);
    TreeNode& b = tree.tree().node(heavy);
    auto& list = const_cast<RoundList&>(tree.tree().inner(root).rounds[0]);
    const std::uint64_t shift = 0 - to_wrap - list.round;
    a.tag += shift;
    b.tag += shift;
    list.round += shift;
    tree.begin_count();
    tree.run_for(Duration{20'000'000});
    EXPECT_NEAR(tree.bytes(one) / tree.bytes(root), 1.0 / 257, 1e-4);
  }
  // A child that has slept while tags wrapped is neither starved nor preferred.
  const std::uint32_t sleeper = tree.leaf(under(root, 1), 9216);
  tree.tree().node(sleeper).tag += 1ULL << 62;
  tree.run_for(Duration{1'000'000});
  tree.begin_count();
  tree.run_for(Duration{20'000'000});
  EXPECT_NEAR(tree.bytes(sleeper) / tree.bytes(root), 1.0 / 258, 1e-4);
}

// The order in which nodes were made must not win at saturation.
TEST(TreeFaults, TheOrderOfTheChildrenDoesNotMatter) {
  SaturatedTree tree;
  const std::uint32_t root = tree.root(kRate);
  std::vector<std::uint32_t> leaves;
  for (int site = 0; site < 8; ++site) {
    const std::uint32_t inner = tree.inner(under(root));
    for (int i = 0; i <= site; ++i) leaves.push_back(tree.leaf(under(inner), 1000));
  }
  tree.run_for(kSecond);
  std::size_t at = 0;
  for (int site = 0; site < 8; ++site) {
    for (int i = 0; i <= site; ++i) {
      EXPECT_NEAR(tree.bytes(leaves[at++]), tree.bytes(root) / 8 / (site + 1), 3 * 8000);
    }
  }
}

// Frames of 64 bytes of a sibling must not take the guarantee of one with frames of 1514.
TEST(TreeFaults, AGuaranteeHoldsAgainstAFloodOfSmallFrames) {
  SaturatedTree tree;
  const std::uint32_t root = tree.root(kRate);
  NodeSettings share = under(root);
  share.guaranteed_bits_per_second = 0.9 * kRate;
  const std::uint32_t guaranteed = tree.leaf(share, 1514);
  tree.leaf(under(root, 1000, 7), 64);
  tree.run_for(Duration{200'000'000});
  EXPECT_GE(tree.bytes(guaranteed), 0.9 * kRate / 8 * 0.2 - 3 * 1514);
}

// A ceiling binds what is guaranteed as well, on every level.
TEST(TreeFaults, AnAncestorsCeilingBindsGuaranteedUnits) {
  SaturatedTree tree;
  const std::uint32_t root = tree.root(kRate);
  NodeSettings share = under(root);
  share.guaranteed_bits_per_second = 0.9 * kRate;
  const std::uint32_t site = tree.inner(share, kRate / 10);
  share.parent = site;
  const std::uint32_t leaf = tree.leaf(share, 1514);
  const std::uint32_t other = tree.leaf(under(root), 1514);
  tree.run_for(kSecond);
  EXPECT_NEAR(tree.bits_per_second(leaf), kRate / 10, kRate / 500);
  EXPECT_NEAR(tree.bits_per_second(other), kRate * 9 / 10, kRate / 500);
}

// A leaf whose egress has no room waits alone, and pays for nothing.
TEST(TreeFaults, ALeafWithoutRoomBlocksNobodyAndIsNotCharged) {
  SaturatedTree tree;
  const std::uint32_t root = tree.root(kRate);
  const std::uint32_t site = tree.inner(under(root), kRate / 2);
  const std::uint32_t blocked = tree.leaf(under(site, 1, 7), 1514);
  const std::uint32_t open = tree.leaf(under(site), 1514);
  tree.oracle().blocked = {blocked};
  tree.run_for(Duration{100'000'000});
  EXPECT_EQ(tree.bytes(blocked), 0);
  EXPECT_NEAR(tree.bits_per_second(open), kRate / 2, kRate / 100);
  EXPECT_EQ(tree.tree().bucket(blocked).lost_schedule_ns.get(), 0U);
  tree.oracle().blocked.clear();
  tree.run_for(Duration{1'000'000});
  tree.begin_count();
  tree.run_for(Duration{100'000'000});
  EXPECT_EQ(tree.bytes(open), 0) << "the other one comes first";
  EXPECT_NEAR(tree.bits_per_second(blocked), kRate / 2, kRate / 100);
}

TEST(TreeFaults, APausedRootHoldsItsTree) {
  SaturatedTree tree;
  const std::uint32_t root = tree.root(kRate);
  const std::uint32_t site = tree.inner(under(root));
  const std::uint32_t leaf = tree.leaf(under(site), 1514);
  tree.run_for(Duration{10'000'000});
  Scheduler& scheduler = tree.tree().scheduler();
  scheduler.pause(root, tree.tree().now());
  tree.begin_count();
  for (int i = 0; i < 100; ++i) tree.tree().poll(tree.tree().now() + Duration{1'000'000});
  EXPECT_EQ(tree.bytes(leaf), 0);
  EXPECT_TRUE(scheduler.idle());
  ASSERT_NO_FATAL_FAILURE(tree.oracle().check_states());
  scheduler.set_rates(root, ServicePeriods::of_rates(0, kRate / 2), tree.tree().now());
  tree.begin_count();
  tree.run_for(Duration{100'000'000});
  EXPECT_NEAR(tree.bits_per_second(leaf), kRate / 2, kRate / 1000) << "and gives no credit";
}

// A core that is away for longer than max_catchup loses time for all: nobody is owed it.
TEST(TreeFaults, StallsKeepTheShares) {
  TestTree tree(8, 4, kBegin);
  TreeOracle oracle(tree, kBegin);
  BucketSettings settings = ceiling(300e6);
  settings.max_catchup = Duration{2'000'000};
  const std::uint32_t root = tree.add_inner(settings, {});
  std::vector<std::uint32_t> leaves;
  for (const double guarantee : {200e6, 100e6}) {
    NodeSettings share = under(root);
    share.guaranteed_bits_per_second = guarantee;
    settings.capacity = 128;
    leaves.push_back(tree.add_leaf(settings, share));
  }
  for (int stall = 0; stall < 100; ++stall) {
    for (const std::uint32_t leaf : leaves) {
      while (tree.admit(leaf, 1250) == RejectReason::kAdmitted) {
      }
    }
    oracle.last_poll = tree.now();
    tree.poll(tree.now() + Duration{20'000'000});
    ASSERT_NO_FATAL_FAILURE(oracle.check_states());
  }
  const auto sent = static_cast<double>(tree.record(leaves[0]).departed);
  EXPECT_NEAR(sent / static_cast<double>(tree.record(leaves[1]).departed), 2, 0.02);
  EXPECT_NEAR(sent, 100 * 2e6 * 200e6 / 8e9 / 1250, 200);
}

// A node that moves with its backlog takes no burst along, nor does one that is taken out.
TEST(TreeFaults, AMoveUnderBacklogGivesNoCredit) {
  SaturatedTree tree;
  const std::uint32_t slow = tree.root(1e6);
  const std::uint32_t fast = tree.root(kRate);
  const std::uint32_t site = tree.inner(under(slow));
  const std::uint32_t leaf = tree.leaf(under(site), 1000, kRate / 10);
  for (int i = 0; i < 50; ++i) tree.leaf(under(slow), 1000);
  tree.run_for(kSecond);
  for (const std::uint32_t slot : {site, leaf}) {
    NodeSettings share = under(fast);
    share.tolerance = {};
    tree.tree().set_node(slot, share);
    tree.begin_count();
    const TimePoint moved = tree.tree().now();
    while ((tree.tree().now() - moved).ns < 10'000'000) {
      tree.step();
      const double most = static_cast<double>((tree.tree().now() - moved).ns) * kRate / 8e10;
      // The tolerance of 1 ms that the leaf had below its site, and a unit.
      ASSERT_LE(tree.bytes(leaf), most + kRate / 8e10 * 1e6 + 1000);
    }
    EXPECT_GE(tree.bits_per_second(leaf), 0.99 * kRate / 10);
  }
}

// A slot is used again at once: nothing of the bucket before is left in lists or wheel.
TEST(TreeFaults, ASlotIsUsedAgainAfterAParkedNode) {
  TestTree tree(8, 4, kBegin);
  TreeOracle oracle(tree, kBegin);
  const std::uint32_t root = tree.add_inner(ceiling(kRate), {});
  for (int round = 0; round < 100; ++round) {
    NodeSettings share = under(root);
    share.guaranteed_bits_per_second = 1e6;
    const std::uint32_t leaf = tree.add_leaf(ceiling(1e6, 8), share);
    for (int i = 0; i < 8; ++i) tree.admit(leaf, 1000);
    oracle.last_poll = tree.now();
    tree.poll(tree.now() + Duration{round * 997});
    ASSERT_NO_FATAL_FAILURE(oracle.check_states());
    tree.drop(leaf);
    tree.drain(leaf);
    tree.reap();
    ASSERT_FALSE(tree.record(leaf).alive);
    ASSERT_NO_FATAL_FAILURE(oracle.check_states());
  }
  EXPECT_TRUE(tree.scheduler().idle());
  EXPECT_EQ(tree.scheduler().tree().size(), 1U);
}

TEST(TreeFaults, ASubtreeDrainsAndIsRetiredFromBelow) {
  TestTree tree(16, 8, kBegin);
  TreeOracle oracle(tree, kBegin);
  const std::uint32_t root = tree.add_inner(ceiling(kRate), {});
  const std::uint32_t site = tree.add_inner(ceiling(0), under(root));
  const std::uint32_t leaf = tree.add_leaf(ceiling(1e8, 8), under(site));
  for (int i = 0; i < 4; ++i) tree.admit(leaf, 1000);
  for (const std::uint32_t slot : {root, site, leaf}) tree.drain(slot);
  EXPECT_EQ(tree.scheduler().live_buckets(), 3U);
  tree.poll(kBegin + Duration{100'000});
  EXPECT_EQ(tree.bucket(root).state.load(), BucketPhase::kDraining);
  tree.poll(kBegin + Duration{1'000'000});
  for (const std::uint32_t slot : {root, site, leaf}) {
    EXPECT_EQ(tree.bucket(slot).state.load(), BucketPhase::kRetired);
  }
  EXPECT_EQ(tree.record(leaf).departed, 4U);
  EXPECT_EQ(tree.scheduler().live_buckets(), 0U);
  EXPECT_EQ(tree.scheduler().tree().structure().inner_nodes(), 0U);
}

// The wheel has a leaf that falls below its guarantee, and its root, in one round. The root serves
// the leaf's last unit, by which the leaf ends, before it is the leaf's turn.
TEST(TreeFaults, ALeafEndsInTheRoundInWhichItIsDue) {
  TestTree tree(8, 4, kBegin);
  TreeOracle oracle(tree, kBegin);
  const std::uint32_t root = tree.add_inner(ceiling(8e6), {});
  NodeSettings share = under(root);
  share.guaranteed_bits_per_second = 4e6;
  const std::uint32_t leaf = tree.add_leaf(ceiling(kRate, 8), share);
  for (int i = 0; i < 3; ++i) tree.admit(leaf, 1000);  // One each ms, guaranteed one each 2 ms.
  tree.poll(kBegin);
  tree.poll(kBegin + Duration{1'000'000});
  ASSERT_EQ(tree.record(leaf).waiting.size(), 1U);
  ASSERT_EQ(tree.node(leaf).state, NodeState::kReady);
  ASSERT_TRUE(tree.bucket(leaf).hook.scheduled());
  tree.drain(leaf);
  oracle.last_poll = tree.now();
  tree.poll(kBegin + Duration{10'000'000});
  EXPECT_EQ(tree.record(leaf).departed, 3U);
  EXPECT_EQ(tree.bucket(leaf).state.load(), BucketPhase::kRetired);
  tree.reap();
  EXPECT_TRUE(tree.scheduler().idle());
  ASSERT_NO_FATAL_FAILURE(oracle.check_states());
}

// Roots and buckets in no tree take turns when the core cannot keep up.
TEST(TreeFaults, RootsAndFlatBucketsShareTheCore) {
  TestTree tree(200, 100, kBegin);
  std::vector<std::uint32_t> leaves;
  for (int i = 0; i < 20; ++i) {
    const std::uint32_t root = tree.add_inner(ceiling(kMaxBitsPerSecond), {});
    leaves.push_back(tree.add_leaf(ceiling(kMaxBitsPerSecond, 1024), under(root)));
  }
  for (int i = 0; i < 80; ++i)
    leaves.push_back(tree.add_leaf(ceiling(kMaxBitsPerSecond, 1024), {}));
  for (const std::uint32_t leaf : leaves) {
    for (int i = 0; i < 1024; ++i) tree.admit(leaf, 100);
  }
  const TimePoint late = kBegin + Duration{10'000'000};
  tree.set_now(late);
  std::uint64_t rounds = 0;
  for (; rounds < 60; ++rounds) tree.one_round(late);
  std::uint64_t least = ~0ULL;
  std::uint64_t most = 0;
  for (const std::uint32_t leaf : leaves) {
    least = std::min(least, tree.record(leaf).departed);
    most = std::max(most, tree.record(leaf).departed);
  }
  EXPECT_GE(least, 60U * 16 * 8 / 100 / 2) << "nobody starves";
  // Half of a round at the most is for 20 roots, half for 80 buckets.
  EXPECT_LE(most, 6 * least);
}

// The straight path leaves everything as admitting and serving does.
TEST(TreeFaults, CuttingThroughIsAsAdmittingAndServing) {
  test::Draw draw(35);
  std::uint64_t straight = 0;
  for (int trial = 0; trial < 20; ++trial) {
    SCOPED_TRACE(testing::Message() << "trial " << trial);
    TestTree queued(64, 32, kBegin);
    TestTree cut(64, 32, kBegin);
    TreeOracle queued_oracle(queued, kBegin);
    TreeOracle cut_oracle(cut, kBegin);
    std::vector<std::uint32_t> inner;
    std::vector<std::uint32_t> leaves;
    for (std::uint32_t slot = 0; slot < 50; ++slot) {
      NodeSettings share;
      if (slot > 0) {
        share = under(inner[draw.between(0, inner.size() - 1)],
                      static_cast<std::uint32_t>(draw.between(1, 20)),
                      static_cast<std::uint32_t>(draw.between(0, 2)));
        share.tolerance.ns =
            static_cast<std::int64_t>(draw.one_in(2) ? 0 : draw.between(0, 10'000));
        if (draw.one_in(3)) {
          share.guaranteed_bits_per_second = static_cast<double>(draw.between(1'000'000, 1e8));
        }
      }
      const bool deep = slot > 0 && queued.path(share.parent).size() > 4;
      const double rate = static_cast<double>(draw.of_any_size(10'000'000, 10'000'000'000));
      if (slot < 2 || (!deep && draw.one_in(3))) {
        const BucketSettings settings = ceiling(slot > 0 && draw.one_in(2) ? 0 : rate);
        inner.push_back(queued.add_inner(settings, share));
        cut.add_inner(settings, share);
      } else {
        leaves.push_back(queued.add_leaf(ceiling(rate, 8), share));
        cut.add_leaf(ceiling(rate, 8), share);
      }
    }
    TimePoint now = kBegin;
    for (int step = 0; step < 2'000; ++step) {
      now = now + Duration{static_cast<std::int64_t>(draw.of_any_size(1, 3'000'000))};
      for (TestTree* const tree : {&queued, &cut}) tree->poll(now);
      const std::uint32_t leaf = leaves[draw.between(0, leaves.size() - 1)];
      const auto bytes = static_cast<std::uint32_t>(draw.between(1, 9216));
      queued.admit(leaf, bytes);
      if (cut.cut_through(leaf, bytes)) {
        ++straight;
      } else {
        cut.admit(leaf, bytes);
      }
      for (TestTree* const tree : {&queued, &cut}) tree->poll(now);
      for (std::uint32_t slot = 0; slot < 50; ++slot) {
        const TreeNode& a = queued.node(slot);
        const TreeNode& b = cut.node(slot);
        ASSERT_EQ(queued.bucket(slot).schedule.departure_time(),
                  cut.bucket(slot).schedule.departure_time());
        ASSERT_EQ(queued.bucket(slot).departed.get(), cut.bucket(slot).departed.get());
        ASSERT_EQ(a.state, b.state);
        ASSERT_EQ(a.tag, b.tag) << "node " << slot << ", step " << step;
        ASSERT_EQ(queued.guarantee_point(slot), cut.guarantee_point(slot));
        if (a.inner == kNoNode) continue;
        for (unsigned i = 0; i < kPriorities; ++i) {
          ASSERT_EQ(queued.inner(slot).rounds[i].round, cut.inner(slot).rounds[i].round);
        }
      }
    }
  }
  EXPECT_GT(straight, 1'000U);
}

}  // namespace
}  // namespace drip::test
