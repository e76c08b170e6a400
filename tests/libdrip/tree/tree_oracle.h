// SPDX-License-Identifier: BSD-3-Clause
// The oracle of trees: recomputes from each node's schedule, by the definitions and in exact whole
// numbers of 2^-64 ns, when a unit is due, what it costs each node, and every node's state.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "libdrip/tree/test_tree.h"

namespace drip::test {

/// A time in 2^-64 ns after the test's start, or a span.
using Exact = Int128;

inline Exact exact(const FineSpan& span) {
  return static_cast<Exact>((static_cast<Uint128>(span.ns) << 64) + span.fraction);
}
inline Exact exact(const FinePoint& point, TimePoint start) {
  return static_cast<Exact>((static_cast<Uint128>(point.ns - start.ns) << 64) + point.fraction);
}
inline Exact exact_ns(std::int64_t ns) { return static_cast<Exact>(ns) << 64; }
/// The first whole ns at or after it.
inline std::int64_t ceil_ns(Exact time) {
  return static_cast<std::int64_t>((time + ((static_cast<Exact>(1) << 64) - 1)) >> 64);
}

class TreeOracle {
 public:
  TreeOracle(TestTree& tree, TimePoint start) : tree_(tree), start_(start) {
    tree.has_room = [this](const TestUnit& unit) { return foresee(unit); };
    tree.departed = [this](const TestUnit& unit, Duration late) { compare(unit, late); };
  }

  /// Egress: refuses units of these leaves.
  std::vector<std::uint32_t> blocked;
  /// How long a child may be served before one with a guarantee that has just fallen below it: the
  /// wheel tells once a poll.
  TimePoint last_poll;
  std::uint64_t departures = 0;
  std::uint64_t windows = 0;

  /// After a poll: the state of each node is what its schedule and its children say.
  void check_states() {
    ready_.clear();
    for (std::uint32_t slot = 0; slot < tree_.slots(); ++slot) {
      if (tree_.record(slot).alive && tree_.record(slot).share.parent == kNoNode) find_ready(slot);
    }
    for (std::uint32_t slot = 0; slot < tree_.slots(); ++slot) {
      if (tree_.record(slot).alive && tree_.bucket(slot).in_tree != 0) {
        ASSERT_NO_FATAL_FAILURE(check_state(slot)) << "node " << slot;
      }
      if (tree_.record(slot).alive) {
        ASSERT_NO_FATAL_FAILURE(check_counts(slot));
      }
    }
  }

  /// Over all windows of the first departures of each node: not more than its curve.
  void check_windows() {
    for (auto& [slot, passed] : passed_) {
      for (std::size_t i = 0; i < passed.size(); ++i) {
        Exact served = 0;
        for (std::size_t j = i + 1; j < passed.size() && passed[j].epoch == passed[i].epoch; ++j) {
          // From i to j - 1; a leaf that departs at the END has served i before.
          served += passed[j].served_before ? passed[j].service : passed[j - 1].service;
          const Exact allowed = passed[j].allowed - passed[i].allowed + passed[i].tolerance;
          ASSERT_LE(served, allowed) << "node " << slot << ", departures " << i << " to " << j;
          ASSERT_LE(served, passed[j].at - passed[i].allowed + passed[i].tolerance);
          ++windows;
        }
      }
    }
  }
  /// A unit has cut through: windows do not reach over it.
  void changed_path(std::uint32_t leaf) {
    for (const std::uint32_t slot : tree_.path(leaf)) changed(slot);
  }
  /// A live change of the node: windows do not reach over it.
  void changed(std::uint32_t slot) { ++epochs_[slot]; }
  void gone(std::uint32_t slot) {
    passed_.erase(slot);
    ++epochs_[slot];
    fair_.erase(slot);
  }
  /// Pairs of children are compared anew.
  void forget_pairs(std::uint32_t parent) { fair_[parent].pairs.clear(); }
  [[nodiscard]] double largest_difference() const { return largest_difference_; }

 private:
  static constexpr std::size_t kWindowed = 300;

  struct Passed {
    Exact at;       // When it left.
    Exact allowed;  // A: when the node and those above it allowed it.
    Exact service;  // The node's.
    Exact tolerance;
    bool served_before;
    std::uint64_t epoch;
  };
  struct Expected {
    std::uint32_t slot;
    Exact allowed;
    Exact point_after;
    Exact service;
    std::uint64_t lost_after;
    Exact guarantee_after;
    bool served_before;
  };

