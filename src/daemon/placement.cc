// SPDX-License-Identifier: BSD-3-Clause
// CPUs by affinity mask and libnuma.
#include "daemon/placement.h"

#include <numa.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "fmt/format.h"

namespace drip::daemon {
namespace {

std::vector<int> usable_cpus() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) return {0};
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<unsigned>(cpu), &mask)) cpus.push_back(cpu);
  }
  return cpus;
}

int numa_node_of_cpu_or_none(int cpu) {
  return cpu >= 0 && numa_available() >= 0 ? numa_node_of_cpu(cpu) : -1;
}

// The kernel knows it before DPDK opens the device; -1 for a virtual device.
int numa_node_of_device(const std::string& device) {
  std::ifstream file("/sys/bus/pci/devices/" + device.substr(0, device.find(',')) + "/numa_node");
  int node = -1;
  file >> node;
  return node;
}

std::vector<datapath::LcorePlan> configured_lcores(const PlacementOptions& options, bool sleeps) {
  using Role = LcoreStats::Role;
  std::vector<datapath::LcorePlan> lcores;
  const auto add = [&](const std::vector<int>& cpus, Role role) {
    for (const int cpu : cpus) {
      lcores.push_back(
          {role, cpu, numa_node_of_cpu_or_none(cpu), sleeps, options.realtime_priority});
    }
  };
  add(options.fused_cpus, Role::kFused);
  add(options.worker_cpus, Role::kWorker);
  add(options.transmitter_cpus, Role::kTransmitter);
  return lcores;
}

datapath::LcorePlan default_lcore(const Options& options, const std::vector<int>& usable,
                                  bool sleeps) {
  datapath::LcorePlan plan;
  plan.sleeps_when_idle = sleeps;
  plan.realtime_priority = options.placement.realtime_priority;
  if (options.ports.empty() || usable.size() < 2) return plan;
  const int wanted = numa_node_of_device(options.ports.front().device);
  plan.cpu = usable.back();
  for (const int cpu : usable) {
    if (wanted >= 0 && numa_node_of_cpu_or_none(cpu) == wanted) plan.cpu = cpu;
  }
  plan.numa_node = numa_node_of_cpu_or_none(plan.cpu);
  return plan;
}

}  // namespace

absl::StatusOr<Placement> plan_placement(const Options& options) {
  const std::vector<int> usable = usable_cpus();
  const bool sleeps = options.placement.idle == Idle::kSleep ||
                      (options.placement.idle == Idle::kAuto && options.ports.empty());
  Placement placement;
  placement.lcores = configured_lcores(options.placement, sleeps);
  if (placement.lcores.empty()) {
    placement.lcores.push_back(default_lcore(options, usable, sleeps));
  }

  std::set<int> polling;
  for (const datapath::LcorePlan& plan : placement.lcores) {
    if (plan.cpu < 0) continue;
    if (std::find(usable.begin(), usable.end(), plan.cpu) == usable.end()) {
      return absl::InvalidArgumentError(
          fmt::format("placement: CPU {} is not one that this process may use: {}", plan.cpu,
                      fmt::join(usable, ", ")));
    }
    polling.insert(plan.cpu);
  }
  for (const int cpu : usable) {
    if (!polling.contains(cpu)) placement.control_cpus.push_back(static_cast<unsigned>(cpu));
  }
  if (placement.control_cpus.empty()) {
    for (const int cpu : usable) placement.control_cpus.push_back(static_cast<unsigned>(cpu));
    placement.warnings.emplace_back(
        "every CPU polls: the control plane shares a CPU with a polling thread and delays it at "
        "times");
  }
  if (!options.ports.empty()) {
    const int wanted = numa_node_of_device(options.ports.front().device);
    for (const datapath::LcorePlan& plan : placement.lcores) {
      if (wanted >= 0 && plan.numa_node >= 0 && plan.numa_node != wanted) {
        placement.warnings.push_back(fmt::format("CPU {} is on NUMA node {}, port {} on {}",
                                                 plan.cpu, plan.numa_node,
                                                 options.ports.front().name, wanted));
      }
    }
  }
  return placement;
}

void set_affinity(const std::vector<unsigned>& cpus) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  for (const unsigned cpu : cpus) CPU_SET(cpu, &mask);
  (void)pthread_setaffinity_np(pthread_self(), sizeof mask, &mask);
}

}  // namespace drip::daemon
