// SPDX-License-Identifier: BSD-3-Clause
// The ports as a whole: packet buffers, peers, which thread polls which queue.
#include "dpdk/port_set.h"

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <set>

#include "base/log.h"
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
  set->memory_ = memory;
  set->egress_ = *egress;
  set->gates_ = std::make_unique<PortGate[]>(ports.size());
  if (auto status = set->create_pool(memory, lcores.front().numa_node); !status.ok()) return status;
  set->workers_ = static_cast<std::uint16_t>(std::count_if(
      lcores.begin(), lcores.end(), [](const auto& plan) { return plan.receives(); }));
  set->transmitters_ = static_cast<std::uint16_t>(std::count_if(
      lcores.begin(), lcores.end(), [](const auto& plan) { return plan.transmits(); }));
  std::uint64_t held_by_devices = 0;
  for (const PortSpec& spec : ports) {
    set->ports_.push_back(std::make_unique<OpenPort>());
    OpenPort& port = *set->ports_.back();
    port.spec = spec;
    if (auto status = set->open_port(port); !status.ok()) return status;
    held_by_devices += std::uint64_t{memory.rx_descriptors} * port.rx_queues +
                       std::uint64_t{memory.tx_descriptors} * set->transmitters_;
  }
  const std::uint64_t held_by_threads =
      lcores.size() * (kPoolCache * 3 / 2 + ports.size() * datapath::TxBuffer<DpdkIo>::kSlots +
                       2 * datapath::RxWorker<DpdkIo>::kBurst) +
      static_cast<std::uint64_t>(set->workers_ > 1 || set->transmitters_ > 1) * lcores.size() *
          set->transmitters_ * (datapath::HandOff::kSlots + datapath::HandOff::kBurst);
  if (held_by_devices + held_by_threads >= memory.mbufs) {
    return absl::ResourceExhaustedError(
        fmt::format("mbufs: {} are too few: devices and bursts alone hold up to {}", memory.mbufs,
                    held_by_devices + held_by_threads));
  }
  set->packets_for_buckets_ = memory.mbufs - held_by_devices - held_by_threads;
  set->assign_queues(lcores, *egress);
  if (set->kernel_ != nullptr) {
    std::vector<unsigned> polling;
    for (const auto& plan : lcores) {
      if (plan.has_its_cpu()) polling.push_back(static_cast<unsigned>(plan.cpu));
    }
    set->softirqs_.emplace(polling, datapath::LcorePlan::kNice);
  }
  set->refresh_links();
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

// Each worker polls one queue of every port. If a port has fewer queues than there are workers, the
// next port continues with the next worker, so that queues are spread evenly.
void PortSet::assign_queues(const std::vector<datapath::LcorePlan>& lcores,
                            const std::vector<std::uint16_t>& egress) {
  const auto workers = static_cast<std::size_t>(std::count_if(
      lcores.begin(), lcores.end(), [](const auto& plan) { return plan.receives(); }));
  std::vector<std::vector<DpdkIo::RxQueue>> queues(workers);
  std::size_t next = 0;
  for (std::uint16_t i = 0; i < ports_.size(); ++i) {
    for (std::uint16_t queue = 0; queue < ports_[i]->rx_queues; ++queue) {
      queues[next++ % workers].push_back({i, queue});
    }
  }
  std::size_t worker = 0;
  std::uint16_t tx_queue = 0;
  for (const auto& plan : lcores) {
    std::vector<DpdkIo::RxQueue> mine;
    if (plan.receives()) mine = std::move(queues[worker++]);
    ios_.emplace_back(std::move(mine), gates_.get(), egress,
                      plan.transmits() ? tx_queue++ : std::uint16_t{0});
  }
}

PortSet::~PortSet() {
  stop_ = true;
  if (link_watcher_.joinable()) link_watcher_.join();
  for (const auto& port : ports_) close_device(*port);
  rte_mempool_free(pool_);
}

bool PortSet::release_receiving() {
  const std::lock_guard lock(mutex_);
  bool any = false;
  for (const auto& port : ports_) {
    if (!port->kernel || port->spec.on_failure != netdev::OnFailure::kPass) continue;
    const auto status = kernel_->remove_xdp_sockets(port->kernel->tracker.index());
    if (!status.ok()) log_warning("port {}: {}", port->spec.name, std::string(status.message()));
    any |= status.ok();
  }
  return any;
}

void PortSet::set_barrier(std::function<void()> barrier) {
  const std::lock_guard lock(mutex_);
  barrier_ = std::move(barrier);
}

void PortSet::thread_begins(std::uint32_t) {
  // For the mempool's per-thread cache; the pool works without it as well.
  (void)rte_thread_register();
}
void PortSet::thread_ends(std::uint32_t) { rte_thread_unregister(); }

}  // namespace drip::dpdk
