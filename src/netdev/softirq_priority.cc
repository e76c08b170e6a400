// SPDX-License-Identifier: BSD-3-Clause
// Finds the threads in procfs; setpriority(2) does the rest.
#include "netdev/softirq_priority.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <system_error>

#include "fmt/format.h"

namespace drip::netdev {
namespace {

constexpr unsigned kKernelThread = 0x00200000;  // PF_KTHREAD of include/linux/sched.h.

// The name of a thread of the kernel; none for any other: a process may take any name.
std::optional<std::string> kernel_thread_name(const std::filesystem::path& directory) {
  std::ifstream file(directory / "stat");
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  // proc(5): pid (comm) state ppid pgrp session tty_nr tpgid flags ...
  const std::size_t begin = line.find('(');
  const std::size_t end = line.rfind(')');
  if (begin == std::string::npos || end == std::string::npos) return std::nullopt;
  std::istringstream fields(line.substr(end + 1));
  std::string skipped;
  for (int i = 0; i < 6; ++i) fields >> skipped;
  unsigned flags = 0;
  if (!(fields >> flags) || (flags & kKernelThread) == 0) return std::nullopt;
  return line.substr(begin + 1, end - begin - 1);
}

std::optional<pid_t> pid_of(const std::filesystem::path& directory) {
  const std::string name = directory.filename();
  pid_t pid = 0;
  const auto [rest, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
  if (error != std::errc() || rest != name.data() + name.size()) return std::nullopt;
  return pid;
}

}  // namespace

SoftirqPriority::SoftirqPriority(const std::vector<unsigned>& cpus, int nice,
                                 const std::string& proc) {
  if (cpus.empty()) return;
  std::error_code error;
  for (std::filesystem::directory_iterator each(proc, error), end; !error && each != end;
       each.increment(error)) {
    const auto pid = pid_of(each->path());
    const auto name = pid ? kernel_thread_name(each->path()) : std::nullopt;
    if (!name || std::ranges::none_of(cpus, [&](unsigned cpu) {
          return *name == fmt::format("ksoftirqd/{}", cpu);
        })) {
      continue;
    }
    errno = 0;
    const int before = getpriority(PRIO_PROCESS, static_cast<id_t>(*pid));
    if (errno != 0 || before == nice) continue;
    if (setpriority(PRIO_PROCESS, static_cast<id_t>(*pid), nice) == 0) {
      changed_.push_back({*pid, before});
    }
  }
}

SoftirqPriority::~SoftirqPriority() {
  for (const Changed& each : changed_) {
    (void)setpriority(PRIO_PROCESS, static_cast<id_t>(each.thread), each.nice_before);
  }
}

}  // namespace drip::netdev
