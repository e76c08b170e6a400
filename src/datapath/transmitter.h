// SPDX-License-Identifier: BSD-3-Clause
// Admits units into buckets and lets each leave when the law says so.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "datapath/lcore_counters.h"
#include "datapath/lease_list.h"
#include "datapath/memory/bucket_table.h"
#include "datapath/tx_buffer.h"
#include "drip/admission.h"
#include "drip/timing_wheel.h"
#include "engine/engine.h"
#include "engine/request_record.h"

namespace drip::datapath {

/// Owns a part of the buckets: it alone changes them, so nothing here locks or waits. Runs on one
/// polling thread; control's calls reach it through that thread's mailbox. `Io` is how packets come
/// and go (see no_ports.h for what it must have).
template <class Io>
class Transmitter {
 public:
  /// At most so many departures a call of transmit(), and so many buckets looked at, so that
  /// receiving is never starved.
  static constexpr std::uint32_t kDeparturesACall = 256;

  Transmitter(const BucketTable& buckets, TimePoint now, Io& io, std::uint16_t ports,
              LcoreCounters& counters)
      : buckets_(buckets),
        wheel_(buckets.slots(), now, BucketHooks{&buckets}),
        leases_(now),
        stage_(io, ports),
        io_(io),
        counters_(counters) {}

  // ---- Packets

  /// Asks the cache for what offer() will touch, some packets ahead of it.
  void prefetch(std::uint32_t slot) const {
    const Bucket& bucket = buckets_[slot];
    __builtin_prefetch(&bucket, 1);
    __builtin_prefetch(&bucket.periods, 1);
    __builtin_prefetch(&bucket.spans, 1);
  }
  /// The second step: what the bucket refers to, by what prefetch() has brought.
  void prefetch_behind(std::uint32_t slot) const {
    const Bucket& bucket = buckets_[slot];
    const std::uint32_t backlog = bucket.backlog.get();
    if (backlog + 1 >= bucket.capacity) {
      __builtin_prefetch(&bucket.rejected, 1);
      if (backlog >= bucket.capacity) return;
    }
    if (backlog > 0 || bucket.departure == Departure::kAtEnd) return bucket.ring.prefetch_back();
    bucket.spans.prefetch_history(buckets_.history(slot));
  }

  /// Takes a packet that arrived at `arrival` into its bucket, or drops and counts it.
  /// REQUIRES: arrival <= now.
  void offer(std::uint32_t slot, void* packet, std::uint32_t frame_bytes, std::uint16_t egress,
             TimePoint arrival, TimePoint now) {
    Bucket& bucket = buckets_[slot];
    const std::uint32_t wire_bytes = bucket.wire_bytes(frame_bytes);
    if (wire_bytes > kMaxWireBytes) [[unlikely]] {
      count_rejected(bucket, RejectReason::kTooLong, wire_bytes);
      return drop(packet, frame_bytes, DropReason::kTooLong);
    }
    if (goes_straight(bucket, now) && admitting_ && stage_.has_room(egress)) {
      return send_straight(bucket, slot, packet, wire_bytes, egress, arrival, now);
    }
    const RejectReason reason = admit(
        bucket, slot, RingEntry{UnitRef::packet(packet, wire_bytes, egress), arrival}, wire_bytes);
    if (reason == RejectReason::kAdmitted) [[likely]]
      return;
    drop(packet, frame_bytes, drop_reason(reason));
  }

  /// Sends a packet on unshaped; control traffic may use the room that is kept for it.
  void pass(void* packet, std::uint32_t frame_bytes, std::uint16_t egress, bool control_traffic) {
    if (control_traffic ? stage_.has_reserved_room(egress) : stage_.has_room(egress)) [[likely]] {
      counters_.passed_packets.add(1);
      return stage_.add(egress, packet);
    }
    drop(packet, frame_bytes, DropReason::kTxFull);
  }

  // ---- Departures

  /// Lets go all that is due, up to a bound. Returns how many units left.
  template <class Clock>
  std::uint32_t transmit(Clock& clock) {
    std::uint32_t departed = 0;
    std::array<std::uint32_t, kCollected> due;
    // Many buckets whose port takes nothing are due again before all of them have been looked at.
    for (std::size_t visits = 0; departed < kDeparturesACall && visits < kDeparturesACall;) {
      const TimePoint now = clock.now();
      if (leases_.lapsed(now)) [[unlikely]]
        lapse(now);
      const std::size_t count = wheel_.collect(now, due);
      for (std::size_t i = 0; i < count; ++i) prefetch(due[i]);
      for (std::size_t i = 0; i < count; ++i) {
        const Bucket& bucket = buckets_[due[i]];
        bucket.ring.prefetch_front();
        bucket.spans.prefetch_history(buckets_.history(due[i]));
      }
      // A bucket whose visit ended before its packets did is due again at once; one that has the
      // core to itself would else send a visit's worth a loop, however much comes in.
      bool more_is_due = count == due.size();
      for (std::size_t i = 0; i < count; ++i) {
        const std::uint32_t sent = serve(due[i], now);
        departed += sent;
        more_is_due |= sent == kDeparturesAVisit;
      }
      if (!more_is_due) break;
      visits += count;
    }
    return departed;
  }
  /// Gives to the ports what has left, and frees what was dropped.
  void flush() {
    stage_.flush();
    if (dropped_ > 0) free_dropped();
  }

