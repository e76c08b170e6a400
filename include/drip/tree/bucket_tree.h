// SPDX-License-Identifier: BSD-3-Clause
// The trees of a Scheduler: its part for buckets that have a parent or may have children.
#pragma once

#include <cassert>
#include <cstdint>

#include "drip/bucket_array.h"
#include "drip/internal/bucket_move.h"
#include "drip/tree/node_settings.h"
#include "drip/tree/tree_service.h"
#include "drip/tree/tree_states.h"
#include "drip/tree/tree_structure.h"

namespace drip {

/// Configuration of trees: who is whose child, and how a node shares. All changes cost O(depth),
/// keep what waits, and give no credit. Settings have been checked (tree_check.h). Belongs to the
/// Scheduler's thread.
class BucketTree {
 public:
  /// `wheel` is the Scheduler's, and outlives this.
  BucketTree(const BucketArray& buckets, TreeStates::Wheel& wheel)
      : buckets_(buckets), structure_(buckets.trees), states_(buckets, wheel), service_(states_) {}
  BucketTree(const BucketTree&) = delete;
  BucketTree& operator=(const BucketTree&) = delete;

  [[nodiscard]] TreeStates& states() { return states_; }
  [[nodiscard]] const TreeStates& states() const { return states_; }
  [[nodiscard]] TreeService& service() { return service_; }
  [[nodiscard]] const TreeService& service() const { return service_; }
  [[nodiscard]] const TreeStructure& structure() const { return structure_; }
  /// Nodes, roots and leaves included.
  [[nodiscard]] std::uint32_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

  /// Makes a bucket a node, without parent and children. REQUIRES: it is in no tree, and not on the
  /// wheel.
  void join(std::uint32_t slot, bool inner) {
    Bucket& bucket = buckets_[slot];
    assert(bucket.in_tree == 0 && !bucket.hook.scheduled());
    structure_.add(slot, inner);
    bucket.in_tree = 1;
    states_.set_look_ahead(++size_ > kLookAheadNodes);
    states_.node(slot).capped = static_cast<std::uint8_t>(is_capped(bucket));
  }
  /// Ends that. REQUIRES: no children, no parent.
  void leave(std::uint32_t slot) {
    states_.deactivate(slot);
    structure_.remove(slot);
    states_.node(slot).green_bytes.set(0);  // Any thread may read it, also of a bucket in no tree.
    buckets_[slot].in_tree = 0;
    states_.set_look_ahead(--size_ > kLookAheadNodes);
  }
  /// Takes a node away from its parent. It is idle until set().
  void detach(std::uint32_t slot) {
    states_.deactivate(slot);
    if (!structure_.is_root(slot)) structure_.remove_child(slot);
  }

  /// All settings of a node. A node that gets another parent starts there at `now`: what it waited
  /// for its old parent makes no burst at the new one.
  void set(std::uint32_t slot, const NodeSettings& settings, TimePoint now) {
    const bool moves = structure_.parent(slot) != settings.parent;
    if (moves) {
      const TimePoint time_before = states_.guarantee_time(states_.node(slot), now);
      detach(slot);
      const TimePoint at = buckets_[slot].schedule_time(now);
      buckets_[slot].schedule.raise_to(FinePoint::of(at));
      set_share(slot, settings, now);
      if (settings.parent != kNoNode) {
        structure_.add_child(settings.parent, slot);
        states_.lists().start_tag(parent_of(slot), slot);
      }
      TreeNode& node = states_.node(slot);
      const TimePoint time = states_.guarantee_time(node, now);
      if (node.guaranteed != 0) states_.start_guarantee(slot, FinePoint::of(time));
      // For all that is below it time goes on as before.
      if (node.inner != kNoNode) {
        states_.inner_node(node.inner).lost_ns +=
            static_cast<std::uint64_t>((time - time_before).ns);
      }
      if (states_.has_something(slot)) states_.activate(slot, now, FinePoint::of(now));
      return;
    }
    TreeNode& node = states_.node(slot);
    const bool relink = node.state == NodeState::kReady && node.parent != kNoNode;
    const bool changes_list = node.priority != settings.priority;
    if (relink) {
      states_.lists().unlink(parent_of(slot), slot);
      states_.take_off_wheel(slot);
    }
    set_share(slot, settings, now);
    if (changes_list && node.parent != kNoNode) {
      states_.lists().start_tag(parent_of(slot), slot);
    }
    if (relink) states_.link(parent_of(slot), slot, now, false);
  }
  /// The node's ceiling, schedule, or head has changed.
  void update(std::uint32_t slot, TimePoint now) {
    Bucket& bucket = buckets_[slot];
    TreeNode& node = states_.node(slot);
    const bool capped = is_capped(bucket);
    if (capped != (node.capped != 0)) {
      // Its point says nothing of the time without a ceiling, and is a floor from now on.
      bucket.schedule.raise_to(FinePoint::of(bucket.schedule_time(now)));
      node.capped = static_cast<std::uint8_t>(capped);
    }
    states_.update(slot, now);
  }

