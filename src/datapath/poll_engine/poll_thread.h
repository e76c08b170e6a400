// SPDX-License-Identifier: BSD-3-Clause
// One polling thread as the engine sees it, whatever its packets come from.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "datapath/clock/tsc_clock.h"
#include "datapath/flows/flow_table.h"
#include "datapath/hand_off.h"
#include "datapath/lcore_counters.h"
#include "datapath/lease_list.h"
#include "datapath/mailbox.h"
#include "datapath/memory/bucket_table.h"
#include "datapath/poll_engine/lcore_plan.h"
#include "drip/internal/bucket_move.h"
#include "drip/queue/bucket_queues.h"
#include "engine/call_types.h"
#include "engine/lease.h"
#include "engine/stats.h"

namespace drip {
class CaptureRing;
struct SampleRing;
}  // namespace drip

namespace drip::datapath {

struct SpreadPart;

/// What a polling thread is made of. Whatever is referred to outlives the thread.
struct PollThreadSetup {
  LcorePlan plan;
  const TscClock* clock = nullptr;
  std::uint16_t ports = 0;
  std::uint32_t bucket_slots = 0;    ///< Of a transmitter.
  std::uint32_t transmitter = 0;     ///< Its number as a transmitter, if it is one.
  std::uint32_t worker = 0;          ///< Its number as a worker, if it is one.
  std::vector<HandOff*> outbound;    ///< By transmitter; null for itself.
  std::vector<HandOff*> inbound;     ///< From the other threads, if it is a transmitter.
  const FlowHash* spread = nullptr;  ///< The same for all threads.
};

/// The interface by which PollEngine, which does not depend on the packet I/O, drives the packet
/// path, which is a template over it (io_poll_thread.h). Virtual calls are for control only; no
/// packet causes one.
class PollThread {
 public:
  explicit PollThread(const PollThreadSetup& setup)
      : plan(setup.plan),
        buckets(plan.transmits() ? std::make_unique<BucketTable>(setup.bucket_slots, plan.numa_node)
                                 : nullptr) {}
  virtual ~PollThread() = default;
  PollThread(const PollThread&) = delete;
  PollThread& operator=(const PollThread&) = delete;

  const LcorePlan plan;
  LcoreCounters counters;
  Mailbox mailbox;
  const std::unique_ptr<BucketTable> buckets;  ///< Null unless it is a transmitter.
  std::unique_ptr<BucketQueues> queues;        ///< Null before the first bucket with a queue.

  /// Polls until `stop`.
  virtual void run(const std::atomic<bool>& stop) = 0;

  // ---- Jobs: called on the polling thread, through `mailbox`. All but the first four are for
  // transmitters, set_rules() and set_samples() are for workers.

  /// Takes all packets that other threads have handed over.
  virtual void drain_hand_offs(TimePoint now) = 0;
  /// Hands over the packets collected for other threads, as far as their rings have room.
  virtual void flush_hand_offs() = 0;
  virtual void set_rules(const RuleSnapshot* rules) = 0;
  virtual void set_samples(SampleRing* ring) = 0;

  /// An inner node of a tree if its capacity is 0; then without a ring.
  virtual void create_bucket(std::uint32_t slot, const BucketSettings& settings, RingEntry* ring,
                             std::uint32_t ring_slots, TimePoint now) = 0;
  /// With `ring`, moves the backlog there and returns the previous ring.
  virtual RingEntry* change_bucket(std::uint32_t slot, const BucketSettings& settings,
                                   RingEntry* ring, std::uint32_t ring_slots, TimePoint now) = 0;
  /// See Scheduler::set_node().
  virtual void set_node(std::uint32_t slot, const NodeSettings& settings, TimePoint now) = 0;
  /// See Scheduler::set_queues() and set_queue().
  virtual void set_queues(BucketQueues* pools) = 0;
  virtual void set_queue(std::uint32_t slot, const QueueProfile& profile, DualQueue* dual) = 0;
  /// See Transmitter::move_ring().
  virtual RingEntry* move_ring(std::uint32_t slot, const RequestRecord& record,
                               const RingEntry* ring_before, RingEntry* ring,
                               std::uint32_t ring_slots) = 0;
  virtual Removal remove_bucket(std::uint32_t slot, bool drop_backlog, TimePoint now) = 0;

  /// See Transmitter::begin_capture(), is_captured() and end_capture().
  virtual void begin_capture(std::uint32_t slot, CaptureRing& capture) = 0;
  [[nodiscard]] virtual bool is_captured(std::uint32_t slot) const = 0;
  virtual void end_capture(std::uint32_t slot) = 0;

