// SPDX-License-Identifier: BSD-3-Clause
// Who gets how much: weights, priorities, guarantees, and ceilings in series.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <vector>

#include "libdrip/drawn_seed.h"
#include "libdrip/tree/saturated_tree.h"

namespace drip::test {
namespace {

constexpr double kRate = 1e9;
constexpr Duration kSecond{1'000'000'000};
// Of 1514 bytes at kRate.
constexpr std::int64_t kPacketNs = 12'112;

NodeSettings guaranteed(std::uint32_t parent, double bits_per_second, std::uint32_t priority = 0) {
  NodeSettings share = under(parent, 1, priority);
  share.guaranteed_bits_per_second = bits_per_second;
  return share;
}

TEST(TreeShares, EqualChildrenGetTheSame) {
  SaturatedTree tree;
  const std::uint32_t root = tree.root(kRate);
  std::vector<std::uint32_t> leaves;
  for (int i = 0; i < 4; ++i) leaves.push_back(tree.leaf(under(root), 1514));
  tree.run_for(kSecond);
  tree.begin_count();
  tree.run_for(kSecond);
  double least = tree.bytes(leaves[0]);
  double most = least;
  for (const std::uint32_t leaf : leaves) {
    least = std::min(least, tree.bytes(leaf));
    most = std::max(most, tree.bytes(leaf));
  }
  std::cout << "spread of 4 equal children: " << 100 * (most - least) / most << " %\n";
  // The two units by which they may differ at either end of a second.
  EXPECT_LE(most - least, 2 * 1514);
  EXPECT_NEAR(tree.bits_per_second(root) / kRate, 1, 1e-4);
}

TEST(TreeShares, ChildrenShareByWeight) {
  for (const bool random_lengths : {false, true}) {
    test::Draw draw(31);
    SaturatedTree tree;
    const std::uint32_t root = tree.root(kRate);
    const auto length = [&] {
      return random_lengths ? static_cast<std::uint32_t>(draw.between(1, 9216)) : 1514U;
    };
    std::vector<std::uint32_t> leaves;
    for (std::uint32_t i = 0; i < 4; ++i) leaves.push_back(tree.leaf(under(root, 1U << i), length));
    tree.run_for(kSecond);
    tree.begin_count();
    tree.run_for(kSecond);
    double worst = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const double share = tree.bytes(leaves[i]) / tree.bytes(root);
      worst = std::max(worst, std::abs(share - std::exp2(i) / 15) * 100);
    }
    std::cout << "weights 1:2:4:8, off by at most " << worst << " points\n";
    EXPECT_LT(worst, 0.05);
  }
}

// Of 1 Gbit/s by weights 3:1 the first child gets 750 Mbit/s, of which 300 are guaranteed. It is
// never below its guarantee, and 300 of what it sends are green.
TEST(TreeShares, GreenIsWhatTheGuaranteeCovers) {
  SaturatedTree tree;
  const std::uint32_t root = tree.root(kRate);
  NodeSettings share = guaranteed(root, 300e6);
  share.weight = 3;
  const std::uint32_t beyond = tree.leaf(share, 1514);
  const std::uint32_t middle = tree.inner(guaranteed(root, 200e6));
  const std::uint32_t within = tree.leaf(guaranteed(middle, 100e6), 64);
  const std::uint32_t other = tree.leaf(under(middle, 1), 1514);
  const auto green = [&](std::uint32_t slot) {
    return static_cast<double>(tree.tree().node(slot).green_bytes.get());
  };
  const auto expect_green = [&](std::uint32_t slot, double bits_per_second, double seconds) {
    // What a meter has saved up, and a unit at either end.
    EXPECT_NEAR(green(slot), bits_per_second / 8 * seconds, 6 * 1514) << slot;
  };
  tree.begin_count();
  tree.run_for(kSecond);
  EXPECT_NEAR(tree.bits_per_second(beyond), 750e6, 1e6);
  expect_green(beyond, 300e6, 1);
  // 250 Mbit/s by weight, of which 100 of the one leaf.
  expect_green(middle, 200e6, 1);
  expect_green(within, 100e6, 1);
  EXPECT_EQ(green(other), 0);
  EXPECT_EQ(green(root), 0);

  // A guarantee that changes counts from then on; without one all is yellow, and nothing is lost.
  share.guaranteed_bits_per_second = 600e6;
  tree.tree().set_node(beyond, share);
  tree.run_for(kSecond);
  expect_green(beyond, 300e6 + 600e6, 1);
  share.guaranteed_bits_per_second = 0;
  tree.tree().set_node(beyond, share);
  const double before = green(beyond);
  tree.run_for(kSecond);
  EXPECT_EQ(green(beyond), before);
}

// Less than the guarantee is all green, also in bursts of what it saves up; of a longer one only as
// much as 100 ms of the guarantee and some units.
TEST(TreeShares, GreenSavesUpForAShortTime) {
  for (const std::uint32_t burst : {60U, 400U}) {
    SaturatedTree tree;
    const std::uint32_t root = tree.root(kRate);
    const std::uint32_t leaf = tree.leaf(guaranteed(root, 10e6), 1514);
    tree.tree().poll(tree.tree().now() + kSecond);
    std::uint32_t sent = 0;
    tree.on_departure = [&](const TestUnit&) {
      if (++sent == burst) tree.stop(leaf);
    };
    while (sent < burst) tree.step();
    const auto green = static_cast<double>(tree.tree().node(leaf).green_bytes.get());
    constexpr double kSaved = 10e6 / 8 * 0.1;
    if (burst * 1514 < kSaved) {
      EXPECT_EQ(green, burst * 1514);
    } else {
      EXPECT_NEAR(green, kSaved + 10e6 / 8 * burst * kPacketNs * 1e-9, 6 * 1514);
    }
  }
}

// Weights from 1 to 1000, units from 1 byte to the longest: nobody is passed over, and two children
// differ by at most Q and a largest unit of each.
TEST(TreeShares, SiblingsDifferByAtMostTheBound) {
  test::Draw draw(32);
  for (const std::uint64_t heaviest : {1U, 16U, 1000U}) {
    SaturatedTree tree;
    const std::uint32_t root = tree.root(10e9);
    std::vector<std::uint32_t> leaves;
    std::vector<double> weights;
    for (int i = 0; i < 32; ++i) {
      const auto weight = static_cast<std::uint32_t>(i == 0 ? 1 : draw.between(1, heaviest));
      weights.push_back(weight);
      leaves.push_back(tree.leaf(
          under(root, weight), [&] { return static_cast<std::uint32_t>(draw.between(1, 1514)); }));
    }
    // In units of 1514 bytes of weight 1.
    std::vector<double> served(leaves.size());
    double largest = 0;
    std::vector<std::pair<double, double>> range(leaves.size());  // Against the child before it.
    // Until the child of weight 1 has sent a unit of more than 1024 bytes: when Q grows to 2048,
    // what was ordered by a smaller one differs by more for once.
    tree.run_for(Duration{heaviest == 1000 ? 300'000'000 : 10'000'000});
    tree.on_departure = [&](const TestUnit& unit) {
      const auto at = static_cast<std::size_t>(std::find(leaves.begin(), leaves.end(), unit.leaf) -
                                               leaves.begin());
      served[at] += unit.bytes / 1514.0 / weights[at];
      for (const std::size_t i : {at, (at + 1) % leaves.size()}) {
        const double difference = served[i] - served[(i + leaves.size() - 1) % leaves.size()];
        range[i] = {std::min(range[i].first, difference), std::max(range[i].second, difference)};
        largest = std::max(largest, range[i].second - range[i].first);
      }
    };
    tree.run_for(Duration{heaviest == 1000 ? 500'000'000 : 100'000'000});
    std::cout << "weights 1 to " << heaviest << ": siblings differ by at most " << largest << '\n';
    // Q is 2048 bytes of weight 1.
    EXPECT_LE(largest, 2048 / 1514.0 + 2);
  }
}

TEST(TreeShares, ASparseChildWaitsForOneUnitALevel) {
  SaturatedTree tree;
  const std::uint32_t root = tree.root(kRate);
  const std::uint32_t site = tree.inner(under(root));
  for (int i = 0; i < 30; ++i) {
    tree.leaf(under(root), 1514);
    tree.leaf(under(site), 1514);
  }
  const std::uint32_t sparse = tree.leaf(under(site), 200);
  tree.stop(sparse);
  tree.run_for(Duration{100'000'000});
  std::int64_t longest = 0;
  tree.on_departure = [&](const TestUnit& unit) {
    if (unit.leaf == sparse) longest = std::max(longest, (tree.tree().now() - unit.arrival).ns);
  };
  for (int i = 0; i < 500; ++i) {
    tree.tree().admit(sparse, 200);
    // Seldom enough for its share.
    for (int n = 0; n < 300; ++n) tree.step();
  }
  // Its site uses up its own share, so it waits for the site's turn as well, and for one unit
  // there.
  EXPECT_LE(longest, 3 * 31 * kPacketNs);
  const std::uint32_t at_root = tree.leaf(under(root), 200);
  tree.stop(at_root);
  longest = 0;
  tree.on_departure = [&](const TestUnit& unit) {
    if (unit.leaf == at_root) longest = std::max(longest, (tree.tree().now() - unit.arrival).ns);
  };
  for (int i = 0; i < 500; ++i) {
    tree.tree().admit(at_root, 200);
    for (int n = 0; n < 80; ++n) tree.step();
  }
  EXPECT_LE(longest, kPacketNs + 1);
}

// Parking must not cost a turn: a child of weight 4 with a tenth of its parent's rate as its
// ceiling.
TEST(TreeShares, AParkedChildGetsItsShare) {
  for (const int siblings : {10, 20, 36}) {
    SaturatedTree tree;
    const std::uint32_t root = tree.root(kRate);
    const std::uint32_t capped = tree.leaf(under(root, 4), 1514, kRate / 10);
    for (int i = 0; i < siblings; ++i) tree.leaf(under(root), 1514);
    tree.run_for(Duration{100'000'000});
    tree.begin_count();
    tree.run_for(Duration{400'000'000});
    const double share = std::min(0.1, 4.0 / (siblings + 4));
    std::cout << "beside " << siblings << ": " << 100 * tree.bits_per_second(capped) / kRate / share
              << " % of its share\n";
    EXPECT_GE(tree.bits_per_second(capped) / kRate / share, 0.99);
  }
}

// Ceilings that add up to the parent's: a tolerance gives back what waiting for it cost.
TEST(TreeShares, CeilingsInSeriesLoseNoRateWithATolerance) {
  test::Draw draw(33);
  for (const std::uint32_t children : {2U, 8U, 64U}) {
    for (const std::int64_t packets : {0, 1, 4, 16, 64}) {
      SaturatedTree tree;
      const std::uint32_t root = tree.root(kRate);
      NodeSettings share = under(root);
      share.tolerance.ns = packets * kPacketNs;
      for (std::uint32_t i = 0; i < children; ++i) {
        tree.leaf(
            share, [&] { return static_cast<std::uint32_t>(draw.between(64, 1514)); },
            kRate / children);
      }
      tree.run_for(Duration{20'000'000});
      tree.begin_count();
      tree.run_for(Duration{80'000'000});
      const double used = tree.bits_per_second(root) / kRate;
      std::cout << children << " children, " << packets << " packet times: " << used << '\n';
      EXPECT_LE(used, 1 + 1e-3);
      EXPECT_GE(used, packets >= 64 ? 0.99 : packets >= 16 ? 0.97 : 0.8);
    }
  }
}

TEST(TreeShares, AHigherPriorityGoesFirst) {
  SaturatedTree tree;
  const std::uint32_t root = tree.root(kRate);
  const std::uint32_t low = tree.leaf(under(root, 1000, 0), 1514);
  const std::uint32_t middle = tree.leaf(under(root, 1000, 3), 1514, kRate / 4);
  const std::uint32_t high = tree.leaf(under(root, 1, 7), 1514, kRate / 2);
  tree.run_for(Duration{50'000'000});
  tree.begin_count();
  tree.run_for(kSecond);
  EXPECT_NEAR(tree.bits_per_second(high) / kRate, 0.5, 2e-3);
  EXPECT_NEAR(tree.bits_per_second(middle) / kRate, 0.25, 2e-3);
  EXPECT_NEAR(tree.bits_per_second(low) / kRate, 0.25, 2e-3);
}

// x = min(ceiling, max(guarantee, lambda x weight)): the guarantee is a floor and no bonus.
TEST(TreeShares, AGuaranteeIsAFloorAndNoBonus) {
  SaturatedTree tree;
  const std::uint32_t root = tree.root(kRate);
  const std::uint32_t small = tree.leaf(guaranteed(root, kRate / 10), 1514);
  const std::uint32_t large = tree.leaf(guaranteed(root, kRate / 2), 1514);
  std::vector<std::uint32_t> others;
  for (int i = 0; i < 3; ++i) others.push_back(tree.leaf(under(root), 1514));
  tree.run_for(Duration{50'000'000});
  tree.begin_count();
  tree.run_for(kSecond);
  // 0.5 for the large one; the others, of which one has a guarantee below its share, divide 0.5.
  EXPECT_NEAR(tree.bits_per_second(large) / kRate, 0.5, 2e-3);
  EXPECT_NEAR(tree.bits_per_second(small) / kRate, 0.125, 2e-3);
  for (const std::uint32_t other : others) {
    EXPECT_NEAR(tree.bits_per_second(other) / kRate, 0.125, 2e-3);
  }
}

// The same for a child of which the share is at least what it is guaranteed, with units of all
// kinds below it: it is below its guarantee while its siblings have their turns, and what it gets
// then is charged to its own turn in full.
TEST(TreeShares, AGuaranteeBelowTheShareChangesNothing) {
  double worst = 0;
  for (const std::uint32_t heavy : {1U, 3U, 20U}) {
    for (const double part : {0.3, 0.6, 0.8, 0.95, 1.0}) {
      for (const std::uint32_t length : {64U, 700U, 1514U}) {
        SaturatedTree tree;
        const std::uint32_t root = tree.root(kRate);
        const std::uint32_t other = tree.leaf(under(root, heavy), 1514);
        const double fair = kRate / (heavy + 1);
        const std::uint32_t middle = tree.inner(guaranteed(root, part * fair));
        tree.leaf(guaranteed(middle, part * fair / 2), length);
        tree.leaf(under(middle), 1514);
        tree.run_for(Duration{10'000'000});
        tree.begin_count();
        tree.run_for(Duration{200'000'000});
        const double share = tree.bits_per_second(middle) / fair;
        worst = std::max(worst, std::abs(share - 1));
        EXPECT_NEAR(share, 1, 2e-3)
            << heavy << " " << part << " " << length << " beside " << tree.bits_per_second(other);
      }
    }
  }
  std::cout << "off the share by at most " << 100 * worst << " %\n";
}

// While it is backlogged a child gets its guarantee less 3 largest units, whoever floods beside it
// with whatever lengths, on every level.
TEST(TreeShares, GuaranteesHoldInEveryWindow) {
  test::Draw draw(34);
  double worst = 0;
  for (int trial = 0; trial < 24; ++trial) {
    SaturatedTree tree;
    const std::uint32_t root = tree.root(kRate);
    struct Child {
      std::uint32_t leaf;
      double rate;           // Bytes a ns.
      double most_owed = 0;  // Of g t - W; a window begins where that is least.
      double least = 0;
    };
    std::vector<Child> children;
    const auto lengths = [&](std::uint64_t kind) -> SaturatedTree::Length {
      if (kind == 0) return [] { return 64U; };
      if (kind == 1) return [] { return 1514U; };
      return [&draw] { return static_cast<std::uint32_t>(draw.between(1, 1514)); };
    };
    const auto grow = [&](std::uint32_t parent, double rate) {
      double left = rate;
      const std::uint64_t count = draw.between(2, 40);
      for (std::uint64_t i = 0; i < count; ++i) {
        // One of them may have half of it.
        const double part = i == 0 ? 0.5 * rate : draw.between(1, 100) / 100.0 * left * 0.3;
        left -= part;
        if (part < 1e5) continue;
        children.push_back(
            {tree.leaf(guaranteed(parent, part, static_cast<std::uint32_t>(draw.between(0, 7))),
                       lengths(draw.between(0, 2))),
             part / 8e9});
      }
      for (std::uint64_t i = 0; i < 4; ++i) {
        tree.leaf(under(parent, static_cast<std::uint32_t>(draw.between(1, 1000)), 7),
                  lengths(draw.between(0, 2)));
      }
    };
    if (trial % 2 == 0) {
      grow(root, kRate);
    } else {
      const std::uint32_t half = tree.inner(guaranteed(root, kRate / 2));
      grow(half, kRate / 2);
      const std::uint32_t other = tree.inner(guaranteed(root, kRate / 2));
      grow(other, kRate / 2);
    }
    tree.run_for(Duration{5'000'000});
    tree.begin_count();
    const TimePoint begin = tree.tree().now();
    for (const TimePoint end = begin + Duration{40'000'000}; tree.tree().now() < end;) {
      // Just before the departure at this time.
      tree.step();
      const auto t = static_cast<double>((tree.tree().now() - begin).ns);
      for (Child& child : children) {
        const double owed = child.rate * t - tree.bytes(child.leaf);
        child.least = std::min(child.least, owed);
        child.most_owed = std::max(child.most_owed, owed - child.least);
      }
    }
    for (const Child& child : children) worst = std::max(worst, child.most_owed / 1514);
  }
  std::cout << "short of a guarantee by at most " << worst << " largest units\n";
  EXPECT_LE(worst, 3);
}

}  // namespace
}  // namespace drip::test
