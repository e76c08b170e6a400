// SPDX-License-Identifier: BSD-3-Clause
// A scheduler with a tree that is known twice: by the scheduler, and by this, in plain vectors.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "drip/scheduler.h"

namespace drip::test {

/// What the test knows of a node by itself.
struct NodeRecord {
  bool alive = false;
  bool leaf = false;
  BucketSettings settings;
  NodeSettings share;
  std::vector<std::uint32_t> children;
  std::deque<std::uint64_t> waiting;  // Numbers of units, in order.
  std::uint64_t admitted = 0;
  std::uint64_t departed = 0;
  std::uint64_t dropped = 0;
};

/// A unit: its number tells whether the order is kept, its sequence where it is in its ring.
struct alignas(64) TestUnit {
  std::uint64_t number = 0;
  std::uint32_t leaf = 0;
  std::uint32_t bytes = 0;
  std::uint32_t sequence = 0;
  TimePoint arrival;

  static void moved(UnitRef unit, std::uint32_t sequence) {
    static_cast<TestUnit*>(unit.address())->sequence = sequence;
  }
};

/// Slots of nodes are numbers from 0. What departs is handed to `departed`, and may be refused by
/// `has_room`.
class TestTree {
 public:
  TestTree(std::uint32_t slots, std::uint32_t inner_nodes, TimePoint start)
      : buckets_(std::make_unique<Bucket[]>(slots)),
        histograms_(std::make_unique<LatencyHistograms[]>(slots)),
        nodes_(std::make_unique<TreeNode[]>(slots)),
        guarantees_(std::make_unique<NodeGuarantee[]>(slots)),
        inner_(std::make_unique<InnerNode[]>(inner_nodes)),
        records_(slots),
        rings_(slots),
        scheduler_({buckets_.get(),
                    histograms_.get(),
                    slots,
                    {nodes_.get(), guarantees_.get(), inner_.get(), inner_nodes}},
                   start, TestUnit::moved),
        now_(start) {}

  // ---- Configuration

  std::uint32_t add_inner(const BucketSettings& settings, const NodeSettings& share) {
    const std::uint32_t slot = free_slot();
    scheduler_.create_inner(slot, settings, now_);
    enter(slot, settings, share, false);
    scheduler_.set_node(slot, share, now_);
    return slot;
  }
  std::uint32_t add_leaf(const BucketSettings& settings, const NodeSettings& share) {
    const std::uint32_t slot = free_slot();
    const std::uint32_t ring_slots = BucketRing::slots_for(settings.capacity);
    rings_[slot].resize(ring_slots);
    scheduler_.create(slot, settings, rings_[slot].data(), ring_slots, now_);
    enter(slot, settings, share, true);
    scheduler_.set_node(slot, share, now_);
    return slot;
  }
  void set_node(std::uint32_t slot, const NodeSettings& share) {
    scheduler_.set_node(slot, share, now_);
    NodeRecord& record = records_[slot];
    if (record.share.parent != share.parent) {
      if (record.share.parent != kNoNode) {
        std::erase(records_[record.share.parent].children, slot);
      }
      if (share.parent != kNoNode) records_[share.parent].children.push_back(slot);
    }
    record.share = share;
  }
  void change(std::uint32_t slot, const BucketSettings& settings) {
    scheduler_.change(slot, settings, nullptr, 0, now_);
    records_[slot].settings = settings;
  }
  void drop(std::uint32_t slot) {
    NodeRecord& record = records_[slot];
    const std::uint64_t dropped = scheduler_.drop_backlog(slot, [&](UnitRef unit) {
      const auto* const at = static_cast<const TestUnit*>(unit.address());
      ASSERT_EQ(at->number, record.waiting.front());
      record.waiting.pop_front();
    });
    ASSERT_TRUE(record.waiting.empty());
    record.dropped += dropped;
  }
  void drain(std::uint32_t slot) { scheduler_.drain(slot); }
  /// Nodes that have been retired since are free again.
  void reap() {
    for (std::uint32_t slot = 0; slot < records_.size(); ++slot) {
      NodeRecord& record = records_[slot];
      if (!record.alive || bucket(slot).state.load() != BucketPhase::kRetired) continue;
      ASSERT_TRUE(record.waiting.empty() && record.children.empty());
      ASSERT_EQ(bucket(slot).in_tree, 0U);
      if (record.share.parent != kNoNode) {
        std::erase(records_[record.share.parent].children, slot);
      }
      record = {};
    }
  }

  // ---- Units

  RejectReason admit(std::uint32_t leaf, std::uint32_t bytes) {
    TestUnit& unit = new_unit(leaf, bytes);
    const RejectReason reason = scheduler_.admit(leaf, {UnitRef::of(&unit, bytes, 0), now_}, bytes);
    if (reason == RejectReason::kAdmitted) {
      records_[leaf].waiting.push_back(unit.number);
      ++records_[leaf].admitted;
    }
    return reason;
  }
  /// Departs at once if it may.
  bool cut_through(std::uint32_t leaf, std::uint32_t bytes) {
    if (!scheduler_.can_cut_through(leaf, now_)) return false;
    scheduler_.cut_through(leaf, bytes, now_, now_);
    ++records_[leaf].admitted;
    ++records_[leaf].departed;
    return true;
  }
  void release(std::uint32_t leaf, std::size_t at) {
    NodeRecord& record = records_[leaf];
    if (at >= record.waiting.size()) return;
    const std::uint64_t number = record.waiting[at];
    scheduler_.release(leaf, units_[number]->sequence, now_);
    record.waiting.erase(record.waiting.begin() + static_cast<std::ptrdiff_t>(at));
    ++record.dropped;
  }
  /// Serves all that is due at `now`.
  void poll(TimePoint now, Scheduler::Limits limits = Scheduler::kDefaultLimits) {
    now_ = now;
    while (scheduler_.serve_due(now, sink_, limits).more_is_due) {
    }
  }

