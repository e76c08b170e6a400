// SPDX-License-Identifier: BSD-3-Clause
// The fair queues of a core: which packet of a leaf departs next, and which do not depart at all.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>

#include "drip/cache_line.h"
#include "drip/counter.h"
#include "drip/queue/fair_leaf.h"
#include "drip/queue/fair_memory.h"
#include "drip/queue/fair_prefetch.h"
#include "drip/queue/fair_queue_settings.h"
#include "drip/queue/flow_directory.h"
#include "drip/queue/queue_drop.h"
#include "drip/queue/queue_move.h"
#include "drip/queue/queue_random.h"
#include "drip/queue/queue_slots.h"
#include "drip/queue/record_pool.h"

namespace drip {

/// Within a leaf: tins by priority up to their shares, as CAKE has them; within a tin DRR++ by
/// flow, flows that are new first (RFC 8290, section 4.2), with the quantum divided by the load of
/// the flow's busier host if hosts are isolated (CAKE's triple isolation); within a flow first in,
/// first out. COBALT (cobalt.h) decides at the head of each flow when its packet is about to
/// depart. A queue that is full drops the head of the flow with the most bytes.
///
/// It does not know who serves the leaves, nor when: enqueue(), then head() when a packet may
/// depart, as often as its egress has no room, then dequeue().
///
/// Belongs to one thread; the counters may be read by others. Nothing is allocated after
/// construction. The time never goes backwards. A call takes O(1): at most kMostVisits flows are
/// looked at, or packets dropped.
class FairQueues {
 public:
  static constexpr int kMostVisits = FairMemory::kMostVisits;
  /// Flows of idle leaves that one enqueue() puts away.
  static constexpr int kPutAwayAtEnqueue = FairMemory::kPutAwayAtEnqueue;

  using Counters = FairMemory::Counters;

  /// `seed` keys the hash; from the system's random source, but in tests.
  FairQueues(const FairQueueSizes& sizes, std::uint64_t seed)
      : memory_(sizes, seed), random_(seed | 1) {}
  FairQueues(const FairQueues&) = delete;
  FairQueues& operator=(const FairQueues&) = delete;

  /// What packets will touch can be asked for ahead of them.
  [[nodiscard]] FairPrefetch prefetch() { return FairPrefetch(memory_); }

  /// Queues a packet that has just arrived. False: it was dropped for want of memory. A queue that
  /// is full drops another packet, or this one. `tin`: by profile.tins.of_dscp.
  template <QueueDropSink Sink>
  bool enqueue(FairLeaf& leaf, const FairQueueProfile& profile, UnitRef unit, const QueueKey& key,
               std::uint32_t tin, Ecn ecn, TimePoint now, Sink& sink) {
    assert(tin < profile.tins.count);
    return enqueue(
        leaf, profile, unit, tin, ecn, now,
        sink, [&](FlowOwner owner) __attribute__((always_inline)) {
          return memory_.directory.find_or_insert(owner, key, profile.settings.isolation,
                                                  profile.aqm[tin], now);
        });
  }

  /// The packet that departs next, to be taken by dequeue(). It stays the same, and its AQM is not
  /// asked again, until it is taken.
  template <QueueDropSink Sink>
  [[nodiscard]] QueueHead head(FairLeaf& leaf, const FairQueueProfile& profile, TimePoint now,
                               Sink& sink) {
    if (leaf.backlog_ == kNoIndex) return {};
    LeafBacklog& backlog = memory_.leaves[leaf.backlog_];
    if (!backlog.is_staged) {
      const QueueHead::Status status = stage(leaf, backlog, profile, now, sink);
      if (status != QueueHead::Status::kPacket) [[unlikely]]
        return {status};
    }
    return {QueueHead::Status::kPacket, backlog.staged_marked, backlog.staged,
            backlog.staged_arrival};
  }
  /// Takes the packet that head() has told. REQUIRES: it told one, and it was not taken yet.
  UnitRef dequeue(FairLeaf& leaf, const FairQueueProfile& profile, TimePoint now) {
    LeafBacklog& backlog = memory_.leaves[leaf.backlog_];
    assert(backlog.is_staged);
    const UnitRef unit = backlog.staged;
    if (backlog.staged_marked) memory_.counters.marks.add(1);
    backlog.is_staged = false;
    backlog.served += unit.wire_bytes();
    memory_.leave(leaf, backlog, unit);
    if (leaf.packets() == 0) memory_.put_away(leaf, backlog, &profile, now);
    return unit;
  }

