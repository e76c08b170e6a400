// SPDX-License-Identifier: BSD-3-Clause
// dripd's flags.
#include "daemon/options.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <set>

#include "base/quantity.h"
#include "daemon/config_file.h"
#include "fmt/format.h"

namespace drip::daemon {
namespace {

constexpr const char* kExamples = R"(
Examples:
  dripd                                  an embedded node: serves requests on 127.0.0.1:50051,
                                         needs no NIC, no root, no hugepages
  dripd --listen unix:/run/drip.sock     the same on a socket of the file system
  dripd --port lan=0000:03:00.0 --port wan=0000:03:00.1 --pair lan:wan
                                         a bump in the wire between two ports of a NIC
  dripd --port a=net_af_xdp0,iface=eth1 --port b=net_af_xdp1,iface=eth2 --pair a:b --cpus 1
                                         between two kernel interfaces, polled on CPU 1
  dripd --cluster redis://10.0.0.1 --node-id n1 --advertise 10.0.0.2:50051
                                         one of several nodes with one configuration
  dripd --config /etc/drip/dripd.toml    all of it, buckets and rules from a file
Signals: SIGTERM and SIGINT drain and stop, SIGHUP reads buckets and rules of the file again.)";

std::string host_name() {
  char name[256] = {};
  return gethostname(name, sizeof name - 1) == 0 ? name : "drip";
}

dpdk::PortSpec port_of_flag(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
    throw CLI::ValidationError("--port", fmt::format("'{}' is not NAME=DEVICE", text));
  }
  return {text.substr(0, equals), text.substr(equals + 1), "", 0};
}

dpdk::PortSpec& port_named(std::vector<dpdk::PortSpec>& ports, const std::string& name,
                           const char* flag) {
  const auto found = std::find_if(ports.begin(), ports.end(),
                                  [&](const dpdk::PortSpec& port) { return port.name == name; });
  if (found == ports.end()) {
    throw CLI::ValidationError(flag, fmt::format("there is no port '{}'", name));
  }
  return *found;
}

// NAME=BYTES, or BYTES for every port.
void set_mtu_of_flag(const std::string& text, std::vector<dpdk::PortSpec>& ports) {
  const std::size_t equals = text.find('=');
  const auto mtu = parse_integer(text.substr(equals == std::string::npos ? 0 : equals + 1),
                                 dpdk::kLeastMtu, dpdk::kMostMtu);
  if (!mtu) throw CLI::ValidationError("--mtu", mtu.error());
  if (equals != std::string::npos) {
    port_named(ports, text.substr(0, equals), "--mtu").mtu = static_cast<std::uint16_t>(*mtu);
    return;
  }
  if (ports.empty()) throw CLI::ValidationError("--mtu", "there are no ports");
  for (dpdk::PortSpec& port : ports) port.mtu = static_cast<std::uint16_t>(*mtu);
}

std::uint64_t bytes_of_flag(const char* flag, const std::string& text) {
  const auto bytes = parse_bytes(text);
  if (!bytes) throw CLI::ValidationError(flag, bytes.error());
  return *bytes;
}

// The flags as given; what is absent leaves the file's word.
struct Flags {
  std::optional<std::string> node_id, advertise, log_level, ring_memory, drain, hugepages, idle;
  std::optional<std::string> cluster, cluster_name, cluster_ca, cluster_cert, cluster_key,
      cluster_password_file, cluster_heartbeat, cluster_lease;
  std::vector<std::string> listen, ports, pairs, hairpins, mtus, eal;
  std::vector<int> cpus, worker_cpus, transmitter_cpus;
  std::optional<int> realtime_priority;
  std::optional<std::uint32_t> mbufs, mbuf_data, max_buckets, max_requests;
  std::optional<std::uint16_t> rx_descriptors, tx_descriptors;
  std::optional<double> overcommit;
};

void declare_cluster(CLI::App& app, Flags& flags) {
  app.add_option("--cluster", flags.cluster,
                 "Redis of the cluster to join: redis://, rediss://, unix:// or "
                 "sentinel://HOST:PORT,.../NAME; without it the node runs by itself");
  app.add_option("--cluster-name", flags.cluster_name, "which cluster of that Redis [drip]");
  app.add_option("--cluster-ca", flags.cluster_ca, "PEM of who signs Redis's certificate");
  app.add_option("--cluster-cert", flags.cluster_cert, "PEM of this node's certificate for Redis");
  app.add_option("--cluster-key", flags.cluster_key, "PEM of its key");
  app.add_option("--cluster-password-file", flags.cluster_password_file,
                 "file whose first line is Redis's password");
  app.add_option("--cluster-heartbeat", flags.cluster_heartbeat, "20ms to 10s [100ms]");
  app.add_option(
      "--cluster-lease", flags.cluster_lease,
      "a node that is silent for so long is gone, and another leads: 100ms to 60s [700ms]");
}

