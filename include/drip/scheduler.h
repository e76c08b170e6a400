// SPDX-License-Identifier: BSD-3-Clause
// The scheduler of a table of leaky buckets: admits units and decides which departs when.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <new>
#include <optional>
#include <span>

#include "drip/admission.h"
#include "drip/bucket_array.h"
#include "drip/cache_line.h"
#include "drip/counter.h"
#include "drip/departure_sink.h"
#include "drip/histogram.h"
#include "drip/internal/bucket_changes.h"
#include "drip/internal/bucket_move.h"
#include "drip/internal/departures.h"
#include "drip/internal/look_ahead.h"
#include "drip/internal/waiting_units.h"
#include "drip/queue/bucket_queues.h"
#include "drip/timing_wheel.h"
#include "drip/tree/bucket_tree.h"
#include "drip/tree/tree_round.h"
#include "drip/unit_ref.h"

namespace drip {

/// Owns the schedule of the buckets in a BucketArray. A bucket is either empty, paused, or on the
/// timing wheel with one entry, for its head; so insert, remove and "which is due" cost O(1)
/// however many units wait. Buckets may form trees (BucketTree): then the schedules of all nodes on
/// a unit's path decide when it departs, and siblings share by guarantee, priority and weight.
///
/// Belongs to one thread; other threads may only read the buckets' counters. Nothing is allocated
/// after construction, nothing blocks, and no clock is read: each call is given the time, which
/// must not go backwards from call to call. Units are opaque (UnitRef); the scheduler never reads
/// them.
class Scheduler {
 public:
  static constexpr std::uint32_t kBucketsARound = drip::kBucketsARound;
  static constexpr std::uint32_t kUnitsABucket = 8;
  using Limits = RoundLimits;
  using Round = DepartureRound;
  static constexpr Limits kDefaultLimits{kBucketsARound, kUnitsABucket};
  static constexpr Duration kEgressRetry = drip::kEgressRetry;

  /// `buckets` must outlive the scheduler. `moved` is for who calls release(): see there.
  Scheduler(BucketArray buckets, TimePoint now, UnitMoved moved = nullptr)
      : buckets_(buckets),
        wheel_(buckets.size, now, BucketHooks{buckets.buckets}),
        tree_(buckets, wheel_),
        tree_round_(buckets, wheel_, tree_, departures_),
        look_ahead_(now),
        look_ahead_in_queues_(now),
        moved_(moved) {}
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // ---- Admission

  /// Prefetches what admission will touch, to be called some packets ahead of it.
  void prefetch(std::uint32_t slot) const {
    prefetch_bucket(slot);
    if (!tree_.empty()) prefetch_to_write(&buckets_.trees.nodes[slot]);
  }
  /// The second step: what the bucket refers to, by what prefetch() has brought.
  [[gnu::always_inline]] void prefetch_behind(std::uint32_t slot) const {
    const Bucket& bucket = buckets_[slot];
    const std::uint32_t backlog = bucket.backlog.get();
    if (backlog + 1 >= bucket.capacity) {
      prefetch_to_write(&bucket.rejected);
      if (backlog >= bucket.capacity) {
        // One with a queue may drop another packet than the one that comes.
        if (bucket.queued != 0) [[unlikely]]
          queues_->prefetch(slot);
        return;
      }
    }
    if (backlog > 0 || bucket.departure == Departure::kAtEnd) {
      if (bucket.queued != 0) [[unlikely]]
        return queues_->prefetch(slot);
      return bucket.ring.prefetch_back();
    }
    bucket.latencies.prefetch_histograms(buckets_.histograms[slot]);
    if (bucket.in_tree != 0) tree_.states().prefetch_parent(slot);
  }
  /// Whether there is a third step, for buckets with queues.
  [[nodiscard]] bool has_far_queues() const { return !only_rings_ && queues_->reach_far(); }
  /// That, for packets that come to `slots`: see BucketQueues::prefetch_arrivals(). REQUIRES:
  /// has_far_queues().
  template <class Input, class Drop>
  [[gnu::noinline]] void prefetch_queues(std::span<const std::uint32_t> slots, Input input,
                                         Drop drop) const {
    std::array<std::uint32_t, BucketQueues::kMostTogether> queued;
    std::array<std::uint32_t, BucketQueues::kMostTogether> numbers;
    std::size_t count = 0;
    for (std::uint32_t i = 0; i < slots.size(); ++i) {
      if (buckets_[slots[i]].queued == 0) continue;
      queued[count] = slots[i];
      numbers[count++] = i;
    }
    queues_->prefetch_arrivals(
        std::span<const std::uint32_t>(queued).first(count),
        [&](std::size_t i) { return input(numbers[i]); }, drop);
  }

