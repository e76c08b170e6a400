// SPDX-License-Identifier: BSD-3-Clause
// Asks memory for what packets will touch in fair queues, ahead of them.
#pragma once

#include <cstdint>

#include "drip/cache_line.h"
#include "drip/queue/fair_memory.h"

namespace drip {

/// A packet goes from its leaf to the tin, the flow and the slots of it: each says where the next
/// one is, and with many leaves all of them miss the caches. So they are asked for in steps, each
/// for several packets before the next one. These are hints: a leaf that is served or filled
/// meanwhile, or of which another tin or flow has its turn, is served right all the same.
///
/// Works on the memory of FairQueues, in its thread, and changes nothing.
class FairPrefetch {
 public:
  explicit FairPrefetch(FairMemory& memory) : memory_(memory) {}

  // ---- A packet that will depart. `leaf` has been asked for before.

  void leaf(const FairLeaf& leaf) const {
    if (leaf.backlog_ != kNoIndex) memory_.leaves[leaf.backlog_].prefetch();
  }
  void tin(const FairLeaf& leaf) const { prefetch_to_write(&memory_.tins[first_tin(leaf)]); }
  /// That has its turn.
  void flow(const FairLeaf& leaf) const {
    const QueueIndex tin = first_tin(leaf);
    if (tin == kNoIndex) return;
    const RoundCalendar& rounds = memory_.tins[tin].old_flows;
    prefetch_to_write(&memory_.flows()[rounds.probable_front()]);
    rounds.prefetch_ends();
  }
  /// That is likely to have it then; the one that has it goes behind the last one.
  void next_flow(const FairLeaf& leaf) const {
    const QueueIndex tin = first_tin(leaf);
    if (tin == kNoIndex) return;
    prefetch_to_write(&memory_.flows()[memory_.tins[tin].old_flows.probable_end()]);
    prefetch_to_write(&memory_.flows()[probable_flow(leaf)]);
  }
  void tail(const FairLeaf& leaf) const { tail_of(probable_flow(leaf)); }
  void head(const FairLeaf& leaf) const { head_of(probable_flow(leaf)); }
  /// UnitRef::released(): not known.
  [[nodiscard]] UnitRef unit(const FairLeaf& leaf) const { return unit_of(probable_flow(leaf)); }

  // ---- A packet that will be enqueued

  /// Which one it is, for the steps that follow.
  struct Arrival {
    const FairLeaf* leaf = nullptr;
    QueueIndex home = kNoIndex;  ///< The record where the search for its flow begins.
    bool drops = false;          ///< The leaf is full: the longest flow loses its head.
  };
  /// The first step. `leaf` has been asked for before; `tin`: by profile.tins.of_dscp.
  Arrival begin(const FairLeaf& leaf, const FairQueueProfile& profile, const QueueKey& key,
                std::uint32_t tin) const {
    Arrival arrival{&leaf, kNoIndex, leaf.packets() >= profile.settings.capacity};
    this->leaf(leaf);
    if (profile.settings.isolation == Isolation::kFlow) {
      arrival.home = memory_.directory.home_of({leaf.id_, leaf.epoch_, tin}, key);
      prefetch_to_write(&memory_.flows()[arrival.home]);
    }
    return arrival;
  }
  void flow(const Arrival& arrival) const {
    tin(*arrival.leaf);
    if (arrival.home != kNoIndex) prefetch_to_write(&memory_.flows()[found(arrival)]);
    if (arrival.drops) prefetch_to_write(&memory_.flows()[fattest(arrival)]);
  }
  void tail(const Arrival& arrival) const {
    if (arrival.home != kNoIndex) tail_of(found(arrival));
    if (arrival.drops) tail_of(fattest(arrival));
  }
  void head(const Arrival& arrival) const {
    if (arrival.drops) head_of(fattest(arrival));
  }
  /// That is likely to be dropped. UnitRef::released(): not known.
  [[nodiscard]] UnitRef unit(const Arrival& arrival) const {
    return arrival.drops ? unit_of(fattest(arrival)) : UnitRef::released();
  }

 private:
  // kNoIndex if there is none.
  [[nodiscard]] QueueIndex first_tin(const FairLeaf& leaf) const {
    if (leaf.backlog_ == kNoIndex) return kNoIndex;
    for (const QueueIndex tin : memory_.leaves[leaf.backlog_].tins) {
      if (tin != kNoIndex) return tin;
    }
    return kNoIndex;
  }
  [[nodiscard]] QueueIndex probable_flow(const FairLeaf& leaf) const {
    const QueueIndex tin = first_tin(leaf);
    if (tin == kNoIndex) return kNoIndex;
    const RoundCalendar& rounds = memory_.tins[tin].old_flows;
    const QueueIndex front = rounds.probable_front();
    // With packets of about a quantum most turns are over with one.
    const bool goes_on = memory_.flows()[front].deficit > 0;
    return goes_on ? front : rounds.probable_second(memory_.flows());
  }
  // Most flows are the only ones with their hash.
  [[nodiscard]] QueueIndex found(const Arrival& arrival) const {
    return static_cast<QueueIndex>(memory_.flows()[arrival.home].chain_head);
  }
  [[nodiscard]] QueueIndex fattest(const Arrival& arrival) const {
    const QueueIndex backlog = arrival.leaf->backlog_;
    return backlog == kNoIndex ? kNoIndex : memory_.leaves[backlog].sizes.probable_fattest();
  }
  void tail_of(QueueIndex flow) const {
    prefetch_to_write(&memory_.slots[static_cast<QueueIndex>(memory_.flows()[flow].tail)]);
  }
  void head_of(QueueIndex flow) const {
    const auto tail = static_cast<QueueIndex>(memory_.flows()[flow].tail);
    if (tail != kNoIndex) prefetch_to_write(&memory_.slots[memory_.slots.first(tail)]);
  }
  [[nodiscard]] UnitRef unit_of(QueueIndex flow) const {
    const auto tail = static_cast<QueueIndex>(memory_.flows()[flow].tail);
    return tail == kNoIndex ? UnitRef::released() : memory_.slots[memory_.slots.first(tail)].unit;
  }

  FairMemory& memory_;
};

}  // namespace drip
