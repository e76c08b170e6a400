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
  [[nodiscard]] static bool any_ready(const InnerNode& parent) {
    return parent.lists_in_use > kFarAhead;
  }

  /// The child that is served next; begins a new round if that is due. REQUIRES: any_ready().
  std::uint32_t pick(InnerNode& parent) const {
    const auto bit = static_cast<unsigned>(std::countr_zero(parent.lists_in_use));
    if (bit <= kGuaranteeLists) [[unlikely]]
      return pick_less_common(parent, bit);
    RoundList& round_list = parent.rounds[priority_of(bit)];
    if (round_list.head == round_list.mark) {
      begin_round(round_list, quantum(parent, priority_of(bit)));
    }
    return round_list.head;
  }
  /// pick() without a new round, and without passing over those far ahead.
  [[nodiscard]] static std::uint32_t first(const InnerNode& parent) {
    auto bit = static_cast<unsigned>(std::countr_zero(parent.lists_in_use));
    if (bit == 0) [[unlikely]]
      bit = static_cast<unsigned>(std::countr_zero(parent.lists_in_use & ~kFarAhead));
    return bit <= kGuaranteeLists ? parent.guarantee_heads[bit - 1]
                                  : parent.rounds[priority_of(bit)].head;
  }

  /// Links a child in the list of its priority. REQUIRES: linked nowhere.
  void link_by_priority(InnerNode& parent, std::uint32_t child, bool was_idle) const {
    TreeNode& node = nodes_[child];
    RoundList& list = parent.rounds[node.priority];
    const std::uint64_t width = quantum(parent, node.priority);
    set_tag_on_return(node, list, width, was_idle);
    const bool of_this_round = is_before(node.tag, list.round + width);
    node.list = list_of(node.priority);
    parent.lists_in_use |= in_use(node.list);
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
  /// A child that has a guarantee has been linked in the list of its priority.
  void note_far_ahead(InnerNode& parent, std::uint32_t child) const {
    const TreeNode& node = nodes_[child];
    const std::uint64_t width = quantum(parent, node.priority);
    if (!is_before(node.tag, parent.rounds[node.priority].round + 2 * width)) {
      parent.lists_in_use |= kFarAhead;
    }
  }
  /// Links a child as the last one of a list of those below their guarantee.
  void link_below_guarantee(InnerNode& parent, std::uint32_t child, std::uint8_t list,
                            bool was_idle) const {
    TreeNode& node = nodes_[child];
    set_tag_on_return(node, parent.rounds[node.priority], quantum(parent, node.priority), was_idle);
    node.list = list;
    parent.lists_in_use |= in_use(list);
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
      parent.lists_in_use &= ~in_use(node.list);
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

  /// Charges a unit to the share of a child that came from the list of its priority.
  static void charge(InnerNode& parent, TreeNode& node, std::uint32_t wire_bytes) {
    const std::uint64_t width = width_for(parent, node, wire_bytes);
    node.tag = charged(node, parent.rounds[node.priority].round + 2 * width, wire_bytes);
  }
  /// The same for a child that has a guarantee, whatever list it came from.
  static void charge_guaranteed(InnerNode& parent, TreeNode& node, std::uint32_t wire_bytes) {
    const std::uint64_t width = width_for(parent, node, wire_bytes);
    node.tag = charged(node, parent.rounds[node.priority].round + kMostAhead * width, wire_bytes);
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
    if (ahead > kMostAhead * width) ahead = 0;
    while (ahead >= width && !below_guarantee) {
      list.round += width;
      ahead -= width;
    }
    const std::uint64_t most = kMostAhead * width_for(parent, node, wire_bytes);
    ahead += cost_of(node, wire_bytes);
    node.tag = list.round + (ahead > most ? most : ahead);
  }
  /// The same for a child that was parked.
  static void charge_alone(InnerNode& parent, TreeNode& node, std::uint32_t wire_bytes,
                           bool below_guarantee) {
    RoundList& list = parent.rounds[node.priority];
    const std::uint64_t width = quantum(parent, node.priority);
    set_tag_on_return(node, list, width, false);
    if (!below_guarantee) {
      while (!is_before(node.tag, list.round + width)) list.round += width;
    }
    charge_guaranteed(parent, node, wire_bytes);
  }
  /// A child comes from elsewhere: nothing is held against it or in its favour.
  void start_tag(const InnerNode& parent, std::uint32_t child) const {
    nodes_[child].tag = parent.rounds[nodes_[child].priority].round;
  }

 private:
  // Bits of InnerNode::lists_in_use: one for each list; and the lowest, that a child has been so
  // far ahead that it is due only after the next round. There pick() finds it without looking for
  // it. Parents of which that was once true go on to ask.
  static constexpr std::uint64_t kFarAhead = 1;
  static constexpr std::uint64_t in_use(unsigned list) { return std::uint64_t{2} << list; }
  static constexpr unsigned priority_of(unsigned bit) { return kSiblingLists - bit; }
  static_assert(kSiblingLists < 64);

  // How far, in rounds, a tag may be ahead of the present round. In the worst case a child has
  // ended its turn a largest unit beyond the round's end, which is less than a round, and gets up
  // to what a round gives it by its guarantee before the next round begins. With less, that would
  // be forgiven and the guarantee a bonus; with more, what a child has got beyond its share by a
  // guarantee would be held against it for longer.
  static constexpr unsigned kMostAhead = 3;
  // Bounds the work of one pick where many are that far ahead; who is next then is served before
  // its round.
  static constexpr int kMostPassedOver = 8;

  static void begin_round(RoundList& list, std::uint64_t width) {
    list.round += width;
    list.mark = kNoNode;
  }
  // pick() among those below their guarantee, or where some are far ahead: these wait for their
  // round.
  [[gnu::noinline]] std::uint32_t pick_less_common(InnerNode& parent, unsigned bit) const {
    if (bit == 0) {
      bit = static_cast<unsigned>(std::countr_zero(parent.lists_in_use & ~kFarAhead));
    }
    if (bit <= kGuaranteeLists) return parent.guarantee_heads[bit - 1];
    RoundList& list = parent.rounds[priority_of(bit)];
    const std::uint64_t width = quantum(parent, priority_of(bit));
    for (int passed_over = 0;; ++passed_over) {
      if (list.head == list.mark) begin_round(list, width);
      const TreeNode& node = nodes_[list.head];
      if (is_before(node.tag, list.round + width) || passed_over == kMostPassedOver) {
        return list.head;
      }
      end_round(list, node, list.head);
    }
  }
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
    const auto most = static_cast<std::int64_t>(kMostAhead * width);
    // Further ahead than charge() lets it be: the round has wrapped since.
    if (ahead > most) node.tag = list.round;
    const std::int64_t least = was_idle ? 0 : -static_cast<std::int64_t>(2 * width);
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