  /// Whether a packet that arrived now would depart at once: it needs no queue (see
  /// drip::may_cut_through()), and its schedule is due; in a tree those of its whole path.
  [[nodiscard, gnu::always_inline]] bool can_cut_through(std::uint32_t slot, TimePoint now) const {
    const Bucket& bucket = buckets_[slot];
    if (!may_cut_through(bucket)) return false;
    if ((bucket.leased | bucket.bounded_bytes | bucket.in_tree) != 0) [[unlikely]]
      return can_cut_through_tree(bucket, slot, now);
    return bucket.schedule.due() <= now && admitting_;
  }
  /// Admits a unit that departs at once, past ring and wheel; the caller sends it now. REQUIRES:
  /// can_cut_through(slot, now); arrival <= now; wire_bytes <= kMaxWireBytes.
  [[gnu::always_inline]] void cut_through(std::uint32_t slot, std::uint32_t wire_bytes,
                                          TimePoint arrival, TimePoint now) {
    Bucket& bucket = buckets_[slot];
    if (bucket.in_tree != 0) [[unlikely]]
      return cut_through_tree(slot, wire_bytes, arrival, now);
    count_admitted(bucket, wire_bytes);
    bucket.schedule.begin(arrival, {}, Departure::kAtStart);
    departures_.depart(bucket, buckets_.histograms[slot], wire_bytes, Departure::kAtStart, arrival,
                       now);
    publish_departure(bucket);
  }
  /// Both, where a call does not matter. False: nothing has changed.
  [[gnu::noinline]] bool try_cut_through(std::uint32_t slot, std::uint32_t wire_bytes,
                                         TimePoint now) {
    if (!can_cut_through(slot, now)) return false;
    cut_through(slot, wire_bytes, now, now);
    return true;
  }
  /// Admits a unit that arrived at `entry.arrival`, or rejects and counts it. `wire_bytes` is that
  /// of the unit.
  [[gnu::always_inline]] RejectReason admit(std::uint32_t slot, const RingEntry& entry,
                                            std::uint32_t wire_bytes) {
    Bucket& bucket = buckets_[slot];
    const RejectReason reason =
        admitting_ ? try_admit(bucket, entry, moved_) : RejectReason::kDraining;
    if (reason != RejectReason::kAdmitted) [[unlikely]] {
      count_rejected(bucket, reason, wire_bytes);
      return reason;
    }
    enter_backlog(bucket, wire_bytes);
    if (bucket.backlog.get() == 1) {
      bucket.schedule.begin(bucket.schedule_time(entry.arrival), bucket.periods.service(wire_bytes),
                            bucket.departure);
      schedule_head(bucket, slot, entry.arrival);
    }
    return reason;
  }
  /// The same of a packet, for a bucket with any queue. kAdmitted: `sink` has the packet if it was
  /// dropped, and counts it; others may have been dropped for it. REQUIRES: set_queues() was called
  /// if the bucket is `queued`.
  template <QueueSink Sink>
  RejectReason admit_packet(std::uint32_t slot, UnitRef unit, const QueueInput& input,
                            TimePoint now, Sink& sink) {
    Bucket& bucket = buckets_[slot];
    const std::uint32_t wire_bytes = unit.wire_bytes();
    if (bucket.queued == 0 || queues_->goes_into_ring(slot)) {
      return admit(slot, {unit, now}, wire_bytes);
    }
    RejectReason reason = RejectReason::kAdmitted;
    if (!admitting_ || bucket.state.load(std::memory_order_relaxed) != BucketPhase::kActive) {
      reason = RejectReason::kDraining;
    } else if (bucket.queue_changes != 0 && bucket.backlog.get() >= bucket.capacity) {
      reason = RejectReason::kFull;  // The queue itself knows only of what came since the change.
    }
    if (reason != RejectReason::kAdmitted) [[unlikely]] {
      count_rejected(bucket, reason, wire_bytes);
      return reason;
    }
    const bool was_empty = bucket.backlog.get() == 0;
    enter_backlog(bucket, wire_bytes);
    QueueDrops<Sink> drops{bucket, (*queues_)[slot], sink, now};
    queues_->enqueue(slot, unit, input, now, drops);
    if (was_empty && bucket.backlog.get() > 0) {
      bucket.schedule.begin(bucket.schedule_time(now), {}, Departure::kAtStart);
      schedule_head(bucket, slot, now);
    }
    return reason;
  }
  /// Whether `count` units of `wire_bytes` each would be admitted; counts nothing.
  [[nodiscard]] RejectReason can_admit(std::uint32_t slot, std::uint32_t count,
                                       std::uint32_t wire_bytes, TimePoint now) const {
    return admitting_ ? drip::can_admit(buckets_[slot], count, wire_bytes, now)
                      : RejectReason::kDraining;
  }
  /// Takes a unit back that still waits: those behind it move up, and its place is free at once. It
  /// is counted as dropped. `sequence`: the ring's tail() before it was admitted, or what `moved`
  /// was last told of it: later calls of admit() take the ring slots of released units back, all
  /// at once when they need one. In a ring of has_slots_for_releases() that is O(1) a release.
  void release(std::uint32_t slot, std::uint32_t sequence, TimePoint now) {
    Bucket& bucket = buckets_[slot];
    const bool was_head = sequence == bucket.ring.head();
    UnitRef& unit = bucket.ring.at(sequence).unit;
    const std::uint32_t wire_bytes = unit.wire_bytes();
    unit = UnitRef::released();
    leave_backlog(bucket);
    count_dropped(bucket, wire_bytes);
    if (was_head) {
      skip_released(bucket);
      take_off_wheel(bucket, slot);
      replace_head(bucket, wire_bytes, now);
      reschedule(bucket, slot, now);
      if (bucket.backlog.get() == 0) retire_if_drained(bucket);
    }
  }

