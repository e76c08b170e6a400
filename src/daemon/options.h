// SPDX-License-Identifier: BSD-3-Clause
// What a node is told when it starts: by flags, by a file, or not at all.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/cluster_options.h"
#include "dpdk/eal.h"
#include "dpdk/port_set.h"
#include "drip/time.h"

namespace drip::daemon {

enum class Idle : std::uint8_t {
  kAuto,  ///< Polls without a pause if the node has ports, else sleeps when it has nothing to do.
  kBusy,
  kSleep,
};

struct PlacementOptions {
  std::vector<int> fused_cpus;
  std::vector<int> worker_cpus;
  std::vector<int> transmitter_cpus;
  Idle idle = Idle::kAuto;
  int realtime_priority = 0;
};

struct MemoryOptions {
  dpdk::PacketMemory packets;
  /// packets.data_bytes as asked for; none: it holds the longest frame of all ports' MTUs.
  std::optional<std::uint32_t> mbuf_data;
  dpdk::Hugepages hugepages = dpdk::Hugepages::kIfAny;
  std::uint32_t max_buckets = 65536;  ///< For each transmitter.
  std::uint64_t ring_memory_bytes = std::uint64_t{1} << 30;
  double overcommit = 1;
  std::uint32_t max_requests = 1U << 20;
};

struct Options {
  std::string node_id;    ///< The host's name if not given.
  std::string advertise;  ///< The first listening address if not given.
  std::vector<std::string> listen = {"127.0.0.1:50051"};
  Duration drain_bound{5'000'000'000};
  std::string log_level = "info";
  PlacementOptions placement;
  MemoryOptions memory;
  ClusterOptions cluster;
  std::vector<dpdk::PortSpec> ports;
  std::vector<std::string> eal_arguments;
  std::string config_path;  ///< Empty: none.
};

/// What the command line asks for instead of running a node.
struct EarlyExit {
  int code = 0;
};

/// Reads the flags over what `config_path` says (flags win). Prints help, version or the reason of
/// a refusal, and then says so by EarlyExit.
struct CommandLine {
  std::optional<EarlyExit> exit;
  Options options;
};
CommandLine read_command_line(int argc, char** argv);

/// Names of ports are filled in, every port has a peer, CPUs are not used twice, the cluster's
/// options go together.
absl::Status check(const Options& options);

}  // namespace drip::daemon
