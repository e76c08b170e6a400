// SPDX-License-Identifier: BSD-3-Clause
// Serves one unit of a tree: from the root down to the leaf that it comes from, and up again to
// charge it to each node on the path.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <span>

#include "drip/admission.h"
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
  explicit TreeService(TreeStates& states) : states_(states) {}

  struct Departed {
    std::uint32_t leaf = kNoNode;  ///< kNoNode: none; the leaf whose turn it was is held.
    RingEntry entry;
    Duration late;
  };
  /// Serves the unit whose turn it is in a ready root. If `has_room(UnitRef)` refuses it, its leaf
  /// is held until `retry`.
  template <std::predicate<UnitRef> HasRoom>
  Departed serve(std::uint32_t root, TimePoint now, TimePoint retry, HasRoom has_room) {
    Path path;
    std::uint32_t depth = 0;
    FinePoint allowed = states_.bucket(root).schedule.departure_time();
    std::uint32_t slot = root;
    for (;;) {
      allowed = enter(path[depth], slot, depth == 0, allowed, now);
      ++depth;
      const std::uint32_t inner = states_.node(slot).inner;
      if (inner == kNoNode) break;
      slot = states_.lists().pick(states_.inner_node(inner));
    }
    Bucket& leaf = states_.bucket(slot);
    const RingEntry entry = leaf.ring.front();
    if (!has_room(entry.unit)) [[unlikely]] {
      states_.hold(slot, retry);
      return {};
    }
    const std::uint32_t wire_bytes = entry.unit.wire_bytes();
    leaf.ring.pop();
    leave_backlog(leaf);
    skip_released(leaf);
    for (const Step& step : std::span(path).first(depth)) count_lost(step);
    charge_leaf(leaf, path[depth - 1], wire_bytes);
    if (leaf.backlog.get() > 0) begin_head(leaf);
    settle(slot, wire_bytes, now, leaf.backlog.get() > 0);
    for (std::uint32_t level = depth - 1; level-- > 0;) {
      charge_inner(path[level], wire_bytes);
      settle(path[level].slot, wire_bytes, now, states_.has_something(path[level].slot));
    }
    return {slot, entry, now - allowed.ceil()};
  }

  /// Whether a packet that arrived now would depart at once: its whole path is idle and due.
  /// REQUIRES: a leaf without backlog that departs at the START.
  [[nodiscard]] bool can_cut_through(std::uint32_t slot, TimePoint now) const {
    for (;;) {
      const Bucket& bucket = states_.bucket(slot);
      const TreeNode& node = states_.node(slot);
      if (node.state != NodeState::kIdle || bucket.paused != 0 || bucket.schedule.due() > now) {
        return false;
      }
      if (node.parent == kNoNode) return true;
      slot = states_.inner_node(node.parent).slot;
    }
  }
  /// Charges a unit that departs at once; returns how late. What it leaves behind is what admitting
  /// and serving would. REQUIRES: can_cut_through(); arrival <= now.
  Duration cut_through(std::uint32_t leaf, std::uint32_t wire_bytes, TimePoint arrival,
                       TimePoint now) {
    std::array<std::uint32_t, kMaxTreeDepth> above;  // The leaf and those above it.
    std::uint32_t depth = 0;
    states_.bucket(leaf).schedule.begin(arrival, {}, Departure::kAtStart);
    FinePoint since = FinePoint::of(arrival);
    for (std::uint32_t slot = leaf;;) {
      Bucket& bucket = states_.bucket(slot);
      TreeNode& node = states_.node(slot);
      states_.leave_idle(bucket, node, since);
      since = later_of(since, bucket.schedule.departure_time());
      above[depth++] = slot;
      if (node.parent == kNoNode) break;
      slot = states_.inner_node(node.parent).slot;
    }
    Path path;
    FinePoint allowed = states_.bucket(above[depth - 1]).schedule.departure_time();
    for (std::uint32_t level = depth; level-- > 0;) {
      allowed = enter(path[level], above[level], level == depth - 1, allowed, now);
    }
    for (const Step& step : std::span(path).first(depth)) count_lost(step);
    charge_leaf(states_.bucket(leaf), path[0], wire_bytes);
    for (std::uint32_t level = 0; level < depth; ++level) {
      if (level > 0) charge_inner(path[level], wire_bytes);
      TreeNode& node = states_.node(above[level]);
      if (node.parent == kNoNode) break;
      const bool below_guarantee = states_.is_below_guarantee(node, now);
      states_.lists().charge_alone(states_.inner_node(node.parent), above[level], wire_bytes,
                                   below_guarantee);
      if (node.guaranteed != 0) charge_guarantee(above[level], wire_bytes, now);
    }
    return now - allowed.ceil();
  }

  /// Schedule time that was lost because a unit was served later than a node's max_catchup.
  [[nodiscard]] std::uint64_t take_lost_ns() {
    const std::uint64_t lost = lost_ns_;
    lost_ns_ = 0;
    return lost;
  }

 private:
  // How far behind its guarantee a node may fall and still be served first for it: four units, and
  // the time of a stall.
  static constexpr FineSpan kGuaranteeCatchup{100'000'000, 0};

  struct Step {
    std::uint32_t slot;
    FinePoint earliest;  // What the node's point is raised to.
    Duration lost;
  };
  using Path = std::array<Step, kMaxTreeDepth>;

  // Enters a node of which the parent's A is `allowed`; returns its own. Changes nothing.
  FinePoint enter(Step& step, std::uint32_t slot, bool is_root, FinePoint allowed,
                  TimePoint now) const {
    const Bucket& bucket = states_.bucket(slot);
    const TreeNode& node = states_.node(slot);
    const FinePoint point = bucket.schedule.departure_time();
    step.slot = slot;
    step.lost = {};
    step.earliest =
        is_root ? point : allowed - FineSpan{static_cast<std::uint64_t>(node.tolerance.ns), 0};
    if (!is_root) allowed = later_of(allowed, point);
    // Without a ceiling a node's point says nothing of the present.
    if (node.capped == 0) return allowed;
    const Duration late = now - allowed.ceil();
    if (late.ns >> bucket.catchup_log2 != 0 && late > bucket.max_catchup) [[unlikely]] {
      step.lost = late - bucket.max_catchup;
      allowed = allowed + FineSpan{static_cast<std::uint64_t>(step.lost.ns), 0};
      step.earliest = allowed;
    }
    return allowed;
  }

  void count_lost(const Step& step) {
    if (step.lost.ns == 0) [[likely]]
      return;
    if (const std::uint32_t inner = states_.node(step.slot).inner; inner != kNoNode) {
      states_.inner_node(inner).lost_ns += static_cast<std::uint64_t>(step.lost.ns);
    }
    states_.bucket(step.slot).lost_schedule_ns.add(static_cast<std::uint64_t>(step.lost.ns));
    lost_ns_ += static_cast<std::uint64_t>(step.lost.ns);
  }
  void charge_leaf(Bucket& leaf, const Step& step, std::uint32_t wire_bytes) {
    const bool at_start = leaf.departure == Departure::kAtStart;
    leaf.schedule.pass(step.earliest, at_start ? leaf.periods.service(wire_bytes) : FineSpan{});
    leaf.in_service_bytes = static_cast<std::uint16_t>(wire_bytes);
  }
  static void begin_head(Bucket& leaf) {
    const RingEntry& head = leaf.ring.front();
    leaf.schedule.begin(head.arrival, leaf.periods.service(head.unit.wire_bytes()), leaf.departure);
  }
  void charge_inner(const Step& step, std::uint32_t wire_bytes) {
    Bucket& bucket = states_.bucket(step.slot);
    count_departed(bucket, wire_bytes);
    bucket.in_service_bytes = static_cast<std::uint16_t>(wire_bytes);
    if (states_.node(step.slot).capped == 0) return;
    bucket.schedule.pass(step.earliest, bucket.periods.service(wire_bytes));
  }
  void charge_guarantee(std::uint32_t slot, std::uint32_t wire_bytes, TimePoint now) {
    TreeNode& node = states_.node(slot);
    const FineSpan cost = states_.guarantee(slot).periods.service(wire_bytes);
    FinePoint point = node.guarantee_point;
    const TimePoint at = states_.guarantee_time(node, now);
    // What it got beyond its guarantee is not held against it later.
    if (point.after(at)) point = FinePoint::of(at);
    const FinePoint least = FinePoint::of(at) - kGuaranteeCatchup - cost.times(4);
    node.guarantee_point = later_of(point, least) + cost;
  }

  // The node has been served and charged by its schedule: charges its share, and finds its state.
  void settle(std::uint32_t slot, std::uint32_t wire_bytes, TimePoint now, bool has_something) {
    TreeNode& node = states_.node(slot);
    const bool stays = has_something && states_.bucket(slot).schedule.due() <= now;
    if (node.parent == kNoNode) {
      if (stays) [[likely]]
        return;
      states_.run_queue().remove(slot);
      return rest(slot, has_something);
    }
    InnerNode& parent = states_.inner_node(node.parent);
    states_.lists().charge(parent, slot, wire_bytes);
    if (node.guaranteed != 0) charge_guarantee(slot, wire_bytes, now);
    if (!stays) {
      states_.lists().unlink(parent, slot);
      states_.take_off_wheel(slot);
      return rest(slot, has_something);
    }
    if (node.guaranteed != 0) return settle_guaranteed(parent, slot, now);
    states_.lists().end_turn(parent, slot);
  }
  void rest(std::uint32_t slot, bool has_something) {
    if (has_something) return states_.park(slot);
    states_.node(slot).state = NodeState::kIdle;
    states_.publish_departure(slot);
  }
  void settle_guaranteed(InnerNode& parent, std::uint32_t slot, TimePoint now) {
    const TreeNode& node = states_.node(slot);
    const bool below = states_.is_below_guarantee(node, now);
    if (below != (node.list < kGuaranteeLists)) {
      states_.lists().unlink(parent, slot);
      states_.take_off_wheel(slot);
      return states_.link(parent, slot, now, false);
    }
    states_.lists().end_turn(parent, slot);
    if (below) return;
    // An entry that is early costs one look; it must not be late.
    const WheelHook& hook = states_.bucket(slot).hook;
    if (hook.scheduled() && hook.due <= states_.below_guarantee_at(node, now)) return;
    states_.take_off_wheel(slot);
    states_.wait_for_guarantee(slot, now);
  }

  TreeStates& states_;
  std::uint64_t lost_ns_ = 0;
};

}  // namespace drip
