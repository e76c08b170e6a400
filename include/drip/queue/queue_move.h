// SPDX-License-Identifier: BSD-3-Clause
// What a leaf of FairQueues takes along when its bucket moves to the FairQueues of another thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <vector>

#include "drip/queue/cobalt.h"
#include "drip/queue/fair_memory.h"

namespace drip {

/// All that waits in a leaf, out of the pools: packets with their arrivals, flows with their AQM
/// state, and the order in which they have their turns. One thread fills it and another one uses it
/// up. After reserve() neither allocates; flows without packets beyond what it says are forgotten.
///
/// What a flow without packets had left of AQM state, and was waiting to be at rest, stays behind
/// and is forgotten.
class MovedQueue {
 public:
  struct Packet {
    UnitRef unit;
    TimePoint arrival;
    Ecn ecn = Ecn::kNotCapable;
    std::uint32_t flow = 0;      ///< Its number in `flows`.
    std::uint32_t position = 0;  ///< In `packets`, when it was taken out.

    /// In the order of arrivals, and within a flow in its order.
    friend bool operator<(const Packet& a, const Packet& b) {
      if (a.arrival != b.arrival) return a.arrival < b.arrival;
      return std::tie(a.flow, a.position) < std::tie(b.flow, b.position);
    }
  };
  struct Flow {
    FlowDirectory::Identity identity;
    CobaltState aqm;
    std::int32_t deficit = 0;
    std::uint32_t packets = 0;  ///< Of `packets`, one after the other.
    std::uint8_t tin = 0;
    std::uint8_t list = 0;        ///< kNewFlows, or a list of its tin's RoundCalendar.
    std::uint8_t size_class = 0;  ///< FlowRecord::size_class.
    bool counted = false;         ///< FlowRecord::counted.
  };
  struct Tin {
    bool used = false;
    std::uint64_t due = 0;
    std::uint32_t round = 0;
  };
  static constexpr std::uint8_t kNewFlows = RoundCalendar::kLists;

  /// `most_packets`: the capacity of the bucket, and one. `idle_flows`: flows without packets.
  void reserve(std::size_t most_packets, std::size_t idle_flows) {
    most_idle_flows = idle_flows;
    packets.reserve(most_packets);
    for (auto* const one : {&by_size, &indices}) one->reserve(most_packets + idle_flows);
    flows.reserve(most_packets + idle_flows);
  }
  [[nodiscard]] bool empty() const { return packets.empty() && !is_staged; }
  [[nodiscard]] std::uint32_t packet_count() const {
    return static_cast<std::uint32_t>(packets.size()) + static_cast<std::uint32_t>(is_staged);
  }

  std::vector<Packet> packets;
  std::vector<Flow> flows;             // By tins and lists, in the order of their turns.
  std::vector<std::uint32_t> by_size;  // Numbers of flows, as SizeClasses has them.
  std::vector<QueueIndex> indices;     // Of flows, where they have been put in.
  std::array<Tin, kMaxTins> tins{};
  std::size_t most_idle_flows = 0;  // That are still taken.
  std::uint64_t served = 0;
  ArrivalMarks marks;
  UnitRef staged;
  TimePoint staged_arrival;
  bool is_staged = false;
  bool staged_marked = false;
};

/// Belongs to the thread of the FairMemory.
class QueueMove {
 public:
  explicit QueueMove(FairMemory& memory) : memory_(memory) {}

