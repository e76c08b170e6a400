// SPDX-License-Identifier: BSD-3-Clause
// A tree of which leaves have more to send than they may, in virtual time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "libdrip/tree/test_tree.h"
#include "libdrip/tree/tree_oracle.h"

namespace drip::test {

/// Every leaf is refilled before each poll, with units of the length that its function draws, and
/// the clock goes from one departure to the next. All is held to the oracle as well.
class SaturatedTree {
 public:
  static constexpr TimePoint kBegin{1'000'000'000};
  using Length = std::function<std::uint32_t()>;

  explicit SaturatedTree(std::uint32_t slots = 300)
      : tree_(slots, slots, kBegin), oracle_(tree_, kBegin) {
    const auto compare = tree_.departed;
    tree_.departed = [this, compare](const TestUnit& unit, Duration late) {
      compare(unit, late);
      for (const std::uint32_t slot : tree_.path(unit.leaf)) bytes_[slot] += unit.bytes;
      if (on_departure) on_departure(unit);
    };
  }

  std::uint32_t root(double bits_per_second) {
    return tree_.add_inner(ceiling(bits_per_second), {});
  }
  std::uint32_t inner(const NodeSettings& share, double bits_per_second = 0) {
    return tree_.add_inner(ceiling(bits_per_second), share);
  }
  std::uint32_t leaf(const NodeSettings& share, Length length,
                     double bits_per_second = kMaxBitsPerSecond) {
    const std::uint32_t slot = tree_.add_leaf(ceiling(bits_per_second, kCapacity), share);
    lengths_[slot] = std::move(length);
    return slot;
  }
  std::uint32_t leaf(const NodeSettings& share, std::uint32_t length,
                     double bits_per_second = kMaxBitsPerSecond) {
    return leaf(
        share, [length] { return length; }, bits_per_second);
  }
  void stop(std::uint32_t leaf) { lengths_.erase(leaf); }

  /// One poll at the next departure.
  void step() {
    for (const auto& [leaf, length] : lengths_) {
      while (tree_.bucket(leaf).backlog.get() < kCapacity / 2) tree_.admit(leaf, length());
    }
    oracle_.last_poll = tree_.now();
    const auto due = tree_.scheduler().next_departure();
    // What is held seems due all the time.
    tree_.poll(std::max(due.value_or(tree_.now()), tree_.now() + Duration{due ? 1 : 1'000}));
  }
  void run_for(Duration span) {
    for (const TimePoint end = tree_.now() + span; tree_.now() < end;) step();
  }
  /// Forgets what has been sent.
  void begin_count() {
    bytes_.clear();
    counted_since_ = tree_.now();
  }
  /// Since begin_count(), of a leaf or of all that is below a node.
  [[nodiscard]] double bytes(std::uint32_t slot) { return static_cast<double>(bytes_[slot]); }
  [[nodiscard]] double bits_per_second(std::uint32_t slot) {
    return bytes(slot) * 8e9 / static_cast<double>((tree_.now() - counted_since_).ns);
  }
  [[nodiscard]] TestTree& tree() { return tree_; }
  [[nodiscard]] TreeOracle& oracle() { return oracle_; }

  std::function<void(const TestUnit&)> on_departure;

 private:
  static constexpr std::uint32_t kCapacity = 8;

  TestTree tree_;
  TreeOracle oracle_;
  std::map<std::uint32_t, Length> lengths_;
  std::map<std::uint32_t, std::uint64_t> bytes_;
  TimePoint counted_since_ = kBegin;
};

}  // namespace drip::test