  // ---- A whole tree moves to the Scheduler of another thread: see Scheduler

  /// Takes a node out of its tree, each after its children. Its schedule stays as it is. REQUIRES:
  /// the root is paused, no children.
  void take_out(std::uint32_t slot, MovedNode& out) {
    const TreeNode& node = states_.node(slot);
    if (node.guaranteed != 0) {
      out.guarantee_point = states_.guarantee(slot).point;
      out.guarantee_metered = states_.guarantee(slot).metered;
    }
    out.green_bytes = node.green_bytes.get();
    if (node.inner != kNoNode) out.lost_ns = states_.inner_node(node.inner).lost_ns;
    detach(slot);
    structure_.remove(slot);
    buckets_[slot].in_tree = 0;
    states_.set_look_ahead(--size_ > kLookAheadNodes);
  }
  /// Continues a node that take_out() was called for elsewhere, each before its children. REQUIRES:
  /// set() was called here with the same share; the root is paused; the node has nothing yet, but
  /// for what came to a leaf.
  void put_in(std::uint32_t slot, const MovedNode& moved) {
    TreeNode& node = states_.node(slot);
    node.green_bytes.add(moved.green_bytes);
    if (node.guaranteed != 0) {
      states_.guarantee(slot).point = moved.guarantee_point;
      states_.guarantee(slot).metered = moved.guarantee_metered;
    }
    if (node.inner == kNoNode) return;
    states_.inner_node(node.inner).lost_ns = moved.lost_ns;
    // Not idle: it keeps what it is behind. It is on no wheel until its child that was ready there
    // is ready here.
    if (moved.is_busy) node.state = NodeState::kParked;
  }

 private:
  // Fewer nodes are in the caches anyway.
  static constexpr std::uint32_t kLookAheadNodes = 4096;

  static bool is_capped(const Bucket& bucket) { return bucket.periods != ServicePeriods{}; }
  [[nodiscard]] InnerNode& parent_of(std::uint32_t slot) const {
    return states_.inner_node(states_.node(slot).parent);
  }

  void set_share(std::uint32_t slot, const NodeSettings& settings, TimePoint now) {
    TreeNode& node = states_.node(slot);
    node.priority = static_cast<std::uint8_t>(settings.priority);
    node.inverse_weight = TreeNode::kInverseWeightScale / settings.weight;
    node.tolerance = settings.tolerance;
    if (settings.guaranteed_units_per_second == structure_.guaranteed_units(slot) &&
        settings.guaranteed_bits_per_second == structure_.guaranteed_bits(slot)) {
      return;
    }
    const bool had = node.guaranteed != 0;
    const ServicePeriods before = had ? states_.guarantee(slot).periods : ServicePeriods{};
    structure_.set_guarantee(slot, settings.guaranteed_units_per_second,
                             settings.guaranteed_bits_per_second);
    if (node.guaranteed == 0) return;
    NodeGuarantee& guarantee = states_.guarantee(slot);
    const FinePoint at = FinePoint::of(states_.guarantee_time(node, now));
    if (!had) return states_.start_guarantee(slot, at);
    // What it has had beyond its guarantee, or is short of it, is the same number of bytes.
    constexpr std::uint32_t kBytes = 1000;
    const long double ratio =
        guarantee.periods.service(kBytes).as_ns() / before.service(kBytes).as_ns();
    guarantee.point = rescaled(guarantee.point, at, ratio);
    guarantee.metered = rescaled(guarantee.metered, at, ratio);
  }
  // The point of which the distance from `at` is `ratio` times that of `point`.
  static FinePoint rescaled(FinePoint point, FinePoint at, long double ratio) {
    const bool beyond = is_later(point, at);
    const FineSpan distance = beyond ? span_between(at, point) : span_between(point, at);
    const FineSpan other = FineSpan::of_ns(distance.as_ns() * ratio);
    return beyond ? at + other : at - other;
  }

  BucketArray buckets_;
  TreeStructure structure_;
  TreeStates states_;
  TreeService service_;
  std::uint32_t size_ = 0;
};

}  // namespace drip