  /// Takes all out of a leaf with packets, which has nothing after that. `out` is empty.
  /// O(packets + flows).
  void take_out(FairLeaf& leaf, MovedQueue& out, TimePoint now) {
    LeafBacklog& backlog = memory_.leaves[leaf.backlog_];
    out.served = backlog.served;
    out.marks = backlog.marks;
    out.staged = backlog.staged;
    out.staged_arrival = backlog.staged_arrival;
    out.is_staged = backlog.is_staged;
    out.staged_marked = backlog.staged_marked;
    for (std::uint8_t tin = 0; tin < kMaxTins; ++tin) {
      if (backlog.tins[tin] == kNoIndex) continue;
      const TinBacklog& from = memory_.tins[backlog.tins[tin]];
      out.tins[tin] = {true, from.due, from.old_flows.round()};
      visit(from,
            [&](QueueIndex index, std::uint8_t list) { take_flow(index, tin, list, out, now); });
    }
    backlog.sizes.visit(flows(), [&](QueueIndex index) {
      const std::uint32_t number = number_of(flows()[index]);
      if (number != kForgotten) out.by_size.push_back(number);
    });
    for (const QueueIndex tin : backlog.tins) {
      if (tin == kNoIndex) continue;
      visit(memory_.tins[tin],
            [&](QueueIndex index, std::uint8_t) { memory_.directory.erase(index); });
    }
    leaf.packets_.set(0);
    leaf.flows_.set(0);
    if (backlog.is_put_away) memory_.take_off_put_away(leaf.backlog_);
    memory_.release_backlog(leaf);
  }

  /// Puts into a leaf without packets and flows what take_out() has taken out of another one. What
  /// finds no memory is dropped.
  template <class Sink>
  void put_in(FairLeaf& leaf, const FairQueueProfile& profile, MovedQueue& in, TimePoint now,
              Sink& sink) {
    if (in.empty()) return;
    leaf.backlog_ = memory_.leaves.allocate();
    if (leaf.backlog_ == kNoIndex) [[unlikely]]
      return drop_all(in, sink);
    LeafBacklog& backlog = memory_.leaves[leaf.backlog_];
    backlog.leaf = &leaf;
    backlog.served = in.served;
    backlog.marks = in.marks;
    backlog.staged = in.staged;
    backlog.staged_arrival = in.staged_arrival;
    backlog.is_staged = in.is_staged;
    backlog.staged_marked = in.staged_marked;
    leaf.packets_.set(in.packet_count());
    if (in.is_staged) backlog.bytes = in.staged.wire_bytes();
    for (const MovedQueue::Packet& packet : in.packets) backlog.bytes += packet.unit.wire_bytes();
    for (std::uint32_t tin = 0; tin < kMaxTins; ++tin) {
      if (!in.tins[tin].used) continue;
      backlog.tins[tin] = memory_.tins.allocate();
      if (backlog.tins[tin] == kNoIndex) continue;
      TinBacklog& to = memory_.tins[backlog.tins[tin]];
      to.due = in.tins[tin].due;
      to.old_flows.start_at(in.tins[tin].round);
    }
    std::size_t first = 0;
    for (const MovedQueue::Flow& flow : in.flows) {
      in.indices.push_back(put_flow(leaf, backlog, profile, flow, &in.packets[first], now, sink));
      first += flow.packets;
    }
    // The last one that is linked becomes the first of its class.
    for (auto number = in.by_size.rbegin(); number != in.by_size.rend(); ++number) {
      if (in.indices[*number] == kNoIndex) continue;
      backlog.sizes.put_back(flows(), in.indices[*number], in.flows[*number].size_class);
    }
    if (leaf.packets() == 0) memory_.put_away(leaf, backlog, &profile, now);
  }

 private:
  static constexpr std::uint32_t kForgotten = ~0U;

  [[nodiscard]] FlowTable& flows() { return memory_.flows(); }

