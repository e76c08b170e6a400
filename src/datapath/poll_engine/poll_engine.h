// SPDX-License-Identifier: BSD-3-Clause
// The Engine of a node: polling threads, the buckets that they own, and how control reaches them.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "datapath/clock/tsc_clock.h"
#include "datapath/flow_buckets.h"
#include "datapath/hand_off.h"
#include "datapath/poll_engine/flow_rules.h"
#include "datapath/poll_engine/lcore_plan.h"
#include "datapath/poll_engine/poll_thread.h"
#include "datapath/poll_engine/ports.h"
#include "datapath/poll_engine/queue_profiles.h"
#include "datapath/poll_engine/slot_allocator.h"
#include "datapath/poll_engine/spread_bucket.h"
#include "engine/engine.h"

namespace drip::datapath {

struct EngineOptions {
  std::vector<LcorePlan> lcores;  ///< At least one receives and one transmits.
  std::uint32_t buckets_per_transmitter = 65536;
  std::uint64_t ring_memory_bytes = std::uint64_t{1} << 30;  ///< Over all transmitters.
  /// How many times the packet buffers may be reserved for buckets; 1 or more.
  double packet_overcommit = 1;
};

/// Starts the polling threads; drain_and_stop() or the destructor ends them. A call that changes
/// something first reserves what it needs, all or nothing, then runs jobs on the threads concerned
/// (mailbox.h), which cannot fail, and returns when all have finished.
class PollEngine final : public Engine {
 public:
  /// `make_thread` comes from poll_threads_over() or portless_poll_threads(). `ports` and `clock`
  /// outlive the engine.
  PollEngine(EngineOptions options, const PollThreadFactory& make_thread, Ports& ports,
             const TscClock& clock);
  ~PollEngine() override { drain_and_stop(Duration{0}); }

  // ---- poll_engine_buckets.cc
  absl::Status apply(std::span<BucketChange> changes) override;
  Removal remove(BucketRef bucket, bool drop_backlog) override;
  [[nodiscard]] BucketStats read(BucketRef bucket) const override;
  [[nodiscard]] std::uint64_t backlog(BucketRef bucket) const override;
  [[nodiscard]] ArrivalCounts arrivals(BucketRef bucket) const override;
  using Engine::lease;
  void lease(std::span<const LeaseChange> leases) override;
  void set_lease_ends(LeaseEnds ends) override;
  [[nodiscard]] std::uint64_t lapses() const override;
  using Engine::admit;
  Admission admit(BucketRef bucket, RequestRecord& record, std::uint32_t wire_bytes,
                  WaitLimits limits) override;
  void admit_many(std::span<UnitsToAdmit> units) override;
  void release(BucketRef bucket, RequestRecord& record) override;
  [[nodiscard]] Duration busy_for(BucketRef bucket) override;
  void occupy(BucketRef bucket, Duration busy) override;

  void begin_capture(BucketRef bucket, CaptureRing& capture) override {
    PollThread& thread = transmitter_of(bucket);
    thread.mailbox.run([&](TimePoint) { thread.begin_capture(bucket.slot, capture); });
  }
  [[nodiscard]] bool begin_flow_capture(std::uint32_t flow_rule, const FlowPlace& flow,
                                        CaptureRing& capture) override;
  [[nodiscard]] bool is_captured(BucketRef bucket) override {
    PollThread& thread = transmitter_of(bucket);
    bool is_captured = false;
    thread.mailbox.run([&](TimePoint) { is_captured = thread.is_captured(bucket.slot); });
    return is_captured;
  }
  void end_capture(BucketRef bucket) override {
    PollThread& thread = transmitter_of(bucket);
    thread.mailbox.run([&](TimePoint) { thread.end_capture(bucket.slot); });
  }

  void begin_sampling(std::span<SampleRing* const> rings) override {
    for (std::size_t i = 0; i < workers_.size(); ++i) set_samples(*workers_[i], rings[i]);
  }
  void end_sampling() override {
    for (PollThread* const worker : workers_) set_samples(*worker, nullptr);
  }

  // ---- poll_engine_moves.cc
  void move(std::span<BucketMove> moves) override;

  // ---- poll_engine_flow_rules.cc
  absl::StatusOr<std::uint32_t> create_flow_rule(const FlowRuleSettings& settings) override;
  absl::Status change_flow_rule(std::uint32_t flow_rule, const FlowRuleSettings& settings) override;
  void remove_flow_rule(std::uint32_t flow_rule) override;
  [[nodiscard]] std::vector<FlowStats> list_flows(std::uint32_t flow_rule,
                                                  std::size_t limit) const override;
  [[nodiscard]] std::vector<FlowPlace> find_flows(std::uint32_t flow_rule) const override;
  [[nodiscard]] BucketStats read_flow(std::uint32_t flow_rule, BucketRef bucket) const override;
  [[nodiscard]] std::string flow_text(const FlowKey& key) const override;
  [[nodiscard]] FlowRuleStats read_flow_rule(std::uint32_t flow_rule) const override;

