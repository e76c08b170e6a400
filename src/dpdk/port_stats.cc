// SPDX-License-Identifier: BSD-3-Clause
// Statistics of ports, from their drivers and from the kernel.
#include <rte_ethdev.h>
#include <rte_mempool.h>

#include <algorithm>

#include "dpdk/device_string.h"
#include "dpdk/port_set.h"
#include "fmt/format.h"

namespace drip::dpdk {

void add_counters(const rte_eth_stats& counters, PortStats& stats) {
  stats.rx_packets += counters.ipackets;
  stats.rx_bytes += counters.ibytes;
  stats.tx_packets += counters.opackets;
  stats.tx_bytes += counters.obytes;
  stats.rx_missed += counters.imissed;
  stats.rx_errors += counters.ierrors;
  stats.tx_errors += counters.oerrors;
  stats.rx_no_mbuf += counters.rx_nombuf;
}

namespace {

std::string mac_text(std::uint16_t device) {
  rte_ether_addr address{};
  if (rte_eth_macaddr_get(device, &address) != 0) return "";
  const auto& b = address.addr_bytes;
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", b[0], b[1], b[2], b[3], b[4],
                     b[5]);
}

std::uint64_t link_speed(std::uint16_t device) {
  rte_eth_link link{};
  if (rte_eth_link_get_nowait(device, &link) != 0 || link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN) {
    return 0;
  }
  return std::uint64_t{link.link_speed} * 1'000'000;
}

// Virtual devices count what they receive and send; what they lose is lost elsewhere, and they do
// not know of it.
void read_device(const std::string& device_string, std::uint16_t device, PortStats& stats) {
  rte_eth_stats counters{};
  if (device != kNoDevice && rte_eth_stats_get(device, &counters) != 0) {
    stats.unknown_counters = {"rx_packets", "rx_bytes",  "tx_packets", "tx_bytes",
                              "rx_missed",  "rx_errors", "tx_errors",  "rx_no_mbuf"};
    return;
  }
  // Nothing comes or goes by a device that is gone.
  add_counters(counters, stats);
  if (!is_pci(device_string)) stats.unknown_counters = {"rx_missed"};
}

// The drivers over kernel interfaces count what they take and what they put into a ring. What
// became of it the kernel knows: at the sockets what found no room, at the interface what was sent.
// `sent`: what the driver has taken.
void correct(const KernelSide& kernel, std::uint64_t missed_at_sockets, std::uint64_t sent,
             PortStats& stats) {
  const netdev::LinkCounters& counters = kernel.tracker.counters();
  const std::uint64_t missed_at_interface = counters.rx_dropped + counters.rx_missed;
  // A virtual interface counts as dropped what an AF_XDP socket did not take, too.
  stats.rx_missed = kernel.driver == KernelDriver::kAfXdp
                        ? std::max(missed_at_sockets, missed_at_interface)
                        : missed_at_sockets + missed_at_interface;
  stats.rx_errors = counters.rx_errors;
  const std::uint64_t lost = stats.gone ? kernel.lost(stats) : kernel.lost_before;
  stats.tx_errors = counters.tx_dropped + counters.tx_errors + lost;
  // The host may send by the interface as well. Without a copy the interface may count nothing.
  if (kernel.zero_copy) {
    stats.tx_packets = sent - std::min(sent, stats.tx_errors);
  } else {
    stats.tx_packets = std::min(sent, counters.tx_packets);
    stats.tx_bytes = std::min(stats.tx_bytes, counters.tx_bytes);
  }
  // A frame without a buffer stays in the ring, and one without a place there is missed. What the
  // driver counts are its attempts, one a poll.
  stats.rx_no_mbuf = 0;
  stats.unknown_counters = {"rx_no_mbuf"};
}

}  // namespace

std::vector<std::string> PortSet::names() const {
  std::vector<std::string> names;
  for (const auto& port : ports_) names.push_back(port->spec.name);
  return names;
}

std::vector<PortStats> PortSet::read(std::span<const std::uint64_t> sent) const {
  const std::lock_guard lock(mutex_);
  std::vector<PortStats> ports;
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    OpenPort& port = *ports_[i];
    PortStats& stats = ports.emplace_back(port.closed);
    stats.name = port.spec.name;
    stats.device = port.spec.device;
    stats.driver = port.driver;
    stats.peer = port.spec.peer;
    stats.mtu = port.mtu();
    stats.link_up = port.state() == netdev::LinkState::kUp;
    stats.gone = port.state() == netdev::LinkState::kGone;
    stats.numa_node = port.device == kNoDevice ? -1 : rte_eth_dev_socket_id(port.device);
    stats.rx_queues = port.rx_queues;
    stats.mac_address = port.device == kNoDevice ? "" : mac_text(port.device);
    read_device(port.spec.device, port.device, stats);
    if (!port.kernel) {
      if (stats.link_up) stats.link_bps = link_speed(port.device);
      stats.link_changes = port.link_changes;
      continue;
    }
    if (!stats.gone) {
      if (const auto link = kernel_->find(port.kernel->tracker.index()); link.ok()) {
        port.kernel->tracker.observe_counters(*link);
      }
      stats.link_bps = kernel_->speed(port.kernel->tracker.link().name);
    }
    stats.link_changes = port.kernel->tracker.changes();
    if (!stats.gone && port.kernel->preparation) {
      stats.warnings = port.kernel->preparation->standing();
    }
    correct(*port.kernel, port.kernel->missed_before + port.kernel->sockets.missed(), sent[i],
            stats);
  }
  return ports;
}

std::uint64_t PortSet::packets() const { return pool_->size; }
std::uint64_t PortSet::packets_free() const { return rte_mempool_avail_count(pool_); }

}  // namespace drip::dpdk
