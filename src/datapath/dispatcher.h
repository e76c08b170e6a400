// SPDX-License-Identifier: BSD-3-Clause
// Sends a classified packet where its rule says: into a bucket, here or on another core, or on
// without shaping.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "datapath/drop_batch.h"
#include "datapath/flow_buckets.h"
#include "datapath/hand_off.h"
#include "datapath/packet_io.h"
#include "datapath/transmitter.h"
#include "drip/cache_line.h"
#include "engine/rule_snapshot.h"
#include "packet/ds_field.h"
#include "packet/flow_key.h"
#include "packet/headers.h"
#include "packet/tunnels.h"

namespace drip::datapath {

/// A received packet.
struct Arrival {
  void* packet;
  std::uint32_t frame_bytes;
  std::uint16_t ingress;
  std::uint16_t egress;
  TimePoint at;
  TimePoint now;  ///< When it is dispatched; later than `at` if another thread received it.
  const Headers* headers = nullptr;  ///< As they came; null if another thread received it.
};

/// One for each polling thread. It reaches the buckets of this thread's own transmitter directly,
/// those of other transmitters through hand-off rings.
template <class Io>
class Dispatcher {
 public:
  /// `transmitter` and `flows`: this thread's, transmitter number `own`; null if it is a worker
  /// only. `hand_offs`: the rings from this thread, by transmitter; null for its own. `spread`: the
  /// same for all threads.
  Dispatcher(Io& io, Transmitter<Io>* transmitter, FlowBuckets<Io>* flows, std::uint32_t own,
             std::vector<HandOff*> hand_offs, const FlowHash& spread, LcoreCounters& counters)
      : io_(io),
        transmitter_(transmitter),
        flows_(flows),
        own_(own),
        hand_offs_(std::move(hand_offs)),
        spread_(spread),
        drops_(io, counters) {}

  // ---- Packets that this thread has received and classified

  /// Prefetches what dispatch() will touch of a bucket, in two steps some packets apart.
  void prefetch(BucketRef target) const {
    if (is_local(target.transmitter)) transmitter_->prefetch(target.slot);
  }
  void prefetch_behind(BucketRef target) const {
    if (is_local(target.transmitter)) transmitter_->prefetch_behind(target.slot);
  }
  /// Whether there is a third step, for buckets with queues.
  [[nodiscard]] bool has_far_queues() const {
    return transmitter_ != nullptr && transmitter_->has_far_queues();
  }
  /// That, for a burst: `target(i)` is where packet i of it goes. REQUIRES: has_far_queues().
  template <class TargetOf>
  void prefetch_queues(std::span<const Headers> headers, TargetOf target) const {
    std::array<std::uint32_t, BucketQueues::kMostTogether> slots;
    std::array<std::uint32_t, BucketQueues::kMostTogether> numbers;
    std::size_t count = 0;
    for (std::uint32_t i = 0; i < headers.size(); ++i) {
      const BucketRef bucket = target(i);
      if (!is_local(bucket.transmitter)) continue;
      slots[count] = bucket.slot;
      numbers[count++] = i;
    }
    transmitter_->prefetch_queues(
        std::span<const std::uint32_t>(slots).first(count),
        [&](std::size_t i) -> const Headers& { return headers[numbers[i]]; });
  }

  void dispatch(const RuleAction& action, const Arrival& arrival, const Headers& headers,
                const RuleSnapshot& rules) {
    if (action.dscp != RuleAction::kKeepDscp) [[unlikely]]
      remark(arrival, headers, action.dscp);
    if (action.kind == RuleAction::Kind::kFlows) {
      return to_flow(action.flow_rule, arrival, headers, rules);
    }
    dispatch_without_flows(action, arrival, rules);
  }

  /// The flow that a packet is of by a rule of kind kFlows.
  [[nodiscard]] FlowKey flow_of(const RuleAction& action, const Arrival& arrival,
                                const Headers& headers, const RuleSnapshot& rules) {
    return key_of(rules.flow_paths[action.flow_rule].key, arrival, headers);
  }

