// SPDX-License-Identifier: BSD-3-Clause
// Shapes the packets and requests of the buckets that one polling thread owns.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>

#include "datapath/egress.h"
#include "datapath/lcore_counters.h"
#include "datapath/memory/bucket_table.h"
#include "datapath/spread/transmitter_spreads.h"
#include "datapath/transmitter_leases.h"
#include "datapath/transmitter_requests.h"
#include "drip/scheduler.h"
#include "engine/call_types.h"
#include "engine/capture_ring.h"
#include "engine/lease.h"
#include "packet/ds_field.h"
#include "packet/headers.h"
#include "packet/queue_key.h"

namespace drip::datapath {

/// libdrip's Scheduler with what dripd adds: ports, drop reasons, requests, and leases that end.
/// Runs on one polling thread; control's calls reach it through that thread's mailbox. `Io` is how
/// packets come and go (packet_io.h).
template <class Io>
class Transmitter {
 public:
  /// At most so many departures a call of transmit(), and so many buckets looked at, so that
  /// receiving is never starved.
  static constexpr std::uint32_t kDeparturesACall = 256;
  /// The same while the receive queues have more than one burst. More, and a loop that has fallen
  /// behind with departures would receive an eighth of what it sends, and so lose packets uncounted
  /// by any bucket.
  static constexpr std::uint32_t kDeparturesBesideFullBurst = 64;

  Transmitter(const BucketTable& buckets, TimePoint now, Io& io, std::uint16_t ports,
              LcoreCounters& counters)
      : scheduler_(buckets.array(), now, TransmitterRequests::moved),
        leases_(scheduler_, now),
        spreads_(scheduler_),
        requests_(scheduler_),
        egress_(io, ports, counters),
        io_(io),
        counters_(counters) {}

  // ---- Packets

  void prefetch(std::uint32_t slot) const { scheduler_.prefetch(slot); }
  void prefetch_behind(std::uint32_t slot) const { scheduler_.prefetch_behind(slot); }
  /// Whether there is a third step, for buckets with queues.
  [[nodiscard]] bool has_far_queues() const { return scheduler_.has_far_queues(); }
  /// That, for a burst: `headers(i)` are those of the packet that comes to slots[i]. REQUIRES:
  /// has_far_queues().
  template <class HeadersOf>
  void prefetch_queues(std::span<const std::uint32_t> slots, HeadersOf headers) const {
    // Of the DS field, which may choose the tin, nothing is known before the packet is read.
    const auto input = [&](std::size_t i) { return QueueInput{make_queue_key(headers(i)), 0, {}}; };
    scheduler_.prefetch_queues(slots, input, [](UnitRef unit) { Egress<Io>::prefetch(unit); });
  }

  /// Admits a packet that arrived at `arrival` to its bucket, or drops and counts it. `headers`: as
  /// it came, if they have been read. REQUIRES: arrival <= now.
  void offer(std::uint32_t slot, void* packet, std::uint32_t frame_bytes, std::uint16_t egress,
             TimePoint arrival, TimePoint now, const Headers* headers = nullptr) {
    Bucket& bucket = scheduler_.buckets()[slot];
    const std::uint32_t wire_bytes = bucket.wire_bytes(frame_bytes);
    if (wire_bytes > kMaxWireBytes) [[unlikely]]
      return reject_too_long(bucket, packet, frame_bytes, wire_bytes, now);
    if (bucket.queued != 0 || bucket.captured != 0) [[unlikely]] {
      return offer_specially(slot, UnitRef::of(packet, wire_bytes, egress), frame_bytes, arrival,
                             now, headers);
    }
    const RejectReason reason = offer_to_ring(slot, packet, wire_bytes, egress, arrival, now);
    if (reason != RejectReason::kAdmitted) [[unlikely]]
      drop(packet, frame_bytes, drop_reason(reason));
  }

