// SPDX-License-Identifier: BSD-3-Clause
// The units that wait in buckets, whatever their queues are, and where they go.
#pragma once

#include <cassert>
#include <cstdint>
#include <span>

#include "drip/admission.h"
#include "drip/departure_sink.h"
#include "drip/queue/bucket_queues.h"

namespace drip {

/// Counts what a queue drops in its bucket, and hands it on: to `dropped_from(bucket, unit, reason,
/// now)` of a sink that has it, otherwise to dropped().
template <QueueDropSink Sink>
struct QueueDrops {
  Bucket& bucket;
  BucketQueue& queue;
  Sink& sink;
  TimePoint now;

  void dropped(UnitRef unit, QueueDrop reason) {
    leave_backlog(bucket);
    count_dropped(bucket, unit.wire_bytes());
    queue.count(reason);
    if constexpr (requires { sink.dropped_from(bucket, unit, reason, now); }) {
      sink.dropped_from(bucket, unit, reason, now);
    } else {
      sink.dropped(unit, reason);
    }
  }
};

/// For one round of departures. A sink that is no QueueSink has no buckets with queues.
template <DepartureSink Sink>
class WaitingUnits {
 public:
  using Status = QueueHead::Status;

  WaitingUnits(BucketQueues* queues, TimePoint now, Sink& sink)
      : queues_(queues), now_(now), sink_(sink) {}

  [[nodiscard]] bool has_far_queues() const { return queues_ != nullptr && queues_->reach_far(); }
  /// Asks for what the next packet of each of these queues will touch: see FairPrefetch. REQUIRES:
  /// has_far_queues(); the buckets have queues.
  void prefetch_queues(std::span<const std::uint32_t> slots) const {
    // One alone waits for each of its lines either way.
    if (slots.size() < 2) return;
    using Step = BucketQueues::Step;
    for (const std::uint32_t slot : slots) queues_->prefetch(slot);
    for (const Step step :
         {Step::kLeaf, Step::kTin, Step::kFlow, Step::kNextFlow, Step::kTail, Step::kHead}) {
      for (const std::uint32_t slot : slots) queues_->prefetch(slot, step);
    }
    if constexpr (requires(UnitRef unit) { sink_.prefetch(unit); }) {
      for (const std::uint32_t slot : slots) {
        if (const UnitRef unit = queues_->probable_unit(slot); !unit.is_released()) {
          sink_.prefetch(unit);
        }
      }
    }
  }
  /// The unit that departs next, if it has room; kAgain if not, or if the queue is to be asked
  /// again later. kEmpty: its queue has dropped all that waited.
  Status head(std::uint32_t slot, Bucket& bucket, RingEntry& entry) {
    if (bucket.queued != 0) [[unlikely]]
      return queue_head(slot, bucket, entry);
    entry = bucket.ring.front();
    return sink_.has_room(entry.unit) ? Status::kPacket : Status::kAgain;
  }
  /// Takes what head() has told.
  void take(std::uint32_t slot, Bucket& bucket) {
    if (bucket.queued != 0) [[unlikely]] {
      queues_->dequeue(slot, bucket, now_);
      return leave_backlog(bucket);
    }
    bucket.ring.pop();
    leave_backlog(bucket);
    skip_released(bucket);
  }
  /// The schedule of the unit behind it begins. REQUIRES: one waits.
  void begin_next(std::uint32_t slot, Bucket& bucket) const {
    if (bucket.queued != 0) [[unlikely]] {
      const TimePoint since = queues_->waits_since(slot, bucket, now_);
      return bucket.schedule.begin(since, {}, Departure::kAtStart);
    }
    const RingEntry& head = bucket.ring.front();
    bucket.schedule.begin(head.arrival, bucket.periods.service(head.unit.wire_bytes()),
                          bucket.departure);
  }
  /// What was taken has departed.
  void departed(std::uint32_t slot, UnitRef unit, Duration late) {
    if (mark_) [[unlikely]]
      mark(slot, unit);
    sink_.departed(unit, now_, late);
  }

 private:
  [[gnu::noinline]] Status queue_head(std::uint32_t slot, Bucket& bucket, RingEntry& entry) {
    if constexpr (QueueSink<Sink>) {
      QueueDrops<Sink> drops{bucket, (*queues_)[slot], sink_, now_};
      const QueueHead head = queues_->head(slot, bucket, now_, drops);
      mark_ = head.mark;
      entry = {head.unit, head.arrival};
      if (head.status != Status::kPacket || sink_.has_room(head.unit)) return head.status;
    } else {
      assert(false);
    }
    return Status::kAgain;
  }
  [[gnu::noinline]] void mark(std::uint32_t slot, UnitRef unit) {
    mark_ = false;
    (*queues_)[slot].marks.add(1);
    if constexpr (QueueSink<Sink>) sink_.marked(unit);
  }

  BucketQueues* queues_;
  TimePoint now_;
  Sink& sink_;
  bool mark_ = false;  // Of the last head().
};

}  // namespace drip
