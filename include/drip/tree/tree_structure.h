// SPDX-License-Identifier: BSD-3-Clause
// Which node is whose child: what of a tree changes with its configuration only.
#pragma once

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstdint>
#include <new>

#include "drip/tree/tree_node.h"

namespace drip {

/// Over the memory of TreeArrays. All changes cost O(depth). Belongs to the Scheduler's thread.
class TreeStructure {
 public:
  explicit TreeStructure(const TreeArrays& arrays) : arrays_(arrays) {}

  [[nodiscard]] std::uint32_t max_inner_nodes() const { return arrays_.max_inner_nodes; }
  [[nodiscard]] std::uint32_t inner_nodes() const { return inner_nodes_; }

  // The rest is for slots of which the bucket is in a tree.

  [[nodiscard]] bool is_inner(std::uint32_t slot) const { return node(slot).inner != kNoNode; }
  [[nodiscard]] bool is_root(std::uint32_t slot) const { return node(slot).parent == kNoNode; }
  /// kNoNode: it is a root.
  [[nodiscard]] std::uint32_t parent(std::uint32_t slot) const { return node(slot).parent_slot; }
  /// REQUIRES: is_inner(slot).
  [[nodiscard]] const InnerNode& inner(std::uint32_t slot) const {
    return arrays_.inner_nodes[node(slot).inner];
  }
  [[nodiscard]] std::uint32_t children(std::uint32_t slot) const {
    return is_inner(slot) ? inner(slot).children : 0;
  }
  /// kNoNode: it has none.
  [[nodiscard]] std::uint32_t first_child(std::uint32_t slot) const {
    return is_inner(slot) ? inner(slot).first_child : kNoNode;
  }
  [[nodiscard]] std::uint32_t next_sibling(std::uint32_t slot) const {
    return node(slot).next_sibling;
  }
  /// Nodes from the root to this one, both included.
  [[nodiscard]] std::uint32_t depth(std::uint32_t slot) const {
    std::uint32_t depth = 1;
    for (; !is_root(slot); slot = parent(slot)) ++depth;
    return depth;
  }
  /// Nodes from this one to the deepest one below it, both included.
  [[nodiscard]] std::uint32_t height(std::uint32_t slot) const {
    if (!is_inner(slot)) return 1;
    const InnerNode& as_parent = inner(slot);
    std::uint32_t height = kMaxTreeDepth;
    while (height > 0 && as_parent.children_by_height[height - 1] == 0) --height;
    return height + 1;
  }
  /// Whether `slot` is `above` or lies below it.
  [[nodiscard]] bool is_within(std::uint32_t slot, std::uint32_t above) const {
    while (slot != above && !is_root(slot)) slot = parent(slot);
    return slot == above;
  }
  [[nodiscard]] double guaranteed_units(std::uint32_t slot) const {
    return node(slot).guaranteed != 0 ? arrays_.guarantees[slot].units_per_second : 0;
  }
  [[nodiscard]] double guaranteed_bits(std::uint32_t slot) const {
    return node(slot).guaranteed != 0 ? arrays_.guarantees[slot].bits_per_second : 0;
  }

  // ---- Changes

  /// A node without parent and children. REQUIRES: room for an inner node, if it is one.
  TreeNode& add(std::uint32_t slot, bool inner) {
    TreeNode& node = *new (&arrays_.nodes[slot]) TreeNode;
    if (!inner) return node;
    assert(inner_nodes_ < arrays_.max_inner_nodes);
    ++inner_nodes_;
    const bool reused = first_free_ != kNoNode;
    node.inner = reused ? first_free_ : first_unused_++;
    if (reused) first_free_ = arrays_.inner_nodes[node.inner].slot;
    (new (&arrays_.inner_nodes[node.inner]) InnerNode)->slot = slot;
    return node;
  }
  /// REQUIRES: no parent and no children.
  void remove(std::uint32_t slot) {
    assert(is_root(slot) && children(slot) == 0);
    if (!is_inner(slot)) return;
    --inner_nodes_;
    const std::uint32_t released = node(slot).inner;
    arrays_.inner_nodes[released].slot = first_free_;
    first_free_ = released;
  }

