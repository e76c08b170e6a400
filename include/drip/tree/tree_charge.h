// SPDX-License-Identifier: BSD-3-Clause
// What a unit that departs is charged at the nodes of its path.
#pragma once

#include <cstdint>

#include "drip/admission.h"
#include "drip/tree/tree_states.h"

namespace drip {

/// The charge to a node's schedule, counters and guarantee; that to its share is SiblingLists'.
/// Belongs to the Scheduler's thread.
class TreeCharge {
 public:
  explicit TreeCharge(TreeStates& states) : states_(states) {}

  /// The head of a leaf departs, not before `earliest`; returns whether another unit waits, which
  /// is the head now.
  template <class Units>
  static bool take_head(Units& units, std::uint32_t slot, Bucket& leaf, FinePoint earliest,
                        std::uint32_t wire_bytes) {
    units.take(slot, leaf);
    charge_leaf(leaf, earliest, wire_bytes);
    if (leaf.backlog.get() == 0) return false;
    units.begin_next(slot, leaf);
    return true;
  }
  static void charge_leaf(Bucket& leaf, FinePoint earliest, std::uint32_t wire_bytes) {
    const bool at_start = leaf.departure == Departure::kAtStart;
    leaf.schedule.pass(earliest, at_start ? leaf.periods.service(wire_bytes) : FineSpan{});
    leaf.in_service_bytes = static_cast<std::uint16_t>(wire_bytes);
  }
  static void charge_inner(Bucket& bucket, const TreeNode& node, FinePoint earliest,
                           std::uint32_t wire_bytes) {
    count_departed(bucket, wire_bytes);
    bucket.in_service_bytes = static_cast<std::uint16_t>(wire_bytes);
    if (node.capped == 0) return;
    bucket.schedule.pass(earliest, bucket.periods.service(wire_bytes));
  }
  /// charge_inner() at a point that is not behind `at`.
  static void charge_punctual(Bucket& bucket, const TreeNode& node, FinePoint at,
                              std::uint32_t wire_bytes) {
    count_departed(bucket, wire_bytes);
    bucket.in_service_bytes = static_cast<std::uint16_t>(wire_bytes);
    if (node.capped == 0) return;
    bucket.schedule = VirtualSchedule(at, bucket.periods.service(wire_bytes));
  }
  /// A unit is green if the node was below its guarantee, or is within it by a meter at that rate
  /// as in RFC 2698, which is not charged for others and saves up for at most kGuaranteeCatchup and
  /// four units. The two differ: a node that gets more than its guarantee by weight is never below
  /// it, and yet has sent what is guaranteed. REQUIRES: the node has a guarantee.
  void charge_guarantee(std::uint32_t slot, std::uint32_t wire_bytes, TimePoint now) const {
    NodeGuarantee& guarantee = states_.guarantee(slot);
    const FineSpan cost = guarantee.periods.service(wire_bytes);
    FinePoint point = guarantee.point;
    TreeNode& node = states_.node(slot);
    const TimePoint at = states_.guarantee_time(node, now);
    const FinePoint least = FinePoint::of(at) - kGuaranteeCatchup - cost.times(4);
    if (!point.after(at) || !guarantee.metered.after(at)) {
      guarantee.metered = later_of(guarantee.metered, least) + cost;
      node.green_bytes.add(wire_bytes);
    }
    // What it got beyond its guarantee is not held against it later.
    if (point.after(at)) point = FinePoint::of(at);
    guarantee.point = later_of(point, least) + cost;
  }

  /// Schedule time that was lost because a unit was served later than a node's max_catchup.
  [[gnu::noinline, gnu::cold]] void count_lost(std::uint32_t slot, Duration lost) {
    if (const std::uint32_t inner = states_.node(slot).inner; inner != kNoNode) {
      states_.inner_node(inner).lost_ns += static_cast<std::uint64_t>(lost.ns);
    }
    states_.bucket(slot).lost_schedule_ns.add(static_cast<std::uint64_t>(lost.ns));
    lost_ns_ += static_cast<std::uint64_t>(lost.ns);
  }
  /// The sum of all nodes since the last call.
  [[nodiscard]] std::uint64_t take_lost_ns() {
    const std::uint64_t lost = lost_ns_;
    lost_ns_ = 0;
    return lost;
  }

 private:
  // How far behind its guarantee a node may fall and still be served first for it: four units, and
  // the time of a stall.
  static constexpr FineSpan kGuaranteeCatchup{100'000'000, 0};

  TreeStates& states_;
  std::uint64_t lost_ns_ = 0;
};

}  // namespace drip
