// SPDX-License-Identifier: BSD-3-Clause
// A polling thread's stages over one packet I/O, put together.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "datapath/packet_io.h"
#include "datapath/poll_engine/bucket_stats.h"
#include "datapath/poll_engine/poll_thread.h"
#include "datapath/poll_loop.h"

namespace drip::datapath {

template <PacketIo Io>
class IoPollThread final : public PollThread {
 public:
  /// `io` belongs to this thread and outlives it.
  IoPollThread(const PollThreadSetup& setup, Io& io) : PollThread(setup) {
    if (plan.transmits()) {
      transmitter_.emplace(*buckets, setup.clock->now(), io, setup.ports, counters);
      flows_.emplace(*transmitter_);
      number_ = setup.transmitter;
    }
    dispatcher_.emplace(io, pointer_to(transmitter_), pointer_to(flows_), setup.transmitter,
                        setup.outbound, *setup.spread, counters);
    if (plan.receives()) rx_worker_.emplace(setup.worker, io, *dispatcher_, counters);
    loop_.emplace(TscClock::Reader(*setup.clock), counters, mailbox, *dispatcher_,
                  pointer_to(rx_worker_), pointer_to(transmitter_), pointer_to(flows_),
                  setup.inbound, plan.sleeps_when_idle);
  }

  void run(const std::atomic<bool>& stop) override { loop_->run(stop); }

  void drain_hand_offs(TimePoint now) override { loop_->drain_hand_offs(now); }
  void flush_hand_offs() override { dispatcher_->flush(); }
  void set_rules(const RuleSnapshot* rules) override { rx_worker_->set_rules(rules); }
  void set_samples(SampleRing* ring) override { rx_worker_->set_samples(ring); }

  void create_bucket(std::uint32_t slot, const BucketSettings& settings, RingEntry* ring,
                     std::uint32_t ring_slots, TimePoint now) override {
    transmitter_->create(slot, settings, ring, ring_slots, now);
  }
  void set_node(std::uint32_t slot, const NodeSettings& settings, TimePoint now) override {
    transmitter_->set_node(slot, settings, now);
  }
  RingEntry* change_bucket(std::uint32_t slot, const BucketSettings& settings, RingEntry* ring,
                           std::uint32_t ring_slots, TimePoint now) override {
    return transmitter_->change(slot, settings, ring, ring_slots, now);
  }
  void set_queues(BucketQueues* pools) override { transmitter_->set_queues(pools); }
  void set_queue(std::uint32_t slot, const QueueProfile& profile, DualQueue* dual) override {
    transmitter_->set_queue(slot, profile, dual);
  }
  RingEntry* move_ring(std::uint32_t slot, const RequestRecord& record,
                       const RingEntry* ring_before, RingEntry* ring,
                       std::uint32_t ring_slots) override {
    return transmitter_->move_ring(slot, record, ring_before, ring, ring_slots);
  }
  Removal remove_bucket(std::uint32_t slot, bool drop_backlog, TimePoint now) override {
    return transmitter_->remove(slot, drop_backlog, now);
  }

  void begin_capture(std::uint32_t slot, CaptureRing& capture) override {
    transmitter_->begin_capture(slot, capture);
  }
  [[nodiscard]] bool is_captured(std::uint32_t slot) const override {
    return transmitter_->is_captured(slot);
  }
  void end_capture(std::uint32_t slot) override { transmitter_->end_capture(slot); }

  [[nodiscard]] bool can_move_bucket(std::uint32_t slot) const override {
    return transmitter_->can_move(slot);
  }
  void begin_arrival(std::uint32_t slot, const BucketSettings& settings, RingEntry* ring,
                     std::uint32_t ring_slots, TimePoint now) override {
    transmitter_->create(slot, settings, ring, ring_slots, now);
    transmitter_->pause(slot, now);
  }
  void stop_bucket(std::uint32_t slot) override { transmitter_->stop(slot); }
  void take_over_bucket(std::uint32_t slot, const Bucket& from, const LatencyHistograms& histograms,
                        std::span<RingEntry> memory, TimePoint now) override {
    transmitter_->take_over(slot, from, histograms, memory, now);
  }
  void take_out_queue(std::uint32_t slot, MovedQueue& out, TimePoint now) override {
    transmitter_->take_out(slot, out, now);
  }
  void take_over_queue(std::uint32_t slot, const Bucket& from, const LatencyHistograms& histograms,
                       const BucketQueue& from_queue, MovedQueue& moved, MovedQueue& behind,
                       TimePoint now) override {
    transmitter_->take_over_queue(slot, from, histograms, from_queue, moved, behind, now);
  }
  [[nodiscard]] bool is_busy_node(std::uint32_t slot) const override {
    return transmitter_->is_busy_node(slot);
  }
  void hold_tree(std::uint32_t root, TimePoint now) override { transmitter_->hold_tree(root, now); }
  void take_out_node(std::uint32_t slot, MovedNode& out) override {
    transmitter_->take_out_node(slot, out);
  }
  void put_in_node(std::uint32_t slot, const MovedNode& moved) override {
    transmitter_->put_in_node(slot, moved);
  }
  void take_over_inner(std::uint32_t slot, const Bucket& from,
                       const LatencyHistograms& histograms) override {
    transmitter_->take_over_inner(slot, from, histograms);
  }
  void resume_tree(std::uint32_t root, TimePoint now) override {
    transmitter_->resume_tree(root, now);
  }
  void forget_bucket(std::uint32_t slot) override { transmitter_->forget(slot); }

