// SPDX-License-Identifier: BSD-3-Clause
// The queues of a scheduler's buckets: which packet of a bucket departs next.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>

#include "drip/admission.h"
#include "drip/bucket.h"
#include "drip/cache_line.h"
#include "drip/queue/bucket_queue.h"
#include "drip/queue/fair_queues.h"
#include "drip/queue/queue_drop.h"

namespace drip {

/// A QueueDropSink that calls something else. One type, so that what removes queues is made once.
class RemovedUnits {
 public:
  /// `drop(UnitRef)` must outlive it.
  template <class Drop>
  static RemovedUnits to(const Drop& drop) {
    return {&drop,
            [](const void* context, UnitRef unit) { (*static_cast<const Drop*>(context))(unit); }};
  }
  void dropped(UnitRef unit, QueueDrop) const { drop_(context_, unit); }

 private:
  using Function = void (*)(const void* context, UnitRef unit);
  RemovedUnits(const void* context, Function drop) : context_(context), drop_(drop) {}

  const void* context_;
  Function drop_;
};

/// The pools in which packets wait, and one interface to the queues that a bucket may have: its
/// ring, a leaf of FairQueues, and a DualQueue. A bucket whose queue is changed keeps what waits:
/// what came before the change departs first.
///
/// Belongs to one thread. Nothing is allocated after construction.
class BucketQueues {
 public:
  /// `queues`: by slot, for all slots of the scheduler's BucketArray. `seed`: see FairQueues.
  BucketQueues(BucketQueue* queues, const FairQueueSizes& sizes, std::uint64_t seed)
      : queues_(queues),
        fair_(sizes, seed),
        dual_slots_(sizes.packets, sizes.advise),
        most_flows_(sizes.flows) {}

  [[nodiscard]] BucketQueue& operator[](std::uint32_t slot) const { return queues_[slot]; }
  /// For the DualQueues of these buckets.
  [[nodiscard]] QueueSlots& dual_slots() { return dual_slots_; }
  // Any thread:
  [[nodiscard]] const FairQueues& fair() const { return fair_; }
  [[nodiscard]] std::uint32_t most_flows() const { return most_flows_; }
  [[nodiscard]] std::uint32_t packets_in_use() const {
    return fair_.packets_in_use() + dual_slots_.used();
  }

  /// Whether packets of one flow could overtake each other unless what waits departs first.
  [[nodiscard]] static bool tells_flows_apart_anew(const QueueProfile& from,
                                                   const QueueProfile& to) {
    return from.fair.settings.isolation != to.fair.settings.isolation ||
           from.fair.settings.tins != to.fair.settings.tins;
  }
  /// Whether a bucket must be settled before it is given `to`.
  [[nodiscard]] static bool must_settle(const QueueProfile& from, const QueueProfile& to) {
    return from.into != to.into || tells_flows_apart_anew(from, to);
  }
  /// A bucket gets a queue, or another profile, and a DualQueue if it needs one and has none. A
  /// former profile may be given up once is_settled(). REQUIRES: is_settled(), or !must_settle().
  void assign(std::uint32_t slot, Bucket& bucket, const QueueProfile& profile, DualQueue* dual) {
    BucketQueue& queue = queues_[slot];
    if (queue.profile == nullptr) {
      queue.fair.set_id(slot);
      queue.marks.set(0);
      for (Counter& drops : queue.drops) drops.set(0);
    }
    if (queue.profile != nullptr && tells_flows_apart_anew(*queue.profile, profile) &&
        queue.fair.flows() > 0) {
      fair_.move(queue.fair, queue.former);
      queue.former_profile = queue.profile;
    }
    queue.profile = &profile;
    if (dual != nullptr) queue.dual = dual;
    bucket.queued = 1;
    bucket.queue_changes = 1;
    settle(bucket, queue);
  }
  /// Whether all that waits came by the present `into`. Any thread; what is true stays true until
  /// the next change.
  [[nodiscard]] static bool is_settled(const Bucket& bucket, const BucketQueue& queue) {
    // Read once: the bucket of a flow may end meanwhile.
    const QueueProfile* const profile = queue.profile;
    const QueuePlace into = profile == nullptr ? QueuePlace::kRing : profile->into;
    return (into == QueuePlace::kRing || bucket.ring.empty()) &&
           (into == QueuePlace::kFair || queue.fair.packets() == 0) &&
           queue.former.packets() == 0 && (into == QueuePlace::kDual || dual_packets(queue) == 0);
  }

  // ---- Asking for what packets will touch, ahead of them: see FairPrefetch

