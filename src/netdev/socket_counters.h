// SPDX-License-Identifier: BSD-3-Clause
// What the kernel counts at the sockets by which DPDK's drivers receive from an interface.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/status.h"

namespace drip::netdev {

/// This process's open sockets of the families AF_PACKET and AF_XDP.
std::vector<int> packet_sockets();

/// Sockets of one port. The drivers do not give them out and count only a part of what the kernel
/// drops at them, so they are found among the process's descriptors. Belongs to one thread; to be
/// forgotten before the driver closes them.
class SocketCounters {
 public:
  SocketCounters() = default;
  /// Of the sockets that are open now and are not among `before`.
  explicit SocketCounters(const std::vector<int>& before);

  /// Frames that came for the sockets and found no room, since they were opened.
  [[nodiscard]] std::uint64_t missed();
  /// AF_XDP without a copy: the driver sends itself, and the interface's counters may leave that
  /// out.
  [[nodiscard]] bool zero_copy() const;
  /// AF_PACKET: what the host itself sends by the interface is not received from now on. What was
  /// received before may be among it.
  absl::Status ignore_outgoing();

 private:
  struct Socket {
    int fd;
    int family;
    std::uint64_t missed = 0;
  };
  std::vector<Socket> sockets_;
};

}  // namespace drip::netdev
