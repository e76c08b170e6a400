// SPDX-License-Identifier: BSD-3-Clause
// Opens ports and assigns their queues to the polling threads.
#include "dpdk/port_set.h"

#include <net/if.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <string_view>

#include "base/thread.h"
#include "datapath/hand_off.h"
#include "datapath/rx_worker.h"
#include "datapath/tx_buffer.h"
#include "fmt/format.h"

namespace drip::dpdk {
namespace {

constexpr unsigned kPoolCache = 256;
constexpr std::uint64_t kSmallPageBytes = 4096;
constexpr std::uint64_t kDriverMemoryBytes = 64U << 20;

// The size of a buffer in the pool: its headers, the headroom, the data.
std::uint64_t object_bytes(std::uint64_t data_bytes) {
  return sizeof(rte_mbuf) + RTE_PKTMBUF_HEADROOM + data_bytes + 2 * RTE_CACHE_LINE_SIZE;
}

std::string device_name(const std::string& device) { return device.substr(0, device.find(',')); }

absl::Status refuse(const PortSpec& port, const std::string& what, int error) {
  return absl::FailedPreconditionError(fmt::format("port {} ({}): {}: {}", port.name, port.device,
                                                   what, rte_strerror(std::abs(error))));
}

// Only some devices need a network interface that exists; others create theirs, or have none.
absl::Status check_interface(const PortSpec& port) {
  if (!port.device.starts_with("net_af_packet") && !port.device.starts_with("net_af_xdp")) {
    return absl::OkStatus();
  }
  constexpr std::string_view kKey = ",iface=";
  const std::size_t key = port.device.find(kKey);
  if (key == std::string::npos) return absl::OkStatus();  // The driver reports what it needs.
  const std::size_t begin = key + kKey.size();
  const std::string name = port.device.substr(begin, port.device.find(',', begin) - begin);
  if (if_nametoindex(name.c_str()) != 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("port {} ({}): there is no network interface '{}' in this network namespace",
                  port.name, port.device, name));
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

// Names are unique, peers exist.
absl::StatusOr<std::vector<std::uint16_t>> find_peers(const std::vector<PortSpec>& ports) {
  if (ports.size() > kMaxPorts) {
    return absl::InvalidArgumentError(
        fmt::format("ports: {} were given, at most {} are possible", ports.size(), kMaxPorts));
  }
  std::vector<std::uint16_t> peers;
  std::set<std::string> names;
  for (const PortSpec& port : ports) {
    if (!names.insert(port.name).second) {
      return absl::InvalidArgumentError(fmt::format("port {}: named twice", port.name));
    }
    const auto peer = std::find_if(ports.begin(), ports.end(),
                                   [&](const PortSpec& one) { return one.name == port.peer; });
    if (!port.peer.empty() && peer == ports.end()) {
      return absl::InvalidArgumentError(
          fmt::format("port {}: its peer {} is not among the ports", port.name, port.peer));
    }
    peers.push_back(port.peer.empty() ? datapath::kNoPort
                                      : static_cast<std::uint16_t>(peer - ports.begin()));
  }
  return peers;
}

}  // namespace

std::uint64_t PacketMemory::bytes() const {
  return mbufs * object_bytes(data_bytes) * 11 / 10 + kDriverMemoryBytes;
}

std::uint64_t PacketMemory::small_page_bytes() const {
  const std::uint64_t each = object_bytes(data_bytes);
  const std::uint64_t in_a_page = std::max<std::uint64_t>(kSmallPageBytes / each, 1);
  const std::uint64_t pages_each = (each + kSmallPageBytes - 1) / kSmallPageBytes;
  return (mbufs / in_a_page + 1) * pages_each * kSmallPageBytes * 11 / 10 + kDriverMemoryBytes;
}

absl::StatusOr<std::unique_ptr<PortSet>> PortSet::open(
    const std::vector<PortSpec>& ports, const PacketMemory& memory,
    const std::vector<datapath::LcorePlan>& lcores, bool hugepages) {
  const auto egress = find_peers(ports);
  if (!egress.ok()) return egress.status();
  std::unique_ptr<PortSet> set(new PortSet);
  set->hugepages_ = hugepages;
  if (auto status = set->create_pool(memory, lcores.front().numa_node); !status.ok()) return status;
  const auto workers = static_cast<std::uint16_t>(std::count_if(
      lcores.begin(), lcores.end(), [](const auto& plan) { return plan.receives(); }));
  const auto transmitters = static_cast<std::uint16_t>(std::count_if(
      lcores.begin(), lcores.end(), [](const auto& plan) { return plan.transmits(); }));
  std::uint64_t held_by_devices = 0;
  for (const PortSpec& spec : ports) {
    set->ports_.push_back(std::make_unique<OpenPort>());
    OpenPort& port = *set->ports_.back();
    port.spec = spec;
    port.device = RTE_MAX_ETHPORTS;
    if (auto status = set->open_port(port, memory, workers, transmitters); !status.ok()) {
      return status;
    }
    held_by_devices += std::uint64_t{memory.rx_descriptors} * port.rx_queues +
                       std::uint64_t{memory.tx_descriptors} * transmitters;
  }
  const std::uint64_t held_by_threads =
      lcores.size() * (kPoolCache * 3 / 2 + ports.size() * datapath::TxBuffer<DpdkIo>::kSlots +
                       2 * datapath::RxWorker<DpdkIo>::kBurst) +
      static_cast<std::uint64_t>(workers > 1 || transmitters > 1) * lcores.size() * transmitters *
          (datapath::HandOff::kSlots + datapath::HandOff::kBurst);
  if (held_by_devices + held_by_threads >= memory.mbufs) {
    return absl::ResourceExhaustedError(
        fmt::format("mbufs: {} are too few: devices and bursts alone hold up to {}", memory.mbufs,
                    held_by_devices + held_by_threads));
  }
  set->packets_for_buckets_ = memory.mbufs - held_by_devices - held_by_threads;
  set->assign_queues(lcores, *egress);
  set->link_watcher_ = start_thread("drip-links", [raw = set.get()] { raw->watch_links(); });
  return set;
}

absl::Status PortSet::create_pool(const PacketMemory& memory, int numa_node) {
  const auto data_room = static_cast<std::uint16_t>(memory.data_bytes + RTE_PKTMBUF_HEADROOM);
  // On the node of the first polling thread, or wherever there is memory.
  for (const int node : {numa_node, SOCKET_ID_ANY}) {
    pool_ = rte_pktmbuf_pool_create("drip-packets", memory.mbufs, kPoolCache, 0, data_room, node);
    if (pool_ != nullptr || node == SOCKET_ID_ANY) break;
  }
  if (pool_ != nullptr) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      fmt::format("mbufs: {} of {} bytes take {} MiB, which DPDK does not have: {}", memory.mbufs,
                  memory.data_bytes, memory.bytes() >> 20, rte_strerror(rte_errno)));
}

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

absl::Status PortSet::open_port(OpenPort& port, const PacketMemory& memory, std::uint16_t workers,
                                std::uint16_t transmitters) {
  const PortSpec& spec = port.spec;
  std::uint16_t device = 0;
  if (rte_eth_dev_get_port_by_name(device_name(spec.device).c_str(), &device) != 0) {
    if (auto status = check_interface(spec); !status.ok()) return status;
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

// Each worker polls one queue of every port. If a port has fewer queues than there are workers, the
// next port continues with the next worker, so that queues are spread evenly.
void PortSet::assign_queues(const std::vector<datapath::LcorePlan>& lcores,
                            const std::vector<std::uint16_t>& egress) {
  const auto workers = static_cast<std::size_t>(std::count_if(
      lcores.begin(), lcores.end(), [](const auto& plan) { return plan.receives(); }));
  std::vector<std::vector<DpdkIo::RxQueue>> queues(workers);
  std::vector<std::uint16_t> devices;
  std::size_t next = 0;
  for (std::uint16_t i = 0; i < ports_.size(); ++i) {
    devices.push_back(ports_[i]->device);
    for (std::uint16_t queue = 0; queue < ports_[i]->rx_queues; ++queue) {
      queues[next++ % workers].push_back({i, ports_[i]->device, queue});
    }
  }
  std::size_t worker = 0;
  std::uint16_t tx_queue = 0;
  for (const auto& plan : lcores) {
    std::vector<DpdkIo::RxQueue> mine;
    if (plan.receives()) mine = std::move(queues[worker++]);
    ios_.emplace_back(std::move(mine), devices, egress,
                      plan.transmits() ? tx_queue++ : std::uint16_t{0});
  }
}

PortSet::~PortSet() {
  stop_ = true;
  if (link_watcher_.joinable()) link_watcher_.join();
  for (const auto& port : ports_) {
    if (port->device == RTE_MAX_ETHPORTS) continue;
    rte_eth_dev_info info{};
    const bool known = rte_eth_dev_info_get(port->device, &info) == 0;
    rte_eth_dev_stop(port->device);
    rte_eth_dev_close(port->device);
    // Otherwise DPDK would keep the device, and it could not be opened again.
    if (known && info.device != nullptr) (void)rte_dev_remove(info.device);
  }
  rte_mempool_free(pool_);
}

void PortSet::thread_begins(std::uint32_t) {
  // For the mempool's per-thread cache; the pool works without it as well.
  (void)rte_thread_register();
}
void PortSet::thread_ends(std::uint32_t) { rte_thread_unregister(); }

}  // namespace drip::dpdk
