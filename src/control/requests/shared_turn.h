// SPDX-License-Identifier: BSD-3-Clause
// A wait for a request in a shared queue.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "control/config/bucket_entry.h"
#include "control/model/request_queues.h"
#include "control/model/shared_buckets.h"
#include "drip/time.h"

namespace drip::control {

class SharedQueues;

/// The request leaves when it is due by what Redis said last. Redis is asked once more then, and
/// once a second before, since a change of the bucket or a release may move it. If Redis does not
/// answer the request leaves as it was told, so that those of a pause do not leave in one burst
/// after it. If Redis has lost its data the request is admitted again.
///
/// Calls of the cluster that are under way keep it.
class SharedTurn final : public AwaitedTurn, public std::enable_shared_from_this<SharedTurn> {
 public:
  /// `queues` outlives it.
  SharedTurn(SharedQueues& queues, BucketEntryRef bucket, std::string id, std::uint32_t wire_bytes,
             const AdmitTerms& terms, Done<TurnResult> done);

  void begin() { admit(); }
  [[nodiscard]] bool cancel(bool release) override;

 private:
  void admit();
  void admitted(const absl::StatusOr<SharedTicket>& ticket);
  // In the node's own queue instead, as the failure policy says.
  void await_locally();
  void look();
  void looked(const absl::StatusOr<SharedRequestStatus>& status);
  void leave(TimePoint now);
  void end(absl::StatusOr<TurnResult> result);
  void release(const SharedRequestKey& key);
  [[nodiscard]] bool has_ended();

  SharedQueues& queues_;
  const BucketEntryRef bucket_;
  const std::string id_;
  const std::uint32_t wire_bytes_;

  Mutex mutex_;
  Done<TurnResult> done_ ABSL_GUARDED_BY(mutex_);  // Null once it is being called or cancelled.
  bool release_ ABSL_GUARDED_BY(mutex_) = false;   // Cancelled, and the position is given up.
  SharedRequestKey key_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<AwaitedTurn> local_ ABSL_GUARDED_BY(mutex_);
  bool is_local_ ABSL_GUARDED_BY(mutex_) = false;

  // Of the callback under way alone.
  AdmitTerms terms_;  // Of the next admission.
  TimePoint arrival_, due_;
  bool has_arrived_ = false;
  bool duplicate_ = false;
};

}  // namespace drip::control