  void one_round(TimePoint now) { scheduler_.serve_due(now, sink_); }

  // ---- State

  [[nodiscard]] Scheduler& scheduler() { return scheduler_; }
  [[nodiscard]] TimePoint now() const { return now_; }
  void set_now(TimePoint now) { now_ = now; }
  [[nodiscard]] Bucket& bucket(std::uint32_t slot) const { return buckets_[slot]; }
  [[nodiscard]] TreeNode& node(std::uint32_t slot) const { return nodes_[slot]; }
  /// Until when a node is not below its guarantee; of no meaning without one.
  [[nodiscard]] FinePoint guarantee_point(std::uint32_t slot) const {
    return guarantees_[slot].point;
  }
  [[nodiscard]] const InnerNode& inner(std::uint32_t slot) const {
    return inner_[nodes_[slot].inner];
  }
  [[nodiscard]] const NodeRecord& record(std::uint32_t slot) const { return records_[slot]; }
  [[nodiscard]] std::uint32_t slots() const { return static_cast<std::uint32_t>(records_.size()); }
  [[nodiscard]] bool has_free_slot() const {
    return std::any_of(records_.begin(), records_.end(),
                       [](const NodeRecord& record) { return !record.alive; });
  }
  /// From the leaf to its root.
  [[nodiscard]] std::vector<std::uint32_t> path(std::uint32_t leaf) const {
    std::vector<std::uint32_t> path{leaf};
    while (records_[path.back()].share.parent != kNoNode) {
      path.push_back(records_[path.back()].share.parent);
    }
    return path;
  }

  std::function<bool(const TestUnit&)> has_room = [](const TestUnit&) { return true; };
  std::function<void(const TestUnit&, Duration)> departed = [](const TestUnit&, Duration) {};

 private:
  struct Sink {
    TestTree* tree;
    [[nodiscard]] bool has_room(UnitRef unit) const {
      return tree->has_room(*static_cast<const TestUnit*>(unit.address()));
    }
    void departed(UnitRef unit, TimePoint now, Duration late) const {
      tree->on_departed(*static_cast<const TestUnit*>(unit.address()), now, late);
    }
  };

  std::uint32_t free_slot() {
    std::uint32_t slot = 0;
    while (records_[slot].alive) ++slot;
    // A slot that was used before has been taken back by its owner.
    buckets_[slot].state.store(BucketPhase::kFree);
    return slot;
  }
  void enter(std::uint32_t slot, const BucketSettings& settings, const NodeSettings& share,
             bool leaf) {
    records_[slot] = {};
    records_[slot].alive = true;
    records_[slot].leaf = leaf;
    records_[slot].settings = settings;
    records_[slot].share = share;
    if (share.parent != kNoNode) records_[share.parent].children.push_back(slot);
  }
  TestUnit& new_unit(std::uint32_t leaf, std::uint32_t bytes) {
    units_.push_back(std::make_unique<TestUnit>());
    TestUnit& unit = *units_.back();
    unit.number = units_.size() - 1;
    unit.leaf = leaf;
    unit.bytes = bytes;
    unit.sequence = buckets_[leaf].ring.tail();
    unit.arrival = now_;
    return unit;
  }
  void on_departed(const TestUnit& unit, TimePoint now, Duration late) {
    ASSERT_EQ(now, now_);
    NodeRecord& record = records_[unit.leaf];
    ASSERT_FALSE(record.waiting.empty());
    ASSERT_EQ(unit.number, record.waiting.front()) << "out of order";
    record.waiting.pop_front();
    ++record.departed;
    departed(unit, late);
  }

  std::unique_ptr<Bucket[]> buckets_;
  std::unique_ptr<LatencyHistograms[]> histograms_;
  std::unique_ptr<TreeNode[]> nodes_;
  std::unique_ptr<NodeGuarantee[]> guarantees_;
  std::unique_ptr<InnerNode[]> inner_;
  std::vector<NodeRecord> records_;
  std::vector<std::vector<RingEntry>> rings_;
  std::vector<std::unique_ptr<TestUnit>> units_;
  Sink sink_{this};
  Scheduler scheduler_;
  TimePoint now_;
};

/// Settings of a leaf, or with a capacity of 0 of an inner node. A rate of 0: no ceiling.
inline BucketSettings ceiling(double bits_per_second, std::uint32_t capacity = 0) {
  BucketSettings settings;
  settings.capacity = capacity;
  settings.bits_per_second = bits_per_second;
  settings.departure = Departure::kAtStart;
  return settings;
}
inline NodeSettings under(std::uint32_t parent, std::uint32_t weight = 1,
                          std::uint32_t priority = 0) {
  NodeSettings share;
  share.parent = parent;
  share.weight = weight;
  share.priority = priority;
  return share;
}

}  // namespace drip::test
