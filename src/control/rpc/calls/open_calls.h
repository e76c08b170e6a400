// SPDX-License-Identifier: BSD-3-Clause
// How many calls may stay open at one time: those that wait for a turn, and streams.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "control/rpc/clients/client.h"

namespace drip::control {

/// Refuses a call over a limit, which tells its caller more than gRPC would: that lets a connection
/// have so many calls and holds the others back on the client's side, until they time out. Thread
/// safe; outlives the calls.
class OpenCalls {
 public:
  /// Of one connection, and of all together.
  struct Limits {
    std::size_t connection = 16'384;
    std::size_t node = 65'536;
  };

  explicit OpenCalls(const Limits& limits) : limits_(limits) {}
  OpenCalls(const OpenCalls&) = delete;
  OpenCalls& operator=(const OpenCalls&) = delete;

  /// One call's place, until it is destroyed.
  class Place {
   public:
    Place() = default;
    Place(Place&& other) noexcept
        : calls_(std::exchange(other.calls_, nullptr)),
          peer_(std::move(other.peer_)),
          share_(std::move(other.share_)) {}
    Place& operator=(Place&& other) noexcept {
      std::swap(calls_, other.calls_);
      std::swap(peer_, other.peer_);
      std::swap(share_, other.share_);
      return *this;
    }
    ~Place() {
      if (calls_ != nullptr) calls_->leave(peer_);
    }

   private:
    friend class OpenCalls;
    Place(OpenCalls* calls, std::string peer, ClientShare share)
        : calls_(calls), peer_(std::move(peer)), share_(std::move(share)) {}

    OpenCalls* calls_ = nullptr;
    std::string peer_;
    ClientShare share_{nullptr, ClientUse::kOpenCalls};
  };

  /// `peer` is gRPC's name of the connection's other end. Those of Unix sockets have one name for
  /// all, so only the limits of the client and the node count for them. RESOURCE_EXHAUSTED with the
  /// limit.
  [[nodiscard]] absl::StatusOr<Place> enter(std::string_view peer, const ClientRef& client);

  [[nodiscard]] std::size_t size();

 private:
  void leave(const std::string& peer);

  const Limits limits_;
  Mutex mutex_;
  std::size_t size_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unordered_map<std::string, std::size_t> by_peer_ ABSL_GUARDED_BY(mutex_);  // None is 0.
};

}  // namespace drip::control