  /// Drops all that waits, and forgets the leaf: after that it may be destroyed or used again.
  /// O(packets + flows). Returns the number of packets.
  template <QueueDropSink Sink>
  std::uint32_t remove(FairLeaf& leaf, Sink& sink) {
    const std::uint32_t count = leaf.packets();
    leaf.epoch_ = (leaf.epoch_ + 1U) % FlowOwner::kEpochs;
    if (leaf.backlog_ == kNoIndex) return count;
    LeafBacklog& backlog = memory_.leaves[leaf.backlog_];
    if (backlog.is_staged) memory_.drop(backlog.staged, QueueDrop::kQueueRemoved, sink);
    for (const QueueIndex at : backlog.tins) {
      while (at != kNoIndex && memory_.tins[at].has_flows()) {
        const QueueIndex index = memory_.tins[at].front(flows());
        FlowRecord& flow = flows()[index];
        while (flow.has_packets()) {
          memory_.drop_head(leaf, backlog, memory_.tins[at], flow, QueueDrop::kQueueRemoved, {},
                            sink);
        }
        memory_.tins[at].pop(flows(), flow);
        backlog.sizes.remove(flows(), index);
        memory_.directory.erase(index);
      }
    }
    leaf.packets_.set(0);
    leaf.flows_.set(0);
    if (backlog.is_put_away) memory_.take_off_put_away(leaf.backlog_);
    memory_.release_backlog(leaf);
    return count;
  }

  /// `to` takes over all that waits in a leaf, and its flows. REQUIRES: `to` has none, and had none
  /// of this leaf's flows.
  void move(FairLeaf& from, FairLeaf& to) {
    to.id_ = from.id_;
    to.epoch_ = from.epoch_;
    to.backlog_ = from.backlog_;
    to.packets_.set(from.packets());
    to.flows_.set(from.flows());
    if (to.backlog_ != kNoIndex) memory_.leaves[to.backlog_].leaf = &to;
    from.epoch_ = (from.epoch_ + 1U) % FlowOwner::kEpochs;
    from.backlog_ = kNoIndex;
    from.packets_.set(0);
    from.flows_.set(0);
  }

  // To and from the FairQueues of another thread, with the same seed.

  /// Takes all out that waits in a leaf, and its flows. `out` is empty.
  void take_out(FairLeaf& leaf, MovedQueue& out, TimePoint now) {
    if (leaf.packets() > 0) QueueMove(memory_).take_out(leaf, out, now);
    struct {
      void dropped(UnitRef, QueueDrop) {}
    } nothing;
    remove(leaf, nothing);
  }
  /// Puts that into a leaf that has nothing, and behind it, in the order of their arrivals, the
  /// packets of `behind`, which came to this leaf meanwhile. REQUIRES: the profile is the same.
  template <QueueDropSink Sink>
  void put_in(FairLeaf& leaf, const FairQueueProfile& profile, MovedQueue& moved,
              MovedQueue& behind, TimePoint now, Sink& sink) {
    QueueMove(memory_).put_in(leaf, profile, moved, now, sink);
    std::sort(behind.packets.begin(), behind.packets.end());
    for (const MovedQueue::Packet& packet : behind.packets) {
      const MovedQueue::Flow& flow = behind.flows[packet.flow];
      TimePoint arrival = QueueSlot::latest(packet.arrival);
      // Of two threads that receive, one went on sending to the other leaf for a moment.
      if (!moved.empty() && arrival < moved.marks.newest()) arrival = moved.marks.newest();
      enqueue(leaf, profile, packet.unit, flow.tin, packet.ecn, arrival, sink,
              [&](FlowOwner owner) {
                return memory_.directory.find_or_insert(owner, flow.identity, profile.aqm[flow.tin],
                                                        arrival);
              });
    }
  }

