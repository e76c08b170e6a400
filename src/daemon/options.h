// SPDX-License-Identifier: BSD-3-Clause
// dripd's options: defaults, overridden by the file of --config, overridden by flags.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/access_options.h"
#include "daemon/cluster_options.h"
#include "dpdk/eal.h"
#include "dpdk/port_set.h"
#include "drip/time.h"
#include "http/listen_address.h"
#include "metrics/bucket_choice.h"

namespace drip::daemon {

enum class Idle : std::uint8_t {
  kAuto,   ///< kBusy for a node with ports, kSleep for a node without.
  kBusy,   ///< Polls without a pause.
  kSleep,  ///< Sleeps when there is nothing to do.
};

struct PlacementOptions {
  std::vector<int> fused_cpus;
  std::vector<int> worker_cpus;
  std::vector<int> transmitter_cpus;
  Idle idle = Idle::kAuto;
  int realtime_priority = 0;
  bool follow_traffic = true;  ///< See control::BucketMover.
};

struct MemoryOptions {
  dpdk::PacketMemory packets;
  /// packets.data_bytes as configured; none: the longest frame of all ports' MTUs.
  std::optional<std::uint32_t> mbuf_data;
  dpdk::Hugepages hugepages = dpdk::Hugepages::kIfAny;
  std::uint32_t max_buckets = 65536;  ///< For each transmitter.
  std::uint64_t ring_memory_bytes = std::uint64_t{1} << 30;
  double overcommit = 1;
  std::uint32_t max_requests = 1U << 20;
  std::uint32_t max_remembered = 1U << 18;
  std::uint32_t max_open_calls = 65'536;        ///< See control::OpenCalls.
  std::uint32_t max_connection_calls = 16'384;  ///< The same of one connection.
};

/// What each client of the API may have; 0: no limit. See control::ClientLimits.
struct ClientOptions {
  std::uint32_t connections = 4096;  ///< Of one address.
  std::uint32_t calls_per_second = 0;
  std::uint32_t open_calls = 32'768;
  std::uint32_t waiting_requests = 524'288;
  std::uint32_t watched_buckets = 1'048'576;
  std::uint32_t message_bytes = 64U << 20;  ///< Of one message that it sends; 0 is not allowed.
};

struct MetricsOptions {
  std::optional<http::ListenAddress> listen;  ///< None: no metrics are served.
  metrics::BucketChoice buckets;
};

/// Where the control plane is: what the network reaches.
enum class ControlProcess : std::uint8_t {
  kSame,      ///< In the process with the data path.
  kSeparate,  ///< In a process of its own, which may fail alone.
};

struct Options {
  std::string node_id;    ///< By default the host's name.
  std::string advertise;  ///< HOST:PORT; by default the first of `listen` that others
                          ///< can dial. Empty: there is none.
  std::vector<std::string> listen = {"127.0.0.1:50051"};
  Duration drain_bound{5'000'000'000};
  std::string log_level = "info";
  PlacementOptions placement;
  MemoryOptions memory;
  ClusterOptions cluster;
  ClientOptions clients;
  MetricsOptions metrics;
  AccessOptions access;
  ControlProcess control_process = ControlProcess::kSame;
  std::string control_user;                ///< Of the process of its own; empty: as dripd's.
  std::optional<http::ListenAddress> web;  ///< None: there is no page.
  std::vector<dpdk::PortSpec> ports;
  std::uint32_t traffic_samples = 0;  ///< Packets a second; 0: none.
  bool dpdk_telemetry = false;
  std::vector<std::string> eal_arguments;
  std::string config_path;  ///< Empty: none.
  std::string state;        ///< The directory of the state; empty: none.
};

/// The process is to end at once with this exit code.
struct EarlyExit {
  int code = 0;
};

struct CommandLine {
  std::optional<EarlyExit> exit;  ///< Set after --help and --version, and after an error.
  Options options;
};
/// Reads the file of --config, then the flags, which override it. Prints help, version or an error.
CommandLine read_command_line(int argc, char** argv);

/// INVALID_ARGUMENT unless names and devices of ports are unique, every port has a peer, no CPU is
/// used twice, and the cluster's options go together.
absl::Status check(const Options& options);

}  // namespace drip::daemon
