// SPDX-License-Identifier: BSD-3-Clause
// Trees of buckets of one core without ports and rules, in virtual time: admit, schedule, depart.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "bench/path/bench_port.h"
#include "datapath/transmitter.h"
#include "drip/bucket_ring.h"

namespace drip::bench {

/// Children of each node by level, the root's first: their product is the number of leaves. Empty:
/// no tree.
using FanOuts = std::vector<std::uint32_t>;

struct TreeLoad {
  FanOuts fan_outs;
  std::uint32_t leaves = 0;
  double root_units_per_second = kMaxUnitsPerSecond;  ///< All other nodes have the most there is.
  double leaf_units_per_second = kMaxUnitsPerSecond;
  std::uint32_t capacity = 8;  ///< Of a leaf, a power of two.
};

/// dripd's own Transmitter with one tree: leaves in slots 0 and on, numbered as they hang in it, so
/// that neighbours are siblings. The time is the caller's.
class TreePath {
 public:
  TreePath(BenchPort& port, const TreeLoad& load)
      : table_(load.leaves + count_inner(load.fan_outs), -1),
        rings_(std::size_t{load.leaves} * load.capacity * sizeof(RingEntry), -1),
        transmitter_(table_, now_.at, port, 1, counters_),
        next_inner_(load.leaves) {
    rings_.populate(0, rings_.bytes());
    if (load.fan_outs.empty()) {
      for (std::uint32_t i = 0; i < load.leaves; ++i) add_leaf(load, kNoNode);
    } else {
      add_children(load, 0, add_inner(kNoNode, load.root_units_per_second));
    }
  }
  /// Frees what waits.
  ~TreePath() { transmitter_.drop_all(now_.at); }
  TreePath(const TreePath&) = delete;
  TreePath& operator=(const TreePath&) = delete;

  void pass(Duration span) { now_.at = now_.at + span; }
  /// Packet i goes to leaf i, as a worker has it done for a burst; each comes `apart` after the
  /// one before it.
  void offer(std::span<rte_mbuf* const> packets, std::span<const std::uint32_t> leaves,
             Duration apart = {}) {
    for (const std::uint32_t leaf : leaves) transmitter_.prefetch(leaf);
    for (const std::uint32_t leaf : leaves) transmitter_.prefetch_behind(leaf);
    for (std::size_t i = 0; i < packets.size(); ++i) {
      pass(apart);
      transmitter_.offer(leaves[i], packets[i], packets[i]->pkt_len, 0, now_.at, now_.at);
    }
  }
  /// Lets go what is due; returns how many packets left.
  std::uint32_t depart(std::uint32_t most = datapath::Transmitter<BenchPort>::kDeparturesACall) {
    const std::uint32_t departed = transmitter_.transmit(now_, most);
    transmitter_.flush();
    return departed;
  }

 private:
  struct Clock {
    TimePoint at{1'000'000'000};
    [[nodiscard]] TimePoint now() const { return at; }
  };

  static std::uint32_t count_inner(const FanOuts& fan_outs) {
    std::uint32_t all = 0;
    std::uint32_t on_level = 1;
    for (const std::uint32_t fan_out : fan_outs) {
      all += on_level;
      on_level *= fan_out;
    }
    return all;
  }
  static BucketSettings settings(double units_per_second, std::uint32_t capacity) {
    BucketSettings settings;
    settings.capacity = capacity;
    settings.units_per_second = units_per_second;
    settings.departure = Departure::kAtStart;
    return settings;
  }

  std::uint32_t add_inner(std::uint32_t parent, double units_per_second) {
    const std::uint32_t slot = next_inner_++;
    table_.populate(slot);
    table_.prepare_node(slot, false);
    table_.prepare_inner_node(inner_nodes_++);
    transmitter_.create(slot, settings(units_per_second, 0), nullptr, 0, now_.at);
    set_parent(slot, parent);
    return slot;
  }
  void add_leaf(const TreeLoad& load, std::uint32_t parent) {
    const std::uint32_t slot = next_leaf_++;
    table_.populate(slot);
    table_.prepare_histograms(slot);
    table_.prepare_node(slot, false);
    auto* const ring =
        reinterpret_cast<RingEntry*>(rings_.data()) + std::size_t{slot} * load.capacity;
    transmitter_.create(slot, settings(load.leaf_units_per_second, load.capacity), ring,
                        load.capacity, now_.at);
    set_parent(slot, parent);
  }
  void add_children(const TreeLoad& load, std::size_t level, std::uint32_t parent) {
    const bool leaves = level + 1 == load.fan_outs.size();
    for (std::uint32_t i = 0; i < load.fan_outs[level]; ++i) {
      if (leaves) {
        add_leaf(load, parent);
      } else {
        add_children(load, level + 1, add_inner(parent, kMaxUnitsPerSecond));
      }
    }
  }
  void set_parent(std::uint32_t slot, std::uint32_t parent) {
    NodeSettings share;
    share.parent = parent;
    transmitter_.set_node(slot, share, now_.at);
  }

  Clock now_;
  datapath::LcoreCounters counters_;
  datapath::BucketTable table_;
  datapath::NumaMemory rings_;
  datapath::Transmitter<BenchPort> transmitter_;
  std::uint32_t next_leaf_ = 0;
  std::uint32_t next_inner_;
  std::uint32_t inner_nodes_ = 0;
};

}  // namespace drip::bench