  /// Nothing is due before this moment; none if nothing waits at all. Now, if packets wait for
  /// their port to take them.
  [[nodiscard]] std::optional<TimePoint> idle_until(TimePoint now) const {
    if (stage_.waiting() > 0) return now;
    return wheel_.idle_until();
  }

  // ---- Requests (on this thread, from control)

  Admission admit_request(std::uint32_t slot, RequestRecord& record, std::uint32_t wire_bytes,
                          TimePoint now);
  /// Units without a name, or one with.
  void admit_units(UnitsToAdmit& units, TimePoint now);
  void release_request(std::uint32_t slot, RequestRecord& record, TimePoint now);

  // ---- Configuration (on this thread, from control)

  Bucket& create(std::uint32_t slot, const BucketSettings& settings, RingEntry* slots,
                 std::uint32_t slot_count, TimePoint now) {
    Bucket& bucket = buckets_.construct(slot);
    new (&bucket.ring) BucketRing(slots, slot_count);
    bucket.law = VirtualSchedule(now);
    set_up(bucket, settings);
    if (settings.rate_is_leased) pause(bucket, slot, now);
    publish_point(bucket);
    bucket.life.store(SlotState::kActive, std::memory_order_release);
    live_buckets_.add(1);
    return bucket;
  }

  /// Changes a bucket in the middle of its backlog. With `slots`, moves what waits to that memory
  /// and returns the old one.
  RingEntry* change(std::uint32_t slot, const BucketSettings& settings, RingEntry* slots,
                    std::uint32_t slot_count, TimePoint now) {
    Bucket& bucket = buckets_[slot];
    RingEntry* const old = slots != nullptr ? bucket.ring.move_to(slots, slot_count) : nullptr;
    const bool backlogged = bucket.backlog.get() > 0;
    const bool was_leased = bucket.leased != 0;
    const std::uint32_t in_service = bytes_in_service(bucket);
    const ServicePeriods before = bucket.periods;
    const Departure departure_before = bucket.departure;
    set_up(bucket, settings);
    if (was_leased && bucket.leased == 0 && bucket.paused != 0) go_on(bucket, now);
    bucket.law.rescale(bucket.law_time(now), before.service(in_service),
                       bucket.periods.service(in_service));
    if (backlogged) {
      // A head that was to leave when its service starts now leaves when it ends. The other way
      // round it keeps its time: nothing leaves early.
      if (departure_before == Departure::kAtStart && bucket.departure == Departure::kAtEnd) {
        bucket.law.serve_to_end(bucket.periods.service(bucket.ring.front().unit.wire_bytes()));
      }
      // What is still to pass until then is of its own service, should the rate change again.
      if (departure_before == Departure::kAtEnd && bucket.departure == Departure::kAtStart) {
        bucket.in_service_bytes = static_cast<std::uint16_t>(bucket.ring.front().unit.wire_bytes());
      }
      if (bucket.hook.scheduled()) wheel_.remove(slot);
      schedule(bucket, slot);
    }
    if (!was_leased && bucket.leased != 0) pause(bucket, slot, now);
    publish_point(bucket);
    return old;
  }

  /// See Engine::lease(). `terms` is the bucket's own, and stays until end_lease().
  void lease(LeaseTerms& terms, const RateLease& lease, TimePoint now);
  /// The bucket keeps the rate that it has at present, to drain by; a paused one the fallback's.
  /// False if there is none.
  bool end_lease(LeaseTerms& terms, TimePoint now);
  [[nodiscard]] bool paused(std::uint32_t slot) const { return buckets_[slot].paused != 0; }
  [[nodiscard]] LeaseList& leases() { return leases_; }
  [[nodiscard]] const LeaseList& leases() const { return leases_; }

  Removal remove(std::uint32_t slot, bool drop_backlog, TimePoint now) {
    Bucket& bucket = buckets_[slot];
    Removal removal;
    if (drop_backlog) {
      removal.dropped = drop_backlog_of(bucket, DropReason::kBucketDeleted, now);
      if (bucket.hook.scheduled()) wheel_.remove(slot);
    }
    removal.draining = bucket.backlog.get();
    bucket.life.store(removal.draining > 0 ? SlotState::kDraining : SlotState::kRetired,
                      std::memory_order_release);
    if (removal.draining == 0) live_buckets_.set(live_buckets_.get() - 1);
    return removal;
  }

