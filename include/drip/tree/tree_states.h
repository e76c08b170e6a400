// SPDX-License-Identifier: BSD-3-Clause
// The states of a tree's nodes: when a node is on the wheel, when in a list of its parent.
#pragma once

#include <cassert>
#include <cstdint>

#include "drip/bucket_array.h"
#include "drip/cache_line.h"
#include "drip/timing_wheel.h"
#include "drip/tree/run_queue.h"
#include "drip/tree/sibling_lists.h"
#include "drip/tree/tree_node.h"

namespace drip {

/// Every node is in one state of NodeState. It has something if it is a leaf with a backlog, or an
/// inner node with a ready child; parked children do not count. So an inner node of which all
/// children are parked is idle and costs nothing, and one whose own schedule is not due parks with
/// all that is below it.
///
/// No wake-up is lost: "the parent has something" and "the child is linked" are one fact, the
/// parent's mask of lists in use, which one thread writes.
///
/// A node has one entry on the wheel. While the node is parked it is at the due time of its
/// schedule; while it is ready, has a guarantee and is not below it, when it falls below it, or
/// earlier. Belongs to the Scheduler's thread.
class TreeStates {
 public:
  using Wheel = TimingWheel<BucketHooks>;

  TreeStates(const BucketArray& buckets, Wheel& wheel)
      : buckets_(buckets),
        wheel_(wheel),
        lists_(buckets.trees.nodes),
        run_queue_(buckets.trees.nodes) {}

  [[nodiscard]] Bucket& bucket(std::uint32_t slot) const { return buckets_[slot]; }
  [[nodiscard]] TreeNode& node(std::uint32_t slot) const { return buckets_.trees.nodes[slot]; }
  [[nodiscard]] NodeGuarantee& guarantee(std::uint32_t slot) const {
    return buckets_.trees.guarantees[slot];
  }
  [[nodiscard]] InnerNode& inner_node(std::uint32_t number) const {
    return buckets_.trees.inner_nodes[number];
  }
  [[nodiscard]] const SiblingLists& lists() const { return lists_; }
  [[nodiscard]] RunQueue& run_queue() { return run_queue_; }
  [[nodiscard]] const RunQueue& run_queue() const { return run_queue_; }
  /// When a root was last found ready. Meaningful while the run queue is not empty.
  [[nodiscard]] TimePoint ready_since() const { return ready_since_; }
  void still_ready(TimePoint now) { ready_since_ = now; }

  /// Prefetches what a unit of a leaf will touch of its parent; those above are few. Not inlined:
  /// the callers are on the path of buckets that are in no tree.
  [[gnu::noinline]] void prefetch_parent(std::uint32_t leaf) const {
    const TreeNode& node = this->node(leaf);
    if (node.parent_slot == kNoNode) return;
    const Bucket& parent = bucket(node.parent_slot);
    prefetch_to_write(&this->node(node.parent_slot));
    prefetch_to_write(&inner_node(node.parent));
    prefetch_to_write(&parent);
    prefetch_to_write(&parent.periods);
  }

  /// Whether the tree is so large that what the next units need must be asked for ahead.
  [[nodiscard]] bool looks_ahead() const { return looks_ahead_; }
  void set_look_ahead(bool on) { looks_ahead_ = on; }
  /// Prefetches what a parent of inner nodes will need for those of its children that are next,
  /// each piece by what was asked for the last time but one: the child, its lists, the head of
  /// these, and the ring of that if it is a leaf. Only hints: the order may change until then.
  void look_ahead(const InnerNode& parent) const {
    if (!SiblingLists::any_ready(parent)) return;
    const TreeNode& first = node(SiblingLists::first(parent));
    const TreeNode& second = node(first.next);
    const TreeNode& fourth = node(node(second.next).next);
    const std::uint32_t sixth = node(fourth.next).next;
    prefetch_node(sixth);
    if (fourth.inner != kNoNode) prefetch_to_write(&inner_node(fourth.inner));
    if (const std::uint32_t head = head_of(second); head != kNoNode) {
      prefetch_node(head);
      prefetch_to_write(&bucket(head).latencies);
    }
    const std::uint32_t head = head_of(first);
    if (head == kNoNode || node(head).inner != kNoNode) return;
    const Bucket& leaf = bucket(head);
    leaf.ring.prefetch_front_two();
    leaf.latencies.prefetch_histograms(buckets_.histograms[head]);
  }