  [[nodiscard]] Exact point(std::uint32_t slot) const {
    return exact(tree_.bucket(slot).schedule.departure_time(), start_);
  }
  [[nodiscard]] Exact now() const { return exact_ns((tree_.now() - start_).ns); }
  [[nodiscard]] bool capped(std::uint32_t slot) const {
    return tree_.bucket(slot).periods != ServicePeriods{};
  }
  // The longer of the two, from the periods alone.
  [[nodiscard]] Exact service(std::uint32_t slot, std::uint32_t bytes) const {
    const ServicePeriods& periods = tree_.bucket(slot).periods;
    return std::max(exact(periods.per_unit), exact(periods.per_byte) * bytes);
  }

  // Until when a node is not below its guarantee, after one more unit; 0: it has none. At the most
  // a service from now, at the least four units and 100 ms behind. What those above it have lost is
  // no time in which it could have been served.
  [[nodiscard]] Exact guarantee_after(std::uint32_t slot, std::uint32_t bytes,
                                      std::int64_t lost_above) const {
    const NodeSettings& share = tree_.record(slot).share;
    const ServicePeriods periods = ServicePeriods::of_rates(share.guaranteed_units_per_second,
                                                            share.guaranteed_bits_per_second);
    if (periods == ServicePeriods{}) return 0;
    const Exact cost = std::max(exact(periods.per_unit), exact(periods.per_byte) * bytes);
    const Exact before = exact(tree_.guarantee_point(slot), start_);
    const Exact at = now() - exact_ns(lost_above);
    return std::max(std::min(before, at), at - exact_ns(100'000'000) - 4 * cost) + cost;
  }

  // Called when the scheduler is about to let a unit go, and has changed nothing yet.
  bool foresee(const TestUnit& unit) {
    expected_.clear();
    check_choice(unit);
    if (std::find(blocked.begin(), blocked.end(), unit.leaf) != blocked.end()) return false;
    const std::vector<std::uint32_t> path = tree_.path(unit.leaf);
    if (path.size() == 1) return true;  // In no tree.
    Exact allowed = 0;
    std::int64_t lost_above = 0;
    for (std::size_t level = path.size(); level-- > 0;) {
      const std::uint32_t slot = path[level];
      const NodeRecord& record = tree_.record(slot);
      const bool root = level == path.size() - 1;
      const Exact from_above = allowed;
      Expected expected{slot,
                        0,
                        point(slot),
                        service(slot, unit.bytes),
                        tree_.bucket(slot).lost_schedule_ns.get(),
                        0,
                        level == 0 && record.settings.departure == Departure::kAtEnd};
      allowed = root ? point(slot) : std::max(allowed, point(slot));
      EXPECT_LE(ceil_ns(allowed), ceil_ns(now())) << "node " << slot << " is not due";
      if (capped(slot)) {
        Exact& after = expected.point_after;
        if (!root) after = std::max(after, from_above - exact_ns(record.share.tolerance.ns));
        const std::int64_t late = ceil_ns(now()) - ceil_ns(allowed);
        if (late > record.settings.max_catchup.ns) {
          const std::int64_t lost = late - record.settings.max_catchup.ns;
          expected.lost_after += static_cast<std::uint64_t>(lost);
          allowed += exact_ns(lost);
          after = std::max(after, allowed);
        }
        if (!expected.served_before) after += expected.service;
      }
      expected.allowed = allowed;
      if (!root) expected.guarantee_after = guarantee_after(slot, unit.bytes, lost_above);
      if (level > 0) {
        lost_above += static_cast<std::int64_t>(tree_.inner(slot).lost_ns + expected.lost_after -
                                                tree_.bucket(slot).lost_schedule_ns.get());
      }
      expected_.push_back(expected);
    }
    due_ = allowed;
    // The head that comes next, if there is one, begins when the leaf is free and it is there.
    const Bucket& leaf = tree_.bucket(unit.leaf);
    for (std::uint32_t at = leaf.ring.head() + 1; at != leaf.ring.tail(); ++at) {
      const RingEntry& next = tree_.bucket(unit.leaf).ring.at(at);
      if (next.unit.is_released()) continue;
      Exact& after = expected_.back().point_after;
      after = std::max(after, exact_ns((next.arrival - start_).ns));
      if (leaf.departure == Departure::kAtEnd) {
        after += service(unit.leaf, next.unit.wire_bytes());
      }
      break;
    }
    return true;
  }
  // The unit has departed and been charged.
  void compare(const TestUnit& unit, Duration late) {
    ++departures;
    if (expected_.empty()) return;
    ASSERT_EQ(expected_.back().slot, unit.leaf);
    ASSERT_EQ(late.ns, ceil_ns(now()) - ceil_ns(due_));
    ASSERT_GE(late.ns, 0) << "before it was due";
    for (const Expected& node : expected_) {
      ASSERT_EQ(point(node.slot), node.point_after) << "node " << node.slot;
      ASSERT_EQ(tree_.bucket(node.slot).lost_schedule_ns.get(), node.lost_after);
      if (node.guarantee_after != 0) {
        ASSERT_EQ(exact(tree_.guarantee_point(node.slot), start_), node.guarantee_after);
      }
      if (!capped(node.slot)) continue;
      std::vector<Passed>& passed = passed_[node.slot];
      if (passed.size() < kWindowed) {
        const bool root = tree_.record(node.slot).share.parent == kNoNode;
        passed.push_back({now(), node.allowed, node.service,
                          root ? 0 : exact_ns(tree_.record(node.slot).share.tolerance.ns),
                          node.served_before, epochs_[node.slot]});
      }
    }
    count_shares(unit);
  }