  /// Whether the ring can take another eighth of its size before it is compacted. If not, and it is
  /// that full, releases are cheaper with a ring of twice the size: see move_ring().
  [[nodiscard]] static constexpr bool has_slots_for_releases(std::uint32_t ring_slots,
                                                             std::uint32_t capacity) {
    return capacity <= ring_slots - ring_slots / 8;
  }
  /// Moves what waits to another ring memory, not smaller than the present one, which is returned.
  RingEntry* move_ring(std::uint32_t slot, RingEntry* ring, std::uint32_t ring_slots) {
    return buckets_[slot].ring.move_to(ring, ring_slots);
  }

  // ---- Departures

  /// Gives units that are due to `sink`, in the order of their buckets' due times to the width of a
  /// wheel slot (128 ns). A bucket of which more than limits.units are due is looked at again in
  /// the next round. REQUIRES: limits.buckets <= kBucketsARound.
  template <DepartureSink Sink>
  [[gnu::always_inline]] Round serve_due(TimePoint now, Sink& sink,
                                         Limits limits = kDefaultLimits) {
    if (wheel_.size() >= kLookAheadBuckets && now - wheel_.position() < kLate)
      look_ahead(now, sink);
    if (!only_rings_ || !tree_.empty()) return serve_due_of_all_kinds(now, sink, limits);
    std::array<std::uint32_t, kBucketsARound> due;
    const std::size_t count = wheel_.collect(now, std::span(due).first(limits.buckets));
    for (std::size_t i = 0; i < count; ++i) prefetch_bucket(due[i]);
    for (std::size_t i = 0; i < count; ++i) {
      const Bucket& bucket = buckets_[due[i]];
      bucket.ring.prefetch_front_two();
      bucket.latencies.prefetch_histograms(buckets_.histograms[due[i]]);
    }
    Round round{0, static_cast<std::uint32_t>(count), count == limits.buckets};
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint32_t departed = serve(due[i], now, sink, limits.units);
      round.departed += departed;
      round.more_is_due |= departed == limits.units;
    }
    return round;
  }
  /// When the next unit is due, exactly if that is within some minutes of the last call of
  /// serve_due(); otherwise a time before it.
  [[nodiscard]] std::optional<TimePoint> next_departure() const {
    const TreeStates& trees = tree_.states();
    return trees.run_queue().empty() ? wheel_.next_due() : trees.ready_since();
  }
  /// A time before which nothing is due; none if nothing is on the wheel.
  [[nodiscard]] std::optional<TimePoint> idle_until() const {
    const TreeStates& trees = tree_.states();
    return trees.run_queue().empty() ? wheel_.idle_until() : trees.ready_since();
  }

  // ---- Configuration

