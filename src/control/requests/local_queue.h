// SPDX-License-Identifier: BSD-3-Clause
// The requests that wait in one bucket of this node, by id and in their order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "control/model/request_queues.h"
#include "control/requests/request_index.h"
#include "control/requests/request_pool.h"
#include "engine/engine.h"

namespace drip::control {

/// Thread safe, with one lock that is not held while the engine admits. The bucket may be deleted
/// while requests still drain from it; calls that need it say so.
class LocalQueue : public std::enable_shared_from_this<LocalQueue> {
 public:
  struct Admitted {
    Ticket ticket;
    RequestHandle request;  ///< Empty when rejected.
  };

  /// Both outlive it.
  LocalQueue(Engine& engine, RequestPool& pool, BucketRef bucket)
      : engine_(engine), pool_(pool), bucket_(bucket), number_(pool.remembered().new_queue()) {}

  /// Admits a request, unless one with its id waits already, or has left and is remembered: then
  /// tells so and admits nothing. An id is made up for an empty one. Of two calls at one time with
  /// the same id, one admits and the other waits for its answer. RESOURCE_EXHAUSTED if too many
  /// requests wait. REQUIRES: the bucket exists throughout.
  [[nodiscard]] absl::StatusOr<Admitted> admit(std::string_view request_id,
                                               std::uint32_t wire_bytes, Departure departure,
                                               const AdmitTerms& terms = {});
  /// What admit() would answer now, with `terms.limits`; changes and counts nothing.
  [[nodiscard]] Ticket peek(std::string_view request_id, std::uint32_t wire_bytes,
                            Departure departure, const AdmitTerms& terms);

  /// The two halves of admit(), around the engine's admission of `fresh`, whose id is set.
  struct Prepared {
    RequestHandle fresh;  ///< To be completed, unless `known`.
    /// Of the request with this id, which waits already, or has left and is remembered.
    std::optional<Ticket> known;
  };
  /// Never waits: none if another call admits this id at present, or if the pool is empty.
  [[nodiscard]] std::optional<Prepared> try_prepare(std::string_view request_id,
                                                    Departure departure, const AdmitTerms& terms);
  Admitted complete(RequestHandle fresh, const Admission& admission);

  /// Removes a request that still waits. Nothing if it has ended.
  void release(Request& request);

  /// Up to `limit` from the one at or behind `first` on. REQUIRES: the bucket exists.
  [[nodiscard]] QueuePage list(std::uint64_t first, std::size_t limit, Departure departure);

  /// Forgets up to `limit` ended requests at the front. None if there may be more; otherwise
  /// whether the pool's sweep must look at this queue again.
  std::optional<bool> sweep(std::size_t limit);

 private:
  // Waits until no other call admits this id; then the request that waits, or null.
  Request* find_completed(std::string_view id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The answer to a call with an id that is known.
  std::optional<Admitted> find_known(std::string_view id, Departure departure)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void insert(const RequestHandle& fresh, const AdmitTerms& terms)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  [[nodiscard]] Admitted duplicate_of(Request& request, Departure departure)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The place of a request, with what the last admission told of waits.
  [[nodiscard]] QueuePosition position(const Request& request, Released behind,
                                       const BucketStats& stats, Departure departure,
                                       TimePoint now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void remember(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void forget(Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::size_t reap(std::size_t limit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Engine& engine_;
  RequestPool& pool_;
  const BucketRef bucket_;
  const std::uint64_t number_;  // In RememberedIds.

  Mutex mutex_;
  Condition completed_;                                 // Some request is not `admitting` any more.
  int awaiting_completed_ ABSL_GUARDED_BY(mutex_) = 0;  // How many calls wait for that.
  // Keys are the requests' own ids.
  std::unordered_map<std::string_view, RequestHandle> by_id_ ABSL_GUARDED_BY(mutex_);
  RequestIndex index_ ABSL_GUARDED_BY(mutex_);
  // Of the last admission: see Admission.
  bool waits_are_estimates_ ABSL_GUARDED_BY(mutex_) = false;
  Duration unit_period_ ABSL_GUARDED_BY(mutex_);
  bool swept_ ABSL_GUARDED_BY(mutex_) = false;  // The pool's sweep looks at this queue.
};

}  // namespace drip::control