  /// From now on every bucket takes nothing new, and leaks on.
  void drain_all() { admitting_ = false; }
  /// Drops all that waits, in buckets and for ports; returns how many units.
  std::uint64_t drop_all(TimePoint now) {
    std::uint64_t dropped = 0;
    for (std::uint32_t slot = 0; slot < buckets_.slots(); ++slot) {
      Bucket& bucket = buckets_[slot];
      // A slot that was never used reads as zero: SlotState::kFree.
      const SlotState life = bucket.life.load(std::memory_order_relaxed);
      if (life != SlotState::kActive && life != SlotState::kDraining) continue;
      dropped += drop_backlog_of(bucket, DropReason::kShutdown, now);
      if (bucket.hook.scheduled()) wheel_.remove(slot);
    }
    const std::uint64_t staged = stage_.drop_all();
    counters_.drops[static_cast<std::size_t>(DropReason::kShutdown)].add(staged);
    free_dropped();
    return dropped + staged;
  }

  [[nodiscard]] std::uint64_t waiting_packets() const {
    return waiting_packets_.get() + stage_.waiting();
  }
  /// Whether anything waits, in a bucket or for a port.
  [[nodiscard]] bool idle() const { return wheel_.size() == 0 && stage_.waiting() == 0; }
  [[nodiscard]] std::uint64_t live_buckets() const { return live_buckets_.get(); }
  [[nodiscard]] const TxBuffer<Io>& stage() const { return stage_; }
  [[nodiscard]] const BucketTable& buckets() const { return buckets_; }
  [[nodiscard]] LcoreCounters& counters() { return counters_; }

  void drop(void* packet, std::uint32_t frame_bytes, DropReason reason) {
    counters_.drop(reason, frame_bytes);
    dropping_[dropped_++] = packet;
    if (dropped_ == dropping_.size()) free_dropped();
  }

