// SPDX-License-Identifier: BSD-3-Clause
// The memory of a core's fair queues, and how packets, flows and leaves give theirs back.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "drip/counter.h"
#include "drip/queue/fair_leaf.h"
#include "drip/queue/fair_queue_settings.h"
#include "drip/queue/flow_directory.h"
#include "drip/queue/queue_drop.h"
#include "drip/queue/queue_slots.h"
#include "drip/queue/record_pool.h"

namespace drip {

/// The sizes of the pools: 16 bytes a packet, 64 a flow, 36 a host, 256 a leaf, 288 a tin. The
/// pools are never used up with packets = the sum of all leaves' capacity + 1, flows = packets,
/// hosts = 2 flows, leaves = min(leaves, packets) and tins = leaves times tins.
struct FairQueueSizes {
  std::uint32_t packets = 1U << 16;  ///< That wait: 1 to kMaxQueueIndex, as all below.
  std::uint32_t flows = 1U << 16;    ///< That have packets or AQM state.
  std::uint32_t hosts = 1U << 17;    ///< With Isolation::kHosts: addresses, on either side.
  std::uint32_t leaves = 1U << 12;   ///< With packets.
  std::uint32_t tins = 1U << 12;     ///< With packets.
  /// Called for the pools of packets, flows and hosts, if they have 2 MiB or more, before they are
  /// touched, which is at once. Null: they lie on small pages.
  AdviseMemory advise = nullptr;
};

/// The pools of FairQueues, by whose rules it is used. Belongs to one thread; the counters may be
/// read by others.
class FairMemory {
 public:
  /// Flows of a leaf that are given up at once when it has no packets.
  static constexpr int kMostVisits = 64;
  static constexpr int kPutAwayAtEnqueue = 4;

  struct Counters {
    std::array<Counter, kQueueDrops> drops;
    Counter marks;
  };

  FairMemory(const FairQueueSizes& sizes, std::uint64_t seed)
      : slots(sizes.packets, sizes.advise),
        directory(sizes.flows, sizes.hosts, seed, sizes.advise),
        leaves(sizes.leaves),
        tins(sizes.tins) {}

  [[nodiscard]] FlowTable& flows() { return directory.flows; }

  // ---- Flows and leaves

  /// A flow without packets that is in no list any more. `profile` may be null.
  void retire(FairLeaf& leaf, LeafBacklog& backlog, QueueIndex index,
              const FairQueueProfile* profile, TimePoint now) {
    backlog.sizes.remove(flows(), index);
    leaf.flows_.set(leaf.flows() - 1);
    FlowRecord& flow = flows()[index];
    CobaltState aqm = flow.aqm();
    if (aqm.at_rest()) return directory.erase(index);
    if (profile != nullptr) {
      aqm.emptied(profile->aqm[flow.owner.tin()], now);
    } else {
      aqm.set_aside(now);
    }
    flow.set_aqm(aqm);
    directory.set_aside(index);
  }
  /// The leaf has no packets: gives its flows up, the rest of more than kMostVisits later.
  void put_away(FairLeaf& leaf, LeafBacklog& backlog, const FairQueueProfile* profile,
                TimePoint now) {
    if (retire_some(leaf, backlog, profile, now, kMostVisits)) {
      if (!backlog.is_put_away) release_backlog(leaf);
      return;
    }
    if (backlog.is_put_away) return;
    backlog.is_put_away = true;
    backlog.next_put_away = put_away_first_;
    put_away_first_ = leaf.backlog_;
  }
  /// Whether leaves without packets still have flows.
  [[nodiscard]] bool puts_away() const { return put_away_first_ != kNoIndex; }
  /// REQUIRES: puts_away().
  void go_on_putting_away(TimePoint now) {
    const QueueIndex index = put_away_first_;
    LeafBacklog& backlog = leaves[index];
    FairLeaf& leaf = *backlog.leaf;
    if (leaf.packets() == 0 && !retire_some(leaf, backlog, nullptr, now, kPutAwayAtEnqueue)) {
      return;
    }
    take_off_put_away(index);
    if (leaf.packets() == 0) release_backlog(leaf);
  }
  void take_off_put_away(QueueIndex index) {
    QueueIndex* link = &put_away_first_;
    while (*link != index) link = &leaves[*link].next_put_away;
    *link = leaves[index].next_put_away;
    leaves[index].is_put_away = false;
  }
  void release_backlog(FairLeaf& leaf) {
    for (const QueueIndex tin : leaves[leaf.backlog_].tins) {
      if (tin != kNoIndex) tins.release(tin);
    }
    leaves.release(leaf.backlog_);
    leaf.backlog_ = kNoIndex;
  }
  // ---- Packets

  /// Takes the head of a flow out of its slot.
  UnitRef take(const FairLeaf& leaf, LeafBacklog& backlog, TinBacklog& tin, FlowRecord& flow,
               TimePoint now) {
    auto tail = static_cast<QueueIndex>(flow.tail);
    const QueueIndex slot = slots.take_first(tail);
    flow.tail = tail & kMaxQueueIndex;
    const std::uint32_t left = leaf.packets() - 1 - static_cast<std::uint32_t>(backlog.is_staged);
    backlog.marks.take(slots[slot].arrival(now), left);
    const UnitRef unit = slots[slot].unit;
    slots.release(slot);
    flow.bytes -= unit.wire_bytes();
    tin.packets -= 1;
    return unit;
  }
  void leave(FairLeaf& leaf, LeafBacklog& backlog, UnitRef unit) {
    backlog.bytes -= unit.wire_bytes();
    leaf.packets_.set(leaf.packets() - 1);
  }
  template <class Sink>
  void drop_head(FairLeaf& leaf, LeafBacklog& backlog, TinBacklog& tin, FlowRecord& flow,
                 QueueDrop reason, TimePoint now, Sink& sink) {
    const UnitRef unit = take(leaf, backlog, tin, flow, now);
    leave(leaf, backlog, unit);
    drop(unit, reason, sink);
  }
  template <class Sink>
  void drop(UnitRef unit, QueueDrop reason, Sink& sink) {
    counters.drops[static_cast<std::size_t>(reason)].add(1);
    sink.dropped(unit, reason);
  }

  QueueSlots slots;
  FlowDirectory directory;
  RecordPool<LeafBacklog> leaves;
  RecordPool<TinBacklog> tins;
  Counters counters;

 private:
  // Whether no flow is left.
  bool retire_some(FairLeaf& leaf, LeafBacklog& backlog, const FairQueueProfile* profile,
                   TimePoint now, int most) {
    for (const QueueIndex at : backlog.tins) {
      while (at != kNoIndex && tins[at].has_flows()) {
        if (most-- == 0) return false;
        const QueueIndex index = tins[at].front(flows());
        tins[at].pop(flows(), flows()[index]);
        retire(leaf, backlog, index, profile, now);
      }
    }
    return true;
  }

  // Leaves without packets whose flows have not all been given up, linked by next_put_away.
  QueueIndex put_away_first_ = kNoIndex;
};

}  // namespace drip