  // ---- poll_engine_rules.cc
  absl::StatusOr<std::shared_ptr<const RuleSnapshot>> swap_rules(
      std::shared_ptr<const RuleSnapshot> rules,
      std::span<const BucketRef> packet_buckets) override;
  absl::StatusOr<std::shared_ptr<const RuleSnapshot>> append_rule(
      std::shared_ptr<const RuleSnapshot> rules, std::optional<BucketRef> bucket) override;
  std::shared_ptr<const RuleSnapshot> erase_rule(std::shared_ptr<const RuleSnapshot> rules,
                                                 std::optional<BucketRef> bucket) override;
  [[nodiscard]] std::uint32_t worker_count() const override {
    return static_cast<std::uint32_t>(workers_.size());
  }
  [[nodiscard]] std::optional<std::uint16_t> find_port(std::string_view name) const override;
  [[nodiscard]] std::vector<std::string> port_names() const override { return port_names_; }

  // ---- poll_engine.cc
  [[nodiscard]] TimePoint now() const override { return clock_.now(); }
  [[nodiscard]] std::vector<PortStats> ports() const override;
  [[nodiscard]] std::vector<LcoreStats> lcores() const override;
  [[nodiscard]] MemoryStats memory() const override;
  [[nodiscard]] ClockStats clock() const override { return clock_.read(); }
  std::uint64_t drain_and_stop(Duration bound) override;

  /// Settings of the polling threads that the system refused; complete after construction.
  [[nodiscard]] std::vector<std::string> warnings() const;

 private:
  /// Returns when each polling thread has begun a new loop.
  void wait_for_loops();
  /// A change for which slot and ring are reserved.
  struct PlannedChange {
    BucketChange* change;
    BucketRef ref;
    bool is_new = false;
    RingEntry* ring = nullptr;  // Null: the bucket keeps its ring.
    std::uint32_t ring_slots = 0;
    std::uint32_t parent = kNoNode;    // Its slot, with BucketChange::node.
    SharedQueueProfile queue_profile;  // Null: it has no queue but its ring.
    std::unique_ptr<DualQueue> dual_queue;
    bool was_settled = false;  // All that waits came by the present profile.
    // Of a spread root: `ref` is one of its parts, of which only the primary one is the caller's.
    SpreadBucket* spread = nullptr;
    std::unique_ptr<SpreadBucket> new_spread;  // The same, with the primary part.
    std::optional<BucketSettings> part_settings;

    [[nodiscard]] const BucketSettings& settings() const {
      return part_settings ? *part_settings : change->settings;
    }
    [[nodiscard]] bool is_other_part() const {
      return spread != nullptr && spread->primary != ref.transmitter;
    }
  };

  [[nodiscard]] BucketStats read_flow(const FlowRules::Entry& entry, BucketRef bucket) const;

  /// A move for which slot and ring are reserved.
  struct PlannedMove {
    BucketMove* move;
    BucketRef from;
    BucketRef to;
    RingEntry* ring = nullptr;
    std::uint32_t ring_slots = 0;
    std::vector<std::uint32_t> rules;  // Indices of those that send packets to it.
    std::vector<RingEntry> memory;     // For what comes while it moves.
    // Of a bucket with a queue, in place of `memory`.
    SharedQueueProfile queue_profile;
    MovedQueue queue;
    MovedQueue came;
    std::optional<NodeSettings> node;   // In a tree: what it will be as a node.
    MovedNode taken;                    // What it had as a node.
    bool with_tree = false;             // The whole tree moves.
    std::optional<std::size_t> parent;  // Then, and not of the root: the place of its parent.

    [[nodiscard]] bool is_root() const { return with_tree && !parent; }
    [[nodiscard]] bool is_inner() const { return move->settings.capacity == 0; }
    /// Of kMovedPacketsTogether.
    [[nodiscard]] std::size_t weight() const {
      constexpr std::size_t kLeast = kMovedPacketsTogether / kMostNodesOfAMove;
      return queue_profile ? kMovedPacketsTogether : std::max<std::size_t>(ring_slots, kLeast);
    }
  };

  void make_threads(const PollThreadFactory& make_thread);
  void start();
  void run_thread(PollThread& thread, std::uint32_t number);