 private:
  static constexpr std::size_t kCollected = 32;
  /// A fast bucket may send several packets a visit, or its slot's width would cap it.
  static constexpr std::uint32_t kDeparturesAVisit = 8;
  /// How long a bucket is held whose head's port takes nothing.
  static constexpr Duration kPortRetry{2'000};

  RejectReason admit(Bucket& bucket, std::uint32_t slot, RingEntry entry,
                     std::uint32_t wire_bytes) {
    const RejectReason reason = admitting_ ? try_admit(bucket, entry) : RejectReason::kDraining;
    if (reason != RejectReason::kAdmitted) [[unlikely]] {
      count_rejected(bucket, reason, wire_bytes);
      return reason;
    }
    enter_backlog(bucket, wire_bytes);
    if (!entry.unit.is_request()) waiting_packets_.add(1);
    if (bucket.backlog.get() == 1) {
      bucket.law.begin(bucket.law_time(entry.arrival), bucket.periods.service(wire_bytes),
                       bucket.departure);
      schedule(bucket, slot);
    }
    return reason;
  }

  // What nothing stands before leaves without ring and wheel.
  void send_straight(Bucket& bucket, std::uint32_t slot, void* packet, std::uint32_t wire_bytes,
                     std::uint16_t egress, TimePoint arrival, TimePoint now) {
    count_admitted(bucket, wire_bytes);
    bucket.law.begin(arrival, {}, Departure::kAtStart);
    depart(bucket, slot, wire_bytes, arrival, now);
    publish_point(bucket);
    stage_.add(egress, packet);
  }

  // The law lets a unit of this bucket go, and all is counted; returns how late it is.
  Duration depart(Bucket& bucket, std::uint32_t slot, std::uint32_t wire_bytes, TimePoint arrival,
                  TimePoint now) {
    const Duration late = now - bucket.law.due();
    // max_catchup lies on a line that is else not needed here.
    const bool within_catchup = late.ns >> bucket.catchup_log2 == 0;
    const Duration forfeited =
        bucket.law.depart(now, bucket.periods.service(wire_bytes), bucket.departure,
                          within_catchup ? late : bucket.max_catchup);
    if (forfeited.ns > 0) [[unlikely]] {
      bucket.forfeited_ns.add(static_cast<std::uint64_t>(forfeited.ns));
      counters_.forfeited_ns.add(static_cast<std::uint64_t>(forfeited.ns));
    }
    bucket.in_service_bytes = static_cast<std::uint16_t>(wire_bytes);
    count_departed(bucket, wire_bytes);
    bucket.spans.record(buckets_.history(slot), now, now - arrival, late);
    counters_.lateness.record(late);
    return late;
  }

  // Lets units of one bucket go that are due; returns how many.
  std::uint32_t serve(std::uint32_t slot, TimePoint now) {
    Bucket& bucket = buckets_[slot];
    for (std::uint32_t count = 0; count < kDeparturesAVisit;) {
      const RingEntry entry = bucket.ring.front();
      const UnitRef unit = entry.unit;
      if (!unit.is_request() && !stage_.has_room(unit.egress())) [[unlikely]] {
        bucket.hook.due = bucket.law.due();
        wheel_.insert_at(slot, now + kPortRetry);
        return count;
      }
      const Duration late = depart(bucket, slot, unit.wire_bytes(), entry.arrival, now);
      bucket.ring.pop();
      leave_backlog(bucket);
      deliver(unit, now, late);
      ++count;
      skip_released(bucket);
      if (bucket.backlog.get() == 0) {
        publish_point(bucket);
        retire_if_drained(bucket);
        return count;
      }
      const RingEntry& next = bucket.ring.front();
      bucket.law.begin(next.arrival, bucket.periods.service(next.unit.wire_bytes()),
                       bucket.departure);
      if (bucket.law.due() > now) {
        schedule(bucket, slot);
        return count;
      }
    }
    schedule(bucket, slot);
    return kDeparturesAVisit;
  }

  void deliver(UnitRef unit, TimePoint now, Duration late) {
    if (!unit.is_request()) [[likely]] {
      waiting_packets_.set(waiting_packets_.get() - 1);
      return stage_.add(unit.egress(), unit.address());
    }
    finish_request(unit, RequestRecord::State::kDeparted, now, late);
  }
  static void finish_request(UnitRef unit, RequestRecord::State state, TimePoint now,
                             Duration late) {
    auto* const record = static_cast<RequestRecord*>(unit.address());
    record->departed = now;
    record->lateness = late;
    record->state.store(state, std::memory_order_release);
  }

  void schedule(Bucket& bucket, std::uint32_t slot) {
    if (bucket.paused != 0) [[unlikely]]
      return;
    bucket.hook.due = bucket.law.due();
    wheel_.insert(slot);
  }
  // ---- Requests

  void take_over_service(Bucket& bucket, std::uint32_t slot, std::uint32_t head_bytes,
                         TimePoint time);
  [[nodiscard]] RejectReason room_for(const Bucket& bucket, std::uint32_t count,
                                      std::uint32_t wire_bytes, TimePoint now) const;

  // ---- Leases

  void pause(Bucket& bucket, std::uint32_t slot, TimePoint now);
  static void go_on(Bucket& bucket, TimePoint now);
  void put_rates(std::uint32_t slot, const LeasedPeriods& rates, TimePoint now);
  void fall_back(const LeaseTerms& terms, bool fallback_over, TimePoint now);
  void lapse(TimePoint now);

  std::uint64_t drop_backlog_of(Bucket& bucket, DropReason reason, TimePoint now) {
    std::uint64_t dropped = 0;
    const auto fate = reason == DropReason::kShutdown ? RequestRecord::State::kStopped
                                                      : RequestRecord::State::kDropped;
    for (; !bucket.ring.empty(); bucket.ring.pop()) {
      const UnitRef unit = bucket.ring.front().unit;
      if (unit.is_released()) continue;
      leave_backlog(bucket);
      count_dropped(bucket, unit.wire_bytes());
      ++dropped;
      if (unit.is_request()) {
        finish_request(unit, fate, now, Duration{});
      } else {
        waiting_packets_.set(waiting_packets_.get() - 1);
        drop(unit.address(), io_.frame(unit.address()).frame_bytes, reason);
      }
    }
    return dropped;
  }

  void retire_if_drained(Bucket& bucket) {
    if (bucket.life.load(std::memory_order_relaxed) != SlotState::kDraining) [[likely]]
      return;
    bucket.life.store(SlotState::kRetired, std::memory_order_release);
    live_buckets_.set(live_buckets_.get() - 1);
  }

  void free_dropped() {
    io_.drop(std::span<void*>(dropping_.data(), dropped_));
    dropped_ = 0;
  }

  const BucketTable& buckets_;
  TimingWheel<BucketHooks> wheel_;
  LeaseList leases_;
  RequestRecord nobody_;  // What the places of units without a name refer to.
  TxBuffer<Io> stage_;
  Io& io_;
  LcoreCounters& counters_;
  Counter waiting_packets_;
  Counter live_buckets_;
  bool admitting_ = true;
  // Dropped and counted, to be freed together.
  std::array<void*, 64> dropping_{};
  std::uint32_t dropped_ = 0;
};

}  // namespace drip::datapath

#include "datapath/transmitter_leases.inl"
#include "datapath/transmitter_requests.inl"
