// SPDX-License-Identifier: BSD-3-Clause
// All outstanding requests of the node: their memory, their bound, their made-up names.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "control/requests/request_pool.h"
#include "control/requests/request_queue.h"
#include "engine/engine.h"

namespace drip::control {

inline constexpr std::size_t kDefaultMaxRequests = 1U << 20;

/// Thread safe. The engine must have stopped, or every request be gone, before it is destroyed.
class RequestRegistry {
 public:
  /// At most `max_requests` wait at one time.
  RequestRegistry(Engine& engine, std::size_t max_requests);

  [[nodiscard]] Engine& engine() const { return engine_; }
  [[nodiscard]] std::shared_ptr<RequestQueue> make_queue(BucketRef bucket);

  /// RequestQueue::admit() with a record from the pool, and with an id made up if `request_id` is
  /// empty. RESOURCE_EXHAUSTED with the figure if `max_requests` wait already.
  [[nodiscard]] absl::StatusOr<Ticket> admit(RequestQueue& queue, std::string_view request_id,
                                             std::uint32_t wire_bytes, Departure departure);

  /// The first half of admit(), which never waits; see RequestQueue::begin(). REQUIRES: request_id
  /// is not empty.
  struct Begun {
    RequestHandle request;
    std::optional<Ticket> known;
  };
  /// None if only admit() can decide it: another call admits this id at this moment, or too many
  /// wait already.
  [[nodiscard]] std::optional<Begun> begin(RequestQueue& queue, std::string_view request_id,
                                           Departure departure);

  /// Takes back the memory of requests that are gone, so that a bucket that nobody asks any more
  /// does not keep it. To be called about once a second.
  void sweep();

  [[nodiscard]] std::size_t outstanding() const { return pool_.outstanding(); }
  /// Memory that the pool holds, in bytes.
  [[nodiscard]] std::size_t memory_bytes() { return pool_.memory_bytes(); }

 private:
  friend class RequestQueue;
  void sweep_from_now_on(std::shared_ptr<RequestQueue> queue);
  [[nodiscard]] std::string make_id();

  Engine& engine_;
  RequestPool pool_;  // Before the queues: it outlives their handles.
  const std::uint32_t id_salt_;
  std::atomic<std::uint64_t> next_id_{1};
  Mutex mutex_;
  // Queues in which something waits or waited, those of deleted buckets too.
  std::vector<std::shared_ptr<RequestQueue>> swept_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace drip::control