  /// A bucket in a free slot, with valid settings and memory for its ring: a power of two of
  /// entries, not below the capacity.
  Bucket& create(std::uint32_t slot, const BucketSettings& settings, RingEntry* ring,
                 std::uint32_t ring_slots, TimePoint now) {
    Bucket& bucket = buckets_.construct(slot);
    new (&bucket.ring) BucketRing(ring, ring_slots);
    begin_bucket(bucket, settings, now);
    return bucket;
  }
  /// An inner node of a tree in a free slot, as yet without parent and children: see set_node().
  /// REQUIRES: drip::check_inner() has no error; an inner node is free.
  Bucket& create_inner(std::uint32_t slot, const BucketSettings& settings, TimePoint now) {
    Bucket& bucket = buckets_.construct(slot);
    begin_bucket(bucket, settings, now);
    tree_.join(slot, true);
    return bucket;
  }
  /// Gives a bucket a parent or another one, or none, with what waits in it and all that is below
  /// it, or changes how it shares. A leaf that has no parent is in no tree. REQUIRES:
  /// TreeCheck::check_node() has no error.
  void set_node(std::uint32_t slot, const NodeSettings& settings, TimePoint now) {
    Bucket& bucket = buckets_[slot];
    if (bucket.in_tree == 0) {
      if (settings.parent == kNoNode) return;
      take_off_wheel(bucket, slot);
      tree_.join(slot, false);
    }
    tree_.set(slot, settings, now);
    if (settings.parent == kNoNode && !tree_.structure().is_inner(slot)) {
      tree_.leave(slot);
      reschedule(bucket, slot, now);
    }
  }
  /// Changes a bucket and keeps its backlog. If `ring` is not null, moves what waits to that memory
  /// and returns the old one.
  RingEntry* change(std::uint32_t slot, const BucketSettings& settings, RingEntry* ring,
                    std::uint32_t ring_slots, TimePoint now) {
    Bucket& bucket = buckets_[slot];
    RingEntry* const old = ring != nullptr ? bucket.ring.move_to(ring, ring_slots) : nullptr;
    take_off_wheel(bucket, slot);
    change_settings(bucket, settings, now);
    reschedule(bucket, slot, now);
    return old;
  }
  /// The pools of buckets with queues, which outlive the scheduler. To be called once, before the
  /// first set_queue().
  void set_queues(BucketQueues* queues) {
    queues_ = queues;
    only_rings_ = queues == nullptr;
  }
  [[nodiscard]] const BucketQueues* queues() const { return queues_; }
  /// Gives a bucket a queue, or changes it: see BucketQueues::assign(). REQUIRES: it departs at the
  /// START, unless packets go `into` the ring and nothing waits elsewhere.
  void set_queue(std::uint32_t slot, const QueueProfile& profile, DualQueue* dual) {
    queues_->assign(slot, buckets_[slot], profile, dual);
  }
  /// Stops the departures of a bucket, or of all that is below an inner node; what waits stays, and
  /// new units are admitted.
  void pause(std::uint32_t slot, TimePoint now) {
    Bucket& bucket = buckets_[slot];
    take_off_wheel(bucket, slot);
    drip::pause(bucket, now);
    reschedule(bucket, slot, now);
  }
  /// Other rates from now on, for a bucket of BucketSettings::rate_is_leased. Resumes a paused one.
  void set_rates(std::uint32_t slot, const ServicePeriods& periods, TimePoint now) {
    set_rates(slot, periods, now, change_rates);
  }
  /// The same where several buckets, of as many Schedulers, have parts of one rate: what one of
  /// them is late by stays the same amount of work.
  void set_share(std::uint32_t slot, const ServicePeriods& periods, TimePoint now) {
    set_rates(slot, periods, now, change_share);
  }
  /// The head, or the next unit if none waits, departs at `due`, and not before: of a bucket that
  /// continues where another process has left off. REQUIRES: due >= now.
  void set_due(std::uint32_t slot, TimePoint due, TimePoint now) {
    Bucket& bucket = buckets_[slot];
    take_off_wheel(bucket, slot);
    bucket.schedule = VirtualSchedule(due);
    reschedule(bucket, slot, now);
  }
  /// A head that is late is due now: its lateness is not caught up.
  void forgo_lateness(std::uint32_t slot, TimePoint now) {
    Bucket& bucket = buckets_[slot];
    const TimePoint at = bucket.schedule_time(now);
    take_off_wheel(bucket, slot);
    bucket.schedule.freeze(at, at);
    reschedule(bucket, slot, now);
  }

  // ---- Moves of a bucket from the Scheduler of one thread to that of another one: create() and
  // pause() there; then nothing comes to the old one any more; stop() here; take_over() there;
  // forget() here. What comes to the new one before take_over() waits there. Of buckets that are
  // in no tree, have no queue but the ring, and in which no request waits.

