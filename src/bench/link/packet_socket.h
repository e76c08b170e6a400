// SPDX-License-Identifier: BSD-3-Clause
// A packet socket on one interface, and the moment.
#pragma once

#include <cstdint>
#include <string>

namespace drip::bench {

/// Owns the descriptor.
class PacketSocket {
 public:
  /// `protocol`: an EtherType to receive, 0 to receive nothing. Throws std::runtime_error that says
  /// what the kernel refused.
  PacketSocket(const std::string& interface, std::uint16_t protocol);
  ~PacketSocket();
  PacketSocket(const PacketSocket&) = delete;
  PacketSocket& operator=(const PacketSocket&) = delete;

  /// Sets an option or throws.
  template <class T>
  void set(int level, int option, const T& value, const char* what) {
    set(level, option, &value, sizeof value, what);
  }
  void bind();
  [[nodiscard]] int fd() const { return fd_; }

 private:
  void set(int level, int option, const void* value, unsigned bytes, const char* what);
  int fd_;
  int interface_;
  std::uint16_t protocol_;
};

/// CLOCK_MONOTONIC in ns.
std::int64_t monotonic_ns();
/// CLOCK_REALTIME in ns, in which the kernel stamps packets.
std::int64_t realtime_ns();
/// The thread stays on this CPU; throws if it may not.
void stay_on_cpu(int cpu);

}  // namespace drip::bench