  // Calls `each(index, list)` for the flows of a tin, those of a list in their order.
  template <class Each>
  void visit(const TinBacklog& tin, Each each) {
    if (tin.new_flows != kNoIndex) {
      visit_linked(flows(), first_linked(flows(), tin.new_flows), tin.new_flows,
                   [&](QueueIndex index) { each(index, MovedQueue::kNewFlows); });
    }
    tin.old_flows.visit(flows(), each);
  }
  // A flow that has been taken out keeps its number in the place of its deficit.
  static std::uint32_t number_of(const FlowRecord& flow) {
    return static_cast<std::uint32_t>(flow.deficit);
  }
  void take_flow(QueueIndex index, std::uint8_t tin, std::uint8_t list, MovedQueue& out,
                 TimePoint now) {
    FlowRecord& flow = flows()[index];
    if (!flow.has_packets() && out.most_idle_flows-- == 0) {
      out.most_idle_flows = 0;
      flow.deficit = static_cast<std::int32_t>(kForgotten);
      return;
    }
    MovedQueue::Flow& moved = out.flows.emplace_back();
    const auto number = static_cast<std::uint32_t>(out.flows.size() - 1);
    moved.identity = memory_.directory.identity_of(index);
    moved.aqm = flow.aqm();
    moved.deficit = flow.deficit;
    moved.tin = tin;
    moved.list = list;
    moved.size_class = flow.size_class & 0xff;
    moved.counted = flow.counted != 0;
    auto tail = static_cast<QueueIndex>(flow.tail);
    while (tail != kNoIndex) {
      const QueueIndex at = memory_.slots.take_first(tail);
      const QueueSlot& slot = memory_.slots[at];
      out.packets.push_back({slot.unit, slot.arrival(now), slot.ecn(), number,
                             static_cast<std::uint32_t>(out.packets.size())});
      memory_.slots.release(at);
      ++moved.packets;
    }
    flow.tail = kNoIndex;
    flow.deficit = static_cast<std::int32_t>(number);
  }

  // Returns the flow's index; kNoIndex if there was no memory, and its packets are dropped.
  template <class Sink>
  QueueIndex put_flow(FairLeaf& leaf, LeafBacklog& backlog, const FairQueueProfile& profile,
                      const MovedQueue::Flow& moved, const MovedQueue::Packet* packets,
                      TimePoint now, Sink& sink) {
    QueueIndex index = kNoIndex;
    if (backlog.tins[moved.tin] != kNoIndex) {
      index = memory_.directory
                  .find_or_insert({leaf.id_, leaf.epoch_, moved.tin}, moved.identity,
                                  profile.aqm[moved.tin], now)
                  .index;
    }
    if (index == kNoIndex) [[unlikely]] {
      for (std::uint32_t i = 0; i < moved.packets; ++i) {
        drop_before_it_is_in(leaf, backlog, packets[i], sink);
      }
      return kNoIndex;
    }
    TinBacklog& tin = memory_.tins[backlog.tins[moved.tin]];
    FlowRecord& flow = flows()[index];
    for (std::uint32_t i = 0; i < moved.packets; ++i) {
      const MovedQueue::Packet& packet = packets[i];
      const QueueIndex slot = memory_.slots.allocate();
      if (slot == kNoIndex) [[unlikely]] {
        drop_before_it_is_in(leaf, backlog, packet, sink);
        continue;
      }
      memory_.slots.append(static_cast<QueueIndex>(flow.tail), slot, packet.unit, packet.arrival,
                           packet.ecn);
      flow.tail = slot & kMaxQueueIndex;
      flow.bytes += packet.unit.wire_bytes();
      ++tin.packets;
    }
    flow.deficit = moved.deficit;
    flow.set_aqm(moved.aqm);
    memory_.directory.count_at_hosts(flow, moved.counted);
    if (moved.list == MovedQueue::kNewFlows) {
      flow.set_state(FlowState::kNew);
      append_linked(flows(), tin.new_flows, index);
    } else {
      flow.set_state(FlowState::kOld);
      tin.old_flows.put_back(flows(), moved.list, index);
    }
    leaf.flows_.set(leaf.flows() + 1);
    return index;
  }
  template <class Sink>
  void drop_before_it_is_in(FairLeaf& leaf, LeafBacklog& backlog, const MovedQueue::Packet& packet,
                            Sink& sink) {
    memory_.leave(leaf, backlog, packet.unit);
    backlog.marks.take(packet.arrival,
                       leaf.packets() - static_cast<std::uint32_t>(backlog.is_staged));
    memory_.drop(packet.unit, QueueDrop::kNoMemory, sink);
  }
  template <class Sink>
  void drop_all(const MovedQueue& in, Sink& sink) {
    if (in.is_staged) memory_.drop(in.staged, QueueDrop::kNoMemory, sink);
    for (const MovedQueue::Packet& packet : in.packets) {
      memory_.drop(packet.unit, QueueDrop::kNoMemory, sink);
    }
  }

  FairMemory& memory_;
};

}  // namespace drip
