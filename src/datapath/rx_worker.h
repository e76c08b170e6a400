// SPDX-License-Identifier: BSD-3-Clause
// Receives packets, parses and classifies them, and gives each to the dispatcher.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "classifier/classifier.h"
#include "datapath/dispatcher.h"
#include "datapath/lcore_counters.h"
#include "datapath/packet_io.h"
#include "datapath/packet_sampler.h"
#include "drip/cache_line.h"
#include "engine/rule_snapshot.h"
#include "packet/control_traffic.h"
#include "packet/headers.h"

namespace drip::datapath {

/// Runs on one polling thread.
template <class Io>
class RxWorker {
 public:
  static constexpr std::size_t kBurst = 32;

  /// `number` is the worker's index in RuleSnapshot::workers.
  RxWorker(std::uint32_t number, Io& io, Dispatcher<Io>& dispatcher, LcoreCounters& counters)
      : number_(number),
        io_(io),
        dispatcher_(dispatcher),
        counters_(counters),
        taken_(io.rx_queues()) {}

  /// On the worker's thread. Replaces the rules for all later packets. `rules` must stay until they
  /// are replaced here and the transmitters have drained what was handed to them.
  void set_rules(const RuleSnapshot* rules) {
    dispatcher_.flush();
    rules_ = rules;
  }

  /// Samples of what is received go there; null: none are taken. Not for packets before the first
  /// rules.
  void set_samples(SampleRing* ring) {
    sampler_.reset();
    if (ring != nullptr) sampler_.emplace(*ring);
  }

  /// Takes one burst from each queue, and asks memory for the frames. Returns the number of
  /// packets.
  std::uint32_t take() {
    took_full_burst_ = false;
    if (rules_ == nullptr) return 0;
    std::uint32_t received = 0;
    for (std::uint16_t queue = 0; queue < taken_.size(); ++queue) {
      Taken& taken = taken_[queue];
      taken.count = io_.rx(queue, taken.packets);
      for (void* const packet : taken.burst()) io_.prefetch(packet);
      took_full_burst_ |= taken.count == kBurst;
      received += taken.count;
    }
    if (received > 0) counters_.rx_packets.add(received);
    return received;
  }
  /// Whether more may have come than was taken.
  [[nodiscard]] bool took_full_burst() const { return took_full_burst_; }
  /// Dispatches what was taken, as arriving at the moment of this call.
  template <class Clock>
  void handle(Clock& clock) {
    for (std::uint16_t queue = 0; queue < taken_.size(); ++queue) {
      Taken& taken = taken_[queue];
      if (taken.count == 0) continue;
      process(taken.burst(), io_.ingress(queue), clock.now());
      taken.count = 0;
    }
  }

 private:
  void process(std::span<void*> packets, std::uint16_t ingress, TimePoint now) {
    parse(packets);
    classify(packets.size(), ingress);
    // Before they are dispatched, which may free them.
    if (sampler_) [[unlikely]]
      sample(packets, ingress, now);
    dispatch(packets, ingress, now);
  }

  void parse(std::span<void*> packets) {
    for (std::size_t i = 0; i < packets.size(); ++i) {
      burst_.frames[i] = io_.frame(packets[i]);
      parse_frame(burst_.frames[i].bytes, burst_.frames[i].frame_bytes, burst_.headers[i]);
    }
  }

  void classify(std::size_t count, std::uint16_t ingress) {
    const std::span decisions = std::span(burst_.decisions).first(count);
    if (rules_->base == nullptr) [[likely]] {
      find_rules(rules_->classifier, ingress, decisions);
    } else {
      find_in_both(ingress, decisions);
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (decisions[i] != kNoRule) continue;
      const PacketKind kind = packet_kind(burst_.headers[i]);
      decisions[i] = static_cast<std::uint32_t>(rules_->fallback_index(kind));
    }
    prefetch(decisions);
  }

  void find_rules(const Classifier& classifier, std::uint16_t ingress,
                  std::span<std::uint32_t> decisions) const {
    const std::size_t count = decisions.size();
    if (classifier.looks_deeper()) [[unlikely]] {
      for (std::size_t i = 0; i < count; ++i) {
        const FrameBytes& frame = burst_.frames[i];
        decisions[i] =
            classifier.classify(burst_.headers[i], ingress, frame.bytes, frame.frame_bytes);
      }
    } else {
      classifier.classify_burst(std::span(burst_.headers).first(count), ingress, decisions);
    }
  }

  // Shortly after rules were added.
  [[gnu::noinline]] void find_in_both(std::uint16_t ingress,
                                      std::span<std::uint32_t> decisions) const {
    std::array<std::uint32_t, kBurst> added;
    find_rules(rules_->base->classifier, ingress, decisions);
    find_rules(rules_->classifier, ingress, std::span(added).first(decisions.size()));
    for (std::size_t i = 0; i < decisions.size(); ++i) {
      decisions[i] = rules_->better(decisions[i], added[i]);
    }
  }