  /// The time by which the guarantee of a child counts: the present less what those above it have
  /// lost beyond their max_catchup. They have had that less to give, so it is owed to nobody.
  [[nodiscard]] TimePoint guarantee_time(const TreeNode& child, TimePoint now) const {
    std::uint64_t lost_ns = 0;
    for (const TreeNode* at = &child; at->parent != kNoNode; at = &node(at->parent_slot)) {
      lost_ns += inner_node(at->parent).lost_ns;
    }
    return TimePoint{now.ns - lost_ns};
  }
  [[nodiscard]] bool is_below_guarantee(std::uint32_t slot, TimePoint now) const {
    const TreeNode& child = node(slot);
    return child.guaranteed != 0 && !guarantee(slot).point.after(guarantee_time(child, now));
  }

  [[nodiscard]] bool has_something(std::uint32_t slot) const {
    const std::uint32_t inner = node(slot).inner;
    return inner == kNoNode ? bucket(slot).backlog.get() > 0
                            : SiblingLists::any_ready(inner_node(inner));
  }

  /// A node that is linked nowhere and not on the wheel has something: since `since`, if it was
  /// idle. Goes up while that gives a parent its first ready child.
  void activate(std::uint32_t slot, TimePoint now, FinePoint since) {
    for (;;) {
      Bucket& at = bucket(slot);
      TreeNode& node = this->node(slot);
      const bool was_idle = node.state == NodeState::kIdle;
      if (was_idle) leave_idle(slot, since);
      if (at.paused != 0) [[unlikely]] {
        node.state = NodeState::kStopped;
        return;
      }
      if (at.schedule.due() > now) return park(slot);
      node.state = NodeState::kReady;
      if (node.parent == kNoNode) {
        run_queue_.push(slot);
        ready_since_ = now;
        return;
      }
      InnerNode& parent = inner_node(node.parent);
      const bool had = SiblingLists::any_ready(parent);
      link(parent, slot, now, was_idle);
      if (had) return;
      since = later_of(since, at.schedule.departure_time());
      slot = parent.slot;
    }
  }
  /// A node leaves idle at `since`: time in which it had nothing is not made up for.
  void leave_idle(std::uint32_t slot, FinePoint since) const {
    const TreeNode& node = this->node(slot);
    // A leaf's own schedule has begun when its head arrived.
    if (node.inner != kNoNode && node.capped != 0) bucket(slot).schedule.raise_to(since);
    if (node.guaranteed != 0) raise_guarantee(slot, since);
  }
  /// A guarantee begins. REQUIRES: it has one.
  void start_guarantee(std::uint32_t slot, FinePoint at) const {
    guarantee(slot).point = at;
    guarantee(slot).metered = at;
  }
  /// The same for its guarantee. REQUIRES: it has one.
  void raise_guarantee(std::uint32_t slot, FinePoint since) const {
    since.ns = guarantee_time(node(slot), TimePoint{since.ns}).ns;
    FinePoint& point = guarantee(slot).point;
    point = later_of(point, since);
  }
  /// A child whose state is kReady enters one of its parent's lists.
  void link(InnerNode& parent, std::uint32_t slot, TimePoint now, bool was_idle) {
    const TreeNode& child = node(slot);
    if (is_below_guarantee(slot, now)) {
      return lists_.link_below_guarantee(parent, slot, child.guarantee_list, was_idle);
    }
    lists_.link_by_priority(parent, slot, was_idle);
    if (child.guaranteed == 0) return;
    lists_.note_far_ahead(parent, slot);
    wait_for_guarantee(slot, now);
  }
  /// When a child falls below its guarantee, if nobody above it loses any more until then.
  [[nodiscard]] TimePoint below_guarantee_at(std::uint32_t slot, TimePoint now) const {
    return guarantee(slot).point.ceil() + (now - guarantee_time(node(slot), now));
  }
  /// The wheel tells when a ready child falls below its guarantee. REQUIRES: not on the wheel.
  void wait_for_guarantee(std::uint32_t slot, TimePoint now) {
    bucket(slot).hook.due = below_guarantee_at(slot, now);
    wheel_.insert(slot);
  }
  void park(std::uint32_t slot) {
    node(slot).state = NodeState::kParked;
    publish_departure(slot);
    wheel_.insert(slot);
  }
  void publish_departure(std::uint32_t slot) const {
    bucket(slot).hook.due = bucket(slot).schedule.due();
  }
  void take_off_wheel(std::uint32_t slot) {
    if (bucket(slot).hook.scheduled()) wheel_.remove(slot);
  }

