// SPDX-License-Identifier: BSD-3-Clause
// Reads the TOML file, and finds the line of a field.
#include "daemon/config_file.h"

#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/quantity.h"
#include "daemon/client_limits.h"
#include "daemon/toml_message.h"
#include "daemon/toml_section.h"
#include "fmt/format.h"

namespace drip::daemon {
namespace {

// The path of the rule set in control's errors.
constexpr std::string_view kRuleSetPath = "rules.";

absl::StatusOr<toml::table> parse(const std::string& path) {
  // toml++ does not report the reason.
  if (::access(path.c_str(), R_OK) != 0) {
    return absl::InvalidArgumentError(
        fmt::format("{}: cannot be read: {}", path, std::generic_category().message(errno)));
  }
  try {
    return toml::parse_file(path);
  } catch (const toml::parse_error& error) {
    return toml_error(error.source(), "TOML", std::string(error.description()));
  }
}

// Reads text that `named` converts, or an error that lists `names`.
template <class T>
auto choice_of(std::optional<T> (*named)(std::string_view), const char* names) {
  return [=](const toml::node& node, const std::string& field) -> absl::StatusOr<T> {
    const auto name = text_of(node, field);
    if (!name.ok()) return name.status();
    const std::optional<T> value = named(*name);
    if (!value) {
      return toml_error(node.source(), field, fmt::format("one of {} is needed", names));
    }
    return *value;
  };
}

absl::StatusOr<Duration> duration_of(const toml::node& node, const std::string& field) {
  const auto span = quantity_of(node, field, parse_duration);
  if (!span.ok()) return span.status();
  return Duration{span->count()};
}

absl::StatusOr<std::uint64_t> bytes_of(const toml::node& node, const std::string& field) {
  return quantity_of(node, field, parse_bytes);
}

absl::StatusOr<bool> truth_of(const toml::node& node, const std::string& field) {
  const auto truth = node.is_boolean() ? node.value<bool>() : std::nullopt;
  if (!truth) return toml_error(node.source(), field, "true or false is needed");
  return *truth;
}

absl::StatusOr<double> overcommit_of(const toml::node& node, const std::string& field) {
  const auto factor = node.value<double>();
  if (!factor || !(*factor >= 1 && *factor <= 1e6)) {
    return toml_error(node.source(), field, "a number from 1 to 1e6 is needed");
  }
  return *factor;
}

std::optional<std::string> log_level_named(std::string_view name) {
  if (name == "debug" || name == "info" || name == "warn" || name == "error") {
    return std::string(name);
  }
  return std::nullopt;
}

absl::Status read_node(const toml::node& node, Options& options) {
  Section section(node, "node");
  section.text("id", options.node_id);
  section.text("state", options.state);
  section.text("advertise", options.advertise);
  section.texts("listen", options.listen);
  section.text("tokens", options.access.tokens);
  section.text("audit_log", options.access.audit_log);
  section.value("control_process", options.control_process,
                choice_of(control_process_named, "same and separate"));
  section.text("control_user", options.control_user);
  section.value("insecure", options.access.insecure, truth_of);
  section.value("log_level", options.log_level,
                choice_of(log_level_named, "debug, info, warn, error"));
  section.texts("eal", options.eal_arguments);
  section.value("dpdk_telemetry", options.dpdk_telemetry, truth_of);
  section.whole("traffic_samples", options.traffic_samples, 0, 1'000'000);
  section.value("drain", options.drain_bound, duration_of);
  return section.finish();
}

absl::Status read_cluster(const toml::node& node, ClusterOptions& cluster) {
  Section section(node, "cluster");
  section.text("url", cluster.url);
  section.text("name", cluster.name);
  section.text("ca", cluster.ca_file);
  section.text("cert", cluster.cert_file);
  section.text("key", cluster.key_file);
  section.text("password_file", cluster.password_file);
  section.value("heartbeat", cluster.heartbeat, duration_of);
  section.value("lease", cluster.lease, duration_of);
  return section.finish();
}

// A value of which `parse(field, text)` makes an error that begins with the field.
template <class T>
auto parsed_by(absl::StatusOr<T> (*parse)(const std::string&, const std::string&)) {
  return [=](const toml::node& node, const std::string& field) -> absl::StatusOr<T> {
    const auto text = text_of(node, field);
    if (!text.ok()) return text.status();
    const auto value = parse(field, *text);
    if (value.ok()) return *value;
    const std::string reason(value.status().message());
    return toml_error(node.source(), field, reason.substr(reason.find(": ") + 2));
  };
}

absl::Status read_metrics(const toml::node& node, MetricsOptions& metrics) {
  Section section(node, "metrics");
  section.value("listen", metrics.listen, parsed_by(http::parse_listen_address));
  section.value("buckets", metrics.buckets, parsed_by(metrics::parse_bucket_choice));
  return section.finish();
}

absl::Status read_web(const toml::node& node, std::optional<http::ListenAddress>& web) {
  Section section(node, "web");
  section.value("listen", web, parsed_by(http::parse_listen_address));
  return section.finish();
}

absl::Status read_placement(const toml::node& node, PlacementOptions& placement) {
  Section section(node, "placement");
  section.cpus("cpus", placement.fused_cpus);
  section.cpus("worker_cpus", placement.worker_cpus);
  section.cpus("transmitter_cpus", placement.transmitter_cpus);
  section.whole("realtime_priority", placement.realtime_priority, 0, 99);
  section.value("idle", placement.idle, choice_of(idle_named, "auto, busy, sleep"));
  section.value("follow_traffic", placement.follow_traffic, truth_of);
  return section.finish();
}

absl::Status read_memory(const toml::node& node, MemoryOptions& memory) {
  Section section(node, "memory");
  section.whole("mbufs", memory.packets.mbufs, 1024, 1 << 26);
  section.whole("mbuf_data", memory.mbuf_data, 256, 16384);
  section.whole("rx_descriptors", memory.packets.rx_descriptors, 32, 32768);
  section.whole("tx_descriptors", memory.packets.tx_descriptors, 32, 32768);
  section.whole("max_buckets", memory.max_buckets, 1, 1 << 24);
  section.whole("max_requests", memory.max_requests, 1, 1 << 26);
  section.whole("max_remembered", memory.max_remembered, 0, 1 << 26);
  section.whole("max_open_calls", memory.max_open_calls, 1, 1 << 20);
  section.whole("max_connection_calls", memory.max_connection_calls, 1, 1 << 20);
  section.value("ring_memory", memory.ring_memory_bytes, bytes_of);
  section.value("hugepages", memory.hugepages, choice_of(hugepages_named, "if-any, never, always"));
  section.value("overcommit", memory.overcommit, overcommit_of);
  return section.finish();
}

// Checked here, although opening the ports checks it as well, because here the line is known.
absl::Status check_names(const toml::array& tables, const std::vector<dpdk::PortSpec>& ports) {
  const auto named = [&](const std::string& name) {
    return std::find_if(ports.begin(), ports.end(),
                        [&](const dpdk::PortSpec& port) { return port.name == name; });
  };
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const auto error = [&](const char* key, const std::string& reason) {
      const toml::node& value = *tables.get_as<toml::table>(i)->get(key);
      return toml_error(value.source(), fmt::format("ports[{}].{}", i, key), reason);
    };
    if (&*named(ports[i].name) != &ports[i]) {
      return error("name", fmt::format("'{}' is another port's name", ports[i].name));
    }
    if (named(ports[i].peer) == ports.end()) {
      return error("peer", fmt::format("there is no port '{}'", ports[i].peer));
    }
  }
  return absl::OkStatus();
}

absl::Status read_ports(const toml::node& node, std::vector<dpdk::PortSpec>& ports) {
  if (!node.is_array()) return toml_error(node.source(), "ports", "a list is needed");
  ports.clear();
  for (const toml::node& one : *node.as_array()) {
    const std::string name = fmt::format("ports[{}]", ports.size());
    Section section(one, name);
    dpdk::PortSpec port;
    section.text("name", port.name);
    section.text("device", port.device);
    section.text("peer", port.peer);
    section.whole("mtu", port.mtu, dpdk::kLeastMtu, dpdk::kMostMtu);
    section.value("on_failure", port.on_failure, choice_of(on_failure_named, "pass, drop"));
    if (auto status = section.finish(); !status.ok()) return status;
    if (port.name.empty() || port.device.empty() || port.peer.empty()) {
      return toml_error(one.source(), name,
                        "name, device and peer (itself for a hairpin) are needed");
    }
    ports.push_back(std::move(port));
  }
  return check_names(*node.as_array(), ports);
}

// [[buckets]] and [[rules]]: a message each.
template <class Add>
absl::Status fill_list(const toml::table& root, const char* key, Add add) {
  const toml::node* const list = root.get(key);
  if (list == nullptr) return absl::OkStatus();
  if (!list->is_array()) return toml_error(list->source(), key, "a list is needed");
  std::size_t index = 0;
  for (const toml::node& one : *list->as_array()) {
    const std::string field = fmt::format("{}[{}]", key, index++);
    if (!one.is_table()) return toml_error(one.source(), field, "a table is needed");
    if (auto status = fill_message(*one.as_table(), field + ".", *add()); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

absl::Status read_clients(const toml::node& node, ClientOptions& clients) {
  Section section(node, "clients");
  for (const ClientLimitName& limit : kClientLimits) {
    section.whole(limit.name, clients.*limit.option, limit.least, limit.most);
  }
  return section.finish();
}

absl::Status read_section(const toml::key& key, const toml::node& node, Options& options) {
  const std::string_view name = key.str();
  if (name == "node") return read_node(node, options);
  if (name == "placement") return read_placement(node, options.placement);
  if (name == "memory") return read_memory(node, options.memory);
  if (name == "clients") return read_clients(node, options.clients);
  if (name == "cluster") return read_cluster(node, options.cluster);
  if (name == "metrics") return read_metrics(node, options.metrics);
  if (name == "tls") return read_tls(node, options.access.tls);
  if (name == "access") return read_access(node, options.access.rules);
  if (name == "web") return read_web(node, options.web);
  if (name == "ports") return read_ports(node, options.ports);
  for (const char* const initial :
       {"buckets", "rules", "default_bucket_id", "protect_control_traffic", "control_protocols",
        "address_lists"}) {
    if (name == initial) return absl::OkStatus();
  }
  return toml_error(
      key.source(), std::string(name),
      "there is no such section; known are node, tls, access, clients, placement, memory, "
      "cluster, metrics, web, ports, buckets, rules, default_bucket_id, protect_control_traffic, "
      "control_protocols and address_lists");
}

// "rules[0].match" -> the deepest node on that way that the file has.
toml::source_position position_of(const toml::table& root, std::string_view field) {
  const toml::node* node = &root;
  std::size_t begin = 0;
  while (begin < field.size()) {
    const std::size_t end = std::min(field.find_first_of(".[", begin), field.size());
    const std::string_view step = field.substr(begin, end - begin);
    if (!step.empty()) {
      const toml::node* const child = node->is_table() ? node->as_table()->get(step) : nullptr;
      if (child == nullptr) break;
      node = child;
    }
    begin = end;
    if (begin < field.size() && field[begin] == '[') {
      const std::size_t close = field.find(']', begin);
      if (close == std::string_view::npos || !node->is_array()) break;
      const auto index = parse_integer(field.substr(begin + 1, close - begin - 1), 0, 1 << 30);
      const toml::node* const child =
          index ? node->as_array()->get(static_cast<std::size_t>(*index)) : nullptr;
      if (child == nullptr) break;
      node = child;
      begin = close + 1;
    }
    if (begin < field.size() && field[begin] == '.') ++begin;
  }
  return node->source().begin;
}

}  // namespace

std::optional<netdev::OnFailure> on_failure_named(std::string_view name) {
  if (name == "pass") return netdev::OnFailure::kPass;
  if (name == "drop") return netdev::OnFailure::kDrop;
  return std::nullopt;
}

std::optional<ControlProcess> control_process_named(std::string_view name) {
  if (name == "same") return ControlProcess::kSame;
  if (name == "separate") return ControlProcess::kSeparate;
  return std::nullopt;
}

std::optional<Idle> idle_named(std::string_view name) {
  if (name == "auto") return Idle::kAuto;
  if (name == "busy") return Idle::kBusy;
  if (name == "sleep") return Idle::kSleep;
  return std::nullopt;
}

std::optional<dpdk::Hugepages> hugepages_named(std::string_view name) {
  if (name == "if-any") return dpdk::Hugepages::kIfAny;
  if (name == "never") return dpdk::Hugepages::kNever;
  if (name == "always") return dpdk::Hugepages::kAlways;
  return std::nullopt;
}

absl::Status read_options(const std::string& path, Options& options) {
  const auto root = parse(path);
  if (!root.ok()) return root.status();
  for (const auto& [key, node] : *root) {
    if (auto status = read_section(key, node, options); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<control::NodeConfig> read_initial_config(const std::string& path) {
  const auto root = parse(path);
  if (!root.ok()) return root.status();
  control::NodeConfig config;
  auto status = fill_list(*root, "buckets", [&] { return &config.buckets.emplace_back(); });
  if (!status.ok()) return status;
  status = fill_list(*root, "rules", [&] { return config.rules.add_rules(); });
  if (!status.ok()) return status;
  config.has_rules = root->contains("rules");
  for (const char* const field :
       {"default_bucket_id", "protect_control_traffic", "control_protocols", "address_lists"}) {
    const toml::node* const node = root->get(field);
    if (node == nullptr) continue;
    if (status = fill_field(*node, field, config.rules); !status.ok()) return status;
    config.has_rules = true;
  }
  return config;
}

absl::StatusOr<std::vector<access::AccessRule>> read_access_rules(const std::string& path) {
  const auto root = parse(path);
  if (!root.ok()) return root.status();
  std::vector<access::AccessRule> rules;
  const toml::node* const node = root->get("access");
  if (node == nullptr) return rules;
  if (auto status = read_access(*node, rules); !status.ok()) return status;
  return rules;
}

absl::Status locate(const std::string& path, const absl::Status& status) {
  std::string message(status.message());
  const auto root = parse(path);
  if (!root.ok()) return absl::Status(status.code(), fmt::format("{}: {}", path, message));
  // The file has the rule set's fields at its top.
  if (message.starts_with(kRuleSetPath)) message.erase(0, kRuleSetPath.size());
  const auto at = position_of(*root, std::string_view(message).substr(0, message.find(": ")));
  return absl::Status(status.code(),
                      fmt::format("{}:{}:{}: {}", path, at.line, at.column, message));
}

}  // namespace drip::daemon
