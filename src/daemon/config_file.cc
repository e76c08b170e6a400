// SPDX-License-Identifier: BSD-3-Clause
// Reads the TOML file and finds places in it.
#include "daemon/config_file.h"

#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <system_error>

#include "base/quantity.h"
#include "daemon/toml_message.h"
#include "fmt/format.h"

namespace drip::daemon {
namespace {

// How control names the rule set in its refusals.
constexpr std::string_view kRuleSetPath = "rules.";

absl::Status refusal(const std::string& path, const TomlFault& fault) {
  if (!fault.at) {  // About the file, not about a place in it.
    return absl::InvalidArgumentError(fmt::format("{}: {}: {}", path, fault.field, fault.reason));
  }
  return absl::InvalidArgumentError(fmt::format("{}:{}:{}: {}: {}", path, fault.at.line,
                                                fault.at.column, fault.field, fault.reason));
}

toml::table parse(const std::string& path) {
  // toml++ does not tell why.
  if (access(path.c_str(), R_OK) != 0) {
    throw TomlFault{"cannot be read", std::generic_category().message(errno), {}};
  }
  try {
    return toml::parse_file(path);
  } catch (const toml::parse_error& error) {
    throw TomlFault{"TOML", std::string(error.description()), error.source().begin};
  }
}

// Reads keys of one table by name, and then refuses those that nobody asked for.
class Section {
 public:
  Section(const toml::node& node, std::string path) : path_(std::move(path)) {
    if (!node.is_table()) throw TomlFault{path_, "a table is needed", node.source().begin};
    table_ = node.as_table();
  }

  template <class Read>
  void with(const char* key, Read read) {
    known_.insert(key);
    const toml::node* const node = table_->get(key);
    if (node == nullptr) return;
    try {
      read(*node);
    } catch (const Wrong& wrong) {
      throw TomlFault{path_ + key, wrong.reason, wrong.at};
    } catch (const std::string& reason) {
      throw TomlFault{path_ + key, reason, node->source().begin};
    }
  }
  void text(const char* key, std::string& value) {
    with(key, [&](const toml::node& node) { value = text_of(node); });
  }
  template <class T>
  void whole(const char* key, T& value, std::int64_t least, std::int64_t most) {
    with(key, [&](const toml::node& node) { value = static_cast<T>(whole_of(node, least, most)); });
  }
  void cpus(const char* key, std::vector<int>& value) {
    with(key, [&](const toml::node& node) {
      if (!node.is_array()) throw std::string("a list of CPU numbers is needed");
      value.clear();
      for (const toml::node& cpu : *node.as_array()) {
        value.push_back(static_cast<int>(whole_of(cpu, 0, 4095)));
      }
    });
  }
  void texts(const char* key, std::vector<std::string>& value) {
    with(key, [&](const toml::node& node) {
      if (!node.is_array()) throw std::string("a list of texts is needed");
      value.clear();
      for (const toml::node& one : *node.as_array()) value.push_back(text_of(one));
    });
  }
  void finish() const {
    for (const auto& [key, node] : *table_) {
      if (!known_.contains(std::string(key.str()))) {
        throw TomlFault{
            path_ + std::string(key.str()),
            fmt::format("there is no such field; known are {}", fmt::join(known_, ", ")),
            key.source().begin};
      }
    }
  }

  static std::string text_of(const toml::node& node) {
    if (!node.is_string()) throw Wrong{"text in quotes is needed", node.source().begin};
    return *node.value<std::string>();
  }
  static std::int64_t whole_of(const toml::node& node, std::int64_t least, std::int64_t most) {
    const auto value = node.is_integer() ? node.value<std::int64_t>() : std::nullopt;
    if (!value || *value < least || *value > most) {
      throw Wrong{fmt::format("a whole number from {} to {} is needed", least, most),
                  node.source().begin};
    }
    return *value;
  }

 private:
  // About a node that may be one of a list.
  struct Wrong {
    std::string reason;
    toml::source_position at;
  };

