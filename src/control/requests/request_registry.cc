// SPDX-License-Identifier: BSD-3-Clause
// Admission into any bucket's queue, and the sweep over all of them.
#include "control/requests/request_registry.h"

#include <optional>
#include <random>
#include <utility>

#include "base/text.h"

namespace drip::control {
namespace {

// So that a sweep never holds a bucket's lock for long.
constexpr std::size_t kReapedAtOnce = 1024;

}  // namespace

RequestRegistry::RequestRegistry(Engine& engine, std::size_t max_requests)
    : engine_(engine), pool_(max_requests), id_salt_(std::random_device{}()) {}

std::shared_ptr<RequestQueue> RequestRegistry::make_queue(BucketRef bucket) {
  return std::make_shared<RequestQueue>(engine_, *this, bucket);
}

std::string RequestRegistry::make_id() {
  return fmt::format("req-{:08x}-{}", id_salt_, next_id_.fetch_add(1));
}

absl::StatusOr<Ticket> RequestRegistry::admit(RequestQueue& queue, std::string_view request_id,
                                              std::uint32_t wire_bytes, Departure departure) {
  RequestHandle request = pool_.take();
  if (!request) {
    sweep();
    request = pool_.take();
  }
  if (!request) {
    // A question about a request that waits takes no memory.
    if (std::optional<Ticket> known = queue.find(request_id, departure)) return *std::move(known);
    return absl::ResourceExhaustedError(joined(
        "request_id: ", pool_.most(), " requests wait on this node, as many as it may hold; ",
        "one more would take ", sizeof(Request), " bytes"));
  }
  request->id = request_id.empty() ? make_id() : std::string(request_id);
  return queue.admit(std::move(request), wire_bytes, departure);
}

std::optional<RequestRegistry::Begun> RequestRegistry::begin(RequestQueue& queue,
                                                             std::string_view request_id,
                                                             Departure departure) {
  Begun begun;
  begun.request = pool_.take();
  if (!begun.request) return std::nullopt;
  begun.request->id = std::string(request_id);
  if (!queue.begin(begun.request, departure, begun.known)) return std::nullopt;
  return begun;
}

void RequestRegistry::sweep_from_now_on(std::shared_ptr<RequestQueue> queue) {
  MutexLock lock(mutex_);
  swept_.push_back(std::move(queue));
}

void RequestRegistry::sweep() {
  std::vector<std::shared_ptr<RequestQueue>> queues;
  {
    MutexLock lock(mutex_);
    queues.swap(swept_);
  }
  for (std::shared_ptr<RequestQueue>& queue : queues) {
    bool stays = true;
    bool done = false;
    while (!done) {
      MutexLock lock(queue->mutex_);
      done = queue->reap_locked(kReapedAtOnce) < kReapedAtOnce;
      // Decided under the queue's lock: an admission after it puts the queue on the list anew.
      if (done) stays = queue->swept_ = !queue->line_.empty();
    }
    if (stays) sweep_from_now_on(std::move(queue));
  }
}

}  // namespace drip::control