  /// Nothing departs any more, and nothing is written: take_over() reads it.
  void stop(std::uint32_t slot) { take_off_wheel(buckets_[slot], slot); }
  /// Continues a bucket that stop() was called for elsewhere: its schedule, all that waits there,
  /// its counts. What has come to this one meanwhile is admitted behind, in its order, or given to
  /// `dropped(UnitRef, RejectReason)` where the capacity is reached. `memory`: of as many entries
  /// as this ring. REQUIRES: pause() was called here, and the settings are the same.
  template <std::invocable<UnitRef, RejectReason> Dropped>
  void take_over(std::uint32_t slot, const Bucket& from, const LatencyHistograms& from_histograms,
                 std::span<RingEntry> memory, TimePoint now, Dropped dropped) {
    Bucket& bucket = buckets_[slot];
    const std::span held = memory.first(copy_waiting(bucket.ring, memory));
    continue_bucket(bucket, buckets_.histograms[slot], from, from_histograms);
    bucket.paused = 0;
    reschedule_moved(bucket, slot, from, now);
    for (const RingEntry& entry : held) {
      const RejectReason reason = admit(slot, entry, entry.unit.wire_bytes());
      if (reason != RejectReason::kAdmitted) dropped(entry.unit, reason);
    }
  }
  /// The same of a bucket with a queue: what waits is taken out in the old thread, ...
  void take_out(std::uint32_t slot, MovedQueue& out, TimePoint now) {
    queues_->take_out(slot, out, now);
  }
  /// ... and put in here, and behind it what has come to this one meanwhile, which is in `behind`
  /// for that time. Both have room reserved. `sink` has what is dropped. REQUIRES: the queues have
  /// the same seed; BucketQueues::can_move() was true.
  template <QueueSink Sink>
  void take_over_queue(std::uint32_t slot, const Bucket& from,
                       const LatencyHistograms& from_histograms, const BucketQueue& from_queue,
                       MovedQueue& moved, MovedQueue& behind, TimePoint now, Sink& sink) {
    Bucket& bucket = buckets_[slot];
    queues_->take_out(slot, behind, now);
    const std::uint32_t came = bucket.backlog.get();
    const std::uint64_t admitted = bucket.admitted.get();
    const std::uint64_t admitted_bytes = bucket.admitted_bytes.get();
    const std::uint64_t dropped = bucket.dropped.get();
    const std::uint64_t dropped_bytes = bucket.dropped_bytes.get();
    const TimePoint since = came > 0 ? behind.marks.since() : now;
    continue_bucket(bucket, buckets_.histograms[slot], from, from_histograms);
    bucket.admitted.add(admitted);
    bucket.admitted_bytes.add(admitted_bytes);
    bucket.dropped.add(dropped);
    bucket.dropped_bytes.add(dropped_bytes);
    bucket.backlog.set(bucket.backlog.get() + came);
    bucket.paused = 0;
    if (from.backlog.get() == 0 && came > 0) {
      bucket.schedule.begin(since, {}, Departure::kAtStart);
    }
    QueueDrops<Sink> drops{bucket, (*queues_)[slot], sink, now};
    queues_->put_in(slot, from_queue, moved, behind, now, drops);
    reschedule_moved(bucket, slot, from, now);
  }

  // A tree moves as a whole: create_inner(), set_node() and hold() of the root there, and the
  // leaves as above; hold() here; take_out_node() of each, stop() of each; take_over_inner() and
  // put_in_node() of inner nodes there, put_in_node() and take_over() of leaves; resume() there.

  /// Nothing departs below a root until resume(). Time goes on for its schedule: it is not pause().
  void hold(std::uint32_t root, TimePoint now) {
    Bucket& bucket = buckets_[root];
    bucket.paused = 1;
    bucket.paused_since = now;
    tree_.update(root, now);
  }
  /// Whether a node is not idle, to be asked before hold().
  [[nodiscard]] bool is_busy(std::uint32_t node) const {
    return tree_.states().node(node).state != NodeState::kIdle;
  }
  /// Children before their parents. `is_busy` of `out` stays.
  void take_out_node(std::uint32_t node, MovedNode& out) { tree_.take_out(node, out); }
  /// Parents before their children.
  void put_in_node(std::uint32_t node, const MovedNode& moved) { tree_.put_in(node, moved); }
  void take_over_inner(std::uint32_t node, const Bucket& from,
                       const LatencyHistograms& from_histograms) {
    continue_inner(buckets_[node], buckets_.histograms[node], from, from_histograms);
  }
  void resume(std::uint32_t root, TimePoint now) {
    buckets_[root].paused = 0;
    tree_.update(root, now);
  }

  /// Another Scheduler has taken it over: the slot and its ring may be used again.
  void forget(std::uint32_t slot) { retire(buckets_[slot]); }

  // ---- The end of a bucket