  /// Sends a packet on without shaping.
  void pass(const Arrival& arrival, bool control_traffic, const RuleSnapshot& rules) {
    if (transmitter_ != nullptr) [[likely]] {
      return transmitter_->pass(arrival.packet, arrival.frame_bytes, arrival.egress,
                                control_traffic);
    }
    // The transmitter is chosen by ingress port, so that these packets stay in order.
    hand_off(arrival.ingress % transmitters(),
             control_traffic ? HandedPacket::Kind::kControlTraffic : HandedPacket::Kind::kPass, 0,
             arrival, rules);
  }

  void drop(const Arrival& arrival, DropReason reason) {
    drops_.drop(arrival.packet, arrival.frame_bytes, reason);
  }

  // ---- Packets that other threads have handed over to this thread's transmitter

  /// Takes one burst; returns how many packets.
  std::uint32_t accept_burst(HandOff& from, TimePoint now) {
    std::array<HandedPacket, HandOff::kBurst> burst;
    const auto count = static_cast<std::uint32_t>(from.pop(burst));
    const std::span<const HandedPacket> packets(burst.data(), count);
    for (const HandedPacket& packet : packets) {
      // The sender's core has its lines; they are written here when it is sent and freed.
      prefetch_to_write(packet.packet);
      prefetch_to_write(static_cast<const std::byte*>(packet.packet) + kCacheLineBytes);
      if (packet.kind == HandedPacket::Kind::kBucket) transmitter_->prefetch(packet.target);
    }
    for (const HandedPacket& packet : packets) {
      if (packet.kind == HandedPacket::Kind::kBucket) transmitter_->prefetch_behind(packet.target);
    }
    for (const HandedPacket& packet : packets) accept(packet, now);
    return count;
  }

  // ---- Both

  /// Hands the collected packets over to the other threads, and frees what was dropped.
  void flush() {
    for (HandOff* const hand_off : hand_offs_) {
      if (hand_off != nullptr) hand_off->flush();
    }
    drops_.flush();
  }

  /// Packets between this thread and others. Any thread.
  [[nodiscard]] std::uint64_t waiting() const {
    std::uint64_t sum = 0;
    for (const HandOff* const hand_off : hand_offs_) {
      if (hand_off != nullptr) sum += hand_off->waiting();
    }
    return sum;
  }

 private:
  [[nodiscard]] bool is_local(std::uint32_t transmitter) const {
    return transmitter_ != nullptr && transmitter == own_;
  }
  [[nodiscard]] std::uint32_t transmitters() const {
    return static_cast<std::uint32_t>(hand_offs_.size());
  }

  void dispatch_without_flows(const RuleAction& action, const Arrival& arrival,
                              const RuleSnapshot& rules) {
    switch (action.kind) {
      case RuleAction::Kind::kBucket:
        if (is_local(action.bucket.transmitter)) [[likely]] {
          return to_local_bucket(action.bucket.slot, arrival);
        }
        return hand_off(action.bucket.transmitter, HandedPacket::Kind::kBucket, action.bucket.slot,
                        arrival, rules);
      case RuleAction::Kind::kDrop:
        return drop(arrival, DropReason::kRuleDrop);
      case RuleAction::Kind::kPass:
      case RuleAction::Kind::kFlows:  // dispatch() has handled it; neither the fallback nor an
                                      // overflow is per flow.
        return pass(arrival, false, rules);
    }
  }

  void remark(const Arrival& arrival, const Headers& headers, std::uint8_t dscp) {
    const std::span<std::uint8_t> bytes = io_.writable_bytes(arrival.packet);
    set_dscp(bytes, locate_ip(bytes, headers), dscp);
  }

  void to_local_bucket(std::uint32_t slot, const Arrival& arrival) {
    transmitter_->offer(slot, arrival.packet, arrival.frame_bytes, arrival.egress, arrival.at,
                        arrival.now, arrival.headers);
  }