  const toml::table* table_ = nullptr;
  std::string path_;
  std::set<std::string> known_;
};

template <class T>
T one_of(std::optional<T> value, const char* names) {
  if (!value) throw fmt::format("one of {} is needed", names);
  return *value;
}

std::optional<std::string> log_level_named(const std::string& name) {
  if (name == "debug" || name == "info" || name == "warn" || name == "error") return name;
  return std::nullopt;
}

void read_node(const toml::node& node, Options& options) {
  Section section(node, "node.");
  section.text("id", options.node_id);
  section.text("advertise", options.advertise);
  section.texts("listen", options.listen);
  section.with("log_level", [&](const toml::node& value) {
    options.log_level =
        one_of(log_level_named(Section::text_of(value)), "debug, info, warn, error");
  });
  section.texts("eal", options.eal_arguments);
  section.with("drain", [&](const toml::node& value) {
    const auto bound = parse_duration(Section::text_of(value));
    if (!bound) throw bound.error();
    options.drain_bound = Duration{bound->count()};
  });
  section.finish();
}

void read_duration(Section& section, const char* key, Duration& value) {
  section.with(key, [&](const toml::node& node) {
    const auto span = parse_duration(Section::text_of(node));
    if (!span) throw span.error();
    value = Duration{span->count()};
  });
}

void read_cluster(const toml::node& node, ClusterOptions& cluster) {
  Section section(node, "cluster.");
  section.text("url", cluster.url);
  section.text("name", cluster.name);
  section.text("ca", cluster.ca_file);
  section.text("cert", cluster.cert_file);
  section.text("key", cluster.key_file);
  section.text("password_file", cluster.password_file);
  read_duration(section, "heartbeat", cluster.heartbeat);
  read_duration(section, "lease", cluster.lease);
  section.finish();
}

void read_placement(const toml::node& node, PlacementOptions& placement) {
  Section section(node, "placement.");
  section.cpus("cpus", placement.fused_cpus);
  section.cpus("worker_cpus", placement.worker_cpus);
  section.cpus("transmitter_cpus", placement.transmitter_cpus);
  section.whole("realtime_priority", placement.realtime_priority, 0, 99);
  section.with("idle", [&](const toml::node& value) {
    placement.idle = one_of(idle_named(Section::text_of(value)), "auto, busy, sleep");
  });
  section.finish();
}

void read_memory(const toml::node& node, MemoryOptions& memory) {
  Section section(node, "memory.");
  section.whole("mbufs", memory.packets.mbufs, 1024, 1 << 26);
  section.with("mbuf_data", [&](const toml::node& value) {
    memory.mbuf_data = static_cast<std::uint32_t>(Section::whole_of(value, 256, 16384));
  });
  section.whole("rx_descriptors", memory.packets.rx_descriptors, 32, 32768);
  section.whole("tx_descriptors", memory.packets.tx_descriptors, 32, 32768);
  section.whole("max_buckets", memory.max_buckets, 1, 1 << 24);
  section.whole("max_requests", memory.max_requests, 1, 1 << 26);
  section.with("ring_memory", [&](const toml::node& value) {
    const auto bytes = parse_bytes(Section::text_of(value));
    if (!bytes) throw bytes.error();
    memory.ring_memory_bytes = *bytes;
  });
  section.with("hugepages", [&](const toml::node& value) {
    memory.hugepages = one_of(hugepages_named(Section::text_of(value)), "if-any, never, always");
  });
  section.with("overcommit", [&](const toml::node& value) {
    const auto factor = value.value<double>();
    if (!factor || !(*factor >= 1 && *factor <= 1e6)) {
      throw std::string("a number from 1 to 1e6 is needed");
    }
    memory.overcommit = *factor;
  });
  section.finish();
}

// Here and not only where ports are opened, because here their places are known.
void check_names(const toml::array& places, const std::vector<dpdk::PortSpec>& ports) {
  const auto named = [&](const std::string& name) {
    return std::find_if(ports.begin(), ports.end(),
                        [&](const dpdk::PortSpec& port) { return port.name == name; });
  };
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const auto refuse = [&](const char* key, const std::string& reason) {
      const toml::node& value = *places.get_as<toml::table>(i)->get(key);
      throw TomlFault{fmt::format("ports[{}].{}", i, key), reason, value.source().begin};
    };
    if (&*named(ports[i].name) != &ports[i]) {
      refuse("name", fmt::format("'{}' is another port's name", ports[i].name));
    }
    if (named(ports[i].peer) == ports.end()) {
      refuse("peer", fmt::format("there is no port '{}'", ports[i].peer));
    }
  }
}

void read_ports(const toml::node& node, std::vector<dpdk::PortSpec>& ports) {
  if (!node.is_array()) throw TomlFault{"ports", "a list is needed", node.source().begin};
  ports.clear();
  for (const toml::node& one : *node.as_array()) {
    Section section(one, fmt::format("ports[{}].", ports.size()));
    dpdk::PortSpec port;
    section.text("name", port.name);
    section.text("device", port.device);
    section.text("peer", port.peer);
    section.whole("mtu", port.mtu, dpdk::kLeastMtu, dpdk::kMostMtu);
    section.finish();
    if (port.name.empty() || port.device.empty() || port.peer.empty()) {
      throw TomlFault{fmt::format("ports[{}]", ports.size()),
                      "name, device and peer (itself for a hairpin) are needed",
                      one.source().begin};
    }
    ports.push_back(std::move(port));
  }
  check_names(*node.as_array(), ports);
}

// [[buckets]] and [[rules]]: a message each.
template <class Add>
void fill_list(const toml::table& root, const char* key, Add add) {
  const toml::node* const list = root.get(key);
  if (list == nullptr) return;
  if (!list->is_array()) throw TomlFault{key, "a list is needed", list->source().begin};
  std::size_t index = 0;
  for (const toml::node& one : *list->as_array()) {
    const std::string field = fmt::format("{}[{}]", key, index++);
    if (!one.is_table()) throw TomlFault{field, "a table is needed", one.source().begin};
    fill_message(*one.as_table(), field + ".", *add());
  }
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
  try {
    const toml::table root = parse(path);
    for (const auto& [key, node] : root) {
      const std::string_view name = key.str();
      if (name == "node") {
        read_node(node, options);
      } else if (name == "placement") {
        read_placement(node, options.placement);
      } else if (name == "memory") {
        read_memory(node, options.memory);
      } else if (name == "cluster") {
        read_cluster(node, options.cluster);
      } else if (name == "ports") {
        read_ports(node, options.ports);
      } else if (name != "buckets" && name != "rules" && name != "default_bucket_id" &&
                 name != "protect_control_traffic") {
        throw TomlFault{
            std::string(name),
            "there is no such section; known are node, placement, memory, cluster, ports, "
            "buckets, rules, default_bucket_id and protect_control_traffic",
            key.source().begin};
      }
    }
    return absl::OkStatus();
  } catch (const TomlFault& fault) {
    return refusal(path, fault);
  }
}

absl::StatusOr<control::NodeConfig> read_initial_config(const std::string& path) {
  try {
    const toml::table root = parse(path);
    control::NodeConfig config;
    fill_list(root, "buckets", [&] { return &config.buckets.emplace_back(); });
    fill_list(root, "rules", [&] { return config.rules.add_rules(); });
    config.has_rules = root.contains("rules");
    for (const char* const field : {"default_bucket_id", "protect_control_traffic"}) {
      const toml::node* const node = root.get(field);
      if (node == nullptr) continue;
      fill_field(*node, field, config.rules);
      config.has_rules = true;
    }
    return config;
  } catch (const TomlFault& fault) {
    return refusal(path, fault);
  }
}

absl::Status locate(const std::string& path, const absl::Status& status) {
  try {
    const toml::table root = parse(path);
    std::string message(status.message());
    // The file has the rule set's fields at its top.
    if (message.starts_with(kRuleSetPath)) message.erase(0, kRuleSetPath.size());
    const auto at = position_of(root, std::string_view(message).substr(0, message.find(": ")));
    return absl::Status(status.code(),
                        fmt::format("{}:{}:{}: {}", path, at.line, at.column, message));
  } catch (const TomlFault&) {
    return absl::Status(status.code(), fmt::format("{}: {}", path, std::string(status.message())));
  }
}

}  // namespace drip::daemon
