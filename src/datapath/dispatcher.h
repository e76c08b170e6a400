// SPDX-License-Identifier: BSD-3-Clause
// Sends a classified packet to where its rule says: a bucket here or on another core, or straight
// on.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "datapath/flow_buckets.h"
#include "datapath/hand_off.h"
#include "datapath/packet_io.h"
#include "engine/rule_snapshot.h"
#include "packet/flow_key.h"
#include "packet/headers.h"

namespace drip::datapath {

struct Arrival {
  void* packet;
  std::uint32_t frame_bytes;
  std::uint16_t ingress;
  std::uint16_t egress;
  TimePoint at;
  TimePoint now;  ///< When it is sent on: later, if it came from another thread.
};

/// One a polling thread. Buckets of this thread's own transmitter are reached at once, others
/// through the hand-off ring to their owner.
template <class Io>
class Dispatcher {
 public:
  /// `local`: this thread's transmitter, number `own`; null for a thread that is a worker only.
  /// `hand_offs`: the rings from this thread, by transmitter; null for its own. `flow_keys`: by
  /// flow set; an entry is written before rules that name its set come here. `spread` is the same
  /// for all threads.
  Dispatcher(Io& io, FlowBuckets<Io>* local, std::uint32_t own, std::vector<HandOff*> hand_offs,
             const FlowTemplateKey* flow_keys, const FlowHash& spread, LcoreCounters& counters)
      : io_(io),
        local_(local),
        own_(own),
        hand_offs_(std::move(hand_offs)),
        flow_keys_(flow_keys),
        spread_(spread),
        counters_(counters) {}

  void prefetch(BucketRef target) const {
    if (is_local(target.transmitter)) local_->transmitter().prefetch(target.slot);
  }
  /// The second step, some packets later.
  void prefetch_behind(BucketRef target) const {
    if (is_local(target.transmitter)) local_->transmitter().prefetch_behind(target.slot);
  }

  void send(const RuleAction& action, const Arrival& arrival, const Headers& headers,
            const RuleSnapshot& rules) {
    if (action.kind == RuleAction::Kind::kFlows) {
      return send_to_flow(action.flow_rule, arrival, headers, rules);
    }
    send_plainly(action, arrival, rules);
  }

  void pass(const Arrival& arrival, bool control_traffic, const RuleSnapshot& rules) {
    if (local_ != nullptr) [[likely]] {
      return local_->transmitter().pass(arrival.packet, arrival.frame_bytes, arrival.egress,
                                        control_traffic);
    }
    // By ingress port, so that what passes stays in order.
    hand_off(arrival.ingress % transmitters(),
             control_traffic ? HandedPacket::Kind::kControlTraffic : HandedPacket::Kind::kPass, 0,
             arrival, rules);
  }

  void drop(const Arrival& arrival, DropReason reason) {
    counters_.drop(reason, arrival.frame_bytes);
    void* packet = arrival.packet;
    io_.drop(std::span<void*>(&packet, 1));
  }

  /// Takes in a burst that another thread handed to this thread's transmitter; returns how many.
  std::uint32_t take_in(HandOff& from, TimePoint now) {
    std::array<HandedPacket, HandOff::kBurst> packets;
    const auto count = static_cast<std::uint32_t>(from.take(packets));
    for (std::uint32_t i = 0; i < count; ++i) {
      if (packets[i].kind == HandedPacket::Kind::kBucket) {
        local_->transmitter().prefetch(packets[i].target);
      }
    }
    for (std::uint32_t i = 0; i < count; ++i) {
      if (packets[i].kind == HandedPacket::Kind::kBucket) {
        local_->transmitter().prefetch_behind(packets[i].target);
      }
    }
    for (std::uint32_t i = 0; i < count; ++i) accept(packets[i], now);
    return count;
  }

  /// Gives what is gathered for other threads to them.
  void flush() {
    for (HandOff* const hand_off : hand_offs_) {
      if (hand_off != nullptr) hand_off->flush();
    }
  }

