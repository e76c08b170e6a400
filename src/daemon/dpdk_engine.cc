// SPDX-License-Identifier: BSD-3-Clause
// The engine of a node with DPDK ports.
#include <utility>

#include "daemon/engine_options.h"
#include "daemon/running_engine.h"
#include "datapath/poll_engine/poll_engine.h"
#include "dpdk/eal.h"
#include "dpdk/port_set.h"

namespace drip::daemon {
namespace {

// A PCI address looks like "0000:03:00.0"; everything else is a virtual device.
std::vector<std::string> pci_devices(const std::vector<dpdk::PortSpec>& ports) {
  std::vector<std::string> devices;
  for (const dpdk::PortSpec& port : ports) {
    if (port.device.rfind("net_", 0) != 0 && port.device.find(':') != std::string::npos) {
      devices.push_back(port.device);
    }
  }
  return devices;
}

class DpdkEngine final : public RunningEngine {
 public:
  DpdkEngine(dpdk::Eal eal, std::unique_ptr<dpdk::PortSet> ports, const Options& options,
             const Placement& placement)
      : eal_(std::move(eal)),
        ports_(std::move(ports)),
        engine_(engine_options(options, placement), ports_->poll_threads(), *ports_, clock_) {}

  Engine& engine() override { return engine_; }
  [[nodiscard]] std::vector<std::string> warnings() const override {
    std::vector<std::string> warnings = engine_.warnings();
    warnings.insert(warnings.end(), ports_->warnings().begin(), ports_->warnings().end());
    if (!eal_.hugepages()) {
      warnings.emplace_back(
          "no hugepages: packets lie in 4-KiB pages, which costs throughput (docs/deploy.md)");
    }
    return warnings;
  }
  [[nodiscard]] std::string dpdk_version() const override { return dpdk::Eal::version(); }

 private:
  // Destroyed in reverse: threads, clock, ports, EAL.
  dpdk::Eal eal_;
  std::unique_ptr<dpdk::PortSet> ports_;
  datapath::TscClock clock_;
  datapath::PollEngine engine_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<RunningEngine>> start_with_ports(const Options& options,
                                                                const Placement& placement) {
  dpdk::EalOptions eal_options;
  eal_options.memory_bytes = options.memory.packets.bytes();
  eal_options.small_page_bytes = options.memory.packets.small_page_bytes();
  eal_options.hugepages = options.memory.hugepages;
  eal_options.pci_devices = pci_devices(options.ports);
  eal_options.control_cpus = placement.control_cpus;
  eal_options.telemetry = options.dpdk_telemetry;
  eal_options.extra = options.eal_arguments;
  auto eal = dpdk::Eal::start(eal_options);
  if (!eal.ok()) return eal.status();
  auto ports = dpdk::PortSet::open(options.ports, options.memory.packets, placement.lcores,
                                   eal->hugepages());
  if (!ports.ok()) return ports.status();
  return std::make_unique<DpdkEngine>(*std::move(eal), *std::move(ports), options, placement);
}

}  // namespace drip::daemon
