// SPDX-License-Identifier: BSD-3-Clause
// Streams by address.
#include "control/rpc/stream_set.h"

#include <utility>
#include <vector>

#include "base/errors.h"
#include "control/rpc/rpc_status.h"

namespace drip::control {

bool StreamSet::add(std::shared_ptr<Stream> stream) {
  Stream* const address = stream.get();
  MutexLock lock(mutex_);
  streams_.emplace(address, std::move(stream));
  return !stopped_;
}

void StreamSet::forget(Stream& stream) {
  std::shared_ptr<Stream> last;  // Released outside the lock.
  MutexLock lock(mutex_);
  const auto known = streams_.find(&stream);
  last = std::move(known->second);
  streams_.erase(known);
}

void StreamSet::stop() {
  std::vector<std::shared_ptr<Stream>> streams;
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    for (const auto& [address, stream] : streams_) streams.push_back(stream);
  }
  // Without the lock: a stream may end, and be forgotten, within.
  for (const std::shared_ptr<Stream>& stream : streams) stream->end(to_grpc(node_stopping()));
}

}  // namespace drip::control
