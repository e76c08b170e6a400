// SPDX-License-Identifier: BSD-3-Clause
// The queues in Redis, of the buckets with exact sharing.
#pragma once

#include <cstddef>
#include <memory>

#include "absl/status/status.h"
#include "control/config/bucket_entry.h"
#include "control/model/request_queues.h"
#include "control/model/shared_buckets.h"
#include "control/requests/growing_counters.h"
#include "engine/engine.h"

namespace drip::control {

/// Asks the cluster, and no thread waits for its answer. While Redis does not answer the bucket's
/// failure policy decides: where it is OPEN this node's own queue takes the place of the shared
/// one, otherwise calls end with UNAVAILABLE.
class SharedQueues final : public RequestQueues {
 public:
  /// All outlive it.
  SharedQueues(Engine& engine, SharedBuckets& shared, RequestQueues& local)
      : engine_(engine), shared_(shared), local_(local) {}

  void admit(BucketEntry& bucket, const AdmitRequest& request, Done<Ticket> done) override;
  void admit(BucketEntry& bucket, const AdmitRequest& request, AdmissionBatch& batch,
             std::size_t index) override;
  /// See SharedTurn.
  [[nodiscard]] std::shared_ptr<AwaitedTurn> await(BucketEntry& bucket, const AdmitRequest& request,
                                                   Done<TurnResult> done) override;
  void list(BucketEntry& bucket, std::uint64_t first, std::size_t limit,
            Done<QueuePage> done) override;
  /// Counters are the sum of the cluster's and of those of this node's own queue, and never go
  /// back.
  void read(BucketEntry& bucket, Done<BucketState> done) override;
  [[nodiscard]] Remover remover(const BucketEntry& bucket) override;

  /// Whether an admission that ended with `status` is for the node's own queue.
  [[nodiscard]] static bool falls_back(const BucketEntry& bucket, const absl::Status& status);

  [[nodiscard]] Engine& engine() { return engine_; }
  [[nodiscard]] SharedBuckets& shared() { return shared_; }
  [[nodiscard]] RequestQueues& local() { return local_; }

 private:
  [[nodiscard]] bool decided_here(const BucketEntry& bucket) const;

  Engine& engine_;
  SharedBuckets& shared_;
  RequestQueues& local_;
  GrowingCounters counters_;
};

[[nodiscard]] Ticket ticket_of(const SharedTicket& shared);

}  // namespace drip::control
