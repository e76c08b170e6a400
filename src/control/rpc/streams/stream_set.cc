// SPDX-License-Identifier: BSD-3-Clause
// Streams by address.
#include "control/rpc/streams/stream_set.h"

#include <utility>
#include <vector>

#include "base/errors.h"
#include "control/rpc/calls/rpc_status.h"

namespace drip::control {

absl::Status StreamSet::add(std::shared_ptr<Stream> stream, Admitted admitted) {
  Stream* const address = stream.get();
  absl::StatusOr<OpenCalls::Place> place = calls_.enter(admitted.peer, admitted.client);
  MutexLock lock(mutex_);
  Kept& kept = streams_[address];
  kept.stream = std::move(stream);
  kept.admitted = std::move(admitted);
  if (stopped_) return node_stopping();
  if (!place.ok()) return place.status();
  kept.place = *std::move(place);
  return absl::OkStatus();
}

void StreamSet::forget(Stream& stream) {
  Kept last;  // Released outside the lock.
  MutexLock lock(mutex_);
  const auto known = streams_.find(&stream);
  last = std::move(known->second);
  streams_.erase(known);
}

void StreamSet::end_refused(const access::AccessControl& access) {
  if (!access.is_controlled()) return;
  std::vector<std::pair<std::shared_ptr<Stream>, Admitted>> streams;
  {
    MutexLock lock(mutex_);
    for (const auto& [address, kept] : streams_) streams.emplace_back(kept.stream, kept.admitted);
  }
  // Without the lock: a stream may end, and be forgotten, within.
  for (const auto& [stream, admitted] : streams) {
    const absl::Status status = check_still_admitted(access, admitted);
    if (!status.ok()) stream->end(to_grpc(status));
  }
}

void StreamSet::stop() {
  std::vector<std::shared_ptr<Stream>> streams;
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    for (const auto& [address, kept] : streams_) streams.push_back(kept.stream);
  }
  // Without the lock: a stream may end, and be forgotten, within.
  for (const std::shared_ptr<Stream>& stream : streams) stream->end(to_grpc(node_stopping()));
}

}  // namespace drip::control
