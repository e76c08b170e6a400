// SPDX-License-Identifier: BSD-3-Clause
// A scheduler of which buckets have queues, in virtual time, and what became of every packet.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "drip/scheduler.h"
#include "drip/tree/tree_memory.h"
#include "libdrip/queue/queue_fixture.h"

namespace drip::test {

/// A packet that waits, as the test knows it.
struct WaitingPacket {
  std::uint32_t slot = 0;
  std::uint32_t flow = 0;
  std::uint32_t bytes = 0;
  TimePoint arrival;
};

class QueuedBuckets {
 public:
  static constexpr TimePoint kStart{1'000'000'000};
  static constexpr std::uint32_t kSlots = 16;

  struct Departed {
    std::uint64_t id = 0;
    WaitingPacket packet;
    TimePoint at;
    bool marked = false;
  };

  QueuedBuckets()
      : buckets_(std::make_unique<Bucket[]>(kSlots)),
        histograms_(std::make_unique<LatencyHistograms[]>(kSlots)),
        memory_(kSlots, kSlots),
        bucket_queues_(std::make_unique<BucketQueue[]>(kSlots)),
        queues_(bucket_queues_.get(), {1U << 16, 1U << 16, 1U << 17, 64, 256}, 7),
        scheduler_({buckets_.get(), histograms_.get(), kSlots, memory_.arrays()}, kStart) {
    scheduler_.set_queues(&queues_);
  }

  std::uint32_t add(const BucketSettings& settings) {
    const std::uint32_t slot = next_slot_++;
    scheduler_.create(slot, settings, new_ring(settings), ring_slots(settings), now);
    set_queue(slot, settings);
    return slot;
  }
  std::uint32_t add_inner(double bits_per_second) {
    BucketSettings settings;
    settings.bits_per_second = bits_per_second;
    const std::uint32_t slot = next_slot_++;
    scheduler_.create_inner(slot, settings, now);
    scheduler_.set_node(slot, {}, now);
    return slot;
  }
  /// Keeps what waits.
  void change(std::uint32_t slot, const BucketSettings& settings) {
    scheduler_.change(slot, settings, nullptr, 0, now);
    set_queue(slot, settings);
  }
  /// Returns its number. The flow is one of IPv4 with that source port.
  std::uint64_t arrive(std::uint32_t slot, std::uint32_t flow, std::uint32_t bytes,
                       Ecn ecn = Ecn::kNotCapable) {
    const std::uint64_t id = next_id_++;
    waiting_[id] = {slot, flow, bytes, now};
    oldest_[slot].insert(now.ns);
    QueueInput input;
    input.key = ipv4_key(1, 2, static_cast<std::uint16_t>(flow));
    input.ecn = ecn;
    const RejectReason reason =
        scheduler_.admit_packet(slot, unit_of(id, bytes), input, now, *this);
    if (reason != RejectReason::kAdmitted) {
      ++rejected;
      forget(id);
    }
    return id;
  }
  void poll() {
    for (int i = 0; i < 10'000; ++i) {
      if (!scheduler_.serve_due(now, *this).more_is_due) return;
    }
  }
  void pass(std::int64_t ns) { now = now + Duration{ns}; }
  void poll_after(std::int64_t ns) {
    pass(ns);
    poll();
  }
  /// When the oldest packet in a bucket arrived. REQUIRES: one waits.
  [[nodiscard]] TimePoint oldest(std::uint32_t slot) { return {*oldest_[slot].begin()}; }
  [[nodiscard]] const std::map<std::uint64_t, WaitingPacket>& waiting() const { return waiting_; }
  [[nodiscard]] std::size_t waiting_in(std::uint32_t slot) { return oldest_[slot].size(); }
  [[nodiscard]] const Bucket& bucket(std::uint32_t slot) const { return buckets_[slot]; }
  [[nodiscard]] Scheduler& scheduler() { return scheduler_; }
  [[nodiscard]] BucketQueues& queues() { return queues_; }

  // A QueueSink.
  [[nodiscard]] bool has_room(UnitRef) const { return room; }
  void departed(UnitRef unit, TimePoint at, Duration) {
    const std::uint64_t id = id_of(unit);
    if (on_departure) on_departure(waiting_.at(id));
    departures.push_back({id, waiting_.at(id), at, std::exchange(marked_, false)});
    forget(id);
  }
  void dropped(UnitRef unit, QueueDrop reason) {
    drops.push_back({id_of(unit), reason});
    forget(id_of(unit));
  }
  void marked(UnitRef) { marked_ = true; }

  TimePoint now = kStart;
  bool room = true;
  std::vector<Departed> departures;
  std::vector<Dropped> drops;
  std::uint64_t rejected = 0;
  /// Called while the packet still counts as waiting.
  std::function<void(const WaitingPacket&)> on_departure;

 private:
  static std::uint32_t ring_slots(const BucketSettings& settings) {
    return BucketRing::slots_for(settings.capacity);
  }
  RingEntry* new_ring(const BucketSettings& settings) {
    rings_.push_back(std::make_unique<RingEntry[]>(ring_slots(settings)));
    return rings_.back().get();
  }
  void set_queue(std::uint32_t slot, const BucketSettings& settings) {
    profiles_.push_back(std::make_unique<QueueProfile>(QueueProfile::of(settings)));
    std::unique_ptr<DualQueue>& dual = duals_[slot];
    DualQueue* added = nullptr;
    if (profiles_.back()->into == QueuePlace::kDual && dual == nullptr) {
      dual = std::make_unique<DualQueue>(queues_.dual_slots(), profiles_.back()->dual, now);
      added = dual.get();
    }
    scheduler_.set_queue(slot, *profiles_.back(), added);
  }
  void forget(std::uint64_t id) {
    const WaitingPacket& packet = waiting_.at(id);
    std::multiset<std::uint64_t>& arrivals = oldest_[packet.slot];
    arrivals.erase(arrivals.find(packet.arrival.ns));
    waiting_.erase(id);
  }

  std::unique_ptr<Bucket[]> buckets_;
  std::unique_ptr<LatencyHistograms[]> histograms_;
  TreeMemory memory_;
  std::unique_ptr<BucketQueue[]> bucket_queues_;
  BucketQueues queues_;
  Scheduler scheduler_;
  std::vector<std::unique_ptr<RingEntry[]>> rings_;
  std::vector<std::unique_ptr<QueueProfile>> profiles_;
  std::map<std::uint32_t, std::unique_ptr<DualQueue>> duals_;
  std::uint32_t next_slot_ = 0;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, WaitingPacket> waiting_;
  std::map<std::uint32_t, std::multiset<std::uint64_t>> oldest_;
  bool marked_ = false;
};

}  // namespace drip::test
