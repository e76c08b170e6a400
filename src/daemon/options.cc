// SPDX-License-Identifier: BSD-3-Clause
// Reads the command line and the configuration file, and checks that the options fit together.
#include "daemon/options.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <set>

#include "base/errors.h"
#include "daemon/advertise.h"
#include "daemon/config_file.h"
#include "daemon/flags.h"
#include "dpdk/device_string.h"
#include "fmt/format.h"

namespace drip::daemon {
namespace {

constexpr std::uint32_t kLeastTrafficSamples = 100;

constexpr const char* kExamples = R"(
Examples:
  dripd                                  a node without ports: serves requests on 127.0.0.1:50051,
                                         needs no NIC, no root, no hugepages
  dripd --listen unix:/run/drip.sock     the same on a Unix socket
  dripd --port lan=0000:03:00.0 --port wan=0000:03:00.1 --pair lan:wan
                                         a bump in the wire between two ports of a NIC
  dripd --port a=eth1 --port b=eth2 --pair a:b --cpus 1
                                         between two kernel interfaces, polled on CPU 1
  dripd --cluster redis://10.0.0.1 --node-id n1 --listen 10.0.0.2:50051
                                         one of several nodes that share a configuration
  dripd --config /etc/drip/dripd.toml    options, buckets and rules from a file
Signals: SIGTERM and SIGINT drain and stop, SIGHUP reads the file's buckets and rules again, SIGUSR2
replaces the process of --control-process separate.)";

std::string host_name() {
  char name[256] = {};
  return gethostname(name, sizeof name - 1) == 0 ? name : "drip";
}

// The longest frame must fit into one buffer, because not every device splits frames.
std::uint32_t data_bytes_for(const Options& options) {
  if (options.memory.mbuf_data) return *options.memory.mbuf_data;
  std::uint32_t bytes = options.memory.packets.data_bytes;
  for (const dpdk::PortSpec& port : options.ports) {
    if (port.mtu != 0) bytes = std::max(bytes, dpdk::longest_frame(port.mtu));
  }
  return bytes;
}

// Without their options, such as ",tls=off".
std::vector<std::string> addresses_of(std::vector<std::string> listen) {
  for (std::string& address : listen) address = address.substr(0, address.find(','));
  return listen;
}

// `--port lan=eth1`: a queue for each transmitter, which is what the driver asks for.
void take_interfaces(Options& options) {
  const PlacementOptions& placement = options.placement;
  const std::size_t queues = placement.fused_cpus.size() + placement.transmitter_cpus.size();
  std::set<std::string> named;
  for (const dpdk::PortSpec& port : options.ports) named.insert(dpdk::device_name(port.device));
  unsigned number = 0;
  for (dpdk::PortSpec& port : options.ports) {
    if (!dpdk::is_interface(port.device)) continue;
    while (named.contains(fmt::format("net_af_xdp{}", number))) ++number;
    port.device = dpdk::device_for_interface(port.device, number++, queues);
  }
}

}  // namespace

CommandLine read_command_line(int argc, char** argv) {
  CommandLine result;
  Flags flags;
  CLI::App app("dripd, the Drip node: shapes packets and requests through leaky buckets.");
  app.footer(kExamples);
  app.set_version_flag("--version", "dripd " DRIP_VERSION);
  declare_flags(app, flags, result.options.config_path);
  try {
    app.parse(argc, argv);
    if (!result.options.config_path.empty()) {
      auto status = read_options(result.options.config_path, result.options);
      if (!status.ok()) {
        fmt::print(stderr, "dripd: {}\n", std::string(status.message()));
        result.exit = EarlyExit{2};
        return result;
      }
    }
    apply_flags(flags, result.options);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    result.exit = EarlyExit{code == 0 ? 0 : 2};
    return result;
  }
  take_interfaces(result.options);
  result.options.memory.packets.data_bytes = data_bytes_for(result.options);
  if (result.options.node_id.empty()) result.options.node_id = host_name();
  if (result.options.advertise.empty()) {
    result.options.advertise = advertised_by_default(addresses_of(result.options.listen));
  } else if (auto status = check_advertise(result.options.advertise); !status.ok()) {
    fmt::print(stderr, "dripd: {}\n", std::string(status.message()));
    result.exit = EarlyExit{2};
    return result;
  }
  if (auto status = check(result.options); !status.ok()) {
    fmt::print(stderr, "dripd: {}\n", std::string(status.message()));
    result.exit = EarlyExit{2};
  }
  return result;
}

