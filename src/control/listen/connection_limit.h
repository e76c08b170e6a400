// SPDX-License-Identifier: BSD-3-Clause
// How many connections one address has.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace drip::control {

/// gRPC closes connections and tells nobody: one that is counted is looked at again, by the inode
/// of its descriptor, when its address has as many as it may. For one thread; refused() for any.
class ConnectionLimit {
 public:
  /// `most`: of one address; 0: no limit. All Unix sockets are one address.
  explicit ConnectionLimit(std::uint32_t most) : most_(most) {}

  /// Whether the connection of this descriptor may be one more; then it counts.
  [[nodiscard]] bool admit(int fd);
  /// Connections that were one too many.
  [[nodiscard]] std::uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }

 private:
  struct Connection {
    int fd;
    ino_t inode;
  };
  using Connections = std::vector<Connection>;

  static void forget_closed(Connections& connections);

  const std::uint32_t most_;
  std::unordered_map<std::string, Connections> by_address_;
  std::size_t swept_at_ = 1024;  // Addresses without connections are then looked for.
  std::atomic<std::uint64_t> refused_{0};
};

}  // namespace drip::control