void declare(CLI::App& app, Flags& flags, std::string& config_path) {
  app.add_option("--config", config_path, "TOML file; flags win over it")->check(CLI::ExistingFile);
  app.add_option("--listen", flags.listen,
                 "host:port or unix:PATH to serve gRPC on; repeatable [127.0.0.1:50051]");
  app.add_option("--node-id", flags.node_id, "this node's name [the host's]");
  app.add_option("--advertise", flags.advertise, "address that others reach it at");
  app.add_option("--port", flags.ports, "NAME=DEVICE, a PCI address or a DPDK vdev; repeatable");
  app.add_option("--pair", flags.pairs,
                 "A:B, what comes in by one leaves by the other; repeatable");
  app.add_option("--hairpin", flags.hairpins, "a port whose packets leave where they came in");
  app.add_option("--mtu", flags.mtus,
                 "NAME=BYTES, or BYTES for all ports; repeatable [the device's own]");
  app.add_option("--cpus", flags.cpus, "CPUs that each poll, receive and transmit, e.g. 2,3")
      ->delimiter(',');
  app.add_option("--worker-cpus", flags.worker_cpus, "CPUs that receive only")->delimiter(',');
  app.add_option("--transmitter-cpus", flags.transmitter_cpus, "CPUs that transmit only")
      ->delimiter(',');
  app.add_option("--idle", flags.idle, "auto, busy or sleep: what a polling CPU does without work")
      ->check(CLI::IsMember({"auto", "busy", "sleep"}));
  app.add_option("--realtime-priority", flags.realtime_priority, "SCHED_FIFO, 1 to 99; 0: off")
      ->check(CLI::Range(0, 99));
  app.add_option("--mbufs", flags.mbufs, "packet buffers over all ports [65535]")
      ->check(CLI::Range(1024, 1 << 26));
  app.add_option("--mbuf-data", flags.mbuf_data,
                 "bytes of a frame in one buffer [as the MTUs need, 2048 at least]")
      ->check(CLI::Range(256, 16384));
  app.add_option("--rx-descriptors", flags.rx_descriptors, "for each receive queue [1024]")
      ->check(CLI::Range(32, 32768));
  app.add_option("--tx-descriptors", flags.tx_descriptors, "for each transmit queue [1024]")
      ->check(CLI::Range(32, 32768));
  app.add_option("--hugepages", flags.hugepages, "if-any, never or always [if-any]")
      ->check(CLI::IsMember({"if-any", "never", "always"}));
  app.add_option("--max-buckets", flags.max_buckets, "for each transmitter, flows included [65536]")
      ->check(CLI::Range(1U, 1U << 24));
  app.add_option("--max-requests", flags.max_requests, "requests that may wait at once [1048576]")
      ->check(CLI::Range(1U, 1U << 26));
  app.add_option("--ring-memory", flags.ring_memory, "for all buckets' rings, e.g. 4gb [1gb]");
  app.add_option("--overcommit", flags.overcommit,
                 "how many times the packet buffers may be promised to buckets [1]")
      ->check(CLI::Range(1.0, 1e6));
  app.add_option("--drain", flags.drain, "how long a stopping node lets its buckets leak [5s]");
  app.add_option("--log-level", flags.log_level, "debug, info, warn or error [info]")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  app.add_option("--eal", flags.eal, "a further argument for DPDK's EAL; repeatable");
  declare_cluster(app, flags);
}

template <class T, class U>
void take(const std::optional<T>& flag, U& option) {
  if (flag) option = static_cast<U>(*flag);
}
template <class T>
void take(const std::vector<T>& flag, std::vector<T>& option) {
  if (!flag.empty()) option = flag;
}

Duration duration_of_flag(const char* flag, const std::string& text) {
  const auto span = parse_duration(text);
  if (!span) throw CLI::ValidationError(flag, span.error());
  return Duration{span->count()};
}

void overlay_cluster(const Flags& flags, ClusterOptions& cluster) {
  take(flags.cluster, cluster.url);
  take(flags.cluster_name, cluster.name);
  take(flags.cluster_ca, cluster.ca_file);
  take(flags.cluster_cert, cluster.cert_file);
  take(flags.cluster_key, cluster.key_file);
  take(flags.cluster_password_file, cluster.password_file);
  if (flags.cluster_heartbeat) {
    cluster.heartbeat = duration_of_flag("--cluster-heartbeat", *flags.cluster_heartbeat);
  }
  if (flags.cluster_lease) {
    cluster.lease = duration_of_flag("--cluster-lease", *flags.cluster_lease);
  }
}

