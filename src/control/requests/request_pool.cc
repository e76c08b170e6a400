// SPDX-License-Identifier: BSD-3-Clause
// Chunks of requests with a free list in each.
#include "control/requests/request_pool.h"

namespace drip::control {

RequestHandle::~RequestHandle() {
  if (request_ == nullptr) return;
  // acq_rel: whoever reuses the memory sees all that was done with it.
  if (request_->handles_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    request_->pool_->give_back(request_);
  }
}

RequestHandle RequestPool::take() {
  MutexLock lock(mutex_);
  if (outstanding_.load() >= most_) return {};
  if (roomy_.empty()) {
    const auto chunk = roomy_.emplace(roomy_.end());
    for (Request& request : chunk->requests) {
      request.pool_ = this;
      request.chunk_ = chunk;
      request.next_free_ = std::exchange(chunk->free, &request);
    }
  }
  const auto chunk = roomy_.begin();
  Request* const request = std::exchange(chunk->free, chunk->free->next_free_);
  ++chunk->used;
  if (chunk->free == nullptr) full_.splice(full_.begin(), roomy_, chunk);
  outstanding_.fetch_add(1);
  return RequestHandle(request);
}

void RequestPool::give_back(Request* request) {
  request->record.state.store(RequestRecord::State::kIdle, std::memory_order_relaxed);
  request->id = std::string();
  MutexLock lock(mutex_);
  const auto chunk = request->chunk_;
  if (chunk->free == nullptr) roomy_.splice(roomy_.begin(), full_, chunk);
  request->next_free_ = std::exchange(chunk->free, request);
  --chunk->used;
  outstanding_.fetch_sub(1);
  // One empty chunk stays, or a bucket around a chunk's edge would make and free it all the time.
  if (chunk->used == 0 && roomy_.size() > 1) roomy_.erase(chunk);
}

std::size_t RequestPool::memory_bytes() {
  MutexLock lock(mutex_);
  return (roomy_.size() + full_.size()) * sizeof(RequestChunk);
}

}  // namespace drip::control