  /// Sends a packet on unshaped; control traffic may use the room that is kept for it.
  void pass(void* packet, std::uint32_t frame_bytes, std::uint16_t egress, bool control_traffic) {
    TxBuffer<Io>& tx_buffer = egress_.tx_buffer();
    if (control_traffic ? tx_buffer.has_reserved_room(egress) : tx_buffer.has_room(egress))
        [[likely]] {
      counters_.passed_packets.add(1);
      return tx_buffer.add(egress, packet);
    }
    drop(packet, frame_bytes, DropReason::kTxFull);
  }

  void drop(void* packet, std::uint32_t frame_bytes, DropReason reason) {
    egress_.drop(packet, frame_bytes, reason);
  }

  // ---- Departures

  /// Sends all that is due, up to `most` units and a round more. Returns how many departed.
  template <class Clock>
  std::uint32_t transmit(Clock& clock, std::uint32_t most = kDeparturesACall) {
    std::uint32_t departed = 0;
    // Buckets whose port has no room may be due again before all of them have been looked at.
    for (std::uint32_t visits = 0; departed < most && visits < most;) {
      const TimePoint now = clock.now();
      if (leases_.list().lapsed(now)) [[unlikely]]
        leases_.lapse(now);
      const Scheduler::Round round = scheduler_.serve_due(now, egress_);
      departed += round.departed;
      if (!round.more_is_due) break;
      visits += round.visited;
    }
    return departed;
  }
  /// Gives to the ports what has departed, and frees what was dropped.
  void flush() { egress_.flush(); }

  /// Nothing is due before this time; none if nothing waits at all. Now, if packets wait for their
  /// port to take them.
  [[nodiscard]] std::optional<TimePoint> idle_until(TimePoint now) const {
    if (egress_.tx_buffer().waiting() > 0) return now;
    const std::optional<TimePoint> due = scheduler_.idle_until();
    if (spreads_.empty()) return due;
    const TimePoint next = now + TransmitterSpreads::kLongestSleep;
    return due && *due < next ? due : next;
  }
  /// In each loop. See TransmitterSpreads.
  template <class Clock>
  void exchange_shares(Clock& clock) {
    if (!spreads_.empty()) [[unlikely]]
      spreads_.visit(clock);
  }

  // ---- Requests

  Admission admit_request(std::uint32_t slot, RequestRecord& record, std::uint32_t wire_bytes,
                          TimePoint now, const WaitLimits& limits = {}) {
    return requests_.admit(slot, record, wire_bytes, limits, now);
  }
  void admit_units(UnitsToAdmit& units, TimePoint now) { requests_.admit(units, now); }
  void occupy(std::uint32_t slot, Duration busy, TimePoint now) {
    requests_.occupy(slot, busy, now);
  }
  void release_request(std::uint32_t slot, RequestRecord& record, TimePoint now) {
    requests_.release(slot, record, now);
  }

  // ---- Configuration

