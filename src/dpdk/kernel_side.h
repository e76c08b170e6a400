// SPDX-License-Identifier: BSD-3-Clause
// The kernel's side of a port that works over a kernel interface: link, counters, sockets.
#pragma once

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
  std::uint64_t missed_before = 0;  ///< At sockets that are closed.
  std::optional<netdev::Preparation> preparation;
  ReopenAttempts attempts;
};

}  // namespace drip::dpdk