  // Prefetches for the whole burst, one step at a time, because each step needs what the previous
  // one fetched, and with many rules and buckets all of them miss the cache. No step reads the rule
  // itself, which is not needed before dispatch().
  void prefetch(std::span<const std::uint32_t> decisions) const {
    const WorkerRule* const actions = rules_->workers[number_].get();
    const std::atomic<BucketRef>* const targets = rules_->targets.get();
    for (const std::uint32_t decision : decisions) {
      prefetch_to_write(&actions[decision]);
      dispatcher_.prefetch(targets[decision].load(std::memory_order_relaxed));
    }
    for (const std::uint32_t decision : decisions) {
      dispatcher_.prefetch_behind(targets[decision].load(std::memory_order_relaxed));
    }
    if (dispatcher_.has_far_queues()) [[unlikely]] {
      dispatcher_.prefetch_queues(
          std::span<const Headers>(burst_.headers).first(decisions.size()),
          [&](std::size_t i) { return targets[decisions[i]].load(std::memory_order_relaxed); });
    }
  }

  void dispatch(std::span<void*> packets, std::uint16_t ingress, TimePoint now) {
    const RuleSnapshot& rules = *rules_;
    WorkerRule* const actions = rules.workers[number_].get();
    const std::uint16_t egress = io_.egress(ingress);
    const std::uint32_t longest = io_.longest_frame(ingress);
    for (std::size_t i = 0; i < packets.size(); ++i) {
      const FrameBytes& frame = burst_.frames[i];
      const Headers& headers = burst_.headers[i];
      const Arrival arrival{packets[i], frame.frame_bytes, ingress, egress, now, now, &headers};
      if (frame.frame_bytes > longest && drops_long_frame(arrival, frame)) [[unlikely]] {
        continue;
      }
      if (is_control_traffic(headers, frame.bytes, rules.control_protocols)) [[unlikely]] {
        count(actions[rules.protected_index()], arrival);
        dispatcher_.pass(arrival, true, rules);
      } else {
        WorkerRule& rule = actions[burst_.decisions[i]];
        count(rule, arrival);
        dispatcher_.dispatch(rule.action, arrival, headers, rules);
      }
    }
  }

  [[gnu::noinline]] void sample(std::span<void*> packets, std::uint16_t ingress, TimePoint now) {
    sampler_->begin_burst();
    for (std::size_t i = 0; i < packets.size(); ++i) {
      const std::uint8_t choice = sampler_->choose(burst_.headers[i]);
      if (choice != PacketSampler::kNot) [[unlikely]] {
        const Arrival arrival{packets[i], burst_.frames[i].frame_bytes, ingress, ingress, now, now};
        push_sample(arrival, i, choice);
      }
    }
  }
  [[gnu::noinline]] void push_sample(const Arrival& arrival, std::size_t i, std::uint8_t choice) {
    const Headers& headers = burst_.headers[i];
    const RuleAction& action = rules_->workers[number_][burst_.decisions[i]].action;
    PacketSample sample;
    sample.at = arrival.at;
    sample.flow = make_flow_key(headers, FlowTemplateKey{});
    sample.frame_bytes = arrival.frame_bytes;
    sample.target = action.kind;
    sample.bucket = action.bucket;
    if (action.kind == RuleAction::Kind::kFlows) {
      sample.flow_rule = action.flow_rule;
      sample.rule_flow = dispatcher_.flow_of(action, arrival, headers, *rules_);
    }
    if ((choice & PacketSampler::kAtRandom) != 0) sample.stands_for = sampler_->take_weight();
    if ((choice & PacketSampler::kForItsFlow) != 0) {
      const auto tcp = read_tcp(burst_.frames[i].bytes, headers);
      sample.is_tcp = tcp.has_value();
      if (tcp) sample.tcp = *tcp;
    }
    if (sample.stands_for > 0 || sample.is_tcp) sampler_->push(sample);
  }

  // Before a rule counts it or a bucket charges it: it would not leave whole.
  bool drops_long_frame(const Arrival& arrival, const FrameBytes& frame) {
    const auto reason = io_.check_long_frame(arrival.ingress, frame);
    if (reason) dispatcher_.drop(arrival, *reason);
    return reason.has_value();
  }

  static void count(WorkerRule& rule, const Arrival& arrival) {
    rule.packets.add(1);
    rule.bytes.add(arrival.frame_bytes);
  }

  // Of one queue.
  struct Taken {
    std::array<void*, kBurst> packets;
    std::uint32_t count = 0;

    [[nodiscard]] std::span<void*> burst() { return std::span(packets).first(count); }
  };
  // The results of the steps for one burst. A member, because initialising 2 KiB on the stack for
  // each burst would take time.
  struct Burst {
    std::array<Headers, kBurst> headers;
    std::array<FrameBytes, kBurst> frames;
    std::array<std::uint32_t, kBurst> decisions;
  };

  Burst burst_;
  std::optional<PacketSampler> sampler_;
  std::uint32_t number_;
  Io& io_;
  Dispatcher<Io>& dispatcher_;
  LcoreCounters& counters_;
  std::vector<Taken> taken_;  // By queue.
  bool took_full_burst_ = false;
  const RuleSnapshot* rules_ = nullptr;
};

}  // namespace drip::datapath
