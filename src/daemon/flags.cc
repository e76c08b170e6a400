// SPDX-License-Identifier: BSD-3-Clause
// The declaration of dripd's flags, and how each sets the options.
#include "daemon/flags.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "base/quantity.h"
#include "daemon/client_limits.h"
#include "daemon/config_file.h"
#include "fmt/format.h"

namespace drip::daemon {
namespace {

void declare_cluster(CLI::App& app, Flags& flags) {
  app.add_option("--cluster", flags.cluster,
                 "Redis of the cluster to join: redis://, rediss://, unix:// or "
                 "sentinel://HOST:PORT,.../NAME; without it the node belongs to no cluster");
  app.add_option("--cluster-name", flags.cluster_name,
                 "name of the cluster, of which Redis may hold several [drip]");
  app.add_option("--cluster-ca", flags.cluster_ca, "CA certificate for Redis's certificate, PEM");
  app.add_option("--cluster-cert", flags.cluster_cert, "client certificate for Redis, PEM");
  app.add_option("--cluster-key", flags.cluster_key, "key of the client certificate, PEM");
  app.add_option("--cluster-password-file", flags.cluster_password_file,
                 "file whose first line is Redis's password");
  app.add_option("--cluster-heartbeat", flags.cluster_heartbeat,
                 "interval of heartbeats, 20ms to 10s [100ms]");
  app.add_option("--cluster-lease", flags.cluster_lease,
                 "a node without a heartbeat for this long has failed, 100ms to 60s [700ms]");
}

void declare_access(CLI::App& app, Flags& flags) {
  app.add_option("--tls-cert", flags.tls_cert,
                 "certificate of this node and those up to its CA, PEM: TLS for TCP addresses");
  app.add_option("--tls-key", flags.tls_key, "key of the certificate, PEM");
  app.add_option("--tls-client-ca", flags.tls_client_ca,
                 "CA of clients' certificates, PEM: clients show one, or with --tokens a token");
  app.add_option("--tokens", flags.tokens, "file of bearer tokens, as `dripctl token` writes it");
  app.add_option(
      "--audit-log", flags.audit_log,
      "file to which each change and each refused call is appended, a line of JSON each");
  app.add_flag("--insecure", flags.insecure,
               "lets addresses beyond this machine be without TLS, or without any way to know who"
               " calls");
}

void declare_control_process(CLI::App& app, Flags& flags) {
  app.add_option("--control-process", flags.control_process,
                 "where connections are accepted and TLS, HTTP/2 and HTTP are read: in the same "
                 "process as packets, or in a separate one, whose failure does not stop packets "
                 "[same]")
      ->check(CLI::IsMember({"same", "separate"}));
  app.add_option("--control-user", flags.control_user,
                 "the user that the separate process becomes, for a dripd that is root [dripd's]");
}

void declare_metrics(CLI::App& app, Flags& flags) {
  app.add_option("--metrics", flags.metrics,
                 "PORT (on 127.0.0.1), ADDRESS:PORT or [IPV6]:PORT to serve Prometheus metrics on,"
                 " without authentication; without it there are none");
  app.add_option("--metrics-buckets", flags.metrics_buckets,
                 "buckets with series of their own: top:N (most bytes sent since the last scrape),"
                 " all, or prefix:TEXT, with a / in it also buckets of flows [top:100]");
  app.add_option("--traffic-samples", flags.traffic_samples,
                 "packets a second that are looked at for the round-trip times, retransmissions and"
                 " largest flows of buckets, 100 to 1000000; 0: none [0]")
      ->check(CLI::Range(0U, 1'000'000U));
  app.add_option("--web", flags.web,
                 "PORT (on 127.0.0.1), ADDRESS:PORT or [IPV6]:PORT to serve a web page on, read"
                 " only and without authentication; keeps ten minutes of up to 10000 buckets, 3 kB"
                 " each; without it there is none");
}

template <class T, class U>
void take(const std::optional<T>& flag, U& option) {
  if (flag) option = static_cast<U>(*flag);
}
template <class T>
void take(const std::vector<T>& flag, std::vector<T>& option) {
  if (!flag.empty()) option = flag;
}

template <class T>
T quantity_of_flag(const char* flag, const std::string& text,
                   Parsed<T> (*parse)(std::string_view)) {
  const Parsed<T> parsed = parse(text);
  if (!parsed) throw CLI::ValidationError(flag, parsed.error());
  return *parsed;
}

void take_duration(const char* flag, const std::optional<std::string>& text, Duration& option) {
  if (text) option = Duration{quantity_of_flag(flag, *text, parse_duration).count()};
}

void apply_cluster(const Flags& flags, ClusterOptions& cluster) {
  take(flags.cluster, cluster.url);
  take(flags.cluster_name, cluster.name);
  take(flags.cluster_ca, cluster.ca_file);
  take(flags.cluster_cert, cluster.cert_file);
  take(flags.cluster_key, cluster.key_file);
  take(flags.cluster_password_file, cluster.password_file);
  take_duration("--cluster-heartbeat", flags.cluster_heartbeat, cluster.heartbeat);
  take_duration("--cluster-lease", flags.cluster_lease, cluster.lease);
}

// Without the name of the flag, which CLI11 puts before the text.
template <class T>
T value_of(const char* flag, const absl::StatusOr<T>& value) {
  if (value.ok()) return *value;
  const std::string text(value.status().message());
  throw CLI::ValidationError(flag, text.substr(text.find(": ") + 2));
}

// LIMIT=N
void apply_client_limit(const std::string& text, ClientOptions& clients) {
  constexpr const char* kFlag = "--client-limit";
  const std::size_t equals = text.find('=');
  const std::string name = text.substr(0, equals);
  const auto* const limit = std::ranges::find_if(
      kClientLimits, [&](const ClientLimitName& one) { return name == one.name; });
  if (equals == std::string::npos || limit == kClientLimits.end()) {
    std::string names;
    for (const ClientLimitName& one : kClientLimits) {
      names += fmt::format("{}{}", names.empty() ? "" : ", ", one.name);
    }
    throw CLI::ValidationError(kFlag,
                               fmt::format("'{}' is not LIMIT=N; limits are {}", text, names));
  }
  std::uint32_t value = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data() + equals + 1, end, value);
  if (read.ec != std::errc() || read.ptr != end || value < limit->least || value > limit->most) {
    throw CLI::ValidationError(
        kFlag, fmt::format("{}: '{}' is not allowed: {} to {}", name, text.substr(equals + 1),
                           limit->least, limit->most));
  }
  clients.*limit->option = value;
}

void apply_access(const Flags& flags, AccessOptions& access) {
  take(flags.tls_cert, access.tls.cert);
  take(flags.tls_key, access.tls.key);
  take(flags.tls_client_ca, access.tls.client_ca);
  take(flags.tokens, access.tokens);
  take(flags.audit_log, access.audit_log);
  if (flags.insecure) access.insecure = true;
}

void apply_metrics(const Flags& flags, MetricsOptions& metrics) {
  if (flags.metrics) {
    metrics.listen = value_of("--metrics", http::parse_listen_address("--metrics", *flags.metrics));
  }
  if (flags.metrics_buckets) {
    metrics.buckets =
        value_of("--metrics-buckets",
                 metrics::parse_bucket_choice("--metrics-buckets", *flags.metrics_buckets));
  }
}

void apply_web(const Flags& flags, std::optional<http::ListenAddress>& web) {
  if (flags.web) web = value_of("--web", http::parse_listen_address("--web", *flags.web));
}

dpdk::PortSpec port_of_flag(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
    throw CLI::ValidationError("--port", fmt::format("'{}' is not NAME=DEVICE", text));
  }
  dpdk::PortSpec port;
  port.name = text.substr(0, equals);
  port.device = text.substr(equals + 1);
  return port;
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

// NAME=pass|drop, or pass|drop for every port.
void set_on_failure_of_flag(const std::string& text, std::vector<dpdk::PortSpec>& ports) {
  const std::size_t equals = text.find('=');
  const std::string word = text.substr(equals == std::string::npos ? 0 : equals + 1);
  const auto wanted = on_failure_named(word);
  if (!wanted) {
    throw CLI::ValidationError("--on-failure",
                               fmt::format("'{}' is not allowed: pass or drop", word));
  }
  if (equals != std::string::npos) {
    port_named(ports, text.substr(0, equals), "--on-failure").on_failure = *wanted;
    return;
  }
  if (ports.empty()) throw CLI::ValidationError("--on-failure", "there are no ports");
  for (dpdk::PortSpec& port : ports) port.on_failure = *wanted;
}

void apply_ports(const Flags& flags, std::vector<dpdk::PortSpec>& ports) {
  if (!flags.ports.empty()) ports.clear();
  for (const std::string& text : flags.ports) ports.push_back(port_of_flag(text));
  std::set<std::string> with_peer;
  const auto set_peer = [&](const std::string& name, const std::string& peer, const char* flag) {
    port_named(ports, name, flag).peer = peer;
    if (!with_peer.insert(name).second) {
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
  for (const std::string& mtu : flags.mtus) set_mtu_of_flag(mtu, ports);
  for (const std::string& one : flags.on_failure) set_on_failure_of_flag(one, ports);
}

}  // namespace

void declare_flags(CLI::App& app, Flags& flags, std::string& config_path) {
  app.add_option("--config", config_path, "TOML file; flags override it")->check(CLI::ExistingFile);
  app.add_option("--state", flags.state,
                 "directory that keeps buckets, rules and the schedules of requests over a restart;"
                 " without it they are those of the file [/var/lib/drip by the systemd unit]");
  app.add_option(
      "--listen", flags.listen,
      "HOST:PORT[,tls=off] or unix:PATH[,mode=0660][,owner=USER][,group=GROUP] to serve gRPC"
      " on; repeatable [127.0.0.1:50051]");
  app.add_option("--node-id", flags.node_id, "name of this node [the host's name]");
  app.add_option("--advertise", flags.advertise,
                 "HOST:PORT at which others reach this node [the first of --listen that"
                 " can be dialled]");
  app.add_option(
      "--port", flags.ports,
      "NAME=DEVICE: a kernel interface, a PCI address or a DPDK virtual device; repeatable");
  app.add_option("--pair", flags.pairs,
                 "A:B: packets received on one port are sent on the other; repeatable");
  app.add_option("--hairpin", flags.hairpins,
                 "port that sends the packets it receives; repeatable");
  app.add_option("--mtu", flags.mtus,
                 "NAME=BYTES, or BYTES for all ports; repeatable [the device's]");
  app.add_option("--on-failure", flags.on_failure,
                 "NAME=pass|drop, or pass|drop for all ports: whether the kernel passes on what"
                 " comes in by a port while dripd does not run, by a bridge, or nobody does;"
                 " checked at the start; repeatable [whatever the kernel does]");
  app.add_option("--cpus", flags.cpus, "CPUs that receive and transmit, e.g. 2,3")->delimiter(',');
  app.add_option("--worker-cpus", flags.worker_cpus, "CPUs that receive only")->delimiter(',');
  app.add_option("--transmitter-cpus", flags.transmitter_cpus, "CPUs that transmit only")
      ->delimiter(',');
  app.add_option("--idle", flags.idle,
                 "what a polling thread does without work: auto, busy or sleep [auto]")
      ->check(CLI::IsMember({"auto", "busy", "sleep"}));
  app.add_option("--follow-traffic", flags.follow_traffic,
                 "whether buckets move to the CPU at which their packets come in: on or off [on]")
      ->check(CLI::IsMember({"on", "off"}));
  app.add_option("--realtime-priority", flags.realtime_priority,
                 "SCHED_FIFO priority of polling threads, 1 to 99; 0: off [0]")
      ->check(CLI::Range(0, 99));
  app.add_option("--mbufs", flags.mbufs, "packet buffers of all ports together [65535]")
      ->check(CLI::Range(1024, 1 << 26));
  app.add_option(
         "--mbuf-data", flags.mbuf_data,
         "bytes of data in one packet buffer [the longest frame of the MTUs, at least 2048]")
      ->check(CLI::Range(256, 16384));
  app.add_option("--rx-descriptors", flags.rx_descriptors,
                 "descriptors of each receive queue [1024]")
      ->check(CLI::Range(32, 32768));
  app.add_option("--tx-descriptors", flags.tx_descriptors,
                 "descriptors of each transmit queue [1024]")
      ->check(CLI::Range(32, 32768));
  app.add_option("--hugepages", flags.hugepages,
                 "hugepages for packet buffers: if-any, never or always [if-any]")
      ->check(CLI::IsMember({"if-any", "never", "always"}));
  app.add_option("--max-buckets", flags.max_buckets,
                 "buckets of each transmitter, those of flows included [65536]")
      ->check(CLI::Range(1U, 1U << 24));
  app.add_option("--max-requests", flags.max_requests,
                 "requests that may wait at one time [1048576]")
      ->check(CLI::Range(1U, 1U << 26));
  app.add_option("--max-remembered", flags.max_remembered,
                 "ids of requests that have left and are still known [262144]")
      ->check(CLI::Range(0U, 1U << 26));
  app.add_option("--max-open-calls", flags.max_open_calls,
                 "calls that may stay open at one time: AwaitTurn and streams [65536]")
      ->check(CLI::Range(1U, 1U << 20));
  app.add_option("--max-connection-calls", flags.max_connection_calls,
                 "the same of one connection [16384]")
      ->check(CLI::Range(1U, 1U << 20));
  app.add_option("--client-limit", flags.client_limits,
                 "LIMIT=N, what each client may have: connections=4096, calls_per_second=0, "
                 "open_calls=32768, waiting_requests=524288, watched_buckets=1048576, "
                 "message_bytes=67108864; 0: no limit")
      ->type_name("LIMIT=N")
      ->allow_extra_args(false);
  app.add_option("--ring-memory", flags.ring_memory,
                 "memory for the rings of all buckets, e.g. 4gb [1gb]");
  app.add_option("--overcommit", flags.overcommit,
                 "how many times each packet buffer may be reserved for buckets [1]")
      ->check(CLI::Range(1.0, 1e6));
  app.add_option("--drain", flags.drain, "how long buckets leak on when the node stops [5s]");
  app.add_option("--log-level", flags.log_level, "debug, info, warn or error [info]")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  app.add_flag("--dpdk-telemetry", flags.dpdk_telemetry,
               "DPDK's telemetry socket, with commands /drip/...; for a node with ports");
  app.add_option("--eal", flags.eal, "additional argument for DPDK's EAL; repeatable");
  declare_access(app, flags);
  declare_control_process(app, flags);
  declare_metrics(app, flags);
  declare_cluster(app, flags);
}

void apply_flags(const Flags& flags, Options& options) {
  apply_cluster(flags, options.cluster);
  apply_metrics(flags, options.metrics);
  apply_access(flags, options.access);
  apply_web(flags, options.web);
  if (flags.control_process) {
    options.control_process = *control_process_named(*flags.control_process);
  }
  take(flags.control_user, options.control_user);
  take(flags.state, options.state);
  take(flags.traffic_samples, options.traffic_samples);
  take(flags.node_id, options.node_id);
  take(flags.advertise, options.advertise);
  take(flags.listen, options.listen);
  take(flags.log_level, options.log_level);
  take(flags.eal, options.eal_arguments);
  if (flags.dpdk_telemetry) options.dpdk_telemetry = true;
  take_duration("--drain", flags.drain, options.drain_bound);

  PlacementOptions& placement = options.placement;
  take(flags.cpus, placement.fused_cpus);
  take(flags.worker_cpus, placement.worker_cpus);
  take(flags.transmitter_cpus, placement.transmitter_cpus);
  take(flags.realtime_priority, placement.realtime_priority);
  if (flags.idle) placement.idle = *idle_named(*flags.idle);
  if (flags.follow_traffic) placement.follow_traffic = *flags.follow_traffic == "on";

  MemoryOptions& memory = options.memory;
  take(flags.mbufs, memory.packets.mbufs);
  if (flags.mbuf_data) memory.mbuf_data = flags.mbuf_data;
  take(flags.rx_descriptors, memory.packets.rx_descriptors);
  take(flags.tx_descriptors, memory.packets.tx_descriptors);
  take(flags.max_buckets, memory.max_buckets);
  take(flags.max_requests, memory.max_requests);
  take(flags.max_remembered, memory.max_remembered);
  take(flags.max_open_calls, memory.max_open_calls);
  take(flags.max_connection_calls, memory.max_connection_calls);
  for (const std::string& limit : flags.client_limits) {
    apply_client_limit(limit, options.clients);
  }
  take(flags.overcommit, memory.overcommit);
  if (flags.hugepages) memory.hugepages = *hugepages_named(*flags.hugepages);
  if (flags.ring_memory) {
    memory.ring_memory_bytes = quantity_of_flag("--ring-memory", *flags.ring_memory, parse_bytes);
  }

  apply_ports(flags, options.ports);
}

}  // namespace drip::daemon
