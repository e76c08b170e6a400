// SPDX-License-Identifier: BSD-3-Clause
// dripd's flags, as CLI11 parses them and as they change the options.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "daemon/options.h"

namespace drip::daemon {

/// The flags as given. Values with a unit are still text.
struct Flags {
  std::optional<std::string> node_id, state, advertise, log_level, ring_memory, drain, hugepages,
      idle, follow_traffic;
  std::optional<std::string> cluster, cluster_name, cluster_ca, cluster_cert, cluster_key,
      cluster_password_file, cluster_heartbeat, cluster_lease;
  std::optional<std::string> metrics, metrics_buckets, web;
  std::optional<std::string> tokens, tls_cert, tls_key, tls_client_ca, audit_log;
  std::optional<std::string> control_process, control_user;
  std::vector<std::string> client_limits, listen, ports, pairs, hairpins, mtus, on_failure, eal;
  std::vector<int> cpus, worker_cpus, transmitter_cpus;
  std::optional<int> realtime_priority;
  std::optional<std::uint32_t> mbufs, mbuf_data, max_buckets, max_requests, max_remembered,
      traffic_samples;
  std::optional<std::uint32_t> max_open_calls, max_connection_calls;
  std::optional<std::uint16_t> rx_descriptors, tx_descriptors;
  std::optional<double> overcommit;
  bool dpdk_telemetry = false;
  bool insecure = false;
};

/// Adds every flag to `app`, which sets the fields of `flags` and the path of --config.
void declare_flags(CLI::App& app, Flags& flags, std::string& config_path);

/// Sets the options whose flags were given. Throws CLI::ValidationError, naming the flag, for a
/// value that is not allowed.
void apply_flags(const Flags& flags, Options& options);

}  // namespace drip::daemon
