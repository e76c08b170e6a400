// SPDX-License-Identifier: BSD-3-Clause
// Statistics and link state of ports.
#include <rte_ethdev.h>
#include <rte_mempool.h>

#include <chrono>
#include <thread>

#include "dpdk/port_set.h"
#include "fmt/format.h"

namespace drip::dpdk {
namespace {

constexpr std::chrono::milliseconds kLinkInterval{200};

std::string mac_text(std::uint16_t device) {
  rte_ether_addr address{};
  if (rte_eth_macaddr_get(device, &address) != 0) return "";
  const auto& b = address.addr_bytes;
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", b[0], b[1], b[2], b[3], b[4],
                     b[5]);
}

bool link_is_up(std::uint16_t device, std::uint64_t* bps) {
  rte_eth_link link{};
  if (rte_eth_link_get_nowait(device, &link) != 0) return false;
  if (bps != nullptr) {
    *bps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN
               ? 0
               : std::uint64_t{link.link_speed} * 1'000'000;
  }
  return link.link_status == RTE_ETH_LINK_UP;
}

}  // namespace

std::vector<std::string> PortSet::names() const {
  std::vector<std::string> names;
  for (const auto& port : ports_) names.push_back(port->spec.name);
  return names;
}

std::vector<PortStats> PortSet::read() const {
  std::vector<PortStats> ports;
  for (const auto& port : ports_) {
    PortStats& stats = ports.emplace_back();
    stats.name = port->spec.name;
    stats.device = port->spec.device;
    stats.driver = port->driver;
    stats.peer = port->spec.peer;
    stats.mac_address = mac_text(port->device);
    std::uint16_t mtu = 0;
    if (rte_eth_dev_get_mtu(port->device, &mtu) == 0) stats.mtu = mtu;
    stats.link_up = link_is_up(port->device, &stats.link_bps);
    stats.numa_node = rte_eth_dev_socket_id(port->device);
    stats.rx_queues = port->rx_queues;
    stats.link_changes = port->link_changes;
    rte_eth_stats device{};
    if (rte_eth_stats_get(port->device, &device) == 0) {
      stats.rx_packets = device.ipackets;
      stats.rx_bytes = device.ibytes;
      stats.tx_packets = device.opackets;
      stats.tx_bytes = device.obytes;
      stats.rx_missed = device.imissed;
      stats.rx_errors = device.ierrors;
      stats.tx_errors = device.oerrors;
      stats.rx_no_mbuf = device.rx_nombuf;
    }
  }
  return ports;
}

std::uint64_t PortSet::packets() const { return pool_->size; }
std::uint64_t PortSet::packets_free() const { return rte_mempool_avail_count(pool_); }

// Not every driver reports changes, so all are polled.
void PortSet::watch_links() {
  for (const auto& port : ports_) port->link_up = link_is_up(port->device, nullptr);
  while (!stop_) {
    std::this_thread::sleep_for(kLinkInterval);
    for (const auto& port : ports_) {
      const bool up = link_is_up(port->device, nullptr);
      if (port->link_up.exchange(up) != up) ++port->link_changes;
    }
  }
}

}  // namespace drip::dpdk