  /// Whether fair queues hold so much that the nearer caches do not.
  [[nodiscard]] bool reach_far() const { return fair_.flows_in_use() >= kManyFlows; }
  /// The first step of all.
  void prefetch(std::uint32_t slot) const { prefetch_to_write(&queues_[slot]); }
  /// Of a packet that departs, one after the other.
  enum class Step : std::uint8_t { kLeaf, kTin, kFlow, kNextFlow, kTail, kHead };
  [[gnu::noinline]] void prefetch(std::uint32_t slot, Step step) {
    const FairLeaf& leaf = queues_[slot].fair;
    switch (step) {
      case Step::kLeaf:
        return fair_.prefetch().leaf(leaf);
      case Step::kTin:
        return fair_.prefetch().tin(leaf);
      case Step::kFlow:
        return fair_.prefetch().flow(leaf);
      case Step::kNextFlow:
        return fair_.prefetch().next_flow(leaf);
      case Step::kTail:
        return fair_.prefetch().tail(leaf);
      case Step::kHead:
        return fair_.prefetch().head(leaf);
    }
  }
  /// That is likely to depart; UnitRef::released(): not known.
  [[nodiscard]] UnitRef probable_unit(std::uint32_t slot) {
    return fair_.prefetch().unit(queues_[slot].fair);
  }
  /// Of packets that arrive for `slots`, all steps; prefetch() has been called for these.
  /// `input(i)`: the QueueInput of the packet for slots[i]. `drop(UnitRef)` is told what is likely
  /// to be dropped. At most kMostTogether packets.
  static constexpr std::size_t kMostTogether = 32;
  template <class Input, class Drop>
  [[gnu::noinline]] void prefetch_arrivals(std::span<const std::uint32_t> slots, Input input,
                                           Drop drop) {
    assert(slots.size() <= kMostTogether);
    std::array<FairPrefetch::Arrival, kMostTogether> arrivals;
    std::size_t count = 0;
    const FairPrefetch prefetch = fair_.prefetch();
    for (std::size_t i = 0; i < slots.size(); ++i) {
      const BucketQueue& queue = queues_[slots[i]];
      if (queue.profile == nullptr || queue.profile->into != QueuePlace::kFair) continue;
      const FairQueueProfile& profile = queue.profile->fair;
      const QueueInput packet = input(i);
      arrivals[count++] =
          prefetch.begin(queue.fair, profile, packet.key, profile.tins.of_dscp[packet.dscp & 63]);
    }
    const std::span coming = std::span(arrivals).first(count);
    for (const FairPrefetch::Arrival& one : coming) prefetch.flow(one);
    for (const FairPrefetch::Arrival& one : coming) prefetch.tail(one);
    for (const FairPrefetch::Arrival& one : coming) prefetch.head(one);
    for (const FairPrefetch::Arrival& one : coming) {
      if (const UnitRef unit = prefetch.unit(one); !unit.is_released()) drop(unit);
    }
  }
  /// Whether packets that arrive go into the ring.
  [[nodiscard]] bool goes_into_ring(std::uint32_t slot) const {
    return queues_[slot].profile->into == QueuePlace::kRing;
  }
  /// Queues a packet, or drops it or others. REQUIRES: !goes_into_ring().
  template <QueueDropSink Sink>
  [[gnu::noinline]] void enqueue(std::uint32_t slot, UnitRef unit, const QueueInput& input,
                                 TimePoint now, Sink& sink) {
    BucketQueue& queue = queues_[slot];
    const QueueProfile& profile = *queue.profile;
    if (profile.into == QueuePlace::kDual) {
      queue.dual->enqueue(profile.dual, unit, input.ecn, now, sink);
      return;
    }
    const std::uint32_t tin = profile.fair.tins.of_dscp[input.dscp & 63];
    fair_.enqueue(queue.fair, profile.fair, unit, input.key, tin, input.ecn, now, sink);
  }
  /// As FairQueues::head(), of whatever the bucket's queue is.
  template <QueueDropSink Sink>
  [[nodiscard, gnu::noinline]] QueueHead head(std::uint32_t slot, const Bucket& bucket,
                                              TimePoint now, Sink& sink) {
    BucketQueue& queue = queues_[slot];
    switch (first_of(bucket, queue)) {
      case QueuePlace::kRing: {
        if (bucket.ring.empty()) return {};
        const RingEntry& entry = bucket.ring.front();
        return {QueueHead::Status::kPacket, false, entry.unit, entry.arrival};
      }
      case QueuePlace::kDual:
        return queue.dual->head(queue.profile->dual, now, sink);
      case QueuePlace::kFormer:
        return fair_.head(queue.former, queue.former_profile->fair, now, sink);
      case QueuePlace::kFair:
        break;
    }
    return fair_.head(queue.fair, queue.profile->fair, now, sink);
  }
  /// Takes what head() has told. REQUIRES: it told a packet, and nothing has been called since.
  [[gnu::noinline]] void dequeue(std::uint32_t slot, Bucket& bucket, TimePoint now) {
    BucketQueue& queue = queues_[slot];
    switch (first_of(bucket, queue)) {
      case QueuePlace::kRing:
        bucket.ring.pop();
        skip_released(bucket);
        break;
      case QueuePlace::kDual:
        queue.dual->dequeue();
        break;
      case QueuePlace::kFormer:
        fair_.dequeue(queue.former, queue.former_profile->fair, now);
        break;
      case QueuePlace::kFair:
        fair_.dequeue(queue.fair, queue.profile->fair, now);
        break;
    }
    if (bucket.queue_changes != 0) [[unlikely]]
      settle(bucket, queue);
  }
  /// By then what has waited longest had arrived. REQUIRES: something waits.
  [[nodiscard]] TimePoint waits_since(std::uint32_t slot, const Bucket& bucket, TimePoint now) {
    BucketQueue& queue = queues_[slot];
    switch (first_of(bucket, queue)) {
      case QueuePlace::kRing:
        return bucket.ring.front().arrival;
      case QueuePlace::kDual:
        return queue.dual->waits_since(now);
      case QueuePlace::kFormer:
        return fair_.waits_since(queue.former);
      case QueuePlace::kFair:
        break;
    }
    return fair_.waits_since(queue.fair);
  }
  /// Drops all that waits, but what is in the ring.
  [[gnu::noinline]] void remove(std::uint32_t slot, RemovedUnits sink) {
    BucketQueue& queue = queues_[slot];
    fair_.remove(queue.fair, sink);
    fair_.remove(queue.former, sink);
    if (queue.dual != nullptr) queue.dual->remove(sink);
  }
  // A bucket that moves to the BucketQueues of another thread, with the same seed.

