// SPDX-License-Identifier: BSD-3-Clause
// What can be asked of the queue of a bucket's requests, wherever that queue is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "control/model/admit_terms.h"
#include "control/model/bucket_state.h"
#include "control/model/shared_buckets.h"
#include "drip/time.h"
#include "engine/engine.h"

namespace drip::control {

class AdmissionBatch;
class BucketEntry;

/// One request or, in a batch, several units without a name.
struct AdmitRequest {
  /// While a request waits, the same id is the same request. Empty: one is made up or, in a batch,
  /// the units have no name. Must stay until admit() or await() returns, in a batch until its end.
  std::string_view request_id;
  std::uint32_t wire_bytes = 0;  ///< Of each unit.
  std::uint32_t count = 1;       ///< Of units; 1 with an id.
  bool all_or_none = false;      ///< Whether it is all units or none.
  AdmitTerms terms;              ///< A request that waits already keeps those it came with.
};

/// What became of an admission. A rejection is no error.
struct Ticket {
  std::string request_id;  ///< Empty in a batch.
  Admission admission;     ///< Of the first unit; `reason` is why the others were not admitted.
  std::uint32_t admitted = 0;
  bool duplicate = false;  ///< The request waited already, or has left; nothing was charged.
  bool has_left = false;   ///< It is a duplicate of one that has left and is remembered.
};

/// How an awaited request ended.
struct TurnResult {
  std::string request_id;
  RejectReason reason = RejectReason::kAdmitted;  ///< Else it was not admitted.
  bool dropped = false;                           ///< With its bucket; else it left in its turn.
  bool duplicate = false;                         ///< As in Ticket.
  Duration wait;                                  ///< Of kWaitTooLong.
  bool wait_is_estimate = false;                  ///< See Admission.
  Duration sojourn;
  Duration lateness;
};

/// A caller's wait for the departure of its request.
class AwaitedTurn {
 public:
  virtual ~AwaitedTurn() = default;
  /// Ends the wait; with `release` the request gives its position up, otherwise it stays in the
  /// queue. True: the wait's callback will not be called. False: it was or is being called. Thread
  /// safe.
  [[nodiscard]] virtual bool cancel(bool release) = 0;
};

struct QueuePosition {
  std::uint64_t position = 0;     ///< 1 for the head.
  Duration wait;                  ///< Until its service starts.
  bool wait_is_estimate = false;  ///< See Admission.
};

struct QueuedRequest {
  std::string request_id;
  TimePoint arrival;
  QueuePosition position;
  std::uint64_t sequence = 0;  ///< Grows along the queue.
};

struct QueuePage {
  std::vector<QueuedRequest> requests;
  std::optional<std::uint64_t> next;  ///< The sequence where the next page begins, if there is one.
};

/// The queues of the buckets of one kind: those of this node, or those in Redis. A BucketEntry
/// tells which kind is its own. Thread safe; outlives all calls.
///
/// `done` is called once, within the call or later by another thread, and must not block. Errors
/// are NOT_FOUND if the bucket was deleted, RESOURCE_EXHAUSTED if too many requests wait, and
/// UNAVAILABLE if the queue cannot be reached or the node stops.
class RequestQueues {
 public:
  virtual ~RequestQueues() = default;

  /// Admits one request, or finds the one of that id which waits already.
  virtual void admit(BucketEntry& bucket, const AdmitRequest& request, Done<Ticket> done) = 0;
  /// Adds it to `batch`, which tells its results what became of the entry `index`.
  virtual void admit(BucketEntry& bucket, const AdmitRequest& request, AdmissionBatch& batch,
                     std::size_t index) = 0;
  /// Admits as admit() does and waits for the departure. May be null if `done` has been called
  /// already.
  [[nodiscard]] virtual std::shared_ptr<AwaitedTurn> await(BucketEntry& bucket,
                                                           const AdmitRequest& request,
                                                           Done<TurnResult> done) = 0;
  /// Up to `limit` waiting requests, from the first at or behind the sequence `first` on.
  virtual void list(BucketEntry& bucket, std::uint64_t first, std::size_t limit,
                    Done<QueuePage> done) = 0;
  /// The bucket's state, with the counters of this queue.
  virtual void read(BucketEntry& bucket, Done<BucketState> done) = 0;

  /// Removes a bucket's queue and tells what became of those that waited; `here` is that of this
  /// node's own queue, which goes with the bucket.
  using Remover = std::function<void(bool drop_backlog, Removal here, Done<Removal> done)>;
  /// To be made before the bucket is deleted or gets another kind of queue, and called after it.
  [[nodiscard]] virtual Remover remover(const BucketEntry& bucket) = 0;
};

}  // namespace drip::control