  // On each level: nobody of a higher priority is ready, nor anybody below its guarantee, if the
  // child that is served is not.
  void check_choice(const TestUnit& unit) {
    const std::vector<std::uint32_t> path = tree_.path(unit.leaf);
    for (std::size_t level = 0; level + 1 < path.size(); ++level) {
      const std::uint32_t chosen = path[level];
      EXPECT_EQ(tree_.node(chosen).state, NodeState::kReady);
      // One that is in a list of those below stays there for a unit, should time be lost meanwhile.
      const bool below =
          is_below_guarantee(chosen, tree_.now()) || tree_.node(chosen).list < kGuaranteeLists;
      for (const std::uint32_t other : tree_.record(path[level + 1]).children) {
        if (other == chosen || tree_.node(other).state != NodeState::kReady) continue;
        if (!below) {
          EXPECT_FALSE(is_below_guarantee(other, last_poll))
              << other << " is below its guarantee, " << chosen << " is not";
          EXPECT_LE(tree_.record(other).share.priority, tree_.record(chosen).share.priority)
              << other << " comes before " << chosen;
        }
      }
    }
  }
  [[nodiscard]] bool is_below_guarantee(std::uint32_t slot, TimePoint at) const {
    const NodeSettings& share = tree_.record(slot).share;
    return (share.guaranteed_bits_per_second > 0 || share.guaranteed_units_per_second > 0) &&
           exact(tree_.guarantee_point(slot), start_) + exact_ns(lost_above(slot)) <=
               exact_ns((at - start_).ns);
  }
  [[nodiscard]] std::int64_t lost_above(std::uint32_t slot) const {
    std::int64_t lost = 0;
    const std::vector<std::uint32_t> path = tree_.path(slot);
    for (std::size_t i = 1; i < path.size(); ++i) {
      lost += static_cast<std::int64_t>(tree_.inner(path[i]).lost_ns);
    }
    return lost;
  }

  // ---- Shares by weight

  struct Pair {
    std::uint32_t a;
    std::uint32_t b;
    double difference = 0;  // Bytes / weight of a less those of b.
    double least = 0;
    double most = 0;
  };
  struct Shares {
    std::vector<Pair> pairs;
    double largest = 0;  // Cost of a unit, in bytes / weight.
  };

  void count_shares(const TestUnit& unit) {
    const std::vector<std::uint32_t> path = tree_.path(unit.leaf);
    for (std::size_t level = 0; level + 1 < path.size(); ++level) {
      const std::uint32_t child = path[level];
      Shares& shares = fair_[path[level + 1]];
      if (shares.pairs.empty()) choose_pairs(path[level + 1], shares);
      const double cost = static_cast<double>(unit.bytes) / tree_.record(child).share.weight;
      shares.largest = std::max(shares.largest, cost);
      for (Pair& pair : shares.pairs) {
        if (pair.a == child) pair.difference += cost;
        if (pair.b == child) pair.difference -= cost;
        // Both were ready all along, or it begins anew.
        if (!is_ready_under(path[level + 1], pair.a) || !is_ready_under(path[level + 1], pair.b)) {
          pair.least = pair.most = pair.difference;
          continue;
        }
        pair.least = std::min(pair.least, pair.difference);
        pair.most = std::max(pair.most, pair.difference);
        const double range = pair.most - pair.least;
        largest_difference_ = std::max(largest_difference_, range / shares.largest);
        // Tags lie within 2 Q of the round's begin, and Q is below twice the largest cost.
        ASSERT_LE(range, (4 * 2 + 2) * shares.largest) << pair.a << " and " << pair.b;
      }
    }
  }
  [[nodiscard]] bool is_ready_under(std::uint32_t parent, std::uint32_t child) const {
    return tree_.record(child).alive && tree_.record(child).share.parent == parent &&
           tree_.node(child).state == NodeState::kReady;
  }
  void choose_pairs(std::uint32_t parent, Shares& shares) const {
    constexpr std::size_t kPairs = 10;
    const std::vector<std::uint32_t>& children = tree_.record(parent).children;
    for (std::size_t i = 0; i + 1 < children.size() && shares.pairs.size() < kPairs; ++i) {
      const NodeSettings& a = tree_.record(children[i]).share;
      const NodeSettings& b = tree_.record(children[i + 1]).share;
      const bool guaranteed = a.guaranteed_bits_per_second + a.guaranteed_units_per_second +
                                  b.guaranteed_bits_per_second + b.guaranteed_units_per_second >
                              0;
      if (a.priority == b.priority && !guaranteed) {
        shares.pairs.push_back({children[i], children[i + 1]});
      }
    }
  }