  /// Admits nothing from now on. When what waits has departed, and an inner node has no children
  /// any more, the state becomes kRetired, and slot and ring may be used again. Returns how many
  /// units wait. A paused bucket does not drain.
  std::uint32_t drain(std::uint32_t slot) {
    Bucket& bucket = buckets_[slot];
    bucket.state.store(BucketPhase::kDraining, std::memory_order_release);
    const std::uint32_t waiting = bucket.backlog.get();
    if (waiting == 0) retire_if_drained(bucket);
    return waiting;
  }
  /// Drops all that waits in a bucket: gives each unit to `dropped(UnitRef)`; returns how many.
  template <std::invocable<UnitRef> Dropped>
  std::uint64_t drop_backlog(std::uint32_t slot, Dropped dropped) {
    Bucket& bucket = buckets_[slot];
    std::uint64_t count = 0;
    for (; !bucket.ring.empty(); bucket.ring.pop()) {
      const UnitRef unit = bucket.ring.front().unit;
      if (unit.is_released()) continue;
      leave_backlog(bucket);
      count_dropped(bucket, unit.wire_bytes());
      ++count;
      dropped(unit);
    }
    if (bucket.queued != 0) count += drop_queue(bucket, slot, dropped);
    take_off_wheel(bucket, slot);
    if (bucket.in_tree != 0 && !tree_.structure().is_inner(slot)) tree_.states().deactivate(slot);
    return count;
  }
  /// The same for all buckets.
  template <std::invocable<UnitRef> Dropped>
  std::uint64_t drop_all(Dropped dropped) {
    std::uint64_t count = 0;
    for (std::uint32_t slot = 0; slot < buckets_.size; ++slot) {
      // A slot that was never used reads as zero: BucketPhase::kFree.
      const BucketPhase state = buckets_[slot].state.load(std::memory_order_relaxed);
      if (state == BucketPhase::kActive || state == BucketPhase::kDraining) {
        count += drop_backlog(slot, dropped);
      }
    }
    return count;
  }
  /// From now on no bucket admits anything; all leak on.
  void stop_admission() { admitting_ = false; }

  // ---- State

  [[nodiscard]] const BucketArray& buckets() const { return buckets_; }
  [[nodiscard]] const BucketTree& tree() const { return tree_; }
  /// Whether no unit waits, but in paused buckets.
  [[nodiscard]] bool idle() const {
    return wheel_.size() == 0 && tree_.states().run_queue().empty();
  }
  // Any thread:
  [[nodiscard]] std::uint64_t live_buckets() const { return live_buckets_.get(); }
  /// Of all units that have departed.
  [[nodiscard]] const Histogram& lateness() const { return departures_.lateness(); }
  /// Schedule time of all buckets that was lost because a unit departed later than max_catchup.
  [[nodiscard]] std::uint64_t lost_schedule_ns() const { return departures_.lost_schedule_ns(); }

 private:
  using RateChange = void (*)(Bucket&, const ServicePeriods&, TimePoint);
  void set_rates(std::uint32_t slot, const ServicePeriods& periods, TimePoint now,
                 RateChange change_to) {
    Bucket& bucket = buckets_[slot];
    const bool same_rates = periods == bucket.periods;
    if (bucket.paused != 0) {
      drip::resume(bucket, now);
    } else if (same_rates) {
      return;
    }
    take_off_wheel(bucket, slot);
    if (!same_rates) change_to(bucket, periods, now);
    reschedule(bucket, slot, now);
  }
  // Of all but the ring.
  template <class Dropped>
  std::uint64_t drop_queue(Bucket& bucket, std::uint32_t slot, Dropped& dropped) {
    std::uint64_t count = 0;
    const auto drop = [&](UnitRef unit) {
      leave_backlog(bucket);
      count_dropped(bucket, unit.wire_bytes());
      ++count;
      dropped(unit);
    };
    queues_->remove(slot, RemovedUnits::to(drop));
    return count;
  }
  void begin_bucket(Bucket& bucket, const BucketSettings& settings, TimePoint now) {
    bucket.schedule = VirtualSchedule(now);
    store_settings(bucket, settings);
    if (settings.rate_is_leased) drip::pause(bucket, now);
    publish_departure(bucket);
    bucket.state.store(BucketPhase::kActive, std::memory_order_release);
    live_buckets_.add(1);
  }

  void prefetch_bucket(std::uint32_t slot) const {
    const Bucket& bucket = buckets_[slot];
    prefetch_to_write(&bucket);
    prefetch_to_write(&bucket.periods);
    prefetch_to_write(&bucket.latencies);
  }

