// SPDX-License-Identifier: BSD-3-Clause
// What else takes CPU time from polling threads: interrupts, and the quota of a control group.
// Linux: Documentation/core-api/irq/irq-affinity.rst, admin-guide/cgroup-v2.rst (cpu.max),
// scheduler/sched-bwc.rst (cpu.cfs_quota_us).
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <iterator>
#include <sstream>

#include "cli/doctor/checks.h"
#include "fmt/format.h"

namespace drip::cli {
namespace {

bool is_number(const std::string& text) {
  return !text.empty() &&
         std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c) != 0; });
}

bool meet(const Cpus& a, const Cpus& b) {
  return std::ranges::any_of(a, [&](int cpu) { return b.contains(cpu); });
}

struct Quota {
  double cpus = 0;
  std::string file;
};

// "max 100000" or "50000 100000" (microseconds).
std::optional<double> parse_cpu_max(const std::string& text) {
  std::istringstream words(text);
  std::string quota;
  double period = 0;
  if (!(words >> quota >> period) || quota == "max" || period <= 0) return std::nullopt;
  return std::strtod(quota.c_str(), nullptr) / period;
}

// The smallest quota of a group and those above it. Sets `known` if there was a file to read.
std::optional<Quota> smallest_quota(const Machine& machine, const std::string& groups,
                                    bool& known) {
  std::optional<Quota> smallest;
  const auto consider = [&](std::optional<double> cpus, const std::string& file) {
    if (cpus && (!smallest || *cpus < smallest->cpus)) smallest = Quota{*cpus, file};
  };
  std::istringstream lines(groups);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool unified = controllers.empty();
    if (!unified && ("," + controllers + ",").find(",cpu,") == std::string::npos) continue;
    const std::string base = unified ? "sys/fs/cgroup" : "sys/fs/cgroup/" + controllers;
    for (std::string path = line.substr(second + 1);; path.erase(path.rfind('/'))) {
      const std::string group = base + (path == "/" ? "" : path);
      if (unified) {
        if (const auto text = machine.read(group + "/cpu.max")) {
          known = true;
          consider(parse_cpu_max(*text), group + "/cpu.max");
        }
      } else if (const auto quota = machine.read_number(group + "/cpu.cfs_quota_us")) {
        known = true;
        const auto period = machine.read_number(group + "/cpu.cfs_period_us").value_or(100'000);
        if (*quota > 0 && period > 0) {
          consider(static_cast<double>(*quota) / static_cast<double>(period),
                   group + "/cpu.cfs_quota_us");
        }
      }
      if (path.empty() || path == "/" || path.rfind('/') == std::string::npos) break;
    }
    // The root of a version 2 hierarchy has no cpu.max: nothing is limited there.
    if (unified && machine.exists(base + "/cgroup.controllers")) known = true;
  }
  return smallest;
}

std::string command_against(const Quota& quota) {
  const bool unified = quota.file.ends_with("cpu.max");
  const std::string group = quota.file.substr(0, quota.file.rfind('/'));
  const std::string unit = group.substr(group.rfind('/') + 1);
  if (unified && (unit.ends_with(".service") || unit.ends_with(".slice"))) {
    return fmt::format("sudo systemctl set-property {} CPUQuota=", unit);
  }
  return fmt::format("echo {} | sudo tee /{}", unified ? "max" : "-1", quota.file);
}

}  // namespace

void check_interrupts(const Machine& machine, const Subject& subject, std::vector<Finding>& into) {
  std::vector<std::string> irqs;
  std::string files;
  bool known = false;
  for (const std::string& irq : machine.list("proc/irq")) {
    if (!is_number(irq)) continue;
    auto cpus = machine.read_cpus("proc/irq/" + irq + "/effective_affinity_list");
    // An interrupt that nobody has requested has an empty list.
    if (!cpus) cpus = machine.read_cpus("proc/irq/" + irq + "/smp_affinity_list");
    if (!cpus) continue;
    known = true;
    if (!meet(*cpus, subject.polling)) continue;
    irqs.push_back(irq);
    files += " /proc/irq/" + irq + "/smp_affinity_list";
  }
  if (!known) {
    into.push_back({"interrupts", Verdict::kUnknown, "/proc/irq does not tell", "", ""});
    return;
  }
  if (irqs.empty()) {
    into.push_back({"interrupts", Verdict::kGood, "none go to polling CPUs", "", ""});
    return;
  }
  Cpus others;
  std::ranges::set_difference(machine.online(), subject.polling,
                              std::inserter(others, others.end()));
  into.push_back(
      {"interrupts", Verdict::kWarn,
       fmt::format("{} go to polling CPUs: {}", irqs.size(), fmt::join(irqs, ", ")),
       "each stops a polling thread for microseconds; those of managed queues cannot be moved",
       others.empty() ? "" : fmt::format("echo {} | sudo tee{}", format_cpus(others), files)});
}

void check_cpu_quota(const Machine& machine, const Subject& subject, std::vector<Finding>& into) {
  bool known = false;
  std::optional<Quota> quota;
  if (const auto groups = machine.read("proc/" + subject.pid + "/cgroup")) {
    quota = smallest_quota(machine, *groups, known);
  }
  if (!known && !quota) {
    into.push_back({"CPU quota", Verdict::kUnknown, "the control group cannot be read", "", ""});
    return;
  }
  if (!quota) {
    into.push_back({"CPU quota", Verdict::kGood, "none", "", ""});
    return;
  }
  const auto needed = std::max<double>(1, static_cast<double>(subject.polling.size()));
  const std::string found = fmt::format("{:g} CPUs (/{})", quota->cpus, quota->file);
  if (quota->cpus > needed) {
    into.push_back({"CPU quota", Verdict::kWarn, found,
                    "the control plane may use it up, and then polling threads stand still",
                    command_against(*quota)});
  } else {
    into.push_back({"CPU quota", Verdict::kBad, found,
                    fmt::format("{:g} polling threads take a CPU each, and all of them are "
                                "stopped for the rest of each period",
                                needed),
                    command_against(*quota)});
  }
}

}  // namespace drip::cli
