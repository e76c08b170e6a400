// SPDX-License-Identifier: BSD-3-Clause
// The clients of a node, by who they are or where they call from.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"
#include "control/rpc/clients/client.h"
#include "drip/time.h"

namespace drip::control {

/// Memory is bounded: clients that have nothing are forgotten when there are kMost, and whoever
/// comes when all of them have something is one client with all others who do. Thread safe.
class ClientTable {
 public:
  static constexpr std::size_t kMost = 16'384;

  explicit ClientTable(const ClientLimits& limits) : limits_(limits) {}
  ClientTable(const ClientTable&) = delete;
  ClientTable& operator=(const ClientTable&) = delete;

  /// `name`: of a caller that is known, `token "ci"`, or of an address. Never null.
  [[nodiscard]] ClientRef find(std::string_view name, TimePoint now);
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] const ClientLimits& limits() const { return limits_; }

 private:
  struct NameHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const {
      return std::hash<std::string_view>{}(name);
    }
  };

  const ClientLimits limits_;
  mutable Mutex mutex_;
  absl::flat_hash_map<std::string, ClientRef, NameHash, std::equal_to<>> clients_
      ABSL_GUARDED_BY(mutex_);
  ClientRef others_ ABSL_GUARDED_BY(mutex_);
};

/// The client's address without its port, of gRPC's name of a connection's other end: "10.0.0.7",
/// "[2001:db8::1]", and "this machine" for Unix sockets.
[[nodiscard]] std::string address_of(std::string_view peer);

}  // namespace drip::control
