// SPDX-License-Identifier: BSD-3-Clause
// dripd's main(): starts options, placement, engine and control plane, waits for signals, and stops
// all of it in reverse order.
#include <pthread.h>
#include <signal.h>

#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/log.h"
#include "cluster/redis_cluster.h"
#include "control/server/node.h"
#include "daemon/config_file.h"
#include "daemon/log.h"
#include "daemon/options.h"
#include "daemon/placement.h"
#include "daemon/running_engine.h"
#include "daemon/serving.h"
#include "state/state_store.h"
#include "telemetry/node_telemetry.h"

namespace drip::daemon {
namespace {

constexpr std::chrono::milliseconds kCallPatience{2000};

// Blocked before any thread starts, so that all inherit it and only wait_for_signal() sees them.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR2}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

int wait_for_signal(const sigset_t& signals) {
  int signal = 0;
  while (sigwait(&signals, &signal) != 0) {
  }
  return signal;
}

absl::Status load_config(const std::string& path, control::Node& node, bool initial) {
  if (path.empty()) return absl::OkStatus();
  auto config = read_initial_config(path);
  if (!config.ok()) return config.status();
  const absl::Status status =
      initial ? node.apply_initial_config(*config) : node.replace_config(*config);
  return status.ok() ? status : locate(path, status);
}

// Null without a state directory.
absl::StatusOr<std::shared_ptr<state::StateStore>> open_state(const std::string& path) {
  if (path.empty()) return nullptr;
  auto store = state::StateStore::open(path);
  if (!store.ok()) return store.status();
  for (const std::string& note : (*store)->notes()) log_warning("{}", note);
  return std::shared_ptr<state::StateStore>(*std::move(store));
}

// The buckets and rules of the file, then its [[access]]: what is refused changes nothing.
absl::Status load_again(const std::string& path, control::Node& node,
                        access::AccessControl& access) {
  auto rules = read_access_rules(path);
  if (!rules.ok()) return rules.status();
  if (auto status = access.check_rules(*rules); !status.ok()) return locate(path, status);
  auto status = load_config(path, node, false);
  if (status.ok()) access.set_rules(*std::move(rules));
  access::AuditRecord record;
  record.caller = "dripd";
  record.method = "SIGHUP";
  record.target = "file " + path;
  record.result = absl::StatusCodeToString(status.code());
  record.error = std::string(status.message());
  node.context().audit.record(record);
  return status;
}

// What SIGHUP asks for.
void reload(const std::string& path, control::Node& node, access::AccessControl& access,
            access::AuditLog* audit) {
  node.reload_access();
  if (audit != nullptr) audit->reopen();
  if (path.empty()) {
    log_warning("SIGHUP: there is no file to read again (--config)");
  } else if (const absl::Status status = load_again(path, node, access); status.ok()) {
    log_info("buckets and rules of {} are applied", path);
  } else {
    log_error("{}; nothing was changed", std::string(status.message()));
  }
}

// Logs the error and returns the exit code: 2 for an error in the flags or the file, 1 for an error
// of the machine.
int report(const absl::Status& status) {
  log_error("{}", std::string(status.message()));
  return absl::IsInvalidArgument(status) || absl::IsNotFound(status) ? 2 : 1;
}

// The addresses to listen on, with the port that the kernel chose where 0 was asked for.
std::vector<std::string> bound_addresses(const Options& options, const control::Node& node) {
  std::vector<std::string> addresses;
  for (const std::string& text : options.listen)
    addresses.push_back(text.substr(0, text.find(',')));
  const std::vector<std::uint16_t> ports = node.ports();
  for (std::size_t i = 0; i < addresses.size() && i < ports.size(); ++i) {
    if (ports[i] == 0) continue;  // A unix socket.
    addresses[i] = fmt::format("{}:{}", addresses[i].substr(0, addresses[i].rfind(':')), ports[i]);
  }
  return addresses;
}

control::NodeOptions node_options(const Options& options, const RunningEngine& engine,
                                  const Placement& placement) {
  control::NodeOptions node;
  node.node_id = options.node_id;
  node.advertise_address = options.advertise;
  node.version = DRIP_VERSION;
  node.dpdk_version = engine.dpdk_version();
  node.max_requests = options.memory.max_requests;
  node.traffic_samples = options.traffic_samples;
  node.max_remembered = options.memory.max_remembered;
  node.warnings = placement.warnings;
  const auto more = engine.warnings();
  node.warnings.insert(node.warnings.end(), more.begin(), more.end());
  node.server.addresses = options.listen;
  node.server.allow_tokens = !options.access.tokens.empty();
  node.server.insecure = options.access.insecure;
  node.follow_traffic = options.placement.follow_traffic;
  node.count_calls = options.metrics.listen.has_value();
  const ClientOptions& clients = options.clients;
  node.client_limits = {clients.calls_per_second,
                        {clients.open_calls, clients.waiting_requests, clients.watched_buckets}};
  node.server.connections_of_address = clients.connections;
  node.server.max_receive_bytes = static_cast<int>(clients.message_bytes);
  node.server.open_calls = {options.memory.max_connection_calls, options.memory.max_open_calls};
  return node;
}

// Null for a node that runs by itself.
absl::StatusOr<control::ClusterFactory> cluster_factory(const Options& options) {
  if (options.cluster.url.empty()) return nullptr;
  auto membership = membership_options(options.cluster, options.node_id, options.advertise);
  if (!membership.ok()) return membership.status();
  if (options.advertise.empty()) {
    write_log(LogLevel::kWarning,
              "cluster: this node has no address that others can dial: it listens on wildcards, "
              "unix sockets or port 0 only; name one by --advertise HOST:PORT");
  }
  return [membership = *membership](const control::ClusterParts& parts) {
    return std::make_unique<cluster::RedisCluster>(membership, parts);
  };
}

int run(const Options& options) {
  const sigset_t signals = block_signals();
  const auto make_cluster = cluster_factory(options);
  if (!make_cluster.ok()) return report(make_cluster.status());
  const auto access = open_access(options.access);
  if (!access.ok()) return report(access.status());
  const auto tls = open_tls(options.access);
  if (!tls.ok()) return report(tls.status());
  const auto audit = open_audit_log(options.access);
  if (!audit.ok()) return report(audit.status());
  const auto state = open_state(options.state);
  if (!state.ok()) return report(state.status());
  for (const std::string& line : describe(options.access)) log_warning("{}", line);
  const auto placement = plan_placement(options);
  if (!placement.ok()) return report(placement.status());
  set_affinity(placement->control_cpus);

  auto running = options.ports.empty() ? start_portless(options, *placement)
                                       : start_with_ports(options, *placement);
  if (!running.ok()) return report(running.status());
  // EAL moved this thread; what starts from here on is control.
  set_affinity(placement->control_cpus);
  Engine& engine = (*running)->engine();

  control::NodeOptions settings = node_options(options, **running, *placement);
  settings.access = *access;
  settings.tls = *tls;
  settings.audit = *audit;
  settings.state = *state;
  Serving serving(options);
  serving.set_options(settings);
  for (const std::string& warning : settings.warnings) log_warning("{}", warning);
  auto node = control::Node::create(engine, std::move(settings), *make_cluster);
  if (!node.ok()) {
    engine.drain_and_stop(Duration{0});
    return report(node.status());
  }
  if (auto status = load_config(options.config_path, **node, true); !status.ok()) {
    engine.drain_and_stop(Duration{0});
    return report(status);
  }
  if (auto status = (*node)->start(); !status.ok()) {
    engine.drain_and_stop(Duration{0});
    return report(status);
  }
  std::optional<telemetry::NodeTelemetry> telemetry;
  if (options.dpdk_telemetry) {
    if (auto status = telemetry.emplace().start((*node)->context()); !status.ok()) {
      engine.drain_and_stop(Duration{0});
      return report(status);
    }
  }
  if (auto status = serving.start(**node, *tls); !status.ok()) {
    engine.drain_and_stop(Duration{0});
    return report(status);
  }
  log_info("node {} serves on {}", options.node_id,
           fmt::join(bound_addresses(options, **node), ", "));

  int signal = wait_for_signal(signals);
  for (; signal == SIGHUP || signal == SIGUSR2; signal = wait_for_signal(signals)) {
    if (signal == SIGHUP) reload(options.config_path, **node, **access, audit->get());
    if (signal == SIGUSR2) serving.replace_control_process();
  }

  log_info("{}: draining for up to {} ms", strsignal(signal), options.drain_bound.ns / 1'000'000);
  // While packets still flow: civetweb notices within two seconds that it is to stop.
  serving.stop_http();
  telemetry.reset();
  (*node)->begin_drain();
  const std::uint64_t dropped = engine.drain_and_stop(options.drain_bound);
  serving.drain(kCallPatience);
  (*node)->stop(kCallPatience);
  serving.stop();
  log_info("stopped; {} units that still waited were dropped", dropped);
  return 0;
}

}  // namespace
}  // namespace drip::daemon

int main(int argc, char** argv) {
  const auto line = drip::daemon::read_command_line(argc, argv);
  if (line.exit) return line.exit->code;
  drip::daemon::start_log(line.options.log_level);
  return drip::daemon::run(line.options);
}
