// SPDX-License-Identifier: BSD-3-Clause
// What polling threads have to know of a port, and control changes while they run.
#pragma once

#include <atomic>
#include <cstdint>

#include "drip/cache_line.h"

namespace drip::dpdk {

inline constexpr std::uint16_t kNoDevice = 0xffff;

/// Written by control, read by polling threads in each burst. A thread may go on with what it read
/// until its loop begins anew: before a device is closed its number is taken out here, and all
/// threads have begun a new loop (Ports::set_barrier).
struct alignas(kCacheLineBytes) PortGate {
  /// DPDK's number of the open device; kNoDevice: none.
  std::atomic<std::uint16_t> device{kNoDevice};
  /// There is a device, and its link is up.
  std::atomic<bool> takes{false};
  /// Of frames that this port sends: the longest one without VLAN tags, and what tags may add.
  std::atomic<std::uint32_t> longest_sent{UINT32_MAX};
  std::atomic<std::uint32_t> tag_bytes{0};
  /// Of frames that it receives: from here on they may be cut by the driver.
  std::atomic<std::uint32_t> truncated_from{UINT32_MAX};
  /// Of frames that it receives: those not longer can be forwarded, whatever they hold. Follows
  /// from truncated_from and from its egress port's longest_sent.
  std::atomic<std::uint32_t> longest_forwarded{0};
};

}  // namespace drip::dpdk
