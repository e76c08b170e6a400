// SPDX-License-Identifier: BSD-3-Clause
// Random trees under random traffic, live changes and stalls, held to the oracle at each departure
// and after each poll.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "libdrip/drawn_seed.h"
#include "libdrip/reference_bucket.h"
#include "libdrip/tree/test_tree.h"
#include "libdrip/tree/tree_oracle.h"

namespace drip::test {
namespace {

class RandomTree {
 public:
  RandomTree(Draw& draw, TimePoint start, bool guarantees, bool live_changes)
      : draw_(draw),
        guarantees_(guarantees),
        live_changes_(live_changes),
        tree_(kSlots, kSlots, start),
        oracle_(tree_, start) {
    for (std::uint64_t roots = draw.between(1, 3); roots > 0; --roots) {
      const double rate = static_cast<double>(draw.of_any_size(50'000'000, 20'000'000'000));
      const std::uint32_t root = tree_.add_inner(with_catchup(ceiling(rate)), {});
      inner_.push_back(root);
      grow(root, rate, static_cast<std::uint32_t>(draw.between(2, kLevels)));
    }
    // Buckets in no tree beside them.
    for (int i = 0; i < 3; ++i) {
      leaves_.push_back(tree_.add_leaf(with_catchup(leaf_settings(1e8)), {}));
    }
  }

  void step() {
    const TimePoint before = tree_.now();
    TimePoint next = before + Duration{static_cast<std::int64_t>(draw_.of_any_size(1, 20'000))};
    if (draw_.one_in(2)) {
      if (const auto due = tree_.scheduler().next_departure(); due && *due > before) next = *due;
    }
    if (draw_.one_in(300))
      next = next + Duration{static_cast<std::int64_t>(draw_.of_any_size(1'000, 200'000'000))};
    oracle_.last_poll = before;
    // Buckets and units of a round matter to the share of the core only.
    const Scheduler::Limits limits{static_cast<std::uint32_t>(draw_.between(1, 32)),
                                   static_cast<std::uint32_t>(draw_.between(1, 8))};
    tree_.poll(next, limits);
    ASSERT_NO_FATAL_FAILURE(oracle_.check_states());
    ASSERT_NO_FATAL_FAILURE(tree_.reap());
    std::erase_if(leaves_, [&](std::uint32_t slot) { return is_gone(slot); });
    std::erase_if(inner_, [&](std::uint32_t slot) { return is_gone(slot); });
    for (std::uint64_t n = draw_.between(0, 8); n > 0; --n) offer();
    if (live_changes_ && draw_.one_in(10)) {
      ASSERT_NO_FATAL_FAILURE(change());
    }
  }
  void finish() {
    ASSERT_NO_FATAL_FAILURE(oracle_.check_windows());
    for (std::uint32_t slot : paused_) resume(slot);
    oracle_.blocked.clear();
    // Everything comes out by itself.
    for (int i = 0; i < 2'000'000 && !tree_.scheduler().idle(); ++i) {
      const auto due = tree_.scheduler().next_departure();
      oracle_.last_poll = tree_.now();
      tree_.poll(std::max(*due, tree_.now() + Duration{1}));
    }
    ASSERT_TRUE(tree_.scheduler().idle());
    ASSERT_NO_FATAL_FAILURE(oracle_.check_states());
    for (const std::uint32_t leaf : leaves_) ASSERT_TRUE(tree_.record(leaf).waiting.empty());
  }
  [[nodiscard]] const TreeOracle& oracle() const { return oracle_; }

 private:
  static constexpr std::uint32_t kSlots = 230;
  static constexpr std::uint32_t kMostNodes = 200;
  static constexpr std::uint64_t kLevels = 6;
  // Lower ones take virtual hours to drain.
  static constexpr double kLeastRate = 1e6;

  BucketSettings with_catchup(BucketSettings settings) {
    settings.max_catchup.ns = static_cast<std::int64_t>(
        draw_.one_in(3) ? draw_.between(0, 100'000) : draw_.of_any_size(1, 1'000'000'000));
    return settings;
  }
  BucketSettings leaf_settings(double rate) {
    BucketSettings settings = ceiling(rate, static_cast<std::uint32_t>(draw_.between(1, 40)));
    if (draw_.one_in(4)) settings.units_per_second = rate / 8 / 500;
    if (draw_.one_in(4)) settings.departure = Departure::kAtEnd;
    return with_catchup(settings);
  }
  NodeSettings share_under(std::uint32_t parent) {
    const std::uint64_t most = draw_.one_in(10) ? kMaxWeight : 16;
    NodeSettings share =
        under(parent, static_cast<std::uint32_t>(draw_.between(1, most)),
              static_cast<std::uint32_t>(draw_.one_in(3) ? draw_.between(0, 7) : 0));
    share.tolerance.ns =
        static_cast<std::int64_t>(draw_.one_in(2) ? 0 : draw_.of_any_size(1, 10'000'000));
    return share;
  }
  // Children of `parent`, which may send `rate`, of which `rate` is guaranteed.
  void grow(std::uint32_t parent, double rate, std::uint32_t levels) {
    const std::uint64_t count = draw_.between(1, draw_.one_in(4) ? 24 : 5);
    double left = rate;
    for (std::uint64_t i = 0; i < count && leaves_.size() + inner_.size() < kMostNodes; ++i) {
      const double ceiling_rate =
          std::max(rate * static_cast<double>(draw_.of_any_size(5, 3000)) / 1000, kLeastRate);
      NodeSettings share = share_under(parent);
      if (guarantees_ && draw_.one_in(2)) {
        share.guaranteed_bits_per_second =
            std::min({left * static_cast<double>(draw_.between(1, 100)) / 100, ceiling_rate});
        if (share.guaranteed_bits_per_second < kLeastRate) share.guaranteed_bits_per_second = 0;
        left -= share.guaranteed_bits_per_second;
      }
      if (levels <= 2 || draw_.one_in(3)) {
        leaves_.push_back(tree_.add_leaf(leaf_settings(ceiling_rate), share));
        continue;
      }
      const bool capped = draw_.one_in(2);
      const std::uint32_t inner =
          tree_.add_inner(with_catchup(ceiling(capped ? ceiling_rate : 0)), share);
      inner_.push_back(inner);
      // What is below it has no guarantee if it has none.
      const bool before = guarantees_;
      guarantees_ = guarantees_ && share.guaranteed_bits_per_second > 0;
      grow(inner, guarantees_ ? share.guaranteed_bits_per_second : std::min(ceiling_rate, rate),
           levels - 1);
      guarantees_ = before;
    }
  }
  [[nodiscard]] bool is_gone(std::uint32_t slot) const { return !tree_.record(slot).alive; }
  [[nodiscard]] bool is_active(std::uint32_t slot) const {
    return tree_.record(slot).alive && tree_.bucket(slot).state.load() == BucketPhase::kActive;
  }
  std::uint32_t any(const std::vector<std::uint32_t>& of) {
    return of[draw_.between(0, of.size() - 1)];
  }

  void offer() {
    if (leaves_.empty()) return;
    const std::uint32_t leaf = any(leaves_);
    if (!is_active(leaf)) return;
    for (std::uint64_t n = draw_.one_in(5) ? draw_.between(1, 30) : 1; n > 0; --n) {
      const auto bytes = static_cast<std::uint32_t>(draw_.one_in(2) ? draw_.between(64, 1514)
                                                                    : draw_.of_any_size(1, 9216));
      if (draw_.one_in(2) && tree_.cut_through(leaf, bytes)) {
        oracle_.changed_path(leaf);
        continue;
      }
      tree_.admit(leaf, bytes);
    }
  }

  // ---- Live changes

  void resume(std::uint32_t slot) {
    tree_.scheduler().set_rates(slot, tree_.bucket(slot).periods, tree_.now());
  }
  void change() {
    const std::uint32_t leaf = any(leaves_);
    const std::uint32_t inner = any(inner_);
    switch (draw_.between(0, 9)) {
      case 0:  // A ceiling.
        if (tree_.record(leaf).share.parent == kNoNode) return;
        oracle_.changed(leaf);
        return change_rate(leaf, static_cast<double>(draw_.of_any_size(1'000'000, 10'000'000'000)));
      case 1: {
        // A root keeps one; others may lose it.
        const bool root = tree_.record(inner).share.parent == kNoNode;
        oracle_.changed(inner);
        return change_rate(inner, !root && draw_.one_in(2) ? 0
                                                           : static_cast<double>(draw_.of_any_size(
                                                                 10'000'000, 20'000'000'000)));
      }
      case 2:
      case 3: {  // The share.
        const std::uint32_t slot = draw_.one_in(2) ? leaf : inner;
        const NodeSettings before = tree_.record(slot).share;
        if (before.parent == kNoNode) return;
        NodeSettings share = share_under(before.parent);
        share.guaranteed_bits_per_second = before.guaranteed_bits_per_second;
        if (tree_.record(slot).leaf && share.guaranteed_bits_per_second > 0 && draw_.one_in(2)) {
          share.guaranteed_bits_per_second *= draw_.one_in(2) ? 0 : 0.5;
        }
        oracle_.changed(slot);
        oracle_.forget_pairs(before.parent);
        return tree_.set_node(slot, share);
      }
      case 4: {  // Another parent, with all that waits.
        const std::uint32_t slot = draw_.one_in(2) ? leaf : inner;
        return move(slot);
      }
      case 5:
        return tree_.release(leaf, draw_.between(0, 3));
      case 6:
        return tree_.record(leaf).leaf ? tree_.drop(leaf) : void();
      case 7: {  // A leaf ends, and another one begins.
        if (leaves_.size() < 4 || !is_active(leaf)) return;
        oracle_.gone(leaf);
        const std::uint32_t parent = tree_.record(leaf).share.parent;
        if (parent != kNoNode) oracle_.forget_pairs(parent);
        if (draw_.one_in(2)) tree_.drop(leaf);
        tree_.drain(leaf);
        if (is_active(inner) && tree_.has_free_slot() &&
            leaves_.size() + inner_.size() < kMostNodes &&
            tree_.scheduler().tree().structure().depth(inner) < kMaxTreeDepth) {
          NodeSettings share = share_under(inner);
          leaves_.push_back(tree_.add_leaf(leaf_settings(1e8), share));
          oracle_.gone(leaves_.back());
          oracle_.forget_pairs(inner);
        }
        return;
      }
      case 8:
        if (draw_.one_in(2)) {
          oracle_.blocked.push_back(leaf);
        } else {
          oracle_.blocked.clear();
        }
        return;
      default: {
        // Pauses reach over windows as they do over everything.
        if (!paused_.empty() && draw_.one_in(2)) {
          resume(paused_.back());
          paused_.pop_back();
        } else if (tree_.record(inner).share.parent == kNoNode && tree_.bucket(inner).paused == 0) {
          tree_.scheduler().pause(inner, tree_.now());
          paused_.push_back(inner);
        }
      }
    }
  }
  void change_rate(std::uint32_t slot, double rate) {
    BucketSettings settings = tree_.record(slot).settings;
    settings.bits_per_second = rate;
    if (tree_.record(slot).leaf && draw_.one_in(4)) {
      settings.departure =
          settings.departure == Departure::kAtEnd ? Departure::kAtStart : Departure::kAtEnd;
    }
    tree_.change(slot, settings);
  }
  void move(std::uint32_t slot) {
    const std::uint32_t to = any(inner_);
    const TreeStructure& structure = tree_.scheduler().tree().structure();
    const NodeSettings before = tree_.record(slot).share;
    if (!is_active(to) || !is_active(slot)) return;
    const bool in_tree = tree_.bucket(slot).in_tree != 0;
    if (in_tree) {
      if (structure.is_within(to, slot)) return;
      if (before.parent == kNoNode) return;  // A root stays one here.
    }
    if (structure.depth(to) + (in_tree ? structure.height(slot) : 1) > kMaxTreeDepth) return;
    NodeSettings share = share_under(to);
    if (tree_.record(slot).leaf && draw_.one_in(5)) share.parent = kNoNode;
    oracle_.changed(slot);
    for (const std::uint32_t parent : {before.parent, share.parent}) {
      if (parent != kNoNode) oracle_.forget_pairs(parent);
    }
    tree_.set_node(slot, share);
  }

  Draw& draw_;
  bool guarantees_;
  bool live_changes_;
  TestTree tree_;
  TreeOracle oracle_;
  std::vector<std::uint32_t> leaves_;
  std::vector<std::uint32_t> inner_;
  std::vector<std::uint32_t> paused_;
};

struct Scope {
  std::uint64_t departures = 0;
  std::uint64_t windows = 0;
  double largest_difference = 0;
};

Scope run(std::uint64_t stream, bool guarantees, bool live_changes) {
  Draw draw(stream);
  Scope scope;
  for (int trial = 0; trial < 60; ++trial) {
    const TimePoint start{kOrigins[static_cast<std::size_t>(trial) % kOrigins.size()]};
    SCOPED_TRACE(testing::Message() << "trial " << trial);
    RandomTree tree(draw, start, guarantees, live_changes);
    for (int step = 0; step < 1'500; ++step) {
      SCOPED_TRACE(testing::Message() << "step " << step);
      tree.step();
      if (testing::Test::HasFailure()) return scope;
    }
    tree.finish();
    if (testing::Test::HasFailure()) return scope;
    scope.departures += tree.oracle().departures;
    scope.windows += tree.oracle().windows;
    scope.largest_difference =
        std::max(scope.largest_difference, tree.oracle().largest_difference());
  }
  std::cout << scope.departures << " departures, " << scope.windows
            << " windows, siblings differed by at most " << scope.largest_difference
            << " largest units\n";
  return scope;
}

TEST(RandomTree, KeepsEveryInvariant) {
  const Scope scope = run(21, false, false);
  EXPECT_GT(scope.departures, 100'000U);
}
TEST(RandomTree, KeepsEveryInvariantWithGuarantees) {
  const Scope scope = run(22, true, false);
  EXPECT_GT(scope.departures, 100'000U);
}
TEST(RandomTree, KeepsEveryInvariantThroughLiveChanges) {
  const Scope scope = run(23, true, true);
  EXPECT_GT(scope.departures, 100'000U);
}

}  // namespace
}  // namespace drip::test
