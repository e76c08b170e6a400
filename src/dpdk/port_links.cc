// SPDX-License-Identifier: BSD-3-Clause
// Link states and MTUs of ports: watched, logged, and told to the polling threads.
#include <rte_ethdev.h>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <thread>

#include "base/log.h"
#include "dpdk/port_set.h"
#include "fmt/format.h"

namespace drip::dpdk {
namespace {

// How long a change may stay unseen of a device that does not report it. The kernel reports its
// interfaces' changes at once; they are read as often all the same, in case a report was lost.
constexpr Duration kInterval{200'000'000};

// How long an interface's settings may be another's.
constexpr std::chrono::milliseconds kSettingsInterval{500};

constexpr std::uint32_t kEthernetHeader = 14;
constexpr std::uint32_t kVlanTag = 4;

// A device without link states is always up.
bool device_is_up(std::uint16_t device) {
  rte_eth_link link{};
  const int error = rte_eth_link_get_nowait(device, &link);
  return error == 0 ? link.link_status == RTE_ETH_LINK_UP : error == -ENOTSUP;
}

// VLAN tags that an egress takes beside its MTU. The kernel allows one on its virtual interfaces
// and for AF_PACKET (is_skb_forwardable(), packet_snd()); NICs take two.
std::uint32_t tag_bytes(const std::optional<KernelSide>& kernel) {
  if (!kernel) return 2 * kVlanTag;
  const bool one =
      kernel->driver == KernelDriver::kAfPacket || !kernel->tracker.link().kind.empty();
  return one ? kVlanTag : 2 * kVlanTag;
}

}  // namespace

void PortSet::watch_links() {
  while (!stop_) {
    std::vector<netdev::LinkEvent> events;
    if (kernel_ != nullptr) {
      events = kernel_->wait(kInterval);
    } else {
      std::this_thread::sleep_for(std::chrono::nanoseconds(kInterval.ns));
    }
    const std::lock_guard lock(mutex_);
    apply(events);
    refresh_links();
  }
}

void PortSet::apply(const std::vector<netdev::LinkEvent>& events) {
  for (const netdev::LinkEvent& event : events) {
    for (const auto& port : ports_) {
      if (!port->kernel || port->kernel->tracker.index() != event.link.index) continue;
      netdev::LinkTracker& tracker = port->kernel->tracker;
      if (event.gone ? tracker.observe_gone(event.link) : tracker.observe_state(event.link)) {
        log_link(*port);
      }
    }
  }
}

void PortSet::refresh_links() {
  for (const auto& port : ports_) refresh_link(*port);
  update_gates();
}

void PortSet::refresh_link(OpenPort& port) {
  if (port.kernel) {
    netdev::LinkTracker& tracker = port.kernel->tracker;
    if (tracker.state() == netdev::LinkState::kGone) return take_again(port);
    const auto link = kernel_->find(tracker.index());
    if (link.ok()) {
      if (tracker.observe(*link)) log_link(port);
      keep_settings(port, *link);
    } else if (absl::IsNotFound(link.status())) {
      // The event of its end, with its last counters, is there by now, or was lost.
      apply(kernel_->wait(Duration{0}));
      if (tracker.observe_gone()) log_link(port);
    }
    return;
  }
  if (port.pci) refresh_pci(port);
  if (port.device == kNoDevice) return;
  const bool up = device_is_up(port.device);
  if (std::exchange(port.link_up, up) == up) return;
  if (port.link_known) ++port.link_changes;
  if (port.link_known || !up) log_link(port);
  port.link_known = true;
}

// Less often than links: the kernel's lock for it is taken for each setting.
void PortSet::keep_settings(OpenPort& port, const netdev::Link& link) {
  const auto now = std::chrono::steady_clock::now();
  KernelSide& kernel = *port.kernel;
  if (!kernel.preparation || now - kernel.settings_read < kSettingsInterval) return;
  kernel.settings_read = now;
  for (const std::string& line : kernel.preparation->keep(*kernel_, link)) {
    log_warning("port {}: {}", port.spec.name, line);
  }
}

void PortSet::take_again(OpenPort& port) {
  KernelSide& kernel = *port.kernel;
  const auto now = ReopenAttempts::Clock::now();
  if (!kernel.attempts.may_try(now)) return;
  const auto link = kernel_->find(kernel.interface);
  if (!link.ok()) return;
  if (const absl::Status status = reopen(port, *link); !status.ok()) {
    const std::string message(status.message());
    if (kernel.attempts.failed(now, message)) log_error("{}", message);
    return;
  }
  kernel.attempts.succeeded();
  log_info("port {} ({}): is open again on the interface that has come back", port.spec.name,
           kernel.interface);
  log_link(port);
}

// Gives the device to the kernel, which waits for that, and takes it again when it is back.
void PortSet::refresh_pci(OpenPort& port) {
  PciDevice& pci = *port.pci;
  if (port.device != kNoDevice) {
    if (!pci.is_wanted_back()) return;
    withdraw_device(port);
    port.link_changes += static_cast<std::uint64_t>(std::exchange(port.link_up, false));
    return log_link(port);
  }
  const auto now = ReopenAttempts::Clock::now();
  if (!pci.attempts.may_try(now) || !pci.is_available()) return;
  const std::uint16_t rx_queues = port.rx_queues;
  absl::Status status = open_device(port);
  if (status.ok() && port.rx_queues < rx_queues) {
    status = absl::FailedPreconditionError(
        fmt::format("port {} ({}): the device has {} receive queues now, and {} are polled",
                    port.spec.name, pci.address(), port.rx_queues, rx_queues));
  }
  port.rx_queues = rx_queues;
  if (!status.ok()) {
    close_device(port);
    const std::string message(status.message());
    if (pci.attempts.failed(now, message)) log_error("{}", message);
    return;
  }
  pci.opened();
  pci.attempts.succeeded();
  log_info("port {} ({}): is open again", port.spec.name, pci.address());
}

void PortSet::log_link(const OpenPort& port) {
  constexpr std::string_view kWaits =
      "shaped packets for it wait in their buckets, others are dropped (tx_full)";
  const netdev::LinkState state = port.state();
  const std::string& where = port.kernel ? port.kernel->interface : port.spec.device;
  if (state == netdev::LinkState::kUp) {
    log_info("port {} ({}): link up", port.spec.name, where);
  } else if (state == netdev::LinkState::kDown) {
    log_warning("port {} ({}): link down; {}", port.spec.name, where, kWaits);
  } else {
    log_warning("port {} ({}): the {} is gone; {}", port.spec.name, where,
                port.kernel ? "interface" : "device", kWaits);
  }
}

// Each value is written only if it is another one: the polling threads read its cache line.
void PortSet::update_gates() {
  const auto set = [](auto& value, auto to) {
    if (value.load(std::memory_order_relaxed) != to) value.store(to, std::memory_order_relaxed);
  };
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    const OpenPort& port = *ports_[i];
    PortGate& gate = gates_[i];
    std::uint32_t longest = UINT32_MAX;
    if (port.has_mtu) longest = port.mtu() + kEthernetHeader;
    const bool cuts = port.kernel && port.kernel->driver == KernelDriver::kAfPacket;
    set(gate.longest_sent, longest);
    set(gate.tag_bytes, tag_bytes(port.kernel));
    set(gate.truncated_from, cuts ? af_packet_slot_bytes(port.spec.device) : UINT32_MAX);
    set(gate.device, port.device);
    set(gate.takes, port.device != kNoDevice && port.state() == netdev::LinkState::kUp);
  }
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    const std::uint32_t longest_received = gates_[i].truncated_from - 1;
    set(gates_[i].longest_forwarded,
        egress_[i] == datapath::kNoPort
            ? 0
            : std::min(gates_[egress_[i]].longest_sent.load(), longest_received));
  }
}

netdev::LinkState PortSet::OpenPort::state() const {
  if (kernel) return kernel->tracker.state();
  if (device == kNoDevice) return netdev::LinkState::kGone;
  return link_up ? netdev::LinkState::kUp : netdev::LinkState::kDown;
}

std::uint32_t PortSet::OpenPort::mtu() const {
  if (kernel) return kernel->tracker.link().mtu;
  if (device == kNoDevice) return closed_mtu;
  std::uint16_t mtu = 0;
  return rte_eth_dev_get_mtu(device, &mtu) == 0 ? mtu : 0;
}

}  // namespace drip::dpdk
