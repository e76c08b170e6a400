// SPDX-License-Identifier: BSD-3-Clause
// The records of all requests that wait on this node: stable addresses, a bound, and reclamation.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/mutex.h"
#include "base/ref_count.h"
#include "control/requests/remembered_ids.h"
#include "engine/request_record.h"

namespace drip::control {

class LocalQueue;
class RequestPool;
struct RequestChunk;

/// One request. The record comes first: the bucket's ring refers to it by address.
struct Request {
  RequestRecord record;
  std::string id;
  /// The engine has not answered yet. The queue's lock guards it.
  bool admitting = false;

  RefCount& ref_count() { return ref_count_; }
  /// Gives the memory back to the pool.
  static void dispose(Request* request);

 private:
  friend class RequestPool;
  friend struct RequestChunk;
  RefCount ref_count_;
  RequestPool* pool_ = nullptr;
  std::list<RequestChunk>::iterator chunk_;
  Request* next_free_ = nullptr;
};

/// REQUIRES: not the last one of its request while that waits in a bucket.
using RequestHandle = Ref<Request>;

inline constexpr std::size_t kDefaultMaxRequests = 1U << 20;

/// Thread safe. Outlives all handles. The engine must have stopped, or every request have left,
/// before it is destroyed.
class RequestPool {
 public:
  /// At most `most` requests at one time, and so many ids of requests that have left.
  explicit RequestPool(std::size_t most, std::size_t most_remembered = kDefaultMaxRemembered);
  RequestPool(const RequestPool&) = delete;
  RequestPool& operator=(const RequestPool&) = delete;

  /// A request with an idle record; empty when there are `most` already.
  [[nodiscard]] RequestHandle take();
  /// RESOURCE_EXHAUSTED with the figure.
  [[nodiscard]] absl::Status exhausted() const;
  /// An id that no other call of this node has got.
  [[nodiscard]] std::string make_id();

  /// Reclaims the records of requests that departed, so that a bucket that is not used any more
  /// does not keep them. To be called about once a second.
  void sweep();
  /// Has sweep() look at this queue until nothing waits in it. Queues of deleted buckets stay, too.
  void add_to_sweep(std::shared_ptr<LocalQueue> queue);

  [[nodiscard]] RememberedIds& remembered() { return remembered_; }

  [[nodiscard]] std::size_t outstanding() const { return outstanding_.load(); }
  /// What the pool holds now, in bytes; for tests.
  [[nodiscard]] std::size_t memory_bytes();

 private:
  friend struct Request;
  void give_back(Request* request);

  const std::size_t most_;
  RememberedIds remembered_;
  const std::uint32_t id_salt_;
  std::atomic<std::uint64_t> next_id_{1};
  std::atomic<std::size_t> outstanding_{0};
  Mutex mutex_;
  std::list<RequestChunk> roomy_ ABSL_GUARDED_BY(mutex_);  // With a free request.
  std::list<RequestChunk> full_ ABSL_GUARDED_BY(mutex_);
  // After the chunks: the queues' handles go first.
  Mutex sweep_mutex_;
  std::vector<std::shared_ptr<LocalQueue>> swept_ ABSL_GUARDED_BY(sweep_mutex_);
};

/// Requests are allocated and freed a chunk at a time.
struct RequestChunk {
  static constexpr std::size_t kRequests = 128;
  std::array<Request, kRequests> requests;
  Request* free = nullptr;
  std::size_t used = 0;
};

}  // namespace drip::control
