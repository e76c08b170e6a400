// SPDX-License-Identifier: BSD-3-Clause
// One fused polling thread's parts in virtual time, driven loop by loop.
#pragma once

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "datapath/poll_loop.h"
#include "fakes.h"

namespace drip::datapath {

class Harness {
 public:
  static constexpr std::uint32_t kSlots = 4096;

  explicit Harness(std::uint16_t port_count = 2, TimePoint start = TimePoint{1'000'000'000})
      : time(start),
        ports(port_count, &time),
        table_(kSlots, -1),
        transmitter(table_, start, ports, port_count, counters),
        flows(transmitter),
        dispatcher(ports, &transmitter, &flows, 0, {nullptr}, spread_, counters),
        worker(0, ports, dispatcher, counters),
        lcore(VirtualClock{&time}, counters, mailbox_, dispatcher, &worker, &transmitter, &flows,
              {}, false) {}

  /// What still waits is freed.
  ~Harness() { transmitter.drop_all(time); }
  Harness(const Harness&) = delete;
  Harness& operator=(const Harness&) = delete;

  /// A bucket in the next slot.
  std::uint32_t add_bucket(const BucketSettings& settings) {
    const std::uint32_t slots = BucketRing::slots_for(settings.capacity);
    rings_.push_back(std::make_unique<RingEntry[]>(slots));
    transmitter.create(next_slot_, settings, rings_.back().get(), slots, time);
    return next_slot_++;
  }
  RingEntry* more_ring(std::uint32_t slots) {
    rings_.push_back(std::make_unique<RingEntry[]>(slots));
    return rings_.back().get();
  }
  std::uint32_t take_slot() { return next_slot_++; }
  [[nodiscard]] Bucket& bucket(std::uint32_t slot) { return table_[slot]; }
  [[nodiscard]] LatencyStats latencies(std::uint32_t slot) {
    return table_[slot].latencies.read(table_.histograms(slot));
  }
  /// Wire bytes of what is in the bucket's ring, one by one.
  [[nodiscard]] std::uint64_t ring_bytes(std::uint32_t slot) {
    BucketRing& ring = table_[slot].ring;
    std::uint64_t bytes = 0;
    for (std::uint32_t i = ring.head(); i != ring.tail(); ++i)
      bytes += ring.at(i).unit.wire_bytes();
    return bytes;
  }

  void set_rules(std::span<const ClassifierRule> rules, std::vector<RuleAction> actions,
                 RuleAction fallback, bool protect = true) {
    auto snapshot = std::make_shared<RuleSnapshot>();
    snapshot->classifier = std::move(Classifier::build(rules)).value();
    snapshot->actions = std::move(actions);
    snapshot->fallback = fallback;
    snapshot->flow_paths = flow_paths;
    if (!protect) snapshot->control_protocols = ControlProtocols::none();
    snapshot->prepare_workers(1, kSpareRules);
    worker.set_rules(snapshot.get());
    snapshots_.push_back(std::move(snapshot));
  }
  /// The last of `added`, which are those that came after set_rules().
  void add_rule(std::vector<ClassifierRule> added, RuleAction action) {
    const std::size_t before = base_rules() + added.size() - 1;
    for (std::size_t i = 0; i < added.size(); ++i) {
      added[i].result = static_cast<std::uint32_t>(base_rules() + i);
    }
    auto snapshot =
        RuleSnapshot::with_rule(snapshots_.back(), before, action, added.back().priority);
    snapshot->classifier = std::move(Classifier::build(added)).value();
    worker.set_rules(snapshot.get());
    snapshots_.push_back(std::move(snapshot));
  }
  void send_all_to(std::uint32_t slot) {
    set_rules({}, {}, RuleAction{RuleAction::Kind::kBucket, BucketRef{0, slot}, 0});
  }
  [[nodiscard]] const RuleSnapshot& rules() const { return *snapshots_.back(); }

  /// Polls every `step` until `end`, and at `end`.
  void run_until(TimePoint end, Duration step) {
    for (; time < end; time = time + step) lcore.poll_once();
    time = end;
    lcore.poll_once();
  }
  void run_for(Duration span, Duration step) { run_until(time + span, step); }

  /// rx = tx + drops by reason + waiting, to the packet.
  [[nodiscard]] bool balanced() const {
    std::uint64_t drops = 0;
    for (const Counter& drop : counters.drops) drops += drop.get();
    return counters.rx_packets.get() ==
           transmitter.tx_buffer().sent() + drops + transmitter.waiting_packets();
  }
  [[nodiscard]] std::uint64_t drops(DropReason reason) const {
    return counters.drops[static_cast<std::size_t>(reason)].get();
  }
  [[nodiscard]] std::uint64_t dropped_bytes(DropReason reason) const {
    return counters.dropped_bytes[static_cast<std::size_t>(reason)].get();
  }

  TimePoint time;
  FakeIo ports;
  LcoreCounters counters;

 private:
  BucketTable table_;
  FlowHash spread_{1};
  Mailbox mailbox_;
  std::vector<std::unique_ptr<RingEntry[]>> rings_;
  [[nodiscard]] std::size_t base_rules() const {
    const RuleSnapshot& last = *snapshots_.back();
    return (last.base != nullptr ? *last.base : last).actions.size();
  }

  static constexpr std::size_t kSpareRules = 4;
  std::vector<std::shared_ptr<RuleSnapshot>> snapshots_;
  std::uint32_t next_slot_ = 0;

 public:
  /// For set_rules(): by flow rule.
  std::vector<FlowPath> flow_paths;
  Transmitter<FakeIo> transmitter;
  FlowBuckets<FakeIo> flows;
  Dispatcher<FakeIo> dispatcher;
  RxWorker<FakeIo> worker;
  PollLoop<FakeIo, VirtualClock> lcore;
};

}  // namespace drip::datapath
