// SPDX-License-Identifier: BSD-3-Clause
// Passes a unit through a path of which all nodes above its leaf are idle, without any list.
#pragma once

#include <cstdint>

#include "drip/tree/tree_charge.h"
#include "drip/tree/tree_states.h"

namespace drip {

/// With L the time at which the leaf has something, going up from there:
///   L = max(own point, L of its child)      own point = L + service time
/// That is TreeService's rule where no node is raised by those above it: a node's point is L at
/// the least, and A of its parent at most the present. So it holds while the present is not later
/// than L by more than any node's tolerance; and while that is within every max_catchup, nothing is
/// lost. Belongs to the Scheduler's thread.
class IdlePath {
 public:
  IdlePath(TreeStates& states, TreeCharge& charge) : states_(states), charge_(charge) {}

  /// Whether all nodes above this one are idle and due.
  [[nodiscard]] bool is_open_above(const TreeNode& node, TimePoint now) const {
    for (std::uint32_t slot = node.parent_slot; slot != kNoNode;) {
      const TreeNode& at = states_.node(slot);
      if (at.state != NodeState::kIdle || !is_due(states_.bucket(slot), now)) return false;
      slot = at.parent_slot;
    }
    return true;
  }
  [[nodiscard]] static bool is_due(const Bucket& bucket, TimePoint now) {
    return bucket.paused == 0 && bucket.schedule.due() <= now;
  }
  /// Whether the rule above holds for a leaf that has something since `since`.
  [[nodiscard]] bool holds(std::uint32_t leaf, FinePoint since, TimePoint now) const {
    const std::uint64_t waited = now.ns - since.ns;
    return waited == 0 || holds_after(leaf, waited);
  }
  /// Whether a leaf that the wheel says is due can be served so.
  [[nodiscard]] bool is_open_for(std::uint32_t leaf, TimePoint now) const {
    const Bucket& bucket = states_.bucket(leaf);
    const TreeNode& node = states_.node(leaf);
    return node.state == NodeState::kParked && node.inner == kNoNode && !bucket.hook.scheduled() &&
           is_due(bucket, now) && is_open_above(node, now) &&
           holds(leaf, bucket.schedule.departure_time(), now);
  }
  /// The leaf and all above it are ready, but in no list. Returns when the head is due. REQUIRES:
  /// is_open_for().
  FinePoint open(std::uint32_t leaf) {
    TreeNode* node = &states_.node(leaf);
    node->state = NodeState::kReady;
    FinePoint since = states_.bucket(leaf).schedule.departure_time();
    for (std::uint32_t slot = node->parent_slot; slot != kNoNode; slot = node->parent_slot) {
      node = &states_.node(slot);
      if (node->guaranteed != 0) [[unlikely]]
        states_.raise_guarantee(slot, since);
      Bucket& bucket = states_.bucket(slot);
      since = later_of(since, bucket.schedule.departure_time());
      if (node->capped != 0) bucket.schedule = VirtualSchedule(since, {});
      node->state = NodeState::kReady;
    }
    return since;
  }
  /// Charges the head of the leaf, which has departed, to all above it; these are idle again.
  void close(std::uint32_t leaf, std::uint32_t wire_bytes, TimePoint now) {
    TreeNode* node = &states_.node(leaf);
    charge_parked(*node, leaf, wire_bytes, now);
    for (std::uint32_t slot = node->parent_slot; slot != kNoNode; slot = node->parent_slot) {
      node = &states_.node(slot);
      Bucket& bucket = states_.bucket(slot);
      TreeCharge::charge_punctual(bucket, *node, bucket.schedule.departure_time(), wire_bytes);
      if (node->parent_slot != kNoNode) charge_idle(*node, slot, wire_bytes, now);
      node->state = NodeState::kIdle;
      states_.publish_departure(slot);
    }
  }
  /// The head of the leaf has no room: all above it are idle again, the leaf is parked nowhere.
  void give_up(std::uint32_t leaf) {
    TreeNode* node = &states_.node(leaf);
    node->state = NodeState::kParked;
    for (std::uint32_t slot = node->parent_slot; slot != kNoNode; slot = node->parent_slot) {
      node = &states_.node(slot);
      node->state = NodeState::kIdle;
      states_.publish_departure(slot);
    }
  }

  /// A unit passes at its START, through the leaf as well. REQUIRES: all of the above; the leaf is
  /// idle and due, and its schedule has begun. Returns when it was due.
  FinePoint pass(std::uint32_t slot, std::uint32_t wire_bytes, TimePoint now) {
    Bucket& leaf = states_.bucket(slot);
    TreeNode& node = states_.node(slot);
    const FinePoint since = leaf.schedule.departure_time();
    TreeCharge::charge_leaf(leaf, since, wire_bytes);
    charge_idle(node, slot, wire_bytes, now);
    if (since == FinePoint::of(now)) [[likely]]
      return pass_above<true>(node.parent_slot, since, wire_bytes, now);
    return pass_above<false>(node.parent_slot, since, wire_bytes, now);
  }

 private:
  [[nodiscard]] bool holds_after(std::uint32_t slot, std::uint64_t waited) const {
    for (;;) {
      const TreeNode& node = states_.node(slot);
      if (waited >> states_.bucket(slot).catchup_log2 != 0 && node.capped != 0) return false;
      if (node.parent == kNoNode) return true;
      if (waited > static_cast<std::uint64_t>(node.tolerance.ns)) return false;
      slot = node.parent_slot;
    }
  }
  // kPunctual: since the present, which no node's point is behind.
  template <bool kPunctual>
  FinePoint pass_above(std::uint32_t slot, FinePoint since, std::uint32_t wire_bytes,
                       TimePoint now) {
    for (;;) {
      TreeNode& node = states_.node(slot);
      Bucket& bucket = states_.bucket(slot);
      if (node.guaranteed != 0) [[unlikely]]
        states_.raise_guarantee(slot, since);
      if constexpr (kPunctual) {
        TreeCharge::charge_punctual(bucket, node, since, wire_bytes);
      } else {
        since = later_of(since, bucket.schedule.departure_time());
        TreeCharge::charge_inner(bucket, node, since, wire_bytes);
      }
      if (node.parent_slot == kNoNode) return since;
      charge_idle(node, slot, wire_bytes, now);
      slot = node.parent_slot;
    }
  }
  void charge_idle(TreeNode& node, std::uint32_t slot, std::uint32_t wire_bytes, TimePoint now) {
    InnerNode& parent = states_.inner_node(node.parent);
    if (node.guaranteed != 0) [[unlikely]]
      return charge_guaranteed(parent, node, slot, wire_bytes, now);
    SiblingLists::charge_idle(parent, node, wire_bytes, false);
  }
  void charge_parked(TreeNode& node, std::uint32_t slot, std::uint32_t wire_bytes, TimePoint now) {
    InnerNode& parent = states_.inner_node(node.parent);
    const bool below = states_.is_below_guarantee(slot, now);
    SiblingLists::charge_alone(parent, node, wire_bytes, below);
    if (node.guaranteed != 0) charge_.charge_guarantee(slot, wire_bytes, now);
  }
  [[gnu::noinline]] void charge_guaranteed(InnerNode& parent, TreeNode& node, std::uint32_t slot,
                                           std::uint32_t wire_bytes, TimePoint now) {
    SiblingLists::charge_idle(parent, node, wire_bytes, states_.is_below_guarantee(slot, now));
    charge_.charge_guarantee(slot, wire_bytes, now);
  }

  TreeStates& states_;
  TreeCharge& charge_;
};

}  // namespace drip