  [[nodiscard]] std::uint64_t packets_reserved() const {
    return packets_reserved_for_buckets_ + flow_rules_.packets_reserved();
  }
  /// packets_reserved() once all of `changes` are applied.
  [[nodiscard]] std::uint64_t packets_reserved_after(std::span<const BucketChange> changes) const;
  [[nodiscard]] absl::Status check_packets(std::uint64_t reserved) const;
  /// Gives them to the workers; returns those of before.
  std::shared_ptr<const RuleSnapshot> publish(std::shared_ptr<const RuleSnapshot> rules);
  /// Whether many releases would cost more than they need to: see Scheduler::move_ring().
  [[nodiscard]] bool wants_larger_ring(BucketRef bucket) const;
  /// Twice the size, if there is memory and `request` waits in the bucket.
  void enlarge_ring(BucketRef bucket, const RequestRecord& request);
  /// Releases what retired buckets and flow tables held.
  void reap();
  /// Keeps the lease for readers and returns the terms for its transmitter; null if the bucket's
  /// rate is not leased. REQUIRES: leases_mutex_ and allocators_mutex_ are held.
  LeaseTerms* remember(const LeaseChange& change, std::uint64_t lapses);
  /// RESOURCE_EXHAUSTED if the rings of all changes together are more than there is memory for:
  /// before any of it is taken from the kernel.
  [[nodiscard]] absl::Status check_rings(std::span<const BucketChange> changes) const;
  /// `before`: the changes of the call that are planned already.
  absl::Status plan(BucketChange& change, PlannedChange& planned,
                    std::span<const PlannedChange> before);
  [[nodiscard]] static absl::Status check_moves(std::span<const BucketChange> changes);
  /// Where the parent of a changed node is; none without one. FAILED_PRECONDITION if the bucket is
  /// on another transmitter.
  [[nodiscard]] absl::StatusOr<std::optional<BucketRef>> find_parent(
      const BucketChange& change, std::span<const PlannedChange> before);
  void undo(const PlannedChange& planned);

  // ---- poll_engine_spread.cc; the lock is held, but where something else is said
  /// Null: it is no spread root.
  [[nodiscard]] SpreadBucket* find_spread(BucketRef bucket) const;
  /// The one of which this slot has a part; null: of none.
  [[nodiscard]] const SpreadBucket* find_spread_part(std::uint32_t transmitter,
                                                     std::uint32_t slot) const;
  /// Reserves the other parts of a new root; nothing if there is no room for one of them.
  absl::Status plan_spread(PlannedChange& planned);
  /// Releases those on the transmitters before `end`.
  void undo_spread(const SpreadBucket& spread, std::uint32_t end);
  /// Adds what is to be done with the other parts of spread roots.
  void add_parts(std::vector<PlannedChange>& planned) const;
  /// On the part's thread, when its bucket has been made or changed.
  static void apply_part(PollThread& thread, const PlannedChange& planned, TimePoint now);
  /// When all of it has been done.
  void keep_spreads(std::span<PlannedChange> planned);
  /// Takes the lock itself.
  Removal remove_spread(BucketRef bucket, bool drop_backlog);
  void reap_spreads();
  /// The sums over all parts, which `stats` has of one of them.
  void read_spread(const SpreadBucket& spread, BucketStats& stats) const;

  // ---- poll_engine_moves.cc
  [[nodiscard]] std::vector<PlannedMove> plan_moves(std::span<BucketMove> moves);
  /// False if it cannot be moved; then nothing is reserved.
  [[nodiscard]] bool plan_move(PlannedMove& one);
  void undo_move(const PlannedMove& one);
  void make_moves(std::span<PlannedMove> planned);
  /// On the old thread: it departs no more.
  static void stop(PollThread& thread, PlannedMove& one, TimePoint now);
  /// On the new thread. `before`: the old one's, where it is stopped.
  static void take_over(const BucketTable& before, PollThread& thread, PlannedMove& one,
                        TimePoint now);
  void find_rules_of(std::span<PlannedMove> planned) const;
  [[nodiscard]] bool is_overflow_bucket(BucketRef bucket) const;
  /// Whether what waits in a bucket can be moved, as far as its record tells.
  [[nodiscard]] static bool can_move_record(const SlotRecord& record);
  void retarget(std::span<const PlannedMove> planned);
  void finish_moves(std::span<PlannedMove> planned);

  // ---- poll_engine_queues.cc
  [[nodiscard]] static std::uint64_t draw_queue_seed();
  /// Makes the pools of a transmitter's queues, unless there are.
  void make_queues(PollThread& thread);
  /// FAILED_PRECONDITION if what waits would have to wait behind what comes later.
  absl::Status plan_queue(PlannedChange& planned);
  [[nodiscard]] static absl::Status check_queue_change(const QueueProfile& from,
                                                       const QueueProfile& to, bool settled);
  [[nodiscard]] static bool is_settled(const PollThread& thread, std::uint32_t slot);
  /// The same for all flows of a rule; null if they have their rings only.
  absl::StatusOr<SharedQueueProfile> plan_flow_queues(const FlowRules::Entry& entry,
                                                      const BucketSettings& bucket);
  [[nodiscard]] bool flows_are_settled(const FlowRules::Entry& entry) const;
  /// The memory for its flows' queues is there from now on.
  void prepare_flow_queues(const FlowRules::Entry& entry) const;
  /// A slot keeps what its queue refers to.
  static void keep_queue(SlotRecord& record, PlannedChange& planned);

