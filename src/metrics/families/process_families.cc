// SPDX-License-Identifier: BSD-3-Clause
// Families of this process, from /proc/self (proc(5)).
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "metrics/families/groups.h"

namespace drip::metrics {
namespace {

constexpr FamilySpec kCpu{"process_cpu_seconds_total", kCounter, "seconds", "",
                          "CPU time of all threads; a polling thread takes all of its CPU."};
constexpr FamilySpec kStart{"process_start_time_seconds", kGauge, "seconds", "",
                            "Start of the process since the Unix epoch."};
constexpr FamilySpec kResident{"process_resident_memory_bytes", kGauge, "bytes", "",
                               "Resident memory; hugepages are not part of it."};
constexpr FamilySpec kVirtual{"process_virtual_memory_bytes", kGauge, "bytes", "",
                              "Virtual memory."};
constexpr FamilySpec kFds{"process_open_fds", kGauge, "descriptors", "", "Open file descriptors."};
constexpr FamilySpec kMaxFds{"process_max_fds", kGauge, "descriptors", "",
                             "Limit of open file descriptors."};
constexpr FamilySpec kThreads{"process_threads", kGauge, "threads", "", "Threads."};

// Seconds since the epoch at which the machine started; 0 if unknown.
double boot_time() {
  std::ifstream file("/proc/stat");
  for (std::string key; file >> key;) {
    double value = 0;
    if (key == "btime" && file >> value) return value;
    file.ignore(1 << 16, '\n');
  }
  return 0;
}

}  // namespace

void add_process(Families& families) {
  std::ifstream file("/proc/self/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::size_t name_end = text.rfind(')');
  if (name_end != std::string::npos) {
    // Fields 3 (state) and on; the name may have blanks.
    std::istringstream fields(text.substr(name_end + 1));
    const std::vector<std::string> field{std::istream_iterator<std::string>(fields), {}};
    const auto value = [&](std::size_t number_in_manual) {
      const std::size_t index = number_in_manual - 3;
      return index < field.size() ? std::stod(field[index]) : 0.0;
    };
    const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    add(families.begin(kCpu), (value(14) + value(15)) / ticks);
    if (const double boot = boot_time(); boot > 0) {
      add(families.begin(kStart), boot + value(22) / ticks);
    }
    add(families.begin(kResident), value(24) * static_cast<double>(sysconf(_SC_PAGESIZE)));
    add(families.begin(kVirtual), value(23));
    add(families.begin(kThreads), value(20));
  }
  std::error_code error;
  const std::filesystem::directory_iterator fds("/proc/self/fd", error);
  if (!error) {
    // Without the descriptor of the iterator itself.
    add(families.begin(kFds), number(std::distance(begin(fds), end(fds)) - 1));
  }
  if (rlimit limit{}; getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    add(families.begin(kMaxFds), number(limit.rlim_cur));
  }
}

std::span<const FamilySpec* const> process_specs() {
  static constexpr std::array kSpecs = {&kCpu, &kStart,  &kResident, &kVirtual,
                                        &kFds, &kMaxFds, &kThreads};
  return kSpecs;
}

}  // namespace drip::metrics