  /// REQUIRES: no parent; the depth allows it.
  void add_child(std::uint32_t parent_slot, std::uint32_t slot) {
    TreeNode& child = arrays_.nodes[slot];
    child.parent = arrays_.nodes[parent_slot].inner;
    child.parent_slot = parent_slot;
    InnerNode& as_parent = arrays_.inner_nodes[child.parent];
    child.next_sibling = as_parent.first_child;
    child.previous_sibling = kNoNode;
    if (child.next_sibling != kNoNode) arrays_.nodes[child.next_sibling].previous_sibling = slot;
    as_parent.first_child = slot;
    ++as_parent.children;
    add_guarantee(as_parent, slot, 1);
    count_height(parent_slot, 0, height(slot));
  }
  /// REQUIRES: a parent; linked in none of its lists.
  void remove_child(std::uint32_t slot) {
    TreeNode& child = arrays_.nodes[slot];
    InnerNode& as_parent = arrays_.inner_nodes[child.parent];
    (child.previous_sibling != kNoNode ? arrays_.nodes[child.previous_sibling].next_sibling
                                       : as_parent.first_child) = child.next_sibling;
    if (child.next_sibling != kNoNode) {
      arrays_.nodes[child.next_sibling].previous_sibling = child.previous_sibling;
    }
    add_guarantee(as_parent, slot, -1);
    if (--as_parent.children == 0) {  // No rounding is left over.
      as_parent.guaranteed_units_per_second = 0;
      as_parent.guaranteed_bits_per_second = 0;
    }
    count_height(as_parent.slot, height(slot), 0);
    child.parent = kNoNode;
    child.parent_slot = kNoNode;
  }
  /// Rates of 0: none.
  void set_guarantee(std::uint32_t slot, double units_per_second, double bits_per_second) {
    TreeNode& child = arrays_.nodes[slot];
    if (!is_root(slot)) add_guarantee(arrays_.inner_nodes[child.parent], slot, -1);
    child.guaranteed = static_cast<std::uint8_t>(units_per_second != 0 || bits_per_second != 0);
    if (child.guaranteed == 0) return;
    NodeGuarantee& guarantee = arrays_.guarantees[slot];
    guarantee.periods = ServicePeriods::of_rates(units_per_second, bits_per_second);
    guarantee.units_per_second = units_per_second;
    guarantee.bits_per_second = bits_per_second;
    child.guarantee_list = octave(guarantee.periods);
    if (!is_root(slot)) add_guarantee(arrays_.inner_nodes[child.parent], slot, 1);
  }

 private:
  [[nodiscard]] const TreeNode& node(std::uint32_t slot) const { return arrays_.nodes[slot]; }

  // 0 for rates whose 1000 bytes take less than 32 ns, one more for each factor of two.
  static std::uint8_t octave(const ServicePeriods& periods) {
    const int bits = static_cast<int>(std::bit_width(periods.service(1000).ns)) - 5;
    return static_cast<std::uint8_t>(std::clamp(bits, 0, static_cast<int>(kGuaranteeLists) - 1));
  }
  void add_guarantee(InnerNode& as_parent, std::uint32_t slot, int sign) const {
    if (node(slot).guaranteed == 0) return;
    as_parent.guaranteed_units_per_second += sign * guaranteed_units(slot);
    as_parent.guaranteed_bits_per_second += sign * guaranteed_bits(slot);
  }
  // Children of height `from` become one fewer, those of height `to` one more (0: none); the
  // heights of the parent and of those above it follow.
  void count_height(std::uint32_t slot, std::uint32_t from, std::uint32_t to) const {
    for (;; slot = parent(slot)) {
      InnerNode& as_parent = arrays_.inner_nodes[node(slot).inner];
      const std::uint32_t before = height(slot);
      if (from > 0) --as_parent.children_by_height[from - 1];
      if (to > 0) ++as_parent.children_by_height[to - 1];
      const std::uint32_t after = height(slot);
      if (before == after || is_root(slot)) return;
      from = before;
      to = after;
    }
  }

  TreeArrays arrays_;
  std::uint32_t inner_nodes_ = 0;
  std::uint32_t first_unused_ = 0;  // Inner nodes from here on were never used.
  std::uint32_t first_free_ = kNoNode;
};

}  // namespace drip
