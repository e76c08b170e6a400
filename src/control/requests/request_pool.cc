// SPDX-License-Identifier: BSD-3-Clause
// Chunks of requests with a free list in each, and the sweep over all queues.
#include "control/requests/request_pool.h"

#include <optional>
#include <random>
#include <utility>

#include "base/text.h"
#include "control/requests/local_queue.h"

namespace drip::control {

namespace {

// So that a sweep never holds a bucket's lock for long.
constexpr std::size_t kReapedAtOnce = 1024;

}  // namespace

void Request::dispose(Request* request) { request->pool_->give_back(request); }

RequestPool::RequestPool(std::size_t most, std::size_t most_remembered)
    : most_(most), remembered_(most_remembered), id_salt_(std::random_device{}()) {}

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

absl::Status RequestPool::exhausted() const {
  return absl::ResourceExhaustedError(
      joined("request_id: ", most_, " requests wait on this node, as many as it may hold; ",
             "one more would take ", sizeof(Request), " bytes"));
}

std::string RequestPool::make_id() {
  return fmt::format("req-{:08x}-{}", id_salt_, next_id_.fetch_add(1));
}

void RequestPool::add_to_sweep(std::shared_ptr<LocalQueue> queue) {
  MutexLock lock(sweep_mutex_);
  swept_.push_back(std::move(queue));
}

void RequestPool::sweep() {
  std::vector<std::shared_ptr<LocalQueue>> queues;
  {
    MutexLock lock(sweep_mutex_);
    queues.swap(swept_);
  }
  for (std::shared_ptr<LocalQueue>& queue : queues) {
    std::optional<bool> stays;
    while (!stays) stays = queue->sweep(kReapedAtOnce);
    if (*stays) add_to_sweep(std::move(queue));
  }
}

std::size_t RequestPool::memory_bytes() {
  MutexLock lock(mutex_);
  return (roomy_.size() + full_.size()) * sizeof(RequestChunk);
}

}  // namespace drip::control
