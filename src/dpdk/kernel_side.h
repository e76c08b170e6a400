// SPDX-License-Identifier: BSD-3-Clause
// The kernel's side of a port that works over a kernel interface: link, counters, sockets.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "dpdk/device_string.h"
#include "dpdk/reopen_attempts.h"
#include "engine/stats.h"
#include "netdev/kernel.h"
#include "netdev/link_tracker.h"
#include "netdev/preparation.h"
#include "netdev/socket_counters.h"

namespace drip::dpdk {

struct KernelSide {
  KernelSide(std::string name, KernelDriver of, const netdev::Link& link)
      : interface(std::move(name)), driver(of), tracker(link) {}

  std::string interface;  ///< As configured.
  KernelDriver driver;
  netdev::LinkTracker tracker;
  netdev::SocketCounters sockets;
  bool zero_copy = false;           ///< See SocketCounters.
  std::uint64_t missed_before = 0;  ///< At sockets that are closed.
  /// Frames that the driver had taken when an interface ended, and that did not leave by it. Of
  /// devices that are closed.
  std::uint64_t lost_before = 0;

  /// The same of the present device, after its interface has ended. `driver_counters`: over all
  /// devices of the port. Without a copy nobody knows.
  [[nodiscard]] std::uint64_t lost(const PortStats& driver_counters) const {
    if (zero_copy) return lost_before;
    // af_packet counts as errors what it could not kick off; AF_XDP's, what it has not taken yet.
    std::uint64_t taken = driver_counters.tx_packets;
    if (driver == KernelDriver::kAfPacket) taken += driver_counters.tx_errors;
    const netdev::LinkCounters& counters = tracker.counters();
    const std::uint64_t known = counters.tx_packets + counters.tx_dropped + counters.tx_errors;
    return std::max(lost_before, taken - std::min(taken, known));
  }
  std::optional<netdev::Preparation> preparation;
  std::chrono::steady_clock::time_point settings_read;  ///< When `preparation` last looked.
  ReopenAttempts attempts;
};

}  // namespace drip::dpdk