  Bucket& create(std::uint32_t slot, const BucketSettings& settings, RingEntry* ring,
                 std::uint32_t ring_slots, TimePoint now) {
    if (settings.capacity == 0) return scheduler_.create_inner(slot, settings, now);
    return scheduler_.create(slot, settings, ring, ring_slots, now);
  }
  /// See Scheduler::set_node().
  void set_node(std::uint32_t slot, const NodeSettings& settings, TimePoint now) {
    scheduler_.set_node(slot, settings, now);
  }
  /// See Scheduler::change().
  RingEntry* change(std::uint32_t slot, const BucketSettings& settings, RingEntry* ring,
                    std::uint32_t ring_slots, TimePoint now) {
    return scheduler_.change(slot, settings, ring, ring_slots, now);
  }
  /// See Scheduler::move_ring(). Null, and nothing is done, unless the bucket has `ring_before`,
  /// and `record` waits in it.
  RingEntry* move_ring(std::uint32_t slot, const RequestRecord& record,
                       const RingEntry* ring_before, RingEntry* ring, std::uint32_t ring_slots) {
    if (record.state.load(std::memory_order_relaxed) != RequestRecord::State::kQueued ||
        scheduler_.buckets()[slot].ring.memory() != ring_before)
      return nullptr;
    return scheduler_.move_ring(slot, ring, ring_slots);
  }
  /// See Scheduler::set_queues() and set_queue().
  void set_queues(BucketQueues* queues) { scheduler_.set_queues(queues); }
  void set_queue(std::uint32_t slot, const QueueProfile& profile, DualQueue* dual) {
    scheduler_.set_queue(slot, profile, dual);
  }
  /// Stops the departures of a bucket until resume(); it admits as before.
  void pause(std::uint32_t slot, TimePoint now) {
    // As if its rates were leased, and no lease there: only those are kept from cutting through.
    scheduler_.buckets()[slot].leased = 1;
    scheduler_.pause(slot, now);
  }
  void resume(std::uint32_t slot, TimePoint now) {
    scheduler_.set_rates(slot, scheduler_.buckets()[slot].periods, now);
    scheduler_.buckets()[slot].leased = 0;
  }
  Removal remove(std::uint32_t slot, bool drop_backlog, TimePoint now) {
    Removal removal;
    if (drop_backlog) {
      removal.dropped = scheduler_.drop_backlog(
          slot, [&](UnitRef unit) { egress_.dropped(unit, DropReason::kBucketDeleted, now); });
    }
    removal.draining = scheduler_.drain(slot);
    return removal;
  }

  /// Copies frames of a bucket to `capture` until end_capture(); of one bucket at a time.
  void begin_capture(std::uint32_t slot, CaptureRing& capture) {
    egress_.set_capture(&capture);
    scheduler_.buckets()[slot].captured = 1;
  }
  /// Whether the slot still has that bucket: a new one is not captured.
  [[nodiscard]] bool is_captured(std::uint32_t slot) const {
    const Bucket& bucket = scheduler_.buckets()[slot];
    const BucketPhase phase = bucket.state.load(std::memory_order_relaxed);
    return bucket.captured != 0 &&
           (phase == BucketPhase::kActive || phase == BucketPhase::kDraining);
  }
  /// The slot may have another bucket, or none, by now.
  void end_capture(std::uint32_t slot) {
    scheduler_.buckets()[slot].captured = 0;
    egress_.set_capture(nullptr);
  }

  // ---- Moves to and from other transmitters: see Scheduler, and docs/decisions/0019-moves.md

  /// Whether a bucket can move: it holds packets only, in its ring or in its fair queue. A node of
  /// a tree has to leave that before stop().
  [[nodiscard]] bool can_move(std::uint32_t slot) const {
    const Bucket& bucket = scheduler_.buckets()[slot];
    if (bucket.state.load(std::memory_order_relaxed) != BucketPhase::kActive) return false;
    if ((bucket.leased | bucket.paused | bucket.captured) != 0) return false;
    if (bucket.queued != 0) return scheduler_.queues()->can_move(slot, bucket);
    for (std::uint32_t at = bucket.ring.head(); at != bucket.ring.tail(); ++at) {
      const UnitRef unit = bucket.ring.at(at).unit;
      if (unit.is_released() || unit.is_tagged()) return false;
    }
    return true;
  }
  void stop(std::uint32_t slot) { scheduler_.stop(slot); }
  /// Ends pause(). `memory`: of as many entries as the ring.
  void take_over(std::uint32_t slot, const Bucket& from, const LatencyHistograms& histograms,
                 std::span<RingEntry> memory, TimePoint now) {
    egress_.count_waiting(from.backlog.get());
    scheduler_.buckets()[slot].leased = 0;
    scheduler_.take_over(slot, from, histograms, memory, now,
                         [&](UnitRef unit, RejectReason reason) {
                           egress_.dropped(unit, drop_reason(reason), now);
                         });
  }
  /// The same of a bucket with a queue: see Scheduler::take_out() and take_over_queue().
  void take_out(std::uint32_t slot, MovedQueue& out, TimePoint now) {
    scheduler_.take_out(slot, out, now);
  }
  void take_over_queue(std::uint32_t slot, const Bucket& from, const LatencyHistograms& histograms,
                       const BucketQueue& from_queue, MovedQueue& moved, MovedQueue& behind,
                       TimePoint now) {
    egress_.count_waiting(from.backlog.get());
    scheduler_.buckets()[slot].leased = 0;
    scheduler_.take_over_queue(slot, from, histograms, from_queue, moved, behind, now, egress_);
  }
  /// Of a whole tree: see Scheduler::hold() and what follows there.
  [[nodiscard]] bool is_busy_node(std::uint32_t slot) const { return scheduler_.is_busy(slot); }
  void hold_tree(std::uint32_t root, TimePoint now) { scheduler_.hold(root, now); }
  void take_out_node(std::uint32_t slot, MovedNode& out) { scheduler_.take_out_node(slot, out); }
  void put_in_node(std::uint32_t slot, const MovedNode& moved) {
    scheduler_.put_in_node(slot, moved);
  }
  void take_over_inner(std::uint32_t slot, const Bucket& from,
                       const LatencyHistograms& histograms) {
    scheduler_.take_over_inner(slot, from, histograms);
  }
  void resume_tree(std::uint32_t root, TimePoint now) { scheduler_.resume(root, now); }
  void forget(std::uint32_t slot) {
    egress_.uncount_waiting(scheduler_.buckets()[slot].backlog.get());
    scheduler_.forget(slot);
  }

