// SPDX-License-Identifier: BSD-3-Clause
// The ready children of one parent: who is served next.
//
// Children of one priority share by start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996)
// in rounds. The virtual start (tag) of a child grows by bytes / weight with each unit. A round
// begins at R; a child is of this round while its tag is below R + Q. Q is a power of two, at least
// the largest cost of a unit that was seen. Children of this round stand in front of the mark of a
// circular list, those of the next behind it, so that all is O(1):
// - the head is served; when it has used the round up, the head moves on and the child is last;
// - when the head reaches the mark, R += Q and the mark goes.
// Three rules make children come out right that come and go:
// - who becomes ready goes to the front if it is of this round;
// - who was idle starts at R at the least; who was only parked keeps what it is behind, up to 2 Q;
// - tags end at R + 2 Q: what a guarantee gave beyond the share starves nobody later.
// Two backlogged siblings differ by at most Q and a largest unit of each, in bytes / weight.
//
// Children below their guarantee come before all others, in lists by the octave of their rate, the
// fastest first: in one list a child with half of the link would fall behind by one unit of each
// small sibling.
#pragma once

#include <bit>
#include <cassert>
#include <cstdint>

#include "drip/tree/tree_node.h"

namespace drip {

/// Works on the memory of a tree and has no state of its own.
class SiblingLists {
 public:
  explicit SiblingLists(TreeNode* nodes) : nodes_(nodes) {}

  /// The lists' number for a priority.
  [[nodiscard]] static constexpr std::uint8_t list_of(std::uint8_t priority) {
    return static_cast<std::uint8_t>(kSiblingLists - 1 - priority);
  }
  [[nodiscard]] static bool any_ready(const InnerNode& parent) { return parent.lists_in_use != 0; }

  /// The child that is served next; begins a new round if that is due. REQUIRES: any_ready().
  std::uint32_t pick(InnerNode& parent) const {
    const auto list = static_cast<unsigned>(std::countr_zero(parent.lists_in_use));
    if (list < kGuaranteeLists) return parent.guarantee_heads[list];
    const unsigned priority = kSiblingLists - 1 - list;
    RoundList& round_list = parent.rounds[priority];
    if (round_list.head == round_list.mark) {
      round_list.round += quantum(parent, priority);
      round_list.mark = kNoNode;
    }
    return round_list.head;
  }
  /// pick() without a new round.
  [[nodiscard]] static std::uint32_t first(const InnerNode& parent) {
    const auto list = static_cast<unsigned>(std::countr_zero(parent.lists_in_use));
    return list < kGuaranteeLists ? parent.guarantee_heads[list]
                                  : parent.rounds[kSiblingLists - 1 - list].head;
  }

  /// Links a child in the list of its priority. REQUIRES: linked nowhere.
  void link_by_priority(InnerNode& parent, std::uint32_t child, bool was_idle) const {
    TreeNode& node = nodes_[child];
    RoundList& list = parent.rounds[node.priority];
    const std::uint64_t width = quantum(parent, node.priority);
    set_tag_on_return(node, list, width, was_idle);
    const bool of_this_round = is_before(node.tag, list.round + width);
    node.list = list_of(node.priority);
    parent.lists_in_use |= std::uint64_t{1} << node.list;
    if (list.head == kNoNode) {
      make_only(child, list.head);
      list.mark = of_this_round ? kNoNode : child;
      return;
    }
    insert_last(child, list.head);
    if (of_this_round) {
      list.head = child;
    } else if (list.mark == kNoNode) {
      list.mark = child;
    }
  }
  /// Links a child as the last one of a list of those below their guarantee.
  void link_below_guarantee(InnerNode& parent, std::uint32_t child, std::uint8_t list,
                            bool was_idle) const {
    TreeNode& node = nodes_[child];
    set_tag_on_return(node, parent.rounds[node.priority], quantum(parent, node.priority), was_idle);
    node.list = list;
    parent.lists_in_use |= std::uint64_t{1} << list;
    std::uint32_t& head = parent.guarantee_heads[list];
    if (head == kNoNode) return make_only(child, head);
    insert_last(child, head);
  }
  void unlink(InnerNode& parent, std::uint32_t child) const {
    const TreeNode& node = nodes_[child];
    const bool by_priority = node.list >= kGuaranteeLists;
    RoundList* const rounds = by_priority ? &parent.rounds[kSiblingLists - 1 - node.list] : nullptr;
    std::uint32_t& head = by_priority ? rounds->head : parent.guarantee_heads[node.list];
    if (node.next == child) {
      head = kNoNode;
      if (by_priority) rounds->mark = kNoNode;
      parent.lists_in_use &= ~(std::uint64_t{1} << node.list);
      return;
    }
    // Behind the last child there is no next round, unless all of the list is of it.
    if (by_priority && rounds->mark == child) {
      rounds->mark = node.next == head && child != head ? kNoNode : node.next;
    }
    if (head == child) head = node.next;
    nodes_[node.next].previous = node.previous;
    nodes_[node.previous].next = node.next;
  }

