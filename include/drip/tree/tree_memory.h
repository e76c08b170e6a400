// SPDX-License-Identifier: BSD-3-Clause
// The memory of the trees of a Shaper.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

#include "drip/tree/tree_node.h"

namespace drip {

/// Owns zeroed arrays for `slots` buckets and `inner_nodes` of them as inner nodes. What is not
/// used takes no pages, where the system's calloc() takes large blocks of zeros from the kernel.
class TreeMemory {
 public:
  /// Throws std::bad_alloc.
  TreeMemory(std::uint32_t slots, std::uint32_t inner_nodes)
      : nodes_(zeroed(slots * sizeof(TreeNode))),
        guarantees_(zeroed(slots * sizeof(NodeGuarantee))),
        inner_(zeroed(inner_nodes * sizeof(InnerNode))),
        inner_nodes_(inner_nodes) {}

  [[nodiscard]] TreeArrays arrays() const {
    return {static_cast<TreeNode*>(aligned(nodes_)),
            static_cast<NodeGuarantee*>(aligned(guarantees_)),
            static_cast<InnerNode*>(aligned(inner_)), inner_nodes_};
  }

 private:
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  using Memory = std::unique_ptr<void, Free>;

  static Memory zeroed(std::size_t bytes) {
    Memory memory(bytes == 0 ? nullptr : std::calloc(bytes + kCacheLineBytes, 1));
    if (bytes != 0 && memory == nullptr) throw std::bad_alloc();
    return memory;
  }
  static void* aligned(const Memory& memory) {
    void* at = memory.get();
    std::size_t space = 2 * kCacheLineBytes;
    return at == nullptr ? nullptr : std::align(kCacheLineBytes, kCacheLineBytes, at, space);
  }

  Memory nodes_;
  Memory guarantees_;
  Memory inner_;
  std::uint32_t inner_nodes_;
};

}  // namespace drip