  /// Whether it can: with a fair queue, and nothing that came before a change.
  [[nodiscard]] bool can_move(std::uint32_t slot, const Bucket& bucket) const {
    return queues_[slot].profile->into == QueuePlace::kFair && bucket.queue_changes == 0;
  }
  /// Takes all out that waits. REQUIRES: can_move(); `out` is empty.
  void take_out(std::uint32_t slot, MovedQueue& out, TimePoint now) {
    fair_.take_out(queues_[slot].fair, out, now);
  }
  /// Continues the queue `from`: see FairQueues::put_in().
  template <QueueDropSink Sink>
  void put_in(std::uint32_t slot, const BucketQueue& from, MovedQueue& moved, MovedQueue& behind,
              TimePoint now, Sink& sink) {
    BucketQueue& queue = queues_[slot];
    queue.marks.add(from.marks.get());
    for (std::size_t i = 0; i < queue.drops.size(); ++i) queue.drops[i].add(from.drops[i].get());
    fair_.put_in(queue.fair, queue.profile->fair, moved, behind, now, sink);
  }
  /// The bucket has no packets and is given up: nothing refers to its profile or DualQueue any
  /// more.
  void end(std::uint32_t slot) {
    if (queues_[slot].profile == nullptr) return;
    const auto nothing = [](UnitRef) {};
    remove(slot, RemovedUnits::to(
                     nothing));  // It forgets the flows: those of another leaf have another epoch.
    queues_[slot].profile = nullptr;
    queues_[slot].dual = nullptr;
  }

 private:
  // Of 64 bytes each, beside what their leaves, tins and packets have.
  static constexpr std::uint32_t kManyFlows = 4096;

  [[nodiscard]] static std::uint32_t dual_packets(const BucketQueue& queue) {
    return queue.dual == nullptr ? 0 : queue.dual->packets();
  }
  [[nodiscard]] static QueuePlace first_of(const Bucket& bucket, const BucketQueue& queue) {
    const QueuePlace into = queue.profile->into;
    if (bucket.queue_changes == 0) [[likely]]
      return into;
    if (queue.former.packets() > 0) return QueuePlace::kFormer;
    if (into != QueuePlace::kRing && !bucket.ring.empty()) return QueuePlace::kRing;
    if (into != QueuePlace::kFair && queue.fair.packets() > 0) return QueuePlace::kFair;
    if (into != QueuePlace::kDual && dual_packets(queue) > 0) return QueuePlace::kDual;
    return into;
  }
  static void settle(Bucket& bucket, const BucketQueue& queue) {
    if (!is_settled(bucket, queue)) return;
    bucket.queue_changes = 0;
    bucket.queued = static_cast<std::uint32_t>(queue.profile->into != QueuePlace::kRing);
  }

  BucketQueue* queues_;
  FairQueues fair_;
  QueueSlots dual_slots_;
  std::uint32_t most_flows_;
};

}  // namespace drip