  /// Charges a unit to a child's share, whatever list it came from.
  static void charge(InnerNode& parent, TreeNode& node, std::uint32_t wire_bytes) {
    const std::uint64_t width = width_for(parent, node, wire_bytes);
    node.tag = charged(node, parent.rounds[node.priority].round + 2 * width, wire_bytes);
  }
  /// The same for the head of the list of its priority, which stays ready: it goes on, or its turn
  /// ends.
  static void charge_turn(InnerNode& parent, TreeNode& node, std::uint32_t child,
                          std::uint32_t wire_bytes) {
    assert(node.list >= kGuaranteeLists);
    RoundList& list = parent.rounds[node.priority];
    const std::uint64_t width = width_for(parent, node, wire_bytes);
    const std::uint64_t end = list.round + width;
    node.tag = charged(node, end + width, wire_bytes);
    if (!is_before(node.tag, end)) end_round(list, node, child);
  }
  /// The child that has just been served and charged stays ready: it goes on, or its turn ends.
  /// REQUIRES: the head of its list.
  void end_turn(InnerNode& parent, std::uint32_t child) const {
    const TreeNode& node = nodes_[child];
    if (node.list < kGuaranteeLists) {
      parent.guarantee_heads[node.list] = node.next;
      return;
    }
    RoundList& list = parent.rounds[node.priority];
    if (!is_before(node.tag, list.round + quantum(parent, node.priority))) {
      end_round(list, node, child);
    }
  }
  /// What linking, picking, charging and unlinking does to the tag of a child that leaves idle, is
  /// served and idle again while no sibling is ready.
  static void charge_idle(InnerNode& parent, TreeNode& node, std::uint32_t wire_bytes,
                          bool below_guarantee) {
    RoundList& list = parent.rounds[node.priority];
    const std::uint64_t width = quantum(parent, node.priority);
    // set_tag_on_return(): before the round, or further ahead than may be, is the round's begin.
    std::uint64_t ahead = node.tag - list.round;
    if (ahead > 2 * width) ahead = 0;
    if (ahead >= width && !below_guarantee) {
      list.round += width;
      ahead -= width;
    }
    const std::uint64_t most = 2 * width_for(parent, node, wire_bytes);
    ahead += cost_of(node, wire_bytes);
    node.tag = list.round + (ahead > most ? most : ahead);
  }
  /// The same for a child that was parked.
  static void charge_alone(InnerNode& parent, TreeNode& node, std::uint32_t wire_bytes,
                           bool below_guarantee) {
    RoundList& list = parent.rounds[node.priority];
    const std::uint64_t width = quantum(parent, node.priority);
    set_tag_on_return(node, list, width, false);
    if (!below_guarantee && !is_before(node.tag, list.round + width)) list.round += width;
    charge(parent, node, wire_bytes);
  }
  /// A child comes from elsewhere: nothing is held against it or in its favour.
  void start_tag(const InnerNode& parent, std::uint32_t child) const {
    nodes_[child].tag = parent.rounds[nodes_[child].priority].round;
  }

 private:
  // As serial numbers.
  [[nodiscard]] static bool is_before(std::uint64_t a, std::uint64_t b) {
    return static_cast<std::int64_t>(a - b) < 0;
  }
  [[nodiscard]] static std::uint64_t quantum(const InnerNode& parent, unsigned priority) {
    return std::uint64_t{1} << parent.quantum_log2[priority];
  }
  static void set_tag_on_return(TreeNode& node, const RoundList& list, std::uint64_t width,
                                bool was_idle) {
    const auto ahead = static_cast<std::int64_t>(node.tag - list.round);
    const auto most = static_cast<std::int64_t>(2 * width);
    // Further ahead than charge() lets it be: the round has wrapped since.
    if (ahead > most) node.tag = list.round;
    const std::int64_t least = was_idle ? 0 : -most;
    if (ahead < least) node.tag = list.round + static_cast<std::uint64_t>(least);
  }
  static void end_round(RoundList& list, const TreeNode& node, std::uint32_t child) {
    assert(list.head == child);
    if (list.mark == kNoNode) list.mark = child;
    list.head = node.next;
  }
  // A request need not say how large it is: it counts as a packet of usual size, or its siblings
  // would never have their turn.
  static constexpr std::uint32_t kUnsizedBytes = 1514;
  static std::uint64_t cost_of(const TreeNode& node, std::uint32_t wire_bytes) {
    return std::uint64_t{wire_bytes == 0 ? kUnsizedBytes : wire_bytes} * node.inverse_weight;
  }
  // The quantum with which a unit is charged.
  static std::uint64_t width_for(InnerNode& parent, const TreeNode& node,
                                 std::uint32_t wire_bytes) {
    const std::uint64_t cost = cost_of(node, wire_bytes);
    const std::uint64_t width = quantum(parent, node.priority);
    return cost > width ? widen(parent, node.priority, cost) : width;
  }
  static std::uint64_t charged(const TreeNode& node, std::uint64_t most, std::uint32_t wire_bytes) {
    const std::uint64_t tag = node.tag + cost_of(node, wire_bytes);
    return is_before(most, tag) ? most : tag;
  }
  // A larger cost than any before; returns the new quantum.
  [[gnu::noinline]] static std::uint64_t widen(InnerNode& parent, unsigned priority,
                                               std::uint64_t cost) {
    parent.quantum_log2[priority] = static_cast<std::uint8_t>(std::bit_width(cost - 1));
    return quantum(parent, priority);
  }
  void make_only(std::uint32_t child, std::uint32_t& head) const {
    head = child;
    nodes_[child].next = child;
    nodes_[child].previous = child;
  }
  void insert_last(std::uint32_t child, std::uint32_t head) const {
    TreeNode& first = nodes_[head];
    TreeNode& node = nodes_[child];
    node.next = head;
    node.previous = first.previous;
    nodes_[first.previous].next = child;
    first.previous = child;
  }

  TreeNode* nodes_;
};

}  // namespace drip
