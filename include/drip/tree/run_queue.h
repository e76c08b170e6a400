// SPDX-License-Identifier: BSD-3-Clause
// The roots that are ready: served in turn.
#pragma once

#include <cstdint>

#include "drip/tree/tree_node.h"

namespace drip {

/// A circular list through the roots' own nodes. Belongs to the Scheduler's thread.
class RunQueue {
 public:
  explicit RunQueue(TreeNode* nodes) : nodes_(nodes) {}

  [[nodiscard]] bool empty() const { return head_ == kNoNode; }
  /// REQUIRES: !empty().
  [[nodiscard]] std::uint32_t front() const { return head_; }
  void push(std::uint32_t root) {
    TreeNode& node = nodes_[root];
    if (empty()) {
      head_ = node.next = node.previous = root;
      return;
    }
    TreeNode& first = nodes_[head_];
    node.next = head_;
    node.previous = first.previous;
    nodes_[first.previous].next = root;
    first.previous = root;
  }
  void remove(std::uint32_t root) {
    const TreeNode& node = nodes_[root];
    if (node.next == root) {
      head_ = kNoNode;
      return;
    }
    if (head_ == root) head_ = node.next;
    nodes_[node.next].previous = node.previous;
    nodes_[node.previous].next = node.next;
  }
  /// The front one goes to the end.
  void rotate() { head_ = nodes_[head_].next; }

 private:
  TreeNode* nodes_;
  std::uint32_t head_ = kNoNode;
};

}  // namespace drip