  /// Packets on their way to other threads. Any thread.
  [[nodiscard]] std::uint64_t waiting() const {
    std::uint64_t sum = 0;
    for (const HandOff* const hand_off : hand_offs_) {
      if (hand_off != nullptr) sum += hand_off->waiting();
    }
    return sum;
  }

 private:
  [[nodiscard]] bool is_local(std::uint32_t transmitter) const {
    return local_ != nullptr && transmitter == own_;
  }
  [[nodiscard]] std::uint32_t transmitters() const {
    return static_cast<std::uint32_t>(hand_offs_.size());
  }

  void send_plainly(const RuleAction& action, const Arrival& arrival, const RuleSnapshot& rules) {
    switch (action.kind) {
      case RuleAction::Kind::kBucket:
        if (is_local(action.bucket.transmitter)) [[likely]] {
          return local_->transmitter().offer(action.bucket.slot, arrival.packet,
                                             arrival.frame_bytes, arrival.egress, arrival.at,
                                             arrival.now);
        }
        return hand_off(action.bucket.transmitter, HandedPacket::Kind::kBucket, action.bucket.slot,
                        arrival, rules);
      case RuleAction::Kind::kDrop:
        return drop(arrival, DropReason::kRuleDrop);
      case RuleAction::Kind::kPass:
      case RuleAction::Kind::kFlows:  // A fallback is never per flow.
        return pass(arrival, false, rules);
    }
  }

  void send_to_flow(std::uint32_t flow_rule, const Arrival& arrival, const Headers& headers,
                    const RuleSnapshot& rules) {
    const FlowKey key = make_flow_key(headers, flow_keys_[flow_rule]);
    // The same key always goes to the same transmitter.
    const std::uint32_t owner = transmitters() == 1 ? 0 : spread_(key) % transmitters();
    if (!is_local(owner)) {
      return hand_off(owner, HandedPacket::Kind::kFlows, flow_rule, arrival, rules);
    }
    offer_to_flow(flow_rule, key, arrival, rules);
  }

  void offer_to_flow(std::uint32_t flow_rule, const FlowKey& key, const Arrival& arrival,
                     const RuleSnapshot& rules) {
    if (!local_->offer_to_flow(flow_rule, key, arrival.packet, arrival.frame_bytes, arrival.egress,
                               arrival.at, arrival.now)) {
      send_plainly(rules.fallback, arrival, rules);
    }
  }

  void hand_off(std::uint32_t transmitter, HandedPacket::Kind kind, std::uint32_t target,
                const Arrival& arrival, const RuleSnapshot& rules) {
    const HandedPacket handed{arrival.packet,      arrival.at,      &rules,         target,
                              arrival.frame_bytes, arrival.ingress, arrival.egress, kind};
    if (!hand_offs_[transmitter]->add(handed)) drop(arrival, DropReason::kHandOffFull);
  }

  void accept(const HandedPacket& handed, TimePoint now) {
    // `now` was read at the begin of the loop; the packet may have come since.
    const Arrival arrival{handed.packet, handed.frame_bytes, handed.ingress,
                          handed.egress, handed.arrival,     std::max(now, handed.arrival)};
    switch (handed.kind) {
      case HandedPacket::Kind::kBucket:
        return local_->transmitter().offer(handed.target, arrival.packet, arrival.frame_bytes,
                                           arrival.egress, arrival.at, arrival.now);
      case HandedPacket::Kind::kFlows: {
        // Read again: the headers are one cache line, as much as it would take to hand them over.
        const FrameBytes frame = io_.frame(handed.packet);
        return offer_to_flow(
            handed.target,
            make_flow_key(parse_frame(frame.bytes, frame.frame_bytes), flow_keys_[handed.target]),
            arrival, *handed.rules);
      }
      case HandedPacket::Kind::kPass:
      case HandedPacket::Kind::kControlTraffic:
        return pass(arrival, handed.kind == HandedPacket::Kind::kControlTraffic, *handed.rules);
    }
  }

  Io& io_;
  FlowBuckets<Io>* local_;
  std::uint32_t own_;
  std::vector<HandOff*> hand_offs_;
  const FlowTemplateKey* flow_keys_;
  const FlowHash& spread_;
  LcoreCounters& counters_;
};

}  // namespace drip::datapath
