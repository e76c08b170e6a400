// SPDX-License-Identifier: BSD-3-Clause
// The ports of a node as a whole, apart from moving packets.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "engine/stats.h"

namespace drip::datapath {

/// Called by control, from any thread; thread_begins() and thread_ends() by each polling thread.
class Ports {
 public:
  virtual ~Ports() = default;

  [[nodiscard]] virtual std::uint16_t count() const = 0;
  [[nodiscard]] virtual std::vector<std::string> names() const = 0;
  /// `sent`: by port, the packets that the devices have taken from the polling threads. Without
  /// tx_retries, which the polling threads count.
  [[nodiscard]] virtual std::vector<PortStats> read(std::span<const std::uint64_t> sent) const = 0;
  /// Packet buffers that buckets may hold: all but those that devices and bursts keep in use.
  [[nodiscard]] virtual std::uint64_t packets_for_buckets() const = 0;
  [[nodiscard]] virtual std::uint64_t packets() const = 0;
  [[nodiscard]] virtual std::uint64_t packets_free() const = 0;
  [[nodiscard]] virtual bool hugepages() const = 0;

  /// `barrier` returns when each polling thread has begun a new loop since it was called; null:
  /// none polls any more. Waits for a call of the barrier that was set before.
  virtual void set_barrier(std::function<void()> barrier) {}

  /// Lets the kernel have what comes in by ports of which it is to pass on everything when Drip
  /// ends; they go on to send. False: there are none.
  virtual bool release_receiving() { return false; }

  virtual void thread_begins(std::uint32_t lcore) = 0;
  virtual void thread_ends(std::uint32_t lcore) = 0;
};

}  // namespace drip::datapath
