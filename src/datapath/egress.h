// SPDX-License-Identifier: BSD-3-Clause
// Where units go when they leave their bucket: packets to a port, requests to their record.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "datapath/drop_batch.h"
#include "datapath/lcore_counters.h"
#include "datapath/packet_io.h"
#include "datapath/tx_buffer.h"
#include "drip/bucket.h"
#include "drip/cache_line.h"
#include "drip/counter.h"
#include "drip/unit_ref.h"
#include "engine/capture_ring.h"
#include "engine/drop_reason.h"
#include "engine/request_record.h"
#include "packet/ds_field.h"

namespace drip::datapath {

/// The QueueSink of one transmitter's Scheduler. A tagged UnitRef is a request, and refers to
/// its record; others are packets. Dropped packets are freed in bursts.
template <class Io>
class Egress {
 public:
  Egress(Io& io, std::uint16_t ports, LcoreCounters& counters)
      : tx_buffer_(io, ports), io_(io), drops_(io, counters) {}

  [[nodiscard]] bool has_room(UnitRef unit) const {
    return unit.is_tagged() || tx_buffer_.has_room(unit.egress());
  }
  /// The unit departs soon. A driver writes to the two lines of an mbuf, and frees it.
  static void prefetch(UnitRef unit) {
    const auto* const address = static_cast<const std::byte*>(unit.address());
    prefetch_to_write(address);
    prefetch_to_write(address + kCacheLineBytes);
  }
  void departed(UnitRef unit, TimePoint now, Duration late) {
    if (!unit.is_tagged()) [[likely]] {
      uncount_waiting();
      return tx_buffer_.add(unit.egress(), unit.address());
    }
    finish_request(unit, RequestRecord::State::kDeparted, now, late);
  }
  /// Counts a packet that now waits in a bucket, until departed() or dropped().
  void count_waiting(std::uint64_t packets = 1) { waiting_packets_.add(packets); }
  /// The same of packets that were rejected after all, or wait on another thread.
  void uncount_waiting(std::uint64_t packets = 1) {
    waiting_packets_.set(waiting_packets_.get() - packets);
  }
  /// Congestion is signalled to the packet's sender: CE is set.
  void marked(UnitRef unit) {
    const std::span<std::uint8_t> bytes = io_.writable_bytes(unit.address());
    set_ce(bytes, locate_ip(bytes, io_.frame(unit.address()).frame_bytes));
  }
  /// The ring for frames of buckets that are `captured`; null: none is.
  void set_capture(CaptureRing* capture) { capture_ = capture; }
  [[nodiscard]] CaptureRing& capture() { return *capture_; }
  /// A queue of a bucket has dropped a packet.
  void dropped_from(const Bucket& bucket, UnitRef unit, QueueDrop reason, TimePoint now) {
    if (bucket.captured != 0) [[unlikely]]
      capture_dropped(unit.address(), drop_reason(reason), now);
    dropped(unit, reason);
  }
  /// A queue has dropped a packet.
  void dropped(UnitRef unit, QueueDrop reason) {
    uncount_waiting();
    drop(unit.address(), io_.frame(unit.address()).frame_bytes, drop_reason(reason));
  }
  /// A unit that waited and will not depart.
  void dropped(UnitRef unit, DropReason reason, TimePoint now) {
    if (unit.is_tagged()) {
      return finish_request(unit,
                            reason == DropReason::kShutdown ? RequestRecord::State::kStopped
                                                            : RequestRecord::State::kDropped,
                            now, Duration{});
    }
    uncount_waiting();
    drop(unit.address(), io_.frame(unit.address()).frame_bytes, reason);
  }

  void drop(void* packet, std::uint32_t frame_bytes, DropReason reason) {
    drops_.drop(packet, frame_bytes, reason);
  }
  /// Gives to the ports what has departed, and frees what was dropped.
  void flush() {
    tx_buffer_.flush();
    drops_.flush();
  }
  /// Drops what waits for the ports; returns how many packets.
  std::uint64_t drop_all(DropReason reason) {
    const std::uint64_t dropped = tx_buffer_.drop_all(
        [&](void* packet) { drop(packet, io_.frame(packet).frame_bytes, reason); });
    drops_.flush();
    return dropped;
  }

  [[nodiscard]] TxBuffer<Io>& tx_buffer() { return tx_buffer_; }
  [[nodiscard]] const TxBuffer<Io>& tx_buffer() const { return tx_buffer_; }
  /// Packets in buckets and in the TX buffer. Any thread.
  [[nodiscard]] std::uint64_t waiting_packets() const {
    return waiting_packets_.get() + tx_buffer_.waiting();
  }

 private:
  [[gnu::noinline, gnu::cold]] void capture_dropped(void* packet, DropReason reason,
                                                    TimePoint now) {
    const FrameBytes frame = io_.frame(packet);
    capture_->dropped(frame.bytes, frame.frame_bytes, now, reason);
  }
  static void finish_request(UnitRef unit, RequestRecord::State state, TimePoint now,
                             Duration late) {
    auto* const record = static_cast<RequestRecord*>(unit.address());
    record->departed = now;
    record->lateness = late;
    record->state.store(state, std::memory_order_release);
  }

  TxBuffer<Io> tx_buffer_;
  Io& io_;
  DropBatch<Io> drops_;
  Counter waiting_packets_;  // In buckets.
  CaptureRing* capture_ = nullptr;
};

}  // namespace drip::datapath
