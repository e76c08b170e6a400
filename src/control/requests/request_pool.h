// SPDX-License-Identifier: BSD-3-Clause
// Where the records of outstanding requests live: stable addresses, a bound, memory that comes
// back.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <string>
#include <utility>

#include "base/mutex.h"
#include "engine/request_record.h"

namespace drip::control {

class RequestPool;
struct RequestChunk;

/// One request. The record comes first: the bucket's ring refers to it by address.
struct Request {
  RequestRecord record;
  std::string id;
  /// The engine has not answered yet. The queue's lock guards it.
  bool admitting = false;

 private:
  friend class RequestPool;
  friend class RequestHandle;
  friend struct RequestChunk;
  std::atomic<std::uint32_t> handles_{0};
  RequestPool* pool_ = nullptr;
  std::list<RequestChunk>::iterator chunk_;
  Request* next_free_ = nullptr;
};

/// Keeps a request's memory; the last handle gives it back to its pool. One handle may be used by
/// one thread at a time, different handles by any. REQUIRES: not the last while the request waits.
class RequestHandle {
 public:
  RequestHandle() = default;
  RequestHandle(const RequestHandle& other) : request_(other.request_) {
    if (request_ != nullptr) request_->handles_.fetch_add(1, std::memory_order_relaxed);
  }
  RequestHandle(RequestHandle&& other) noexcept
      : request_(std::exchange(other.request_, nullptr)) {}
  RequestHandle& operator=(RequestHandle other) noexcept {
    std::swap(request_, other.request_);
    return *this;
  }
  ~RequestHandle();

  [[nodiscard]] Request* get() const { return request_; }
  Request* operator->() const { return request_; }
  Request& operator*() const { return *request_; }
  explicit operator bool() const { return request_ != nullptr; }

 private:
  friend class RequestPool;
  explicit RequestHandle(Request* request) : request_(request) {
    request_->handles_.store(1, std::memory_order_relaxed);
  }
  Request* request_ = nullptr;
};

/// Thread safe. Outlives all handles.
class RequestPool {
 public:
  /// At most `most` requests at one time.
  explicit RequestPool(std::size_t most) : most_(most) {}
  RequestPool(const RequestPool&) = delete;
  RequestPool& operator=(const RequestPool&) = delete;

  /// A request with an idle record; empty when there are `most` already.
  [[nodiscard]] RequestHandle take();

  [[nodiscard]] std::size_t most() const { return most_; }
  [[nodiscard]] std::size_t outstanding() const { return outstanding_.load(); }
  /// What the pool holds now, in bytes; for tests.
  [[nodiscard]] std::size_t memory_bytes();

 private:
  friend class RequestHandle;
  void give_back(Request* request);

  const std::size_t most_;
  std::atomic<std::size_t> outstanding_{0};
  Mutex mutex_;
  std::list<RequestChunk> roomy_ ABSL_GUARDED_BY(mutex_);  // With a free request.
  std::list<RequestChunk> full_ ABSL_GUARDED_BY(mutex_);
};

/// Requests are made and freed a chunk at a time.
struct RequestChunk {
  static constexpr std::size_t kRequests = 128;
  std::array<Request, kRequests> requests;
  Request* free = nullptr;
  std::size_t used = 0;
};

}  // namespace drip::control