  /// Takes a node out of lists and wheel: it is idle. So are those above it that have nothing then.
  void deactivate(std::uint32_t slot) {
    for (;;) {
      TreeNode& node = this->node(slot);
      const bool was_ready = node.state == NodeState::kReady;
      take_off_wheel(slot);
      node.state = NodeState::kIdle;
      if (!was_ready) return;
      if (node.parent == kNoNode) return run_queue_.remove(slot);
      InnerNode& parent = inner_node(node.parent);
      lists_.unlink(parent, slot);
      if (SiblingLists::any_ready(parent)) return;
      slot = parent.slot;
    }
  }
  /// A leaf's head has no room at its egress: not looked at before `retry`, and nothing is charged.
  void hold(std::uint32_t slot, TimePoint retry) {
    deactivate(slot);
    node(slot).state = NodeState::kHeld;
    publish_departure(slot);
    wheel_.insert_at(slot, retry);
  }

  /// The wheel says that a node is due.
  void on_due(std::uint32_t slot, TimePoint now) {
    // On the wheel again since it was taken off: for a later time.
    if (bucket(slot).hook.scheduled()) [[unlikely]]
      return;
    TreeNode& node = this->node(slot);
    if (node.state == NodeState::kParked || node.state == NodeState::kHeld) {
      return activate(slot, now, bucket(slot).schedule.departure_time());
    }
    if (node.state != NodeState::kReady || node.guaranteed == 0 || node.list < kGuaranteeLists) {
      return;
    }
    if (!is_below_guarantee(slot, now)) return wait_for_guarantee(slot, now);
    InnerNode& parent = inner_node(node.parent);
    lists_.unlink(parent, slot);
    lists_.link_below_guarantee(parent, slot, node.guarantee_list, false);
  }
  /// The schedule of a node, its head, or whether it is paused has changed.
  void update(std::uint32_t slot, TimePoint now) {
    const Bucket& at = bucket(slot);
    const bool has = has_something(slot);
    const bool due = has && at.paused == 0 && at.schedule.due() <= now;
    if (node(slot).state != NodeState::kReady || !due) {
      deactivate(slot);
      if (has) {
        node(slot).state = NodeState::kParked;  // Not idle: it keeps what it is behind.
        activate(slot, now, FinePoint::of(now));
      }
    }
    if (!at.hook.scheduled()) publish_departure(slot);
  }

  /// A leaf continues that was on another thread: what is there has waited for as long as its
  /// schedule says. `was_idle`: it came while the leaf moved.
  void continue_leaf(std::uint32_t slot, TimePoint now, bool was_idle) {
    deactivate(slot);
    if (has_something(slot)) {
      if (!was_idle) node(slot).state = NodeState::kParked;  // It keeps what it is behind.
      activate(slot, now, bucket(slot).schedule.departure_time());
    }
    if (!bucket(slot).hook.scheduled()) publish_departure(slot);
  }

 private:
  // Who is next in a node; kNoNode: it is a leaf, or nobody.
  [[nodiscard]] std::uint32_t head_of(const TreeNode& node) const {
    if (node.inner == kNoNode) return kNoNode;
    const InnerNode& lists = inner_node(node.inner);
    return SiblingLists::any_ready(lists) ? SiblingLists::first(lists) : kNoNode;
  }
  void prefetch_node(std::uint32_t slot) const {
    const Bucket& at = bucket(slot);
    prefetch_to_write(&node(slot));
    prefetch_to_write(&at);
    prefetch_to_write(&at.periods);
  }

  BucketArray buckets_;
  Wheel& wheel_;
  SiblingLists lists_;
  RunQueue run_queue_;
  TimePoint ready_since_;
  bool looks_ahead_ = false;
};

}  // namespace drip