  void to_flow(std::uint32_t flow_rule, const Arrival& arrival, const Headers& headers,
               const RuleSnapshot& rules) {
    const FlowPath& path = rules.flow_paths[flow_rule];
    const FlowKey key = key_of(path.key, arrival, headers);
    // The same key always goes to the same transmitter.
    std::uint32_t owner = 0;
    if (transmitters() > 1) {
      owner = path.transmitter == FlowPath::kAnyTransmitter ? spread_(key) % transmitters()
                                                            : path.transmitter;
    }
    if (!is_local(owner)) {
      return hand_off(owner, HandedPacket::Kind::kFlows, flow_rule, arrival, rules);
    }
    to_local_flow(flow_rule, key, arrival, rules);
  }

  FlowKey key_of(const FlowTemplateKey& key, const Arrival& arrival, const Headers& headers) {
    FlowSource source{arrival.ingress, {}};
    if (needs_bytes(key.kind)) [[unlikely]]
      source.bytes = io_.frame(arrival.packet).bytes;
    if ((key.parts & FlowTemplateKey::kInner) != 0) [[unlikely]] {
      const FrameBytes frame = io_.frame(arrival.packet);
      Headers inner;
      parse_inner(frame.bytes, frame.frame_bytes, headers, inner);
      return make_flow_key(inner, key, source);
    }
    return make_flow_key(headers, key, source);
  }

  void to_local_flow(std::uint32_t flow_rule, const FlowKey& key, const Arrival& arrival,
                     const RuleSnapshot& rules) {
    if (!flows_->offer(flow_rule, key, arrival.packet, arrival.frame_bytes, arrival.egress,
                       arrival.at, arrival.now, arrival.headers)) {
      dispatch_without_flows(rules.flow_paths[flow_rule].overflow, arrival, rules);
    }
  }

  void hand_off(std::uint32_t transmitter, HandedPacket::Kind kind, std::uint32_t target,
                const Arrival& arrival, const RuleSnapshot& rules) {
    if (arrival.frame_bytes > kMaxWireBytes) [[unlikely]]
      return drop(arrival, DropReason::kTooLong);
    const HandedPacket handed{arrival.packet,      arrival.at,      &rules,         target,
                              arrival.frame_bytes, arrival.ingress, arrival.egress, kind};
    if (!hand_offs_[transmitter]->add(handed)) drop(arrival, DropReason::kHandOffFull);
  }

  void accept(const HandedPacket& handed, TimePoint now) {
    // `now` was read when the loop began; the packet may have arrived since.
    const Arrival arrival{handed.packet, handed.frame_bytes, handed.ingress,
                          handed.egress, handed.arrival,     std::max(now, handed.arrival)};
    switch (handed.kind) {
      case HandedPacket::Kind::kBucket:
        return to_local_bucket(handed.target, arrival);
      case HandedPacket::Kind::kFlows: {
        // Parsed again: handing the headers over would cost as much, one cache line.
        const FrameBytes frame = io_.frame(handed.packet);
        const FlowTemplateKey& key = handed.rules->flow_paths[handed.target].key;
        const Headers headers = parse_frame(frame.bytes, frame.frame_bytes);
        return to_local_flow(handed.target, key_of(key, arrival, headers), arrival, *handed.rules);
      }
      case HandedPacket::Kind::kPass:
      case HandedPacket::Kind::kControlTraffic:
        return pass(arrival, handed.kind == HandedPacket::Kind::kControlTraffic, *handed.rules);
    }
  }

  Io& io_;
  Transmitter<Io>* transmitter_;
  FlowBuckets<Io>* flows_;
  std::uint32_t own_;
  std::vector<HandOff*> hand_offs_;
  const FlowHash& spread_;
  DropBatch<Io> drops_;
};

}  // namespace drip::datapath
