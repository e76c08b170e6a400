// SPDX-License-Identifier: BSD-3-Clause
// The queues of this node's buckets.
#pragma once

#include <cstddef>
#include <memory>

#include "control/config/bucket_entry.h"
#include "control/model/request_queues.h"
#include "control/requests/local_queue.h"
#include "control/requests/request_pool.h"
#include "control/requests/request_schedules.h"
#include "control/requests/turn_watch.h"
#include "engine/engine.h"

namespace drip::control {

/// Answers every call within it, but for await(), and with schedules that are kept. A call waits
/// for the polling thread to admit, and for no one else.
class LocalQueues final : public RequestQueues {
 public:
  /// At most `max_requests` wait at one time, and so many ids are remembered. The engine must have
  /// stopped, or every request have left, before it is destroyed.
  LocalQueues(Engine& engine, std::size_t max_requests,
              std::size_t max_remembered = kDefaultMaxRemembered);

  /// Before the first request. Null, as at first: schedules are not kept. Outlives all calls.
  void set_schedules(RequestSchedules* schedules) { schedules_ = schedules; }

  void admit(BucketEntry& bucket, const AdmitRequest& request, Done<Ticket> done) override;
  void admit(BucketEntry& bucket, const AdmitRequest& request, AdmissionBatch& batch,
             std::size_t index) override;
  [[nodiscard]] std::shared_ptr<AwaitedTurn> await(BucketEntry& bucket, const AdmitRequest& request,
                                                   Done<TurnResult> done) override;
  void list(BucketEntry& bucket, std::uint64_t first, std::size_t limit,
            Done<QueuePage> done) override;
  void read(BucketEntry& bucket, Done<BucketState> done) override;
  [[nodiscard]] Remover remover(const BucketEntry& bucket) override;

  /// Gives up every wait with UNAVAILABLE, and those that come later at once.
  void stop() { turns_.stop(); }

  [[nodiscard]] Engine& engine() { return engine_; }
  [[nodiscard]] RequestPool& pool() { return pool_; }

 private:
  [[nodiscard]] std::shared_ptr<LocalQueue> queue_of(BucketEntry& bucket);
  [[nodiscard]] absl::StatusOr<LocalQueue::Admitted> admit_now(BucketEntry& bucket,
                                                               const AdmitRequest& request);
  [[nodiscard]] absl::StatusOr<Ticket> ticket_now(BucketEntry& bucket, const AdmitRequest& request);
  // Whether the answer must wait until the bucket's schedule is stored.
  [[nodiscard]] bool waits_for_storage(BucketEntry& bucket, const AdmitRequest& request,
                                       const Ticket& ticket) const;

  Engine& engine_;
  RequestSchedules* schedules_ = nullptr;
  RequestPool pool_;
  TurnWatch turns_;
};

}  // namespace drip::control
