// SPDX-License-Identifier: BSD-3-Clause
// Opens and closes the device of a port.
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <string_view>
#include <utility>

#include "dpdk/device_string.h"
#include "dpdk/port_set.h"
#include "fmt/format.h"

namespace drip::dpdk {
namespace {

absl::Status refuse(const PortSpec& port, const std::string& what, int error) {
  return absl::FailedPreconditionError(fmt::format("port {} ({}): {}: {}", port.name, port.device,
                                                   what, rte_strerror(std::abs(error))));
}

absl::Status refuse(const PortSpec& port, const absl::Status& status) {
  return {status.code() == absl::StatusCode::kNotFound ? absl::StatusCode::kFailedPrecondition
                                                       : status.code(),
          fmt::format("port {} ({}): {}", port.name, port.device, std::string(status.message()))};
}

// Drivers return -1 for any error, which strerror() would call a missing permission.
absl::Status refuse_probe(const PortSpec& port, int error) {
  const std::string what = "DPDK finds no such device, or it does not start";
  if (error != -EPERM) return refuse(port, what, error);
  return absl::FailedPreconditionError(
      fmt::format("port {} ({}): {}; the driver's own lines above may say why, docs/deploy.md has "
                  "the rights that each device needs",
                  port.name, port.device, what));
}

// Frames that the MTU allows and the driver has no room for are lost; it says so, or they are
// counted as rx_truncated.
void warn_of_lengths(const PortSpec& spec, const PacketMemory& memory, const netdev::Link& link,
                     std::vector<std::string>& warnings) {
  const std::uint32_t longest = link.mtu + 14 + 4;
  if (kernel_driver(spec.device) == KernelDriver::kAfXdp && longest > memory.data_bytes) {
    warnings.push_back(
        fmt::format("port {0}: {1} has an MTU of {2}, and frames longer than {3} bytes are missed: "
                    "--mtu {0}={2}, or --mbuf-data {4}",
                    spec.name, link.name, link.mtu, memory.data_bytes, longest));
  }
  const std::uint32_t slot = af_packet_slot_bytes(spec.device);
  if (kernel_driver(spec.device) == KernelDriver::kAfPacket && longest >= slot) {
    warnings.push_back(fmt::format(
        "port {}: {} has an MTU of {}, and af_packet drops frames of {} bytes and more; "
        "use af_xdp (--port {}={}), or framesz= and blocksz= in the device string",
        spec.name, link.name, link.mtu, slot, spec.name, link.name));
  }
}

// net_af_xdp does not give back what its fill and transmit rings hold.
constexpr std::uint64_t kLostBuffers = 2048 + 1024;

}  // namespace

absl::Status PortSet::set_mtu(const PortSpec& spec, const PacketMemory& memory,
                              const rte_eth_dev_info& info, rte_eth_conf& configuration) {
  if (spec.mtu == 0) return absl::OkStatus();
  // As ethdev reckons: a device that bounds frames but no MTU counts Ethernet's header and the FCS.
  const bool bounds_mtu = info.max_mtu != UINT16_MAX && info.max_rx_pktlen > info.max_mtu;
  const std::uint32_t overhead =
      bounds_mtu ? info.max_rx_pktlen - info.max_mtu : RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;
  const std::uint32_t by_frame =
      info.max_rx_pktlen > overhead ? info.max_rx_pktlen - overhead : info.max_mtu;
  const std::uint32_t least = std::max<std::uint32_t>(kLeastMtu, info.min_mtu);
  const std::uint32_t most = std::min<std::uint32_t>({kMostMtu, info.max_mtu, by_frame});
  if (spec.mtu < least || spec.mtu > most) {
    return absl::InvalidArgumentError(
        fmt::format("port {} ({}): mtu: {} is not allowed: {} to {} with {}", spec.name,
                    spec.device, spec.mtu, least, most, info.driver_name));
  }
  const bool splits = (info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER) != 0;
  if (!splits && memory.data_bytes < longest_frame(spec.mtu)) {
    return absl::InvalidArgumentError(fmt::format(
        "port {} ({}): mtu: {} allows frames of {} bytes, a packet buffer holds {} and {} does not "
        "split frames over several: raise mbuf_data, or leave it out and it follows the MTU",
        spec.name, spec.device, spec.mtu, longest_frame(spec.mtu), memory.data_bytes,
        info.driver_name));
  }
  configuration.rxmode.mtu = spec.mtu;
  return absl::OkStatus();
}

absl::Status PortSet::open_port(OpenPort& port) {
  const PortSpec& spec = port.spec;
  const KernelDriver driver = kernel_driver(spec.device);
  const auto interface = device_argument(spec.device, "iface");
  if (driver == KernelDriver::kNone || !interface) {
    if (spec.on_failure == netdev::OnFailure::kPass) {
      return absl::InvalidArgumentError(fmt::format(
          "port {} ({}): on_failure: pass is not allowed: the kernel gets nothing of what comes in "
          "by this device; drop, or a kernel interface with af_xdp",
          spec.name, spec.device));
    }
    if (is_pci(spec.device)) port.pci = std::make_unique<PciDevice>(device_name(spec.device));
    port.has_mtu = port.pci != nullptr || spec.device.starts_with("net_tap") || spec.mtu != 0;
    return open_device(port);
  }
  if (kernel_ == nullptr) {
    auto kernel = netdev::open_kernel();
    if (!kernel.ok()) return kernel.status();
    kernel_ = *std::move(kernel);
  }
  const auto link = kernel_->find(*interface);
  if (!link.ok()) return refuse(spec, link.status());
  port.has_mtu = true;
  port.kernel.emplace(*interface, driver, *link);
  if (auto status = open_over_kernel(port, *link); !status.ok()) return status;
  for (const std::string& warning : port.kernel->preparation->warnings()) {
    warnings_.push_back(fmt::format("port {}: {}", spec.name, warning));
  }
  warn_of_lengths(spec, memory_, port.kernel->tracker.link(), warnings_);
  return absl::OkStatus();
}

absl::Status PortSet::open_over_kernel(OpenPort& port, const netdev::Link& link) {
  KernelSide& kernel = *port.kernel;
  const bool is_xdp = kernel.driver == KernelDriver::kAfXdp;
  std::uint32_t queues = 1;
  if (const auto count = device_argument(port.spec.device, "queue_count")) {
    (void)std::from_chars(count->data(), count->data() + count->size(), queues);
  }
  if (is_xdp && queues > workers_) {
    return absl::FailedPreconditionError(fmt::format(
        "port {} ({}): queue_count={}, one for each transmitter, and {} of the polling threads "
        "receive: what the kernel puts into the other queues would be lost; fused threads receive "
        "and transmit",
        port.spec.name, port.spec.device, queues, workers_));
  }
  auto preparation = netdev::Preparation::apply(
      *kernel_, link, is_xdp ? netdev::Access::kXdp : netdev::Access::kPacket, queues,
      port.spec.on_failure);
  if (!preparation.ok()) return refuse(port.spec, preparation.status());
  kernel.preparation = *std::move(preparation);
  const std::vector<int> other_sockets = netdev::packet_sockets();
  if (auto status = open_device(port); !status.ok()) {
    close_device(port);
    if (!is_xdp || link.kind != "veth") return status;
    return {status.code(),
            fmt::format("{}; if the other end of this veth has several transmit queues, AF_XDP "
                        "needs it to have one: ethtool -L PEER tx 1",
                        std::string(status.message()))};
  }
  kernel.sockets = netdev::SocketCounters(other_sockets);
  kernel.zero_copy = kernel.sockets.zero_copy();
  if (is_xdp) return absl::OkStatus();
  if (auto status = kernel.sockets.ignore_outgoing(); !status.ok()) {
    close_device(port);
    return refuse(port.spec, status);
  }
  discard_received(port);
  return absl::OkStatus();
}

// What came until now may have been sent by the host itself, which the buffers do not tell. No
// thread polls the device yet, so it counts as not received.
void PortSet::discard_received(const OpenPort& port) {
  std::array<rte_mbuf*, 32> mbufs;
  constexpr std::uint32_t kMostFrames = 1U << 16;  // However fast they come.
  for (std::uint16_t queue = 0; queue < port.rx_queues; ++queue) {
    for (std::uint32_t frames = 0; frames < kMostFrames;) {
      const std::uint16_t count = rte_eth_rx_burst(port.device, queue, mbufs.data(),
                                                   static_cast<std::uint16_t>(mbufs.size()));
      if (count == 0) break;
      rte_pktmbuf_free_bulk(mbufs.data(), count);
      frames += count;
    }
  }
  (void)rte_eth_stats_reset(port.device);
}

void PortSet::withdraw_device(OpenPort& port) {
  const std::uint16_t device = std::exchange(port.device, kNoDevice);
  update_gates();
  if (barrier_) barrier_();
  port.device = device;
  close_device(port);
}

// The old device is closed when no thread is in a call to it any more.
absl::Status PortSet::reopen(OpenPort& port, const netdev::Link& link) {
  const std::uint64_t lost = port.kernel->driver == KernelDriver::kAfXdp ? kLostBuffers : 0;
  const std::uint64_t packets = packets_for_buckets_;
  if (lost >= packets) {
    return absl::ResourceExhaustedError(
        fmt::format("port {}: {} packet buffers are left and {} are needed; restart dripd",
                    port.spec.name, packets, lost));
  }
  if (port.device != kNoDevice) {
    packets_for_buckets_ = packets - lost;
    withdraw_device(port);
  }
  port.kernel->preparation.reset();
  if (auto status = open_over_kernel(port, link); !status.ok()) return status;
  port.kernel->tracker.follow(link);
  update_gates();
  return absl::OkStatus();
}

absl::Status PortSet::open_device(OpenPort& port) {
  const PortSpec& spec = port.spec;
  const PacketMemory& memory = memory_;
  const std::uint16_t workers = workers_;
  const std::uint16_t transmitters = transmitters_;
  std::uint16_t device = 0;
  if (rte_eth_dev_get_port_by_name(device_name(spec.device).c_str(), &device) != 0) {
    if (const int error = rte_dev_probe(spec.device.c_str()); error != 0) {
      return refuse_probe(spec, error);
    }
    if (const int error = rte_eth_dev_get_port_by_name(device_name(spec.device).c_str(), &device);
        error != 0) {
      return refuse(spec, "the device has no Ethernet port", error);
    }
  }
  rte_eth_dev_info info{};
  if (const int error = rte_eth_dev_info_get(device, &info); error != 0) {
    return refuse(spec, "no device information", error);
  }
  port.driver = info.driver_name;
  if (info.max_tx_queues < transmitters) {
    return absl::FailedPreconditionError(fmt::format(
        "port {} ({}): {} transmit queues, and {} transmitters need one each (for af_packet and "
        "others: qpairs= or queue_count= in the device string)",
        spec.name, spec.device, info.max_tx_queues, transmitters));
  }
  port.rx_queues = std::min(workers, info.max_rx_queues);

  rte_eth_conf configuration{};
  if (port.rx_queues > 1) {
    configuration.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    configuration.rx_adv_conf.rss_conf.rss_hf =
        (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP) & info.flow_type_rss_offloads;
  }
  configuration.rxmode.offloads = RTE_ETH_RX_OFFLOAD_SCATTER & info.rx_offload_capa;
  configuration.txmode.offloads = RTE_ETH_TX_OFFLOAD_MULTI_SEGS & info.tx_offload_capa;
  if (auto status = set_mtu(spec, memory, info, configuration); !status.ok()) return status;
  if (const int error = rte_eth_dev_configure(device, port.rx_queues, transmitters, &configuration);
      error != 0) {
    return refuse(spec, "cannot be configured", error);
  }
  port.device = device;  // From here on the destructor closes it.
  // Devices without an MTU return ENOTSUP.
  if (spec.mtu != 0) {
    const int error = rte_eth_dev_set_mtu(device, spec.mtu);
    if (error != 0 && error != -ENOTSUP) {
      return refuse(spec, fmt::format("does not take an mtu of {}", spec.mtu), error);
    }
  }
  std::uint16_t rx_descriptors = memory.rx_descriptors;
  std::uint16_t tx_descriptors = memory.tx_descriptors;
  (void)rte_eth_dev_adjust_nb_rx_tx_desc(device, &rx_descriptors, &tx_descriptors);
  const auto socket = static_cast<unsigned>(rte_eth_dev_socket_id(device));
  for (std::uint16_t queue = 0; queue < port.rx_queues; ++queue) {
    if (const int error =
            rte_eth_rx_queue_setup(device, queue, rx_descriptors, socket, nullptr, pool_);
        error != 0) {
      return refuse(spec, "no receive queue", error);
    }
  }
  for (std::uint16_t queue = 0; queue < transmitters; ++queue) {
    if (const int error = rte_eth_tx_queue_setup(device, queue, tx_descriptors, socket, nullptr);
        error != 0) {
      return refuse(spec, "no transmit queue", error);
    }
  }
  if (const int error = rte_eth_dev_start(device); error != 0) {
    return refuse(spec, "does not start", error);
  }
  // Drip forwards frames to any address. Virtual devices without a filter return ENOTSUP.
  (void)rte_eth_promiscuous_enable(device);
  (void)rte_eth_allmulticast_enable(device);
  return absl::OkStatus();
}

void PortSet::close_device(OpenPort& port) {
  if (port.device != kNoDevice) {
    (void)rte_eth_dev_get_mtu(port.device, &port.closed_mtu);
    rte_eth_stats counters{};
    if (rte_eth_stats_get(port.device, &counters) == 0) add_counters(counters, port.closed);
    if (port.kernel) {
      if (port.state() == netdev::LinkState::kGone) {
        port.kernel->lost_before = port.kernel->lost(port.closed);
      }
      port.kernel->missed_before += port.kernel->sockets.missed();
      port.kernel->sockets = {};
    }
    rte_eth_dev_info info{};
    const bool known = rte_eth_dev_info_get(port.device, &info) == 0;
    rte_eth_dev_stop(port.device);
    rte_eth_dev_close(port.device);
    // Otherwise DPDK would keep the device, and it could not be opened again.
    if (known && info.device != nullptr) (void)rte_dev_remove(info.device);
    port.device = kNoDevice;
  }
  if (port.kernel && port.kernel->preparation) port.kernel->preparation->restore(*kernel_);
}

}  // namespace drip::dpdk
