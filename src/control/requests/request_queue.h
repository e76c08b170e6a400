// SPDX-License-Identifier: BSD-3-Clause
// The requests that wait in one bucket, by name and by place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "control/requests/queue_position.h"
#include "control/requests/request_index.h"
#include "control/requests/request_pool.h"
#include "engine/engine.h"

namespace drip::control {

class RequestRegistry;

/// What AllowRequest found or did.
struct Ticket {
  Admission admission;
  bool duplicate = false;
  std::string request_id;
  RequestHandle request;  ///< Empty when rejected.
};

struct QueuedRequest {
  std::string request_id;
  TimePoint arrival;
  Place place;
  std::uint64_t sequence = 0;  ///< The cursor of GetQueuedRequests: grows along the queue.
};

/// Thread safe, with one lock a bucket that is not held while the engine admits.
class RequestQueue : public std::enable_shared_from_this<RequestQueue> {
 public:
  RequestQueue(Engine& engine, RequestRegistry& registry, BucketRef bucket)
      : engine_(engine), registry_(registry), bucket_(bucket) {}

  /// Admits `request` unless its id waits already: then tells that one's place and admits nothing.
  /// Of two calls at one time with the same id, one admits and the other waits for its answer.
  /// REQUIRES: the bucket exists throughout.
  [[nodiscard]] Ticket admit(RequestHandle request, std::uint32_t wire_bytes, Departure departure);
  /// The two halves of admit(), around the engine's admission of the record. begin() never waits:
  /// false if another call admits this id at this moment. If the request waits already, `known`
  /// tells its place and nothing is begun. What was begun must be settled.
  [[nodiscard]] bool begin(const RequestHandle& request, Departure departure,
                           std::optional<Ticket>& known);
  Ticket settle(RequestHandle request, const Admission& admission);
  /// The place of the request with this id if it waits, without admitting anything.
  [[nodiscard]] std::optional<Ticket> find(std::string_view id, Departure departure);

  /// Takes back a request that still waits. Nothing if it is gone.
  void release(Request& request);

  /// Up to `limit` from the one at or behind `first` on. REQUIRES: the bucket exists.
  [[nodiscard]] std::vector<QueuedRequest> list(std::uint64_t first, std::size_t limit,
                                                Departure departure);

  /// Lets up to `limit` records at the front go that are gone; how many it did.
  std::size_t reap(std::size_t limit);
  [[nodiscard]] std::size_t size();

 private:
  friend class RequestRegistry;

  // Waits until no other call admits this id; the request that waits, or null.
  Request* find_settled(std::string_view id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  [[nodiscard]] Ticket ticket_for(Request& request, Departure departure)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  [[nodiscard]] Place place(const Request& request, const BucketStats& reading, Released behind,
                            Departure departure, TimePoint now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void forget(Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::size_t reap_locked(std::size_t limit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Engine& engine_;
  RequestRegistry& registry_;
  const BucketRef bucket_;

  Mutex mutex_;
  Condition settled_;                                 // Some request is not `admitting` any more.
  int awaiting_settled_ ABSL_GUARDED_BY(mutex_) = 0;  // Who must be told so.
  // Keys are the requests' own ids.
  std::unordered_map<std::string_view, RequestHandle> by_id_ ABSL_GUARDED_BY(mutex_);
  RequestIndex line_ ABSL_GUARDED_BY(mutex_);
  bool swept_ ABSL_GUARDED_BY(mutex_) = false;  // The registry's sweep knows this queue.
};

}  // namespace drip::control
