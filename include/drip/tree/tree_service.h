// SPDX-License-Identifier: BSD-3-Clause
// Serves one unit of a tree: from the root down to the leaf that it comes from, and up again to
// charge it to each node on the path.
#pragma once

#include <array>
#include <cstdint>

#include "drip/admission.h"
#include "drip/queue/queue_drop.h"
#include "drip/tree/idle_path.h"
#include "drip/tree/tree_charge.h"
#include "drip/tree/tree_states.h"

namespace drip {

/// A unit departs when the schedules of all nodes on its path allow. For a node that is
///   A = max(own point, A of its parent)
/// and S, when the unit is due, is A of the leaf. The unit is then charged to each node:
///   point = max(own point, A of its parent - tolerance) + service time
/// So lateness costs no rate, at any level: A is the ideal time and not the present one, and a node
/// that has had something all along goes on from its own point. Only if a node's A is more than its
/// max_catchup behind is it raised, and the loss counted there. Proofs are in
/// docs/decisions/0016-trees.md.
///
/// A leaf that departs at the END serves its head first: its point is then the end of that service,
/// and the ancestors are passed after it, at the START of theirs. Belongs to the Scheduler's
/// thread.
class TreeService {
 public:
  explicit TreeService(TreeStates& states)
      : states_(states), charge_(states), idle_path_(states, charge_) {}
  TreeService(const TreeService&) = delete;
  TreeService& operator=(const TreeService&) = delete;

  struct Departed {
    std::uint32_t leaf = kNoNode;  ///< kNoNode: none; the leaf whose turn it was is held.
    bool served = false;           ///< Else the leaf has nothing: its queue has dropped it.
    RingEntry entry;
    Duration late;
  };
  /// Serves the unit whose turn it is in a ready root. Its leaf is held until `retry` if `units`,
  /// which are WaitingUnits, say kAgain.
  template <class Units>
  Departed serve(std::uint32_t root, TimePoint now, TimePoint retry, Units& units) {
    Path path;
    Step* at = path.data();
    find(*at, root);
    FinePoint allowed = at->bucket->schedule.departure_time();
    at->set_earliest(allowed);
    // No node is later than its root.
    const std::uint64_t late_ns = now.ns - allowed.ns;
    std::uint64_t beyond_catchup = late_ns >> at->bucket->catchup_log2;
    while (at->inner != nullptr) {
      const std::uint32_t next = states_.lists().pick(*at->inner);
      find(*++at, next);
      enter(*at, allowed);
      beyond_catchup |= late_ns >> at->bucket->catchup_log2;
    }
    Bucket& leaf = *at->bucket;
    RingEntry entry;
    const QueueHead::Status status = units.head(at->slot, leaf, entry);
    if (status != QueueHead::Status::kPacket) [[unlikely]]
      return no_unit(at->slot, status, retry);
    if (beyond_catchup != 0) [[unlikely]]
      allowed = forgo_lateness(path.data(), at, now);
    const std::uint32_t leaf_slot = at->slot;
    const Step* const leaf_parent = at - 1;
    const std::uint32_t wire_bytes = entry.unit.wire_bytes();
    bool has_something = TreeCharge::take_head(units, leaf_slot, leaf, at->earliest(), wire_bytes);
    for (; at != path.data(); --at) {
      const Step& above = *(at - 1);
      settle(*at, *above.inner, wire_bytes, now, has_something);
      // Parents of leaves are many, those above them few.
      if (at == leaf_parent && states_.looks_ahead()) states_.look_ahead(*above.inner);
      has_something = SiblingLists::any_ready(*above.inner);
      TreeCharge::charge_inner(*above.bucket, *above.node, above.earliest(), wire_bytes);
    }
    if (!has_something || path[0].bucket->schedule.due() > now) {
      states_.run_queue().remove(root);
      rest(root, has_something);
    }
    return {leaf_slot, true, entry, now - allowed.ceil()};
  }