  void lease(LeaseTerms& terms, const RateLease& lease, TimePoint now) {
    leases_.apply(terms, lease, now);
  }
  bool end_lease(LeaseTerms& terms, TimePoint now) { return leases_.end(terms, now); }
  [[nodiscard]] bool paused(std::uint32_t slot) const {
    return scheduler_.buckets()[slot].paused != 0;
  }
  [[nodiscard]] LeaseList& leases() { return leases_.list(); }
  [[nodiscard]] TransmitterSpreads& spreads() { return spreads_; }

  /// From now on no bucket admits anything; all leak on.
  void stop_admission() { scheduler_.stop_admission(); }
  /// Drops all that waits, in buckets and for ports; returns how many units.
  std::uint64_t drop_all(TimePoint now) {
    const std::uint64_t dropped = scheduler_.drop_all(
        [&](UnitRef unit) { egress_.dropped(unit, DropReason::kShutdown, now); });
    return dropped + egress_.drop_all(DropReason::kShutdown);
  }

  [[nodiscard]] std::uint64_t waiting_packets() const { return egress_.waiting_packets(); }
  /// Whether nothing waits, in a bucket or for a port; paused buckets, which cannot leak, apart.
  [[nodiscard]] bool idle() const {
    return scheduler_.idle() && egress_.tx_buffer().waiting() == 0;
  }
  [[nodiscard]] const TxBuffer<Io>& tx_buffer() const { return egress_.tx_buffer(); }
  [[nodiscard]] const BucketArray& buckets() const { return scheduler_.buckets(); }
  [[nodiscard]] const Scheduler& scheduler() const { return scheduler_; }
  [[nodiscard]] LcoreCounters& counters() { return counters_; }