  // Fewer buckets are in the caches anyway.
  static constexpr std::uint32_t kLookAheadBuckets = 4096;
  // Of departures: then the core waits for memory all the time, and asking twice takes more.
  static constexpr Duration kLate{4'000};

  // Asks memory for what departs in the next microseconds.
  template <class Sink>
  [[gnu::noinline]] void look_ahead(TimePoint now, Sink& sink) {
    const auto bucket_lines = [this](std::uint32_t slot) {
      prefetch_bucket(slot);
      if (!tree_.empty()) prefetch_to_write(&buckets_.trees.nodes[slot]);
    };
    const auto what_they_refer_to = [this](std::uint32_t slot) {
      const Bucket& bucket = buckets_[slot];
      if (bucket.queued != 0) queues_->prefetch(slot);
      if (bucket.in_tree != 0) tree_.states().prefetch_parent(slot);
      bucket.ring.prefetch_front_two();
      bucket.latencies.prefetch_histograms(buckets_.histograms[slot]);
    };
    const auto unit_of_ring = [&](std::uint32_t slot) {
      const Bucket& bucket = buckets_[slot];
      if (bucket.queued == 0 && bucket.backlog.get() > 0) {
        prefetch_unit(sink, bucket.ring.front().unit);
      }
    };
    if (only_rings_ || !queues_->reach_far()) {
      return look_ahead_.run(wheel_, now, bucket_lines, what_they_refer_to, unit_of_ring);
    }
    using Step = BucketQueues::Step;
    const auto in_queue = [this](Step step) {
      return [this, step](std::uint32_t slot) {
        if (buckets_[slot].queued != 0) queues_->prefetch(slot, step);
      };
    };
    const auto leaf_or_unit = [&](std::uint32_t slot) {
      if (buckets_[slot].queued == 0) return unit_of_ring(slot);
      queues_->prefetch(slot, Step::kLeaf);
    };
    const auto unit_of_queue = [&](std::uint32_t slot) {
      if (buckets_[slot].queued != 0) prefetch_unit(sink, queues_->probable_unit(slot));
    };
    look_ahead_in_queues_.run(wheel_, now, bucket_lines, what_they_refer_to, leaf_or_unit,
                              in_queue(Step::kTin), in_queue(Step::kFlow),
                              in_queue(Step::kNextFlow), in_queue(Step::kTail),
                              in_queue(Step::kHead), unit_of_queue);
  }
  template <class Sink>
  static void prefetch_unit(Sink& sink, UnitRef unit) {
    if constexpr (requires { sink.prefetch(unit); }) {
      if (!unit.is_released()) sink.prefetch(unit);
    }
  }

  // Lets units of one bucket depart that are due; returns how many. Inline in both of its callers:
  // a call costs a tenth of what it does.
  template <DepartureSink Sink>
  [[gnu::always_inline]] std::uint32_t serve(std::uint32_t slot, TimePoint now, Sink& sink,
                                             std::uint32_t most) {
    Bucket& bucket = buckets_[slot];
    for (std::uint32_t count = 0; count < most;) {
      const RingEntry entry = bucket.ring.front();
      if (!sink.has_room(entry.unit)) [[unlikely]] {
        publish_departure(bucket);
        wheel_.insert_at(slot, now + kEgressRetry);
        return count;
      }
      const Duration late =
          departures_.depart(bucket, buckets_.histograms[slot], entry.unit.wire_bytes(),
                             bucket.departure, entry.arrival, now);
      bucket.ring.pop();
      leave_backlog(bucket);
      sink.departed(entry.unit, now, late);
      ++count;
      skip_released(bucket);
      if (bucket.backlog.get() == 0) {
        publish_departure(bucket);
        retire_if_drained(bucket);
        return count;
      }
      const RingEntry& next = bucket.ring.front();
      bucket.schedule.begin(next.arrival, bucket.periods.service(next.unit.wire_bytes()),
                            bucket.departure);
      if (bucket.schedule.due() > now) {
        put_on_wheel(bucket, slot);
        return count;
      }
    }
    put_on_wheel(bucket, slot);
    return most;
  }

  // serve_due() where some buckets are in trees, or have queues.
  template <DepartureSink Sink>
  [[gnu::noinline]] Round serve_due_of_all_kinds(TimePoint now, Sink& sink, Limits limits) {
    WaitingUnits<Sink> units(queues_, now, sink);
    const auto serve_flat = [&](std::uint32_t slot) {
      return buckets_[slot].queued == 0 ? serve(slot, now, sink, limits.units)
                                        : serve_queue(slot, now, units, limits.units);
    };
    return tree_round_.serve_due(now, units, limits, serve_flat,
                                 [this](Bucket& leaf) { retire_if_drained(leaf); });
  }
  // The same as serve(), of a bucket with a queue.
  template <class Units>
  [[gnu::noinline]] std::uint32_t serve_queue(std::uint32_t slot, TimePoint now, Units& units,
                                              std::uint32_t most) {
    Bucket& bucket = buckets_[slot];
    std::uint32_t count = 0;
    while (count < most) {
      RingEntry entry;
      const QueueHead::Status status = units.head(slot, bucket, entry);
      if (status == QueueHead::Status::kAgain) [[unlikely]] {
        publish_departure(bucket);
        wheel_.insert_at(slot, now + kEgressRetry);
        return count;
      }
      if (status == QueueHead::Status::kPacket) [[likely]] {
        const Duration late =
            departures_.depart(bucket, buckets_.histograms[slot], entry.unit.wire_bytes(),
                               Departure::kAtStart, entry.arrival, now);
        units.take(slot, bucket);
        units.departed(slot, entry.unit, late);
        ++count;
      }
      if (bucket.backlog.get() == 0) {
        publish_departure(bucket);
        retire_if_drained(bucket);
        return count;
      }
      units.begin_next(slot, bucket);
      if (bucket.schedule.due() > now) break;
    }
    put_on_wheel(bucket, slot);
    return count;
  }
  // Buckets with a lease or a byte bound do not cut through.
  [[gnu::noinline]] bool can_cut_through_tree(const Bucket& bucket, std::uint32_t slot,
                                              TimePoint now) const {
    return (bucket.leased | bucket.bounded_bytes) == 0 && admitting_ &&
           tree_.service().can_cut_through(slot, now);
  }
  [[gnu::noinline]] void cut_through_tree(std::uint32_t slot, std::uint32_t wire_bytes,
                                          TimePoint arrival, TimePoint now) {
    count_admitted(buckets_[slot], wire_bytes);
    const Duration late = tree_.service().cut_through(slot, wire_bytes, arrival, now);
    departures_.count(buckets_[slot], buckets_.histograms[slot], wire_bytes, arrival, now, late);
    publish_departure(buckets_[slot]);
  }
  // Lets readers see when the head is due. The wheel goes by it as well, so for a bucket that is on
  // the wheel only if nothing has changed.
  static void publish_departure(Bucket& bucket) { bucket.hook.due = bucket.schedule.due(); }
  // REQUIRES: a unit waits, and the bucket is in no tree and not on the wheel.
  [[gnu::always_inline]] void put_on_wheel(Bucket& bucket, std::uint32_t slot) {
    if (bucket.paused != 0) [[unlikely]]
      return;
    publish_departure(bucket);
    wheel_.insert(slot);
  }
  // The same for any bucket, which has a head since `now`.
  [[gnu::always_inline]] void schedule_head(Bucket& bucket, std::uint32_t slot, TimePoint now) {
    if ((bucket.paused | bucket.in_tree) != 0) [[unlikely]]
      return activate_node(bucket, slot, now);
    publish_departure(bucket);
    wheel_.insert(slot);
  }
  // Does nothing for a bucket that is in no tree.
  [[gnu::noinline]] void activate_node(const Bucket& bucket, std::uint32_t slot, TimePoint now) {
    if (bucket.in_tree != 0) tree_.states().activate(slot, now, FinePoint::of(now));
  }
  // A node of a tree may stay where it is: see reschedule().
  void take_off_wheel(const Bucket& bucket, std::uint32_t slot) {
    if (bucket.in_tree == 0 && bucket.hook.scheduled()) wheel_.remove(slot);
  }
  // The schedule or the head has changed.
  void reschedule(Bucket& bucket, std::uint32_t slot, TimePoint now) {
    if (bucket.in_tree != 0) return tree_.update(slot, now);
    if (bucket.backlog.get() > 0) put_on_wheel(bucket, slot);
    publish_departure(bucket);
  }
  // The same of one that has continued `from`.
  void reschedule_moved(Bucket& bucket, std::uint32_t slot, const Bucket& from, TimePoint now) {
    if (bucket.in_tree == 0) return reschedule(bucket, slot, now);
    tree_.states().continue_leaf(slot, now, from.backlog.get() == 0);
  }
  void retire_if_drained(Bucket& bucket) {
    if (bucket.state.load(std::memory_order_relaxed) != BucketPhase::kDraining) [[likely]]
      return;
    retire_node(bucket);
  }
  // An inner node is retired when its last child has been.
  [[gnu::noinline]] void retire_node(Bucket& bucket) {
    if (bucket.in_tree == 0) return retire(bucket);
    auto slot = static_cast<std::uint32_t>(&bucket - buckets_.buckets);
    const TreeStructure& structure = tree_.structure();
    while (structure.children(slot) == 0 && buckets_[slot].backlog.get() == 0) {
      const std::uint32_t parent = structure.parent(slot);
      tree_.detach(slot);
      tree_.leave(slot);
      retire(buckets_[slot]);
      if (parent == kNoNode ||
          buckets_[parent].state.load(std::memory_order_relaxed) != BucketPhase::kDraining) {
        return;
      }
      slot = parent;
    }
  }
  void retire(Bucket& bucket) {
    if (queues_ != nullptr) queues_->end(static_cast<std::uint32_t>(&bucket - buckets_.buckets));
    bucket.state.store(BucketPhase::kRetired, std::memory_order_release);
    live_buckets_.set(live_buckets_.get() - 1);
  }

  BucketArray buckets_;
  TimingWheel<BucketHooks> wheel_;
  BucketTree tree_;
  Departures departures_;
  TreeRound tree_round_;
  LookAhead<3> look_ahead_;
  LookAhead<9> look_ahead_in_queues_;  // Takes the place of the other one if queues reach far.
  UnitMoved moved_;
  BucketQueues* queues_ = nullptr;
  bool admitting_ = true;
  bool only_rings_ = true;
  Counter live_buckets_;
};

}  // namespace drip