  /// Whether a leaf that the wheel says is due can be served without a root: serve_leaf().
  [[nodiscard]] bool can_serve_leaf(std::uint32_t leaf, TimePoint now) const {
    return idle_path_.is_open_for(leaf, now);
  }
  /// Serves its head; `more_is_due`: the one behind it is due as well, and the leaf on the wheel no
  /// more, so that TreeStates::on_due() is to be called for it again.
  template <class Units>
  Departed serve_leaf(std::uint32_t slot, TimePoint now, TimePoint retry, Units& units,
                      bool& more_is_due) {
    const FinePoint due = idle_path_.open(slot);
    Bucket& leaf = states_.bucket(slot);
    RingEntry entry;
    more_is_due = false;
    const QueueHead::Status status = units.head(slot, leaf, entry);
    if (status != QueueHead::Status::kPacket) [[unlikely]] {
      idle_path_.give_up(slot);
      return no_unit(slot, status, retry);
    }
    const std::uint32_t wire_bytes = entry.unit.wire_bytes();
    const bool waits =
        TreeCharge::take_head(units, slot, leaf, leaf.schedule.departure_time(), wire_bytes);
    idle_path_.close(slot, wire_bytes, now);
    if (waits && leaf.schedule.due() <= now) {
      states_.node(slot).state = NodeState::kParked;
      more_is_due = true;
    } else {
      rest(slot, waits);
    }
    return {slot, true, entry, now - due.ceil()};
  }

  /// Whether a packet that arrived now would depart at once: its whole path is idle and due.
  /// REQUIRES: a leaf without backlog that departs at the START.
  [[nodiscard]] bool can_cut_through(std::uint32_t slot, TimePoint now) const {
    const TreeNode& leaf = states_.node(slot);
    return leaf.state == NodeState::kIdle && IdlePath::is_due(states_.bucket(slot), now) &&
           idle_path_.is_open_above(leaf, now);
  }
  /// Charges a unit that departs at once; returns how late. What it leaves behind is what admitting
  /// and serving would. REQUIRES: can_cut_through(); arrival <= now.
  Duration cut_through(std::uint32_t slot, std::uint32_t wire_bytes, TimePoint arrival,
                       TimePoint now) {
    Bucket& leaf = states_.bucket(slot);
    leaf.schedule.begin(arrival, {}, Departure::kAtStart);
    states_.leave_idle(slot, FinePoint::of(arrival));
    if (!idle_path_.holds(slot, FinePoint::of(arrival), now)) [[unlikely]]
      return cut_through_late(slot, wire_bytes, arrival, now);
    return now - idle_path_.pass(slot, wire_bytes, now).ceil();
  }

  /// Schedule time that was lost because a unit was served later than a node's max_catchup.
  [[nodiscard]] std::uint64_t take_lost_ns() { return charge_.take_lost_ns(); }

 private:
  // A node of the path. Without initial values: a path of them would be written twice.
  struct Step {
    Bucket* bucket;
    TreeNode* node;
    InnerNode* inner;  // Null: it is the leaf.
    std::uint32_t slot;
    std::uint64_t earliest_ns;  // What the node's point is raised to.
    std::uint64_t earliest_fraction;

    [[nodiscard]] FinePoint earliest() const { return {earliest_ns, earliest_fraction}; }
    void set_earliest(FinePoint point) {
      earliest_ns = point.ns;
      earliest_fraction = point.fraction;
    }
  };
  using Path = std::array<Step, kMaxTreeDepth>;

  // The leaf whose turn it is has none, or none that has room.
  [[gnu::noinline]] Departed no_unit(std::uint32_t leaf, QueueHead::Status status,
                                     TimePoint retry) {
    if (status != QueueHead::Status::kEmpty) {
      states_.hold(leaf, retry);
      return {};
    }
    states_.deactivate(leaf);
    states_.publish_departure(leaf);
    return {leaf, false, {}, {}};
  }

  void find(Step& step, std::uint32_t slot) const {
    step.slot = slot;
    step.bucket = &states_.bucket(slot);
    step.node = &states_.node(slot);
    const std::uint32_t inner = step.node->inner;
    step.inner = inner == kNoNode ? nullptr : &states_.inner_node(inner);
  }
  // Enters a node of which the parent's A is `allowed`, which becomes its own. Changes nothing.
  static void enter(Step& step, FinePoint& allowed) {
    step.set_earliest(allowed - FineSpan{static_cast<std::uint64_t>(step.node->tolerance.ns), 0});
    allowed = later_of(allowed, step.bucket->schedule.departure_time());
  }
  // The same for a whole path, with what is lost where a node is beyond its max_catchup, which is
  // counted. Returns A of the leaf.
  [[gnu::noinline]] FinePoint forgo_lateness(Step* root, Step* leaf, TimePoint now) {
    FinePoint allowed = root->bucket->schedule.departure_time();
    for (Step* at = root;; ++at) {
      if (at != root) {
        enter(*at, allowed);
      } else {
        at->set_earliest(allowed);
      }
      const Duration lost = now - allowed.ceil() - at->bucket->max_catchup;
      // Without a ceiling a node's point says nothing of the present.
      if (at->node->capped != 0 && lost.ns > 0) {
        allowed = allowed + FineSpan{static_cast<std::uint64_t>(lost.ns), 0};
        at->set_earliest(allowed);
        charge_.count_lost(at->slot, lost);
      }
      if (at == leaf) return allowed;
    }
  }