  // A bucket moves from one transmitter to another: see poll_engine_moves.cc.
  [[nodiscard]] virtual bool can_move_bucket(std::uint32_t slot) const = 0;
  /// Creates a bucket that admits and lets nothing go until take_over_bucket().
  virtual void begin_arrival(std::uint32_t slot, const BucketSettings& settings, RingEntry* ring,
                             std::uint32_t ring_slots, TimePoint now) = 0;
  virtual void stop_bucket(std::uint32_t slot) = 0;
  /// `from` and `histograms` are another transmitter's, stopped there. `memory`: of as many entries
  /// as the ring.
  virtual void take_over_bucket(std::uint32_t slot, const Bucket& from,
                                const LatencyHistograms& histograms, std::span<RingEntry> memory,
                                TimePoint now) = 0;
  /// The same of a bucket with a queue: what waits is taken out where it is stopped.
  virtual void take_out_queue(std::uint32_t slot, MovedQueue& out, TimePoint now) = 0;
  virtual void take_over_queue(std::uint32_t slot, const Bucket& from,
                               const LatencyHistograms& histograms, const BucketQueue& from_queue,
                               MovedQueue& moved, MovedQueue& behind, TimePoint now) = 0;
  // A tree moves as a whole: see Scheduler::hold() and what follows there.
  [[nodiscard]] virtual bool is_busy_node(std::uint32_t slot) const = 0;
  virtual void hold_tree(std::uint32_t root, TimePoint now) = 0;
  virtual void take_out_node(std::uint32_t slot, MovedNode& out) = 0;
  virtual void put_in_node(std::uint32_t slot, const MovedNode& moved) = 0;
  virtual void take_over_inner(std::uint32_t slot, const Bucket& from,
                               const LatencyHistograms& histograms) = 0;
  virtual void resume_tree(std::uint32_t root, TimePoint now) = 0;
  /// Another transmitter has taken it over: its slot is free.
  virtual void forget_bucket(std::uint32_t slot) = 0;

  virtual void apply_lease(LeaseTerms& terms, const RateLease& lease, TimePoint now) = 0;
  /// See Transmitter::end_lease().
  virtual bool end_lease(LeaseTerms& terms, TimePoint now) = 0;

  /// See TransmitterSpreads.
  virtual void add_spread_part(SpreadPart& part, TimePoint now) = 0;
  virtual void change_spread_part(SpreadPart& part, const LeasedRates& rates, TimePoint now) = 0;

  virtual Admission admit_request(std::uint32_t slot, RequestRecord& record,
                                  std::uint32_t wire_bytes, const WaitLimits& limits,
                                  TimePoint now) = 0;
  virtual void admit_units(std::span<UnitsToAdmit* const> units, TimePoint now) = 0;
  virtual void release_request(std::uint32_t slot, RequestRecord& record, TimePoint now) = 0;
  [[nodiscard]] virtual Duration busy_for(std::uint32_t slot, TimePoint now) const = 0;
  virtual void occupy(std::uint32_t slot, Duration busy, TimePoint now) = 0;

  virtual void add_flow_table(std::uint32_t flow_rule, FlowTable* table) = 0;
  virtual void change_flow_settings(std::uint32_t flow_rule, const FlowRuleSettings& settings) = 0;
  virtual void change_flow(std::uint32_t flow_rule, std::uint32_t flow, TimePoint now) = 0;
  virtual void set_flow_apart(std::uint32_t flow_rule, std::uint32_t flow,
                              const FlowTemplateKey& coming, std::uint8_t number) = 0;
  virtual void change_flow_key(std::uint32_t flow_rule, const FlowTemplateKey& key,
                               std::uint32_t number, KeyChange* change, std::uint16_t live,
                               TimePoint now) = 0;
  virtual void count_old_flow(std::uint32_t flow_rule, std::uint32_t flow) = 0;
  virtual void retire_flow_table(std::uint32_t flow_rule) = 0;

  virtual void stop_admission() = 0;
  /// Whether nothing waits, in buckets or for a port; paused buckets, which cannot leak, apart.
  [[nodiscard]] virtual bool idle() const = 0;
  /// Drops everything that waits; returns the number of units.
  virtual std::uint64_t drop_all(TimePoint now) = 0;

  // ---- Any thread

  [[nodiscard]] virtual LcoreStats stats() const = 0;
  /// Of transmitters.
  [[nodiscard]] virtual std::uint64_t sent(std::uint16_t port) const = 0;
  [[nodiscard]] virtual std::uint64_t tx_retries(std::uint16_t port) const = 0;
  [[nodiscard]] virtual LeaseList& leases() = 0;
};

/// Makes the polling thread of one lcore; see poll_threads_over().
using PollThreadFactory =
    std::function<std::unique_ptr<PollThread>(std::size_t lcore, const PollThreadSetup& setup)>;

}  // namespace drip::datapath
