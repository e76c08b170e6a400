// SPDX-License-Identifier: BSD-3-Clause
// What a bucket has beside its own five cache lines if it is a node of a tree.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "drip/cache_line.h"
#include "drip/counter.h"
#include "drip/time.h"
#include "drip/tree/node_settings.h"
#include "drip/virtual_schedule.h"

namespace drip {

/// Each state follows from what can be seen (docs/decisions/0016-trees.md):
enum class NodeState : std::uint8_t {
  kIdle,     ///< A leaf without backlog, an inner node without a ready child: linked nowhere.
  kParked,   ///< It has something, its own schedule is not due: on the wheel until then.
  kHeld,     ///< A leaf whose head has no room at its egress: on the wheel until the retry.
  kStopped,  ///< It has something and is paused: linked nowhere.
  kReady,    ///< It has something and its schedule is due: in a list of its parent; a root in the
             ///< run queue.
};

/// A state that one thread sets and any thread may read.
class PublishedNodeState {
 public:
  PublishedNodeState& operator=(NodeState state) {
    state_.store(state, std::memory_order_relaxed);
    return *this;
  }
  // NOLINTNEXTLINE(google-explicit-constructor): it is a NodeState to whoever reads it.
  operator NodeState() const { return state_.load(std::memory_order_relaxed); }

 private:
  std::atomic<NodeState> state_{NodeState::kIdle};
};

/// The lists of a parent, in the order in which they are served: children below their guarantee by
/// octave of its rate, then priorities from the highest on.
inline constexpr unsigned kGuaranteeLists = 26;
inline constexpr unsigned kSiblingLists = kGuaranteeLists + kPriorities;

/// A node as a child: one cache line for each bucket slot, written by the owner of the Scheduler.
/// Pages are touched only for slots of which the bucket is in a tree.
struct alignas(kCacheLineBytes) TreeNode {
  std::uint32_t next = kNoNode;  // Of the same list, circular; of a root: the run queue.
  std::uint32_t previous = kNoNode;
  std::uint32_t parent = kNoNode;  // Its InnerNode, not its slot.
  std::uint32_t parent_slot = kNoNode;
  std::uint32_t inner = kNoNode;  // The node's own InnerNode; kNoNode: it is a leaf.
  std::uint32_t inverse_weight = kInverseWeightScale;
  // Virtual start of the next unit among siblings of the same priority, in bytes / weight x 2^31.
  // Modulo 2^64: comparable while it lies within some rounds of its list's.
  std::uint64_t tag = 0;
  Duration tolerance;
  PublishedNodeState state;
  std::uint8_t list = 0;  // That it is in, while ready.
  std::uint8_t priority = 0;
  std::uint8_t capped : 1 = 0;           // Its bucket has a rate: an inner node need not.
  std::uint8_t guaranteed : 1 = 0;       // It has a NodeGuarantee.
  std::uint8_t guarantee_list : 5 = 0;   // The octave of that: 0 for the fastest.
  std::uint32_t next_sibling = kNoNode;  // Of all children of the parent.
  std::uint32_t previous_sibling = kNoNode;
  Counter green_bytes;  // Of what departed, those within the guarantee.

  static constexpr std::uint32_t kInverseWeightScale = 1U << 31;
};
static_assert(sizeof(TreeNode) == kCacheLineBytes);

/// The guarantee of a node: two lines for each bucket slot, touched only if there is one. The first
/// line is all that a packet needs.
struct alignas(kCacheLineBytes) NodeGuarantee {
  ServicePeriods periods;
  FinePoint point;    // The node is below its guarantee from this time on.
  FinePoint metered;  // What departs from this time on is green.
  double units_per_second = 0;
  double bits_per_second = 0;
};
static_assert(kGuaranteeLists <= 32);
static_assert(offsetof(NodeGuarantee, units_per_second) == kCacheLineBytes);
static_assert(sizeof(NodeGuarantee) == 2 * kCacheLineBytes);

/// Ready children of one priority: a circular list with a mark where the next round begins.
struct RoundList {
  std::uint64_t round = 0;       // Virtual time at which the present round begins.
  std::uint32_t head = kNoNode;  // The child that is served next.
  std::uint32_t mark = kNoNode;  // The first child of the next round, if there is one in the list.
};

/// A node as a parent. The first line is all that is touched with one priority and no guarantees.
/// An odd number of lines, so that the first ones spread over all sets of a cache.
struct alignas(kCacheLineBytes) InnerNode {
  std::uint64_t lists_in_use = 0;  // By SiblingLists: what lists are not empty.
  std::uint32_t slot = kNoNode;    // The bucket that this is; of a free one the next free one.
  std::uint32_t children = 0;
  std::array<std::uint8_t, kPriorities> quantum_log2{};
  std::uint32_t first_child = kNoNode;
  std::uint32_t unused = 0;
  std::array<RoundList, kPriorities> rounds;
  // Schedule time that the node has lost beyond its max_catchup, less what those above it had lost
  // before it came there; modulo 2^64.
  std::uint64_t lost_ns = 0;
  std::array<std::uint32_t, kGuaranteeLists> guarantee_heads;
  // Children by the levels of nodes from them on down, less one.
  std::array<std::uint32_t, kMaxTreeDepth> children_by_height{};
  double guaranteed_units_per_second = 0;  // Sums over the children.
  double guaranteed_bits_per_second = 0;

  InnerNode() { guarantee_heads.fill(kNoNode); }
};
static_assert(sizeof(InnerNode) == 5 * kCacheLineBytes);
static_assert(offsetof(InnerNode, rounds) == 32);

/// The memory of trees, which the caller of a Scheduler provides: two arrays by bucket slot, and
/// the inner nodes. Their bytes are zero or hold constructed objects. Does not own them.
struct TreeArrays {
  TreeNode* nodes = nullptr;
  NodeGuarantee* guarantees = nullptr;
  InnerNode* inner_nodes = nullptr;
  std::uint32_t max_inner_nodes = 0;  ///< 0: no trees.
};

}  // namespace drip