 private:
  // Each of the two admits a packet to its bucket; who calls drops it if it was rejected.
  [[gnu::always_inline]] RejectReason offer_to_ring(std::uint32_t slot, void* packet,
                                                    std::uint32_t wire_bytes, std::uint16_t egress,
                                                    TimePoint arrival, TimePoint now) {
    if (scheduler_.can_cut_through(slot, now) && egress_.tx_buffer().has_room(egress)) {
      scheduler_.cut_through(slot, wire_bytes, arrival, now);
      egress_.tx_buffer().add(egress, packet);
      return RejectReason::kAdmitted;
    }
    const RejectReason reason =
        scheduler_.admit(slot, {UnitRef::of(packet, wire_bytes, egress), arrival}, wire_bytes);
    if (reason == RejectReason::kAdmitted) [[likely]]
      egress_.count_waiting();
    return reason;
  }
  [[gnu::noinline]] RejectReason offer_to_queue(std::uint32_t slot, UnitRef unit,
                                                std::uint32_t frame_bytes, TimePoint now,
                                                const Headers* headers) {
    void* const packet = unit.address();
    const std::span<std::uint8_t> bytes = io_.writable_bytes(packet);
    Headers parsed;
    if (headers == nullptr) {
      parse_frame(bytes, frame_bytes, parsed);
      headers = &parsed;
    }
    const IpLocation ip = locate_ip(bytes, *headers);
    const std::uint8_t ds_field = read_ds_field(bytes, ip);
    if ((*scheduler_.queues())[slot].profile->wash) set_dscp(bytes, ip, 0);
    if (egress_.tx_buffer().has_room(unit.egress()) &&
        scheduler_.try_cut_through(slot, unit.wire_bytes(), now)) {
      egress_.tx_buffer().add(unit.egress(), packet);
      return RejectReason::kAdmitted;
    }
    const QueueInput input{make_queue_key(*headers), static_cast<std::uint8_t>(ds_field >> 2),
                           static_cast<Ecn>(ds_field & 3)};
    egress_.count_waiting();
    const RejectReason reason = scheduler_.admit_packet(slot, unit, input, now, egress_);
    if (reason != RejectReason::kAdmitted) [[unlikely]]
      egress_.uncount_waiting();
    return reason;
  }

  [[gnu::noinline]] void offer_specially(std::uint32_t slot, UnitRef unit,
                                         std::uint32_t frame_bytes, TimePoint arrival,
                                         TimePoint now, const Headers* headers) {
    if (scheduler_.buckets()[slot].captured != 0) [[unlikely]]
      return offer_captured(slot, unit, frame_bytes, arrival, now, headers);
    const RejectReason reason = offer_to_queue(slot, unit, frame_bytes, now, headers);
    if (reason != RejectReason::kAdmitted) [[unlikely]]
      drop(unit.address(), frame_bytes, drop_reason(reason));
  }

  // A bucket of which frames are copied. The copy is of the frame as it came to the bucket.
  [[gnu::noinline, gnu::cold]] void offer_captured(std::uint32_t slot, UnitRef unit,
                                                   std::uint32_t frame_bytes, TimePoint arrival,
                                                   TimePoint now, const Headers* headers) {
    const FrameBytes frame = io_.frame(unit.address());
    CaptureRing& capture = egress_.capture();
    capture.offered(frame.bytes, frame_bytes, now);
    const RejectReason reason =
        scheduler_.buckets()[slot].queued != 0
            ? offer_to_queue(slot, unit, frame_bytes, now, headers)
            : offer_to_ring(slot, unit.address(), unit.wire_bytes(), unit.egress(), arrival, now);
    if (reason == RejectReason::kAdmitted) return capture.admitted();
    capture.rejected(frame.bytes, frame_bytes, now, drop_reason(reason));
    drop(unit.address(), frame_bytes, drop_reason(reason));
  }
  [[gnu::noinline, gnu::cold]] void reject_too_long(Bucket& bucket, void* packet,
                                                    std::uint32_t frame_bytes,
                                                    std::uint32_t wire_bytes, TimePoint now) {
    if (bucket.captured != 0) {
      egress_.capture().rejected(io_.frame(packet).bytes, frame_bytes, now, DropReason::kTooLong);
    }
    count_rejected(bucket, RejectReason::kTooLong, wire_bytes);
    drop(packet, frame_bytes, DropReason::kTooLong);
  }

  Scheduler scheduler_;
  TransmitterLeases leases_;
  TransmitterSpreads spreads_;
  TransmitterRequests requests_;
  Egress<Io> egress_;
  Io& io_;
  LcoreCounters& counters_;
};

}  // namespace drip::datapath