  // The same as cut_through() by the general rule, after the leaf has left idle.
  [[gnu::noinline]] Duration cut_through_late(std::uint32_t leaf, std::uint32_t wire_bytes,
                                              TimePoint arrival, TimePoint now) {
    // Leaves idle from the leaf up, in steps that lie in `path` as those of serve() do.
    Path path;
    Step* const end = path.data() + path.size();
    Step* at = end - 1;
    find(*at, leaf);
    FinePoint since = later_of(FinePoint::of(arrival), at->bucket->schedule.departure_time());
    while (at->node->parent != kNoNode) {
      const std::uint32_t slot = at->node->parent_slot;
      find(*--at, slot);
      states_.leave_idle(slot, since);
      since = later_of(since, at->bucket->schedule.departure_time());
    }
    const Step* const root = at;
    const FinePoint allowed = forgo_lateness(at, end - 1, now);
    at = end - 1;
    TreeCharge::charge_leaf(*at->bucket, at->earliest(), wire_bytes);
    for (; at != root; --at) {
      const Step& above = *(at - 1);
      const bool below_guarantee = states_.is_below_guarantee(at->slot, now);
      SiblingLists::charge_idle(*above.inner, *at->node, wire_bytes, below_guarantee);
      if (at->node->guaranteed != 0) charge_.charge_guarantee(at->slot, wire_bytes, now);
      TreeCharge::charge_inner(*above.bucket, *above.node, above.earliest(), wire_bytes);
    }
    return now - allowed.ceil();
  }

  // The node has been served and charged by its schedule: charges its share, and finds its state.
  void settle(const Step& step, InnerNode& parent, std::uint32_t wire_bytes, TimePoint now,
              bool has_something) {
    TreeNode& node = *step.node;
    const bool stays = has_something && step.bucket->schedule.due() <= now;
    if (node.guaranteed != 0) [[unlikely]]
      return settle_guaranteed(step, parent, wire_bytes, now, has_something, stays);
    if (stays) return SiblingLists::charge_turn(parent, node, step.slot, wire_bytes);
    SiblingLists::charge(parent, node, wire_bytes);
    states_.lists().unlink(parent, step.slot);
    rest(step.slot, has_something);
  }
  void rest(std::uint32_t slot, bool has_something) {
    if (has_something) return states_.park(slot);
    states_.node(slot).state = NodeState::kIdle;
    states_.publish_departure(slot);
  }
  [[gnu::noinline]] void settle_guaranteed(const Step& step, InnerNode& parent,
                                           std::uint32_t wire_bytes, TimePoint now,
                                           bool has_something, bool stays) {
    const std::uint32_t slot = step.slot;
    TreeNode& node = *step.node;
    SiblingLists::charge_guaranteed(parent, node, wire_bytes);
    charge_.charge_guarantee(slot, wire_bytes, now);
    if (!stays) {
      states_.lists().unlink(parent, slot);
      states_.take_off_wheel(slot);
      return rest(slot, has_something);
    }
    const bool below = states_.is_below_guarantee(slot, now);
    if (below != (node.list < kGuaranteeLists)) {
      states_.lists().unlink(parent, slot);
      states_.take_off_wheel(slot);
      return states_.link(parent, slot, now, false);
    }
    states_.lists().end_turn(parent, slot);
    if (below) return;
    // An entry that is early costs one look; it must not be late.
    const WheelHook& hook = states_.bucket(slot).hook;
    if (hook.scheduled() && hook.due <= states_.below_guarantee_at(slot, now)) return;
    states_.take_off_wheel(slot);
    states_.wait_for_guarantee(slot, now);
  }

  TreeStates& states_;
  TreeCharge charge_;
  IdlePath idle_path_;
};

}  // namespace drip