absl::Status check(const Options& options) {
  std::set<std::string> names, devices, interfaces;
  for (const dpdk::PortSpec& port : options.ports) {
    if (!names.insert(port.name).second) {
      return absl::InvalidArgumentError(fmt::format("port {}: named twice", port.name));
    }
    const std::string device = port.device.substr(0, port.device.find(','));
    if (!devices.insert(device).second) {
      return absl::InvalidArgumentError(fmt::format(
          "port {}: device '{}' is another port's already; allowed: each once, virtual ones with "
          "numbers, such as net_af_xdp0 and net_af_xdp1",
          port.name, device));
    }
    const auto interface = dpdk::device_argument(port.device, "iface");
    if (interface && dpdk::kernel_driver(port.device) != dpdk::KernelDriver::kNone &&
        !interfaces.insert(*interface).second) {
      return absl::InvalidArgumentError(
          fmt::format("port {}: interface '{}' is another port's already; allowed: each once",
                      port.name, *interface));
    }
    if (port.peer.empty()) {
      return absl::InvalidArgumentError(fmt::format(
          "port {}: its packets have nowhere to go; name a pair ({}:OTHER) or make it a hairpin",
          port.name, port.name));
    }
  }
  if (options.dpdk_telemetry && options.ports.empty()) {
    return absl::InvalidArgumentError(
        "dpdk_telemetry: a node without ports does not use DPDK; give it a port, or --metrics");
  }
  const PlacementOptions& placement = options.placement;
  std::set<int> cpus;
  for (const auto* const role :
       {&placement.fused_cpus, &placement.worker_cpus, &placement.transmitter_cpus}) {
    for (const int cpu : *role) {
      if (!cpus.insert(cpu).second) {
        return absl::InvalidArgumentError(
            fmt::format("placement: CPU {} is given to two polling threads", cpu));
      }
    }
  }
  const bool receives = !placement.fused_cpus.empty() || !placement.worker_cpus.empty();
  const bool transmits = !placement.fused_cpus.empty() || !placement.transmitter_cpus.empty();
  if (receives != transmits) {
    return absl::InvalidArgumentError(
        "placement: workers need a transmitter and transmitters a worker: give CPUs to both, or "
        "fused ones");
  }
  if (auto status = check(options.access); !status.ok()) return status;
  for (const auto& [flag, listen] :
       {std::pair("--metrics", options.metrics.listen), std::pair("--web", options.web)}) {
    if (!listen || listen->is_loopback() || options.access.insecure) continue;
    return absl::InvalidArgumentError(
        fmt::format("{}: {} is not allowed: beyond this machine only with --insecure, as whoever "
                    "reaches the address reads what is there; allowed: 127.0.0.1 and [::1]",
                    flag, listen->text()));
  }
  if (!options.control_user.empty() && options.control_process == ControlProcess::kSame) {
    return not_allowed("control_user", drip::quoted(options.control_user),
                       "with --control-process separate alone");
  }
  if (options.traffic_samples != 0 && options.traffic_samples < kLeastTrafficSamples) {
    return not_allowed("traffic_samples", std::to_string(options.traffic_samples),
                       "100 to 1000000 packets a second, or 0 for none");
  }
  if (!options.state.empty() && !options.cluster.url.empty()) {
    return absl::InvalidArgumentError(
        "state: not for a node of a cluster, whose buckets and rules are in Redis; allowed: "
        "--state or --cluster");
  }
  if (options.cluster.url.empty()) {
    if (options.cluster == ClusterOptions{}) return absl::OkStatus();
    return absl::InvalidArgumentError(
        "cluster: settings, but no Redis to join: give --cluster, or cluster.url in the file");
  }
  return membership_options(options.cluster, options.node_id, options.advertise).status();
}

}  // namespace drip::daemon
