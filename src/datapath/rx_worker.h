// SPDX-License-Identifier: BSD-3-Clause
// Takes packets off the ports, finds each one's rule, and sends it on its way.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "classifier/classifier.h"
#include "datapath/dispatcher.h"
#include "datapath/lcore_counters.h"
#include "datapath/packet_io.h"
#include "engine/rule_snapshot.h"
#include "packet/control_traffic.h"
#include "packet/headers.h"

namespace drip::datapath {

/// Runs on one polling thread.
template <class Io>
class RxWorker {
 public:
  static constexpr std::size_t kBurst = 32;

  /// `number` is the worker's place in RuleSnapshot::workers.
  RxWorker(std::uint32_t number, Io& io, Dispatcher<Io>& dispatcher, LcoreCounters& counters)
      : number_(number), io_(io), dispatcher_(dispatcher), counters_(counters) {}

  /// On the worker's thread. From now on packets go by `rules`, which must stay until replaced here
  /// and until the transmitters have taken in what was handed to them.
  void set_rules(const RuleSnapshot* rules) {
    dispatcher_.flush();
    rules_ = rules;
  }

  /// One burst from each queue. Returns how many packets came.
  template <class Clock>
  std::uint32_t receive(Clock& clock) {
    if (rules_ == nullptr) return 0;
    std::uint32_t received = 0;
    for (std::uint16_t queue = 0; queue < io_.rx_queues(); ++queue) {
      std::array<void*, kBurst> packets;
      const std::uint32_t count = io_.rx(queue, packets);
      if (count == 0) continue;
      received += count;
      handle(std::span(packets).first(count), io_.ingress(queue), clock.now());
    }
    if (received > 0) counters_.rx_packets.add(received);
    return received;
  }

 private:
  void handle(std::span<void*> packets, std::uint16_t ingress, TimePoint now) {
    auto& [headers, frames, decisions] = burst_;
    for (void* const packet : packets) io_.prefetch(packet);
    for (std::size_t i = 0; i < packets.size(); ++i) {
      frames[i] = io_.frame(packets[i]);
      parse_frame(frames[i].bytes, frames[i].frame_bytes, headers[i]);
    }
    const RuleSnapshot& rules = *rules_;
    rules.classifier.classify_burst(std::span(headers).first(packets.size()), ingress, decisions);
    for (std::size_t i = 0; i < packets.size(); ++i) {
      if (decisions[i] == kNoRule)
        decisions[i] = static_cast<std::uint32_t>(rules.fallback_index());
    }
    WorkerRule* const mine = rules.workers[number_].get();
    prefetch(mine, std::span(decisions).first(packets.size()));

    const std::uint16_t egress = io_.egress(ingress);
    for (std::size_t i = 0; i < packets.size(); ++i) {
      const Arrival arrival{packets[i], frames[i].frame_bytes, ingress, egress, now, now};
      if (egress == kNoPort) [[unlikely]] {
        dispatcher_.drop(arrival, DropReason::kNoEgress);
      } else if (rules.protect_control_traffic && is_control_traffic(headers[i], frames[i].bytes))
          [[unlikely]] {
        count(mine[rules.protected_index()], arrival);
        dispatcher_.pass(arrival, true, rules);
      } else {
        WorkerRule& rule = mine[decisions[i]];
        count(rule, arrival);
        dispatcher_.send(rule.action, arrival, headers[i], rules);
      }
    }
  }

  // What each packet will touch is asked for step by step, for the whole burst at a time: each step
  // needs what the one before it has brought, and with many rules and buckets all of it is missed.
  // No step waits for the rule itself, which is not needed before the packet is sent on.
  void prefetch(const WorkerRule* rules, std::span<const std::uint32_t> decisions) const {
    const BucketRef* const targets = rules_->targets.data();
    for (const std::uint32_t decision : decisions) {
      __builtin_prefetch(&rules[decision], 1);
      dispatcher_.prefetch(targets[decision]);
    }
    for (const std::uint32_t decision : decisions) dispatcher_.prefetch_behind(targets[decision]);
  }

  static void count(WorkerRule& rule, const Arrival& arrival) {
    rule.packets.add(1);
    rule.bytes.add(arrival.frame_bytes);
  }

  // What is found out about a burst: here, so that it is not made anew, 2 KiB, for each.
  struct Burst {
    std::array<Headers, kBurst> headers;
    std::array<FrameBytes, kBurst> frames;
    std::array<std::uint32_t, kBurst> decisions;
  };

  Burst burst_;
  std::uint32_t number_;
  Io& io_;
  Dispatcher<Io>& dispatcher_;
  LcoreCounters& counters_;
  const RuleSnapshot* rules_ = nullptr;
};

}  // namespace drip::datapath