  /// Applies changes of one transmitter's buckets.
  void commit(std::span<PlannedChange> planned);
  /// Gives the nodes of trees their parents and shares, in this order; all are on `transmitter`.
  void link_nodes(std::uint32_t transmitter, std::span<const PlannedChange* const> nodes);
  /// For a new bucket: they take turns.
  std::uint32_t next_transmitter() {
    return next_transmitter_++ % static_cast<std::uint32_t>(transmitters_.size());
  }
  [[nodiscard]] PollThread& transmitter_of(BucketRef bucket) const {
    return *transmitters_[bucket.transmitter];
  }
  /// The one transmitter where all buckets of a rule's flows are; none: the key decides. REQUIRES:
  /// the lock, as the next one.
  [[nodiscard]] std::optional<std::uint32_t> flow_transmitter(
      const FlowRuleSettings& settings) const;
  /// With the parent that flows have on this transmitter.
  [[nodiscard]] FlowRuleSettings flow_settings_on(std::uint32_t transmitter,
                                                  const FlowRuleSettings& settings) const;
  /// FAILED_PRECONDITION if flows would have to be on another transmitter.
  [[nodiscard]] absl::Status check_flow_parent(const FlowRuleSettings& before,
                                               const FlowRuleSettings& wanted) const;
  /// Reserves what `wanted` needs in addition to what the rule has.
  absl::StatusOr<FlowRules::Growth> reserve(FlowRules::Entry& entry,
                                            const FlowRuleSettings& wanted);
  /// Gives the transmitters what was reserved, and all flows the settings of `wanted`.
  void change_flows(std::uint32_t flow_rule, const FlowRuleSettings& wanted,
                    FlowRules::Growth& growth, SharedQueueProfile queue);
  void change_flow_key(std::uint32_t flow_rule, const FlowTemplateKey& key);
  // Whether a change to `key` undoes the last one, before any packet has come by that.
  [[nodiscard]] bool undoes_key_change(const FlowRules::Entry& entry,
                                       const FlowTemplateKey& key) const;
  // For the next change of a rule's key. FAILED_PRECONDITION if too many are under way.
  static absl::StatusOr<std::uint32_t> number_of_key_change(const FlowRules::Entry& entry,
                                                            bool is_undo);
  /// Takes bucket slots back that fewer flows than before do not need.
  void release_slots(FlowRules::Entry& entry, std::uint32_t max_flows);
  /// Calls change(thread, flow) for all flow numbers of a rule, on the transmitters' threads, some
  /// at a time.
  template <class Change>
  void for_all_flows(std::uint32_t flow_rule, Change change);
  /// Returns when all packets that were between threads are with their transmitters.
  void drain_hand_offs();
  static void set_samples(PollThread& worker, SampleRing* ring) {
    worker.mailbox.run([&](TimePoint) { worker.set_samples(ring); });
  }

  EngineOptions options_;
  Ports& ports_;
  const TscClock& clock_;
  const TimePoint started_ = clock_.now();
  const std::vector<std::string> port_names_;
  const FlowHash spread_;
  std::vector<std::unique_ptr<HandOff>> hand_offs_;
  std::vector<std::unique_ptr<PollThread>> threads_;
  std::vector<std::thread> running_;
  std::vector<PollThread*> workers_;
  std::vector<PollThread*> transmitters_;
  std::atomic<bool> stop_{false};
  bool stopped_ = false;

  /// Guards what follows: changes hold it exclusively, statistics share it.
  mutable std::shared_mutex allocators_mutex_;
  const std::shared_ptr<RingBudget> ring_budget_;
  std::vector<std::unique_ptr<SlotAllocator>> allocators_;  // By transmitter.
  /// By the BucketRef of the primary part.
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::unique_ptr<SpreadBucket>> spreads_;
  std::vector<std::unique_ptr<SpreadBucket>> draining_spreads_;
  FlowRules flow_rules_;
  QueueProfiles queue_profiles_;
  const std::uint64_t queue_seed_ =
      draw_queue_seed();  // One for all transmitters: queues move between them.
  std::shared_ptr<const RuleSnapshot> rules_;
  std::uint64_t publications_ = 0;                  // Of rules, so far.
  std::uint64_t packets_reserved_for_buckets_ = 0;  // For those that rules name.
  std::uint32_t next_transmitter_ = 0;

  /// Held while leases are made, moved or ended; locked before allocators_mutex_.
  std::mutex leases_mutex_;

  mutable std::mutex warnings_mutex_;
  std::vector<std::string> warnings_;
};

}  // namespace drip::datapath
