// SPDX-License-Identifier: BSD-3-Clause
// NUMA nodes, hugepages, locked memory. Linux: Documentation/admin-guide/mm/hugetlbpage.rst; DPDK:
// "Getting Started Guide for Linux", System Requirements.
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <sstream>

#include "cli/doctor/checks.h"
#include "fmt/format.h"

namespace drip::cli {
namespace {

constexpr std::uint64_t kPageBytes = std::uint64_t{2} << 20;
constexpr const char* kPages = "/hugepages/hugepages-2048kB/";

// As docs/deploy.md reckons: buffers of 2048 B of data.
std::uint64_t pages_for(std::uint64_t mbufs) {
  const double bytes = static_cast<double>(mbufs) * (2048 + 384) * 1.1 + 64.0 * (1 << 20);
  return static_cast<std::uint64_t>(bytes / static_cast<double>(kPageBytes)) + 1;
}

std::vector<int> numa_nodes(const Machine& machine) {
  std::vector<int> nodes;
  for (const std::string& name : machine.list("sys/devices/system/node")) {
    if (name.size() > 4 && name.starts_with("node") &&
        std::isdigit(static_cast<unsigned char>(name[4])) != 0) {
      nodes.push_back(std::atoi(name.c_str() + 4));
    }
  }
  return nodes;
}

Cpus cpus_of(const Machine& machine, int node) {
  return machine.read_cpus(fmt::format("sys/devices/system/node/node{}/cpulist", node))
      .value_or(Cpus{});
}

// The line of /proc/PID/limits or /proc/PID/status that begins with `name`, behind it.
std::string field(const Machine& machine, const std::string& path, const std::string& name) {
  std::istringstream lines(machine.read(path).value_or(""));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name)) return line.substr(name.size());
  }
  return "";
}

bool may_lock_memory(const Machine& machine, const Subject& subject) {
  constexpr unsigned kIpcLock = 14;  // CAP_IPC_LOCK, capabilities(7)
  const std::string caps = field(machine, "proc/" + subject.pid + "/status", "CapEff:");
  return ((std::strtoull(caps.c_str(), nullptr, 16) >> kIpcLock) & 1) != 0;
}

}  // namespace

void check_numa(const Machine& machine, const Subject& subject, std::vector<Finding>& into) {
  const std::vector<int> nodes = numa_nodes(machine);
  if (nodes.empty()) {
    into.push_back({"NUMA", Verdict::kUnknown, "the kernel does not tell", "", ""});
    return;
  }
  if (nodes.size() == 1) {
    into.push_back({"NUMA", Verdict::kGood, "one node", "", ""});
    return;
  }
  bool good = true;
  for (const Subject::Port& port : subject.ports) {
    if (port.numa_node < 0) continue;
    const Cpus near = cpus_of(machine, port.numa_node);
    Cpus far;
    for (const int cpu : subject.polling) {
      if (!near.contains(cpu)) far.insert(cpu);
    }
    if (far.empty()) continue;
    good = false;
    into.push_back({"NUMA", Verdict::kWarn,
                    fmt::format("port {} is on node {}, polling CPUs {} are not", port.name,
                                port.numa_node, format_cpus(far)),
                    "each packet crosses the link between the nodes",
                    fmt::format("dripd --cpus with CPUs out of {}", format_cpus(near))});
  }
  for (const int node : nodes) {
    const Cpus here = cpus_of(machine, node);
    bool polls = false;
    for (const int cpu : subject.polling) polls = polls || here.contains(cpu);
    const std::string path =
        fmt::format("sys/devices/system/node/node{}{}nr_hugepages", node, kPages);
    if (!polls || machine.read_number(path).value_or(1) > 0) continue;
    good = false;
    into.push_back({"NUMA", Verdict::kWarn, fmt::format("node {} polls and has no hugepages", node),
                    "packets lie in the memory of another node",
                    fmt::format("echo {} | sudo tee /{}", pages_for(subject.mbufs), path)});
  }
  if (good) {
    into.push_back({"NUMA", Verdict::kGood, fmt::format("{} nodes", nodes.size()), "", ""});
  }
}

void check_hugepages(const Machine& machine, const Subject& subject, std::vector<Finding>& into) {
  const std::string path = std::string("sys/kernel/mm") + kPages;
  const auto free = machine.read_number(path + "free_hugepages");
  if (subject.running && subject.mbufs == 0) {
    into.push_back({"hugepages", Verdict::kGood, "none needed: no ports", "", ""});
    return;
  }
  if (subject.hugepages.value_or(false)) {
    into.push_back({"hugepages", Verdict::kGood, "in use", "", ""});
    return;
  }
  if (!free) {
    into.push_back({"hugepages", Verdict::kUnknown, "the kernel has none of 2 MiB", "", ""});
    return;
  }
  const std::uint64_t needed = pages_for(subject.mbufs);
  const std::string found = subject.running
                                ? fmt::format("dripd has none; {} of 2 MiB are free", *free)
                                : fmt::format("{} of 2 MiB are free, {} are needed", *free, needed);
  if (!subject.running && *free >= static_cast<long>(needed)) {
    into.push_back({"hugepages", Verdict::kGood, found, "", ""});
    return;
  }
  // Others may use those that there are.
  const long all = machine.read_number(path + "nr_hugepages").value_or(0);
  const long missing = std::max(0L, static_cast<long>(needed) - *free);
  into.push_back({"hugepages", Verdict::kWarn, found,
                  "packets lie in pages of 4 KiB, which costs throughput",
                  fmt::format("echo {} | sudo tee /{}nr_hugepages{}", all + missing, path,
                              subject.running ? "  # then restart dripd" : "")});
}

void check_locked_memory(const Machine& machine, const Subject& subject,
                         std::vector<Finding>& into) {
  const std::string limits = "proc/" + subject.pid + "/limits";
  std::istringstream words(field(machine, limits, "Max locked memory"));
  std::string soft;
  if (!(words >> soft)) {
    into.push_back({"locked memory", Verdict::kUnknown, "the limits cannot be read", "", ""});
  } else if (soft == "unlimited") {
    into.push_back({"locked memory", Verdict::kGood, "no limit", "", ""});
  } else if (may_lock_memory(machine, subject)) {
    into.push_back({"locked memory", Verdict::kGood,
                    fmt::format("limit of {} bytes, which CAP_IPC_LOCK lifts", soft), "", ""});
  } else {
    into.push_back({"locked memory", Verdict::kWarn, fmt::format("limit of {} bytes", soft),
                    "VFIO and AF_XDP lock the packet buffers, and are refused beyond it",
                    "sudo systemctl edit dripd  # [Service] LimitMEMLOCK=infinity; in a shell: "
                    "ulimit -l unlimited"});
  }
}

}  // namespace drip::cli
