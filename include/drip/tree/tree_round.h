// SPDX-License-Identifier: BSD-3-Clause
// A round of departures where some buckets are in trees.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "drip/bucket_array.h"
#include "drip/cache_line.h"
#include "drip/departure_sink.h"
#include "drip/internal/departures.h"
#include "drip/timing_wheel.h"
#include "drip/tree/bucket_tree.h"

namespace drip {

/// What is due is looked at in the order of due times, and the root that has become ready is served
/// at once: so leaves pass an idle root in their order. Half of a round at the least is for roots
/// that were ready before. Belongs to the Scheduler's thread.
class TreeRound {
 public:
  using Wheel = TimingWheel<BucketHooks>;

  /// All are the Scheduler's, and outlive this.
  TreeRound(const BucketArray& buckets, Wheel& wheel, BucketTree& tree, Departures& departures)
      : buckets_(buckets), wheel_(wheel), tree_(tree), departures_(departures) {}
  TreeRound(const TreeRound&) = delete;
  TreeRound& operator=(const TreeRound&) = delete;

  /// `units` are WaitingUnits. `serve_flat(slot)` lets units of a bucket depart that is in no tree,
  /// and returns how many; `emptied(Bucket&)` is told that a leaf has no unit any more.
  template <class Units, class ServeFlat, class Emptied>
  DepartureRound serve_due(TimePoint now, Units& units, RoundLimits limits, ServeFlat serve_flat,
                           Emptied emptied) {
    RunQueue& roots = tree_.states().run_queue();
    std::uint32_t from_wheel = limits.buckets;
    if (!roots.empty()) {
      roots_first_ = !roots_first_;
      from_wheel = (limits.buckets + static_cast<std::uint32_t>(roots_first_)) / 2;
    }
    std::array<std::uint32_t, kBucketsARound> due;
    const std::size_t count = wheel_.collect(now, std::span(due).first(from_wheel));
    prefetch(std::span(due).first(count), units);
    DepartureRound round{0, static_cast<std::uint32_t>(count), count == from_wheel};
    std::uint32_t visits = 0;  // Of flat buckets and of roots, of which each may send limits.units.
    for (std::size_t i = 0; i < count; ++i) {
      if (buckets_[due[i]].in_tree == 0) {
        // A leaf whose last unit another entry of this round has served, and that has ended by it.
        if (buckets_[due[i]].backlog.get() == 0) [[unlikely]]
          continue;
        const std::uint32_t departed = serve_flat(due[i]);
        round.departed += departed;
        round.more_is_due |= departed == limits.units;
        ++visits;
        continue;
      }
      if (tree_.service().can_serve_leaf(due[i], now)) {
        bool more_is_due = false;
        round.departed +=
            finish(tree_.service().serve_leaf(due[i], now, now + kEgressRetry, units, more_is_due),
                   now, units, emptied);
        ++visits;
        if (!more_is_due) continue;
      }
      tree_.states().on_due(due[i], now);
      if (!roots.empty()) {
        round.departed += serve_root(now, units, limits.units, emptied);
        ++visits;
      }
    }
    // No more units than those before, or than flat buckets send in a round of one unit each: a
    // visit to a root may send several.
    const std::uint32_t most = round.departed + std::max(round.departed, limits.buckets);
    for (; !roots.empty() && round.departed < most && visits < limits.buckets; ++visits) {
      round.departed += serve_root(now, units, limits.units, emptied);
    }
    round.visited = std::max(round.visited, visits);
    if (!roots.empty()) {
      tree_.states().still_ready(now);
      round.more_is_due = true;
    }
    if (const std::uint64_t lost_ns = tree_.service().take_lost_ns(); lost_ns > 0) [[unlikely]]
      departures_.count_lost(lost_ns);
    return round;
  }

 private:
  template <class Units>
  void prefetch(std::span<const std::uint32_t> due, Units& units) const {
    for (const std::uint32_t slot : due) {
      const Bucket& bucket = buckets_[slot];
      prefetch_to_write(&bucket);
      prefetch_to_write(&bucket.periods);
      prefetch_to_write(&bucket.latencies);
      if (buckets_.trees.nodes != nullptr) prefetch_to_write(&buckets_.trees.nodes[slot]);
    }
    for (const std::uint32_t slot : due) {
      const Bucket& bucket = buckets_[slot];
      if (bucket.in_tree != 0) tree_.states().prefetch_parent(slot);
      bucket.ring.prefetch_front_two();
      bucket.latencies.prefetch_histograms(buckets_.histograms[slot]);
    }
    if (units.has_far_queues()) [[unlikely]]
      prefetch_queues(due, units);
  }
  template <class Units>
  [[gnu::noinline]] void prefetch_queues(std::span<const std::uint32_t> due, Units& units) const {
    std::array<std::uint32_t, kBucketsARound> queued;
    std::size_t count = 0;
    for (const std::uint32_t slot : due) {
      if (buckets_[slot].queued != 0) queued[count++] = slot;
    }
    units.prefetch_queues(std::span<const std::uint32_t>(queued).first(count));
  }
  // Serves the root at the front of the run queue; returns how many units departed.
  template <class Units, class Emptied>
  std::uint32_t serve_root(TimePoint now, Units& units, std::uint32_t most, Emptied emptied) {
    TreeStates& states = tree_.states();
    const std::uint32_t root = states.run_queue().front();
    std::uint32_t departed = 0;
    for (std::uint32_t i = 0; i < most; ++i) {
      departed +=
          finish(tree_.service().serve(root, now, now + kEgressRetry, units), now, units, emptied);
      if (states.node(root).state != NodeState::kReady) return departed;
    }
    states.run_queue().rotate();
    return departed;
  }

  // Hands over a unit that has departed, and counts it; returns how many.
  template <class Units, class Emptied>
  std::uint32_t finish(const TreeService::Departed& unit, TimePoint now, Units& units,
                       Emptied emptied) {
    if (unit.leaf == kNoNode) [[unlikely]]
      return 0;
    Bucket& leaf = buckets_[unit.leaf];
    if (unit.served) [[likely]] {
      departures_.count(leaf, buckets_.histograms[unit.leaf], unit.entry.unit.wire_bytes(),
                        unit.entry.arrival, now, unit.late);
      units.departed(unit.leaf, unit.entry.unit, unit.late);
    }
    if (leaf.backlog.get() == 0) emptied(leaf);
    return static_cast<std::uint32_t>(unit.served);
  }

  BucketArray buckets_;
  Wheel& wheel_;
  BucketTree& tree_;
  Departures& departures_;
  bool roots_first_ = false;
};

}  // namespace drip
