// SPDX-License-Identifier: BSD-3-Clause
// The queues of a Shaper's buckets: pools, and what each bucket's queue goes by.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "drip/bucket_settings.h"
#include "drip/queue/bucket_queues.h"
#include "drip/result.h"
#include "drip/scheduler.h"

namespace drip::internal {

/// Without packets in its pools no bucket has a queue.
class ShaperQueues {
 public:
  /// `packets`, `flows`: of all buckets together. `seed`: 0 draws one.
  ShaperQueues(std::uint32_t buckets, std::uint32_t packets, std::uint32_t flows,
               std::uint64_t seed) {
    if (packets == 0) return;
    FairQueueSizes sizes;
    sizes.packets = packets;
    sizes.flows = flows == 0 ? packets : flows;
    sizes.hosts = std::min(2 * sizes.flows, kMaxQueueIndex);
    sizes.leaves = std::min(buckets, packets);
    sizes.tins = std::min(static_cast<std::uint32_t>(kMaxTins) * sizes.leaves, kMaxQueueIndex);
    if (seed == 0) seed = std::uint64_t{std::random_device{}()} << 32 | std::random_device{}();
    slots_ = std::make_unique<BucketQueue[]>(buckets);
    entries_ = std::make_unique<Entry[]>(buckets);
    queues_ = std::make_unique<BucketQueues>(slots_.get(), sizes, seed);
  }

  /// Null without packets.
  [[nodiscard]] BucketQueues* queues() const { return queues_.get(); }
  /// None if a bucket may get this queue; `bucket` is null for a new one.
  [[nodiscard]] std::optional<Error> check(const BucketSettings& settings, std::uint32_t slot,
                                           const Bucket* bucket) const {
    if (queues_ == nullptr) {
      if (settings.queue.is_plain()) return std::nullopt;
      return Error{
          "queue: other than plain kFifo given, plain kFifo allowed with max_queued_packets 0"};
    }
    if (bucket == nullptr || BucketQueues::is_settled(*bucket, slots_[slot])) return std::nullopt;
    const QueueProfile to = QueueProfile::of(settings);
    if (!BucketQueues::must_settle(*entries_[slot].present, to)) return std::nullopt;
    return Error{"queue: packets wait that came before its last change and depart first"};
  }
  /// REQUIRES: check() has no error; `scheduler` has queues().
  void assign(Scheduler& scheduler, const BucketSettings& settings, std::uint32_t slot,
              TimePoint now) {
    if (queues_ == nullptr) return;
    Entry& entry = entries_[slot];
    if (settings.queue.is_plain() && entry.present == nullptr) return;
    auto profile = std::make_unique<const QueueProfile>(QueueProfile::of(settings));
    if (BucketQueues::is_settled(scheduler.buckets()[slot], slots_[slot])) entry.former = nullptr;
    DualQueue* added = nullptr;
    if (profile->into == QueuePlace::kDual && entry.dual == nullptr) {
      entry.dual = std::make_unique<DualQueue>(queues_->dual_slots(), profile->dual, now);
      added = entry.dual.get();
    }
    scheduler.set_queue(slot, *profile, added);
    if (entry.present != nullptr && BucketQueues::must_settle(*entry.present, *profile)) {
      entry.former = std::move(entry.present);
    }
    entry.present = std::move(profile);
  }
  /// The bucket has drained and is given up.
  void release(std::uint32_t slot) {
    if (queues_ != nullptr) entries_[slot] = {};
  }
  /// Any thread. All 0 without a queue.
  [[nodiscard]] QueueCounters read(std::uint32_t slot) const {
    return queues_ == nullptr ? QueueCounters{} : slots_[slot].read();
  }

 private:
  struct Entry {
    std::unique_ptr<const QueueProfile> present;  // Null: its ring has been all so far.
    std::unique_ptr<const QueueProfile> former;   // By which something may wait still.
    std::unique_ptr<DualQueue> dual;
  };

  std::unique_ptr<BucketQueue[]> slots_;
  std::unique_ptr<Entry[]> entries_;
  std::unique_ptr<BucketQueues> queues_;
};

}  // namespace drip::internal
