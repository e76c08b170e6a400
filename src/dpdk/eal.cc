// SPDX-License-Identifier: BSD-3-Clause
// Starts EAL with little: no configuration files, no multi-process mode, no polling lcores.
#include "dpdk/eal.h"

#include <linux/mman.h>
#include <pthread.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_version.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "dpdk/eal_log.h"
#include "fmt/format.h"

namespace drip::dpdk {
namespace {

constexpr std::uint64_t kHugepageBytes = 2U << 20;

std::string cpu_list(const std::vector<unsigned>& cpus) {
  return fmt::format("{}", fmt::join(cpus, ","));
}

std::uint64_t read_hugepages(const char* name) {
  std::ifstream file(std::string("/sys/kernel/mm/hugepages/hugepages-2048kB/") + name);
  std::uint64_t pages = 0;
  file >> pages;
  return pages;
}

// Whether the kernel gives so much now: it refuses what others have reserved, and what a control
// group may not have. EAL cannot be started a second time if it fails.
bool can_map_hugepages(std::uint64_t bytes) {
  const std::uint64_t rounded = (bytes + kHugepageBytes - 1) / kHugepageBytes * kHugepageBytes;
  void* const memory = mmap(nullptr, rounded, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB, -1, 0);
  if (memory == MAP_FAILED) return false;
  munmap(memory, rounded);
  return true;
}

}  // namespace

// A page that a process has mapped and not touched yet is still free, but reserved for it.
std::uint64_t free_hugepage_bytes() {
  const std::uint64_t free = read_hugepages("free_hugepages");
  return (free - std::min(free, read_hugepages("resv_hugepages"))) * kHugepageBytes;
}

absl::StatusOr<Eal> Eal::start(const EalOptions& options) {
  const bool enough_hugepages = options.hugepages != Hugepages::kNever &&
                                free_hugepage_bytes() >= options.memory_bytes &&
                                can_map_hugepages(options.memory_bytes);
  if (options.hugepages == Hugepages::kAlways && !enough_hugepages) {
    return absl::FailedPreconditionError(fmt::format(
        "hugepages: {} MiB are needed and {} MiB are free; write {} to /proc/sys/vm/nr_hugepages, "
        "or do without",
        options.memory_bytes >> 20, free_hugepage_bytes() >> 20,
        (options.memory_bytes + kHugepageBytes - 1) / kHugepageBytes));
  }
  const bool hugepages = enough_hugepages;

  const std::uint64_t bytes = hugepages ? options.memory_bytes : options.small_page_bytes;

  // One EAL lcore, on the control CPUs. The polling threads are Drip's and register themselves.
  std::vector<std::string> arguments = {
      "drip", fmt::format("--lcores=0@({})", cpu_list(options.control_cpus)),
      fmt::format("--file-prefix=drip-{}", getpid()),
      options.telemetry ? "--telemetry" : "--no-telemetry",
      fmt::format("-m{}", (bytes + (1U << 20) - 1) >> 20)};
  if (hugepages) {
    arguments.insert(arguments.end(), {"--in-memory", "--single-file-segments"});
  } else {
    // DPDK 22.11 rejects --in-memory with --no-huge.
    arguments.insert(arguments.end(), {"--no-huge", "--no-shconf"});
  }
  if (options.pci_devices.empty()) arguments.emplace_back("--no-pci");
  for (const std::string& device : options.pci_devices) {
    arguments.push_back(fmt::format("--allow={}", device));
  }
  arguments.insert(arguments.end(), options.extra.begin(), options.extra.end());

  log_dpdk_lines();
  std::vector<char*> argv;
  argv.reserve(arguments.size());
  for (std::string& argument : arguments) argv.push_back(argument.data());
  if (rte_eal_init(static_cast<int>(argv.size()), argv.data()) < 0) {
    return absl::FailedPreconditionError(fmt::format("DPDK did not start: {} (arguments: {})",
                                                     rte_strerror(rte_errno),
                                                     fmt::join(arguments, " ")));
  }
  return Eal(hugepages);
}

Eal::~Eal() {
  if (started_) rte_eal_cleanup();
}

std::string Eal::version() { return rte_version(); }

}  // namespace drip::dpdk