  // ---- States

  [[nodiscard]] bool is_due(std::uint32_t slot) const {
    return ceil_ns(point(slot)) <= ceil_ns(now());
  }
  [[nodiscard]] bool has_something(std::uint32_t slot) const {
    const NodeRecord& record = tree_.record(slot);
    if (record.leaf) return !record.waiting.empty();
    return std::any_of(record.children.begin(), record.children.end(),
                       [&](std::uint32_t child) { return ready_.contains(child); });
  }
  // Bottom up.
  void find_ready(std::uint32_t slot) {
    for (const std::uint32_t child : tree_.record(slot).children) find_ready(child);
    if (has_something(slot) && is_due(slot) && tree_.bucket(slot).paused == 0 &&
        tree_.node(slot).state != NodeState::kHeld) {
      ready_.insert(slot);
    }
  }

  void check_state(std::uint32_t slot) {
    const TreeNode& node = tree_.node(slot);
    const Bucket& bucket = tree_.bucket(slot);
    const NodeRecord& record = tree_.record(slot);
    if (!has_something(slot)) {
      ASSERT_EQ(node.state, NodeState::kIdle);
      ASSERT_FALSE(bucket.hook.scheduled());
      return;
    }
    if (bucket.paused != 0) {
      ASSERT_EQ(node.state, NodeState::kStopped);
      ASSERT_FALSE(bucket.hook.scheduled());
      return;
    }
    if (node.state == NodeState::kHeld) {
      ASSERT_TRUE(record.leaf && bucket.hook.scheduled());
      return;
    }
    if (!is_due(slot)) {
      ASSERT_EQ(node.state, NodeState::kParked);
      ASSERT_TRUE(bucket.hook.scheduled());
      ASSERT_LE(static_cast<TimePoint>(bucket.hook.due), bucket.schedule.due());
      return;
    }
    ASSERT_EQ(node.state, NodeState::kReady);
    ASSERT_NE(record.share.parent, kNoNode) << "a root is due and was not served";
    ASSERT_NO_FATAL_FAILURE(check_linked(slot));
  }
  void check_linked(std::uint32_t slot) {
    const TreeNode& node = tree_.node(slot);
    const InnerNode& parent = tree_.inner(tree_.record(slot).share.parent);
    ASSERT_NE(parent.lists_in_use >> (node.list + 1) & 1, 0U);
    const bool below = node.list < kGuaranteeLists;
    const std::uint32_t head = below ? parent.guarantee_heads[node.list]
                                     : parent.rounds[kSiblingLists - 1 - node.list].head;
    std::uint32_t at = head;
    for (std::size_t steps = 0; at != slot; ++steps) {
      ASSERT_LE(steps, tree_.slots()) << "not in its list";
      at = tree_.node(at).next;
    }
    if (node.guaranteed == 0) {
      ASSERT_FALSE(below);
      ASSERT_FALSE(tree_.bucket(slot).hook.scheduled());
    } else if (below) {
      ASSERT_FALSE(tree_.bucket(slot).hook.scheduled());
    } else {
      ASSERT_FALSE(is_below_guarantee(slot, tree_.now())) << "not among those below";
      ASSERT_TRUE(tree_.bucket(slot).hook.scheduled());
      ASSERT_LE(static_cast<TimePoint>(tree_.bucket(slot).hook.due),
                tree_.guarantee_point(slot).ceil() + Duration{lost_above(slot)});
    }
  }
  void check_counts(std::uint32_t slot) {
    const NodeRecord& record = tree_.record(slot);
    const Bucket& bucket = tree_.bucket(slot);
    if (!record.leaf) return;
    ASSERT_EQ(record.admitted, record.departed + record.dropped + record.waiting.size());
    ASSERT_EQ(bucket.admitted.get(), record.admitted);
    ASSERT_EQ(bucket.departed.get(), record.departed);
    ASSERT_EQ(bucket.dropped.get(), record.dropped);
    ASSERT_EQ(bucket.backlog.get(), record.waiting.size());
  }

  TestTree& tree_;
  TimePoint start_;
  std::vector<Expected> expected_;  // From the root to the leaf.
  Exact due_ = 0;
  std::map<std::uint32_t, std::vector<Passed>> passed_;
  std::map<std::uint32_t, std::uint64_t> epochs_;
  std::map<std::uint32_t, Shares> fair_;
  std::set<std::uint32_t> ready_;
  double largest_difference_ = 0;
};

}  // namespace drip::test
