// SPDX-License-Identifier: BSD-3-Clause
// The settings that a bucket has as a node of a tree, and their limits.
#pragma once

#include <cstdint>

#include "drip/time.h"

namespace drip {

/// No bucket: of a root, its parent.
inline constexpr std::uint32_t kNoNode = ~0U;
/// Nodes from a root to a leaf, both included.
inline constexpr std::uint32_t kMaxTreeDepth = 8;
inline constexpr std::uint32_t kMaxWeight = 1000;
inline constexpr std::uint32_t kPriorities = 8;
inline constexpr Duration kMaxTolerance{10'000'000'000};
inline constexpr Duration kDefaultTolerance{1'000'000};

/// How a node shares what its parent may send with its siblings that have something to send:
/// guarantees first, then priorities, then weights. The node's own rates are its ceiling, whatever
/// its share.
struct NodeSettings {
  std::uint32_t parent = kNoNode;  ///< The slot of an inner node.
  std::uint32_t weight = 1;        ///< 1 to kMaxWeight; of bytes.
  std::uint32_t priority = 0;      ///< Below kPriorities; higher ones first, strictly.
  /// What the node gets before its siblings get more than theirs. A floor, not a bonus: with a
  /// larger share by weight it changes nothing. 0: none. The children's sum is at most their
  /// parent's own, or the ceiling of a root.
  double guaranteed_units_per_second = 0;
  double guaranteed_bits_per_second = 0;
  /// How much of the time for which the node waited for its ancestors its ceiling may make up for:
  /// tau of GCRA, for waiting in the tree only. In t it sends at most ceiling x (t + tolerance) and
  /// one unit. With 0, ceilings in series lose rate. A root waits for nobody.
  Duration tolerance = kDefaultTolerance;

  friend bool operator==(const NodeSettings&, const NodeSettings&) = default;
};

}  // namespace drip
