// SPDX-License-Identifier: BSD-3-Clause
// The checks of `dripctl doctor`. Each adds what it has found, good or not.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/doctor/finding.h"
#include "cli/doctor/machine.h"

namespace drip::cli {

// The dripd that runs here, or that is to run.
struct Subject {
  struct Port {
    std::string name;
    std::string interface;       // Of the kernel; empty: a device of DPDK.
    int numa_node = -1;          // -1: not known.
    unsigned polled_queues = 0;  // Receive queues; 0: not known.
  };
  bool running = false;
  Cpus polling;  // CPUs of polling threads; empty: not known, or not pinned.
  std::vector<Port> ports;
  std::optional<bool> hugepages;  // Of a dripd that runs: whether it has them.
  std::uint64_t mbufs = 65'535;   // 0: a node without ports.
  std::string pid = "self";       // Whose limits count: its entry in /proc.
};

void check_isolation(const Machine& machine, const Subject& subject, std::vector<Finding>& into);
void check_siblings(const Machine& machine, const Subject& subject, std::vector<Finding>& into);
void check_governor(const Machine& machine, const Subject& subject, std::vector<Finding>& into);
void check_interrupts(const Machine& machine, const Subject& subject, std::vector<Finding>& into);
void check_cpu_quota(const Machine& machine, const Subject& subject, std::vector<Finding>& into);
void check_clock(const Machine& machine, std::vector<Finding>& into);
void check_numa(const Machine& machine, const Subject& subject, std::vector<Finding>& into);
void check_hugepages(const Machine& machine, const Subject& subject, std::vector<Finding>& into);
void check_locked_memory(const Machine& machine, const Subject& subject,
                         std::vector<Finding>& into);
void check_ports(const Machine& machine, const Subject& subject, std::vector<Finding>& into);

// All of them.
std::vector<Finding> examine(const Machine& machine, const Subject& subject);

}  // namespace drip::cli