  /// By then the oldest packet had arrived that is not staged: see ArrivalMarks. REQUIRES: there is
  /// one.
  [[nodiscard]] TimePoint waits_since(const FairLeaf& leaf) {
    return memory_.leaves[leaf.backlog_].marks.since();
  }

  /// Wire bytes that wait in a leaf.
  [[nodiscard]] std::uint64_t bytes(const FairLeaf& leaf) {
    return leaf.backlog_ == kNoIndex ? 0 : memory_.leaves[leaf.backlog_].bytes;
  }

  // Any thread:
  [[nodiscard]] const Counters& counters() const { return memory_.counters; }
  /// Packets that wait in all leaves, but for one of each that departs next.
  [[nodiscard]] std::uint32_t packets_in_use() const { return memory_.slots.used(); }
  /// Flow records in use: with packets, with their turn, or with AQM state.
  [[nodiscard]] std::uint32_t flows_in_use() const { return memory_.directory.flows.used(); }
  /// Flow records with AQM state that were needed for other flows.
  [[nodiscard]] std::uint64_t forgotten_flows() const { return memory_.directory.forgotten(); }

 private:
  [[nodiscard]] FlowTable& flows() { return memory_.directory.flows; }

  // ---- Arrival

  // `find(FlowOwner)`: the flow of the packet in the directory.
  template <class Sink, class Find>
  [[gnu::always_inline]] bool enqueue(FairLeaf& leaf, const FairQueueProfile& profile, UnitRef unit,
                                      std::uint32_t tin, Ecn ecn, TimePoint now, Sink& sink,
                                      Find find) {
    if (memory_.puts_away()) [[unlikely]]
      memory_.go_on_putting_away(now);
    const QueueIndex slot = memory_.slots.allocate();
    const QueueIndex index = slot != kNoIndex ? flow_of(leaf, profile, tin, now, find) : kNoIndex;
    if (index == kNoIndex) [[unlikely]] {
      if (slot != kNoIndex) memory_.slots.release(slot);
      memory_.drop(unit, QueueDrop::kNoMemory, sink);
      return false;
    }
    LeafBacklog& backlog = memory_.leaves[leaf.backlog_];
    TinBacklog& in = memory_.tins[backlog.tins[tin]];
    if (in.packets++ == 0) in.due = std::max(in.due, backlog.served);
    FlowRecord& flow = flows()[index];
    backlog.marks.arrive(now, leaf.packets() - static_cast<std::uint32_t>(backlog.is_staged));
    memory_.slots.append(static_cast<QueueIndex>(flow.tail), slot, unit, now, ecn);
    flow.tail = slot & kMaxQueueIndex;
    flow.bytes += unit.wire_bytes();
    backlog.sizes.grown(flows(), index);
    backlog.bytes += unit.wire_bytes();
    leaf.packets_.add(1);
    if (is_full(leaf, backlog, profile)) [[unlikely]]
      make_room(leaf, backlog, profile, now, sink);
    return true;
  }
  // The flow of a packet, which is in its tin's lists from now on. kNoIndex: no memory.
  template <class Find>
  [[gnu::always_inline]] QueueIndex flow_of(FairLeaf& leaf, const FairQueueProfile& profile,
                                            std::uint32_t tin, TimePoint now, Find find) {
    if (leaf.backlog_ == kNoIndex) {
      leaf.backlog_ = memory_.leaves.allocate();
      if (leaf.backlog_ == kNoIndex) [[unlikely]]
        return kNoIndex;
      memory_.leaves[leaf.backlog_].leaf = &leaf;
    }
    LeafBacklog& backlog = memory_.leaves[leaf.backlog_];
    if (backlog.tins[tin] == kNoIndex) [[unlikely]]
      backlog.tins[tin] = memory_.tins.allocate();
    FlowDirectory::Found found;
    if (backlog.tins[tin] != kNoIndex) [[likely]] {
      found = find(FlowOwner{leaf.id_, leaf.epoch_, tin});
    }
    if (found.index == kNoIndex) [[unlikely]] {
      if (leaf.packets() == 0 && leaf.flows() == 0) memory_.release_backlog(leaf);
      return kNoIndex;
    }
    FlowRecord& flow = flows()[found.index];
    if (flow.flow_state() == FlowState::kOld) [[likely]] {
      memory_.directory.count_at_hosts(flow, true);
    } else if (flow.flow_state() != FlowState::kNew) {
      if (!found.is_new) memory_.directory.take_back(found.index, profile.aqm[tin], now);
      begin(leaf, profile, memory_.tins[backlog.tins[tin]], found.index);
    }
    return found.index;
  }
  // A flow that is in no list becomes a new one.
  void begin(FairLeaf& leaf, const FairQueueProfile& profile, TinBacklog& tin, QueueIndex index) {
    FlowRecord& flow = flows()[index];
    flow.set_state(FlowState::kNew);
    flow.deficit = static_cast<std::int32_t>(quantum(profile) / memory_.directory.load_of(flow));
    append_linked(flows(), tin.new_flows, index);
    leaf.flows_.add(1);
  }
  static bool is_full(const FairLeaf& leaf, const LeafBacklog& backlog,
                      const FairQueueProfile& profile) {
    return leaf.packets() > profile.settings.capacity ||
           backlog.bytes > profile.settings.capacity_bytes;
  }
  template <class Sink>
  void make_room(FairLeaf& leaf, LeafBacklog& backlog, const FairQueueProfile& profile,
                 TimePoint now, Sink& sink) {
    while (is_full(leaf, backlog, profile)) {
      const QueueIndex index = backlog.sizes.fattest(flows());
      if (index == kNoIndex) return;  // What is left is staged: it departs next.
      FlowRecord& flow = flows()[index];
      if (profile.settings.codel) {
        CobaltState aqm = flow.aqm();
        aqm.overflowed(profile.aqm[flow.owner.tin()], now);
        flow.set_aqm(aqm);
      }
      memory_.drop_head(leaf, backlog, memory_.tins[backlog.tins[flow.owner.tin()]], flow,
                        QueueDrop::kOverflow, now, sink);
    }
  }

