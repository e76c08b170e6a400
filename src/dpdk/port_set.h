// SPDX-License-Identifier: BSD-3-Clause
// The node's ports: opens, pairs, reads and closes DPDK devices.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "datapath/poll_engine/lcore_plan.h"
#include "datapath/poll_engine/poll_thread.h"
#include "datapath/poll_engine/ports.h"
#include "dpdk/dpdk_io.h"
#include "dpdk/kernel_side.h"
#include "dpdk/pci_device.h"
#include "dpdk/port_gate.h"
#include "netdev/kernel_path.h"
#include "netdev/softirq_priority.h"

struct rte_mempool;
struct rte_eth_conf;
struct rte_eth_dev_info;
struct rte_eth_stats;

namespace drip::dpdk {

/// A port as configured. `device` is DPDK's name of it: a PCI address ("0000:03:00.0") or a vdev
/// string ("net_af_xdp0,iface=eth1").
struct PortSpec {
  std::string name;
  std::string device;
  /// The port by which its packets leave; its own name for a hairpin; empty: none.
  std::string peer;
  std::uint16_t mtu = 0;  ///< kLeastMtu to kMostMtu; 0: the device keeps its own.
  /// kPass with af_xdp only: beside no other device there is a kernel that could.
  netdev::OnFailure on_failure = netdev::OnFailure::kUnset;
};

inline constexpr std::uint16_t kLeastMtu = 68;
inline constexpr std::uint16_t kMostMtu = 16362;
/// The longest frame that an MTU allows: with the Ethernet header and two VLAN tags, without FCS.
constexpr std::uint32_t longest_frame(std::uint16_t mtu) { return mtu + 14U + 8U; }

struct PacketMemory {
  std::uint32_t mbufs = 65535;  ///< Packet buffers over all ports.
  /// Frame bytes that one buffer holds; longer frames take several.
  std::uint32_t data_bytes = 2048;
  std::uint16_t rx_descriptors = 1024;
  std::uint16_t tx_descriptors = 1024;

  /// For EalOptions. Without hugepages no buffer crosses a page of 4 KiB, so one of the default
  /// size takes a whole page.
  [[nodiscard]] std::uint64_t bytes() const;
  [[nodiscard]] std::uint64_t small_page_bytes() const;
};

/// Adds a device's own counters.
void add_counters(const rte_eth_stats& counters, PortStats& stats);

/// Owns devices and packet buffers, and a DpdkIo for each polling thread.
class PortSet final : public datapath::Ports {
 public:
  /// Opens and starts all devices, or none. INVALID_ARGUMENT, FAILED_PRECONDITION or
  /// RESOURCE_EXHAUSTED, naming the port and the cause. `lcores` determines how many queues each
  /// device needs. REQUIRES: EAL has started.
  static absl::StatusOr<std::unique_ptr<PortSet>> open(
      const std::vector<PortSpec>& ports, const PacketMemory& memory,
      const std::vector<datapath::LcorePlan>& lcores, bool hugepages);
  /// REQUIRES: no thread polls the ports any more.
  ~PortSet() override;

  /// For PollEngine: threads over these ports, one for each lcore of open().
  [[nodiscard]] datapath::PollThreadFactory poll_threads();

  [[nodiscard]] std::uint16_t count() const override {
    return static_cast<std::uint16_t>(ports_.size());
  }
  [[nodiscard]] std::vector<std::string> names() const override;
  [[nodiscard]] std::vector<PortStats> read(std::span<const std::uint64_t> sent) const override;
  [[nodiscard]] std::uint64_t packets_for_buckets() const override { return packets_for_buckets_; }
  [[nodiscard]] std::uint64_t packets() const override;
  [[nodiscard]] std::uint64_t packets_free() const override;
  [[nodiscard]] bool hugepages() const override { return hugepages_; }
  /// What the operator should know of the ports, with the commands that cure it. Of the start.
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }
  void set_barrier(std::function<void()> barrier) override;
  bool release_receiving() override;
  void thread_begins(std::uint32_t lcore) override;
  void thread_ends(std::uint32_t lcore) override;

 private:
  struct OpenPort {
    PortSpec spec;
    std::uint16_t device = kNoDevice;
    std::uint16_t rx_queues = 0;
    std::string driver;
    bool has_mtu = false;  // Frames longer than its MTU do not leave.
    std::optional<KernelSide> kernel;
    std::unique_ptr<PciDevice> pci;
    PortStats closed;  // Counters of the devices that it had before.
    std::uint16_t closed_mtu = 0;
    // Of a device without a kernel interface.
    bool link_up = false;
    bool link_known = false;
    std::uint64_t link_changes = 0;

    [[nodiscard]] netdev::LinkState state() const;
    [[nodiscard]] std::uint32_t mtu() const;  // 0: unknown. The last one of a device that is gone.
  };

  PortSet() = default;
  absl::Status create_pool(const PacketMemory& memory, int numa_node);
  void assign_queues(const std::vector<datapath::LcorePlan>& lcores,
                     const std::vector<std::uint16_t>& egress);

  // ---- port_open.cc
  /// Before the device is configured. An error if the device or the packet buffers do not allow the
  /// MTU.
  static absl::Status set_mtu(const PortSpec& spec, const PacketMemory& memory,
                              const rte_eth_dev_info& info, rte_eth_conf& configuration);
  absl::Status open_port(OpenPort& port);
  absl::Status open_device(OpenPort& port);
  /// Looks at the kernel's side and makes it fit, then opens the device over it.
  absl::Status open_over_kernel(OpenPort& port, const netdev::Link& link);
  static void discard_received(const OpenPort& port);
  void close_device(OpenPort& port);
  /// The same while threads poll: none of them is in a call to the device any more.
  void withdraw_device(OpenPort& port);
  /// Of a port whose interface has gone, on another one of that name. No thread polls it meanwhile.
  absl::Status reopen(OpenPort& port, const netdev::Link& link);

  // ---- port_links.cc
  void watch_links();
  /// Reads link states and MTUs, and tells the polling threads.
  void refresh_links();
  void refresh_link(OpenPort& port);
  /// Sets again what others change of its interface.
  void keep_settings(OpenPort& port, const netdev::Link& link);
  void take_again(OpenPort& port);
  void refresh_pci(OpenPort& port);
  void apply(const std::vector<netdev::LinkEvent>& events);
  static void log_link(const OpenPort& port);
  void update_gates();

  PacketMemory memory_;
  std::uint16_t workers_ = 0;
  std::uint16_t transmitters_ = 0;
  std::vector<std::uint16_t> egress_;
  std::vector<std::unique_ptr<OpenPort>> ports_;
  std::unique_ptr<PortGate[]> gates_;
  std::vector<DpdkIo> ios_;
  rte_mempool* pool_ = nullptr;
  std::atomic<std::uint64_t> packets_for_buckets_{0};
  std::vector<std::string> warnings_;
  bool hugepages_ = false;

  /// Null without ports on kernel interfaces. wait() is called by link_watcher_ alone, the rest by
  /// whoever holds mutex_.
  std::unique_ptr<netdev::Kernel> kernel_;
  std::optional<netdev::SoftirqPriority> softirqs_;  // With ports on kernel interfaces.
  /// Guards the contents of ports_, but for what never changes after open().
  mutable std::mutex mutex_;
  std::function<void()> barrier_;  // Null until polling threads run.
  std::atomic<bool> stop_{false};
  std::thread link_watcher_;
};

}  // namespace drip::dpdk