  void apply_lease(LeaseTerms& terms, const RateLease& lease, TimePoint now) override {
    transmitter_->lease(terms, lease, now);
  }
  bool end_lease(LeaseTerms& terms, TimePoint now) override {
    return transmitter_->end_lease(terms, now);
  }

  void add_spread_part(SpreadPart& part, TimePoint now) override {
    transmitter_->spreads().add(part, now);
  }
  void change_spread_part(SpreadPart& part, const LeasedRates& rates, TimePoint now) override {
    transmitter_->spreads().change(part, rates, now);
  }

  Admission admit_request(std::uint32_t slot, RequestRecord& record, std::uint32_t wire_bytes,
                          const WaitLimits& limits, TimePoint now) override {
    return transmitter_->admit_request(slot, record, wire_bytes, now, limits);
  }
  void admit_units(std::span<UnitsToAdmit* const> units, TimePoint now) override {
    for (const UnitsToAdmit* const one : units) transmitter_->prefetch(one->bucket.slot);
    for (UnitsToAdmit* const one : units) transmitter_->admit_units(*one, now);
  }
  void release_request(std::uint32_t slot, RequestRecord& record, TimePoint now) override {
    transmitter_->release_request(slot, record, now);
  }
  [[nodiscard]] Duration busy_for(std::uint32_t slot, TimePoint now) const override {
    return estimated_wait(transmitter_->buckets()[slot], now);
  }
  void occupy(std::uint32_t slot, Duration busy, TimePoint now) override {
    transmitter_->occupy(slot, busy, now);
  }

  void add_flow_table(std::uint32_t flow_rule, FlowTable* table) override {
    flows_->add_table(flow_rule, table);
  }
  void change_flow_settings(std::uint32_t flow_rule, const FlowRuleSettings& settings) override {
    flows_->change_settings(flow_rule, settings);
  }
  void change_flow(std::uint32_t flow_rule, std::uint32_t flow, TimePoint now) override {
    flows_->change_flow(flow_rule, flow, now);
  }
  void set_flow_apart(std::uint32_t flow_rule, std::uint32_t flow, const FlowTemplateKey& coming,
                      std::uint8_t number) override {
    flows_->set_apart(flow_rule, flow, coming, number);
  }
  void change_flow_key(std::uint32_t flow_rule, const FlowTemplateKey& key, std::uint32_t number,
                       KeyChange* change, std::uint16_t live, TimePoint now) override {
    flows_->change_key(flow_rule, key, number, change, live, now);
  }
  void count_old_flow(std::uint32_t flow_rule, std::uint32_t flow) override {
    flows_->count_old_flow(flow_rule, flow);
  }
  void retire_flow_table(std::uint32_t flow_rule) override { flows_->retire_table(flow_rule); }

  void stop_admission() override { transmitter_->stop_admission(); }
  [[nodiscard]] bool idle() const override { return transmitter_->idle(); }
  std::uint64_t drop_all(TimePoint now) override { return transmitter_->drop_all(now); }

  [[nodiscard]] LcoreStats stats() const override {
    LcoreStats stats = read_lcore(plan, counters);
    stats.waiting_packets = dispatcher_->waiting();
    if (transmitter_) {
      stats.transmitter = number_;
      stats.tx_packets = transmitter_->tx_buffer().sent();
      stats.waiting_packets += transmitter_->waiting_packets();
      const Scheduler& scheduler = transmitter_->scheduler();
      stats.buckets = scheduler.live_buckets();
      stats.lateness = scheduler.lateness().read();
      stats.lost_schedule_ns = scheduler.lost_schedule_ns();
      if (const BucketQueues* const pools = scheduler.queues()) {
        stats.queue_packets = pools->packets_in_use();
        stats.queue_flows = pools->fair().flows_in_use();
        stats.queue_flows_limit = pools->most_flows();
      }
    }
    return stats;
  }
  [[nodiscard]] std::uint64_t sent(std::uint16_t port) const override {
    return transmitter_->tx_buffer().sent(port);
  }
  [[nodiscard]] std::uint64_t tx_retries(std::uint16_t port) const override {
    return transmitter_->tx_buffer().retries(port);
  }
  [[nodiscard]] LeaseList& leases() override { return transmitter_->leases(); }

 private:
  template <class Part>
  static Part* pointer_to(std::optional<Part>& part) {
    return part ? &*part : nullptr;
  }

  std::uint32_t number_ = 0;  // As a transmitter.
  // Each part refers to those before it. Absent if the thread does not have that role.
  std::optional<Transmitter<Io>> transmitter_;
  std::optional<FlowBuckets<Io>> flows_;
  std::optional<Dispatcher<Io>> dispatcher_;
  std::optional<RxWorker<Io>> rx_worker_;
  std::optional<PollLoop<Io, TscClock::Reader>> loop_;
};

/// For PollEngine: threads over `ios`, one for each lcore, which outlive the engine.
template <PacketIo Io>
PollThreadFactory poll_threads_over(std::vector<Io>& ios) {
  return [&ios](std::size_t lcore, const PollThreadSetup& setup) {
    return std::make_unique<IoPollThread<Io>>(setup, ios[lcore]);
  };
}

}  // namespace drip::datapath
