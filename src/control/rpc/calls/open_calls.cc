// SPDX-License-Identifier: BSD-3-Clause
// Calls by connection.
#include "control/rpc/calls/open_calls.h"

#include "absl/status/status.h"
#include "base/text.h"

namespace drip::control {
namespace {

bool names_a_connection(std::string_view peer) { return !peer.starts_with("unix"); }

}  // namespace

absl::StatusOr<OpenCalls::Place> OpenCalls::enter(std::string_view peer, const ClientRef& client) {
  ClientShare share(client, ClientUse::kOpenCalls);
  if (absl::Status status = share.resize(1); !status.ok()) return status;
  std::string name = names_a_connection(peer) ? std::string(peer) : std::string();
  MutexLock lock(mutex_);
  if (size_ >= limits_.node) {
    return absl::ResourceExhaustedError(
        joined("calls: ", limits_.node, " calls are open on this node that wait for turns or are ",
               "streams, as many as it may hold; one call of AwaitTurns waits for many turns"));
  }
  if (!name.empty()) {
    std::size_t& of_peer = by_peer_[name];
    if (of_peer >= limits_.connection) {
      return absl::ResourceExhaustedError(
          joined("calls: ", limits_.connection, " calls are open on this connection that wait for ",
                 "turns or are streams, as many as one may have; one call of AwaitTurns waits for ",
                 "many turns, and a channel of its own has a connection of its own"));
    }
    ++of_peer;
  }
  ++size_;
  return Place(this, std::move(name), std::move(share));
}

std::size_t OpenCalls::size() {
  MutexLock lock(mutex_);
  return size_;
}

void OpenCalls::leave(const std::string& peer) {
  MutexLock lock(mutex_);
  --size_;
  if (peer.empty()) return;
  const auto known = by_peer_.find(peer);
  if (--known->second == 0) by_peer_.erase(known);
}

}  // namespace drip::control