  // ---- Departure

  // Chooses the packet that departs next and takes it out of its flow's queue.
  template <class Sink>
  QueueHead::Status stage(FairLeaf& leaf, LeafBacklog& backlog, const FairQueueProfile& profile,
                          TimePoint now, Sink& sink) {
    for (int visits = 0;; ++visits) {
      // Looked at first: who is asked again has a packet.
      if (leaf.packets() == 0) {
        memory_.put_away(leaf, backlog, &profile, now);
        return QueueHead::Status::kEmpty;
      }
      if (visits == kMostVisits) return QueueHead::Status::kAgain;
      const std::uint32_t at = backlog.choose_tin(memory_.tins);
      TinBacklog& tin = memory_.tins[backlog.tins[at]];
      const QueueIndex index = tin.front(flows());
      FlowRecord& flow = flows()[index];
      if (flow.deficit <= 0) {
        tin.pop(flows(), flow);
        become_old(flow);
        tin.old_flows.insert(flows(), index, quantum(profile), memory_.directory.load_of(flow));
      } else if (!flow.has_packets()) {
        tin.pop(flows(), flow);
        if (flow.flow_state() == FlowState::kNew) {
          // Not given up at once: it would be new again with its next packet, and go before all
          // others time and again (RFC 8290, section 4.2).
          become_old(flow);
          tin.old_flows.insert_unpaid(flows(), index);
        } else {
          memory_.retire(leaf, backlog, index, &profile, now);
        }
      } else if (try_stage(leaf, backlog, tin, flow, profile, now, sink)) {
        if (profile.tins.count > 1) {
          backlog.charge(tin, profile.tins.share_log2[at], backlog.staged.wire_bytes());
        }
        return QueueHead::Status::kPacket;
      }
    }
  }
  // Stages the head of a flow, or drops it.
  template <class Sink>
  bool try_stage(FairLeaf& leaf, LeafBacklog& backlog, TinBacklog& tin, FlowRecord& flow,
                 const FairQueueProfile& profile, TimePoint now, Sink& sink) {
    const QueueSlot& slot = memory_.slots[memory_.slots.first(static_cast<QueueIndex>(flow.tail))];
    const Duration sojourn = slot.sojourn(now);
    const Duration max_wait = profile.settings.max_wait;
    if (max_wait.ns > 0 && sojourn > max_wait) [[unlikely]] {
      memory_.drop_head(leaf, backlog, tin, flow, QueueDrop::kMaxWait, now, sink);
      return false;
    }
    AqmVerdict verdict = AqmVerdict::kPass;
    if (sojourn > profile.careless[slot.ecn() == Ecn::kEct1] || flow.has_aqm_state()) [[unlikely]] {
      verdict = decide(flow, profile, slot.ecn(), sojourn, now);
      if (verdict == AqmVerdict::kDrop) {
        memory_.drop_head(leaf, backlog, tin, flow, QueueDrop::kAqm, now, sink);
        return false;
      }
    }
    backlog.staged = memory_.take(leaf, backlog, tin, flow, now);
    backlog.staged_arrival = now + Duration{-sojourn.ns};
    backlog.staged_marked = verdict == AqmVerdict::kMark;
    backlog.is_staged = true;
    flow.deficit -=
        static_cast<std::int32_t>(backlog.staged.wire_bytes() << FlowRecord::kDeficitShift);
    return true;
  }
  [[gnu::noinline]] AqmVerdict decide(FlowRecord& flow, const FairQueueProfile& profile, Ecn ecn,
                                      Duration sojourn, TimePoint now) {
    // L4S (RFC 9331, section 5): marked at once above a low threshold of its own, not by CoDel.
    const Duration l4s_threshold = profile.settings.l4s_threshold;
    const bool is_l4s = ecn == Ecn::kEct1 && l4s_threshold.ns > 0;
    AqmVerdict verdict = AqmVerdict::kPass;
    if (profile.settings.codel) {
      CobaltState aqm = flow.aqm();
      const bool is_last = memory_.slots.first(static_cast<QueueIndex>(flow.tail)) == flow.tail;
      verdict = aqm.decide(profile.aqm[flow.owner.tin()], now, is_l4s ? Duration{} : sojourn, ecn,
                           is_last, random_);
      flow.set_aqm(aqm);
    }
    const bool mark_l4s = is_l4s && sojourn > l4s_threshold;
    return mark_l4s && verdict == AqmVerdict::kPass ? AqmVerdict::kMark : verdict;
  }

  // ---- Flows

  void become_old(FlowRecord& flow) {
    flow.set_state(FlowState::kOld);
    if (flow.has_packets()) memory_.directory.count_at_hosts(flow, true);
  }
  static std::uint32_t quantum(const FairQueueProfile& profile) {
    return profile.settings.quantum << FlowRecord::kDeficitShift;
  }

  FairMemory memory_;
  QueueRandom random_;
};

}  // namespace drip