void overlay(const Flags& flags, Options& options) {
  overlay_cluster(flags, options.cluster);
  take(flags.node_id, options.node_id);
  take(flags.advertise, options.advertise);
  take(flags.listen, options.listen);
  take(flags.log_level, options.log_level);
  take(flags.eal, options.eal_arguments);
  if (flags.drain) options.drain_bound = duration_of_flag("--drain", *flags.drain);

  PlacementOptions& placement = options.placement;
  take(flags.cpus, placement.fused_cpus);
  take(flags.worker_cpus, placement.worker_cpus);
  take(flags.transmitter_cpus, placement.transmitter_cpus);
  take(flags.realtime_priority, placement.realtime_priority);
  if (flags.idle) placement.idle = *idle_named(*flags.idle);

  MemoryOptions& memory = options.memory;
  take(flags.mbufs, memory.packets.mbufs);
  if (flags.mbuf_data) memory.mbuf_data = flags.mbuf_data;
  take(flags.rx_descriptors, memory.packets.rx_descriptors);
  take(flags.tx_descriptors, memory.packets.tx_descriptors);
  take(flags.max_buckets, memory.max_buckets);
  take(flags.max_requests, memory.max_requests);
  take(flags.overcommit, memory.overcommit);
  if (flags.hugepages) memory.hugepages = *hugepages_named(*flags.hugepages);
  if (flags.ring_memory) {
    memory.ring_memory_bytes = bytes_of_flag("--ring-memory", *flags.ring_memory);
  }

  if (!flags.ports.empty()) options.ports.clear();
  for (const std::string& port : flags.ports) options.ports.push_back(port_of_flag(port));
  std::set<std::string> given;
  const auto set_peer = [&](const std::string& name, const std::string& peer, const char* flag) {
    port_named(options.ports, name, flag).peer = peer;
    if (!given.insert(name).second) {
      throw CLI::ValidationError(
          flag,
          fmt::format("port '{}' has a peer already; allowed: one pair or hairpin a port", name));
    }
  };
  for (const std::string& pair : flags.pairs) {
    const std::size_t colon = pair.find(':');
    if (colon == std::string::npos) {
      throw CLI::ValidationError("--pair", fmt::format("'{}' is not A:B", pair));
    }
    const std::string left = pair.substr(0, colon);
    const std::string right = pair.substr(colon + 1);
    set_peer(left, right, "--pair");
    if (right != left) set_peer(right, left, "--pair");
  }
  for (const std::string& name : flags.hairpins) set_peer(name, name, "--hairpin");
  for (const std::string& mtu : flags.mtus) set_mtu_of_flag(mtu, options.ports);
}

// So that a frame fits into one buffer, whatever the device: not every one splits frames.
std::uint32_t data_bytes_for(const Options& options) {
  if (options.memory.mbuf_data) return *options.memory.mbuf_data;
  std::uint32_t bytes = options.memory.packets.data_bytes;
  for (const dpdk::PortSpec& port : options.ports) {
    if (port.mtu != 0) bytes = std::max(bytes, dpdk::longest_frame(port.mtu));
  }
  return bytes;
}

}  // namespace

CommandLine read_command_line(int argc, char** argv) {
  CommandLine result;
  Flags flags;
  CLI::App app("dripd, the Drip node: shapes packets and requests through leaky buckets.");
  app.footer(kExamples);
  app.set_version_flag("--version", "dripd " DRIP_VERSION);
  declare(app, flags, result.options.config_path);
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
    overlay(flags, result.options);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    result.exit = EarlyExit{code == 0 ? 0 : 2};
    return result;
  }
  result.options.memory.packets.data_bytes = data_bytes_for(result.options);
  if (result.options.node_id.empty()) result.options.node_id = host_name();
  if (result.options.advertise.empty()) result.options.advertise = result.options.listen.front();
  if (auto status = check(result.options); !status.ok()) {
    fmt::print(stderr, "dripd: {}\n", std::string(status.message()));
    result.exit = EarlyExit{2};
  }
  return result;
}

absl::Status check(const Options& options) {
  std::set<std::string> names, devices;
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
    if (port.peer.empty()) {
      return absl::InvalidArgumentError(fmt::format(
          "port {}: its packets have nowhere to go; name a pair ({}:OTHER) or make it a hairpin",
          port.name, port.name));
    }
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
  if (options.cluster.url.empty()) {
    if (options.cluster == ClusterOptions{}) return absl::OkStatus();
    return absl::InvalidArgumentError(
        "cluster: settings, but no Redis to join: give --cluster, or cluster.url in the file");
  }
  return membership_options(options.cluster, options.node_id, options.advertise).status();
}

}  // namespace drip::daemon
