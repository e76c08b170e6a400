// SPDX-License-Identifier: BSD-3-Clause
// CPUs of polling threads: isolation, siblings, frequency. Linux: Documentation/admin-guide/
// kernel-parameters.txt and cpu-isolation.rst; Documentation/ABI/testing/sysfs-devices-system-cpu.
#include <algorithm>
#include <iterator>
#include <sstream>

#include "cli/doctor/checks.h"
#include "fmt/format.h"

namespace drip::cli {
namespace {

Cpus without(const Cpus& all, const Cpus& some) {
  Cpus rest;
  std::ranges::set_difference(all, some, std::inserter(rest, rest.end()));
  return rest;
}

// The value of `NAME=` on the kernel's command line; empty if it is not there.
std::string boot_parameter(const Machine& machine, const std::string& name) {
  std::istringstream words(machine.read("proc/cmdline").value_or(""));
  for (std::string word; words >> word;) {
    if (word.starts_with(name + "=")) return word.substr(name.size() + 1);
  }
  return "";
}

std::string boot_command(const Cpus& polling) {
  const std::string cpus = format_cpus(polling);
  return fmt::format(
      "sudo sed -i 's/^GRUB_CMDLINE_LINUX=\"/&isolcpus={0} nohz_full={0} rcu_nocbs={0} /' "
      "/etc/default/grub && sudo update-grub && sudo reboot",
      cpus);
}

void add_isolation(const std::string& check, const std::optional<Cpus>& isolated,
                   const Subject& subject, const std::string& why, std::vector<Finding>& into) {
  if (!isolated) {
    into.push_back({check, Verdict::kUnknown, "the kernel does not tell", "", ""});
    return;
  }
  const Cpus missing = without(subject.polling, *isolated);
  const std::string found = isolated->empty() ? "no CPUs" : "CPUs " + format_cpus(*isolated);
  if (missing.empty()) {
    into.push_back({check, Verdict::kGood, found, "", ""});
  } else {
    into.push_back(
        {check, Verdict::kWarn,
         fmt::format("{}; polling CPUs {} are not among them", found, format_cpus(missing)), why,
         boot_command(subject.polling)});
  }
}

}  // namespace

void check_isolation(const Machine& machine, const Subject& subject, std::vector<Finding>& into) {
  const std::string cpu = "sys/devices/system/cpu/";
  add_isolation("isolcpus", machine.read_cpus(cpu + "isolated"), subject,
                "the scheduler puts other programs on the CPU of a polling thread", into);
  const auto tickless = machine.read_cpus(cpu + "nohz_full");
  add_isolation("nohz_full", tickless, subject,
                "the timer interrupts a polling thread 100 to 1000 times a second", into);
  std::optional<Cpus> callbacks;
  if (machine.exists("proc/cmdline")) {
    const std::string listed = boot_parameter(machine, "rcu_nocbs");
    callbacks = listed == "all" ? machine.online() : parse_cpus(listed);
    // nohz_full offloads the callbacks of its CPUs as well.
    if (tickless) callbacks->insert(tickless->begin(), tickless->end());
  }
  add_isolation("rcu_nocbs", callbacks, subject, "RCU callbacks run on the CPU of a polling thread",
                into);
}

void check_siblings(const Machine& machine, const Subject& subject, std::vector<Finding>& into) {
  const Cpus online = machine.online();
  Cpus others;  // Siblings on which other programs run.
  Cpus shared;  // Polling CPUs of one core.
  bool known = false;
  for (const int cpu : subject.polling) {
    const auto siblings = machine.read_cpus(
        fmt::format("sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", cpu));
    if (!siblings) continue;
    known = true;
    for (const int sibling : *siblings) {
      if (sibling == cpu || !online.contains(sibling)) continue;
      (subject.polling.contains(sibling) ? shared : others).insert(sibling);
    }
  }
  if (!known) {
    into.push_back({"SMT siblings", Verdict::kUnknown, "the kernel does not tell", "", ""});
    return;
  }
  if (others.empty() && shared.empty()) {
    into.push_back({"SMT siblings", Verdict::kGood, "none in use", "", ""});
  }
  if (!others.empty()) {
    std::string files;
    for (const int cpu : others) files += fmt::format(" /sys/devices/system/cpu/cpu{}/online", cpu);
    into.push_back({"SMT siblings", Verdict::kWarn,
                    fmt::format("CPUs {} share a core with a polling thread", format_cpus(others)),
                    "what runs there takes up to half of the core from it",
                    "echo 0 | sudo tee" + files});
  }
  if (!shared.empty()) {
    into.push_back({"SMT siblings", Verdict::kWarn,
                    fmt::format("polling CPUs {} share cores", format_cpus(shared)),
                    "two polling threads on one core are little faster than one",
                    "lscpu --extended=CPU,CORE  # then dripd --cpus with one CPU of each core"});
  }
}

void check_governor(const Machine& machine, const Subject& subject, std::vector<Finding>& into) {
  Cpus slow;
  std::string files;
  std::set<std::string> governors;
  for (const int cpu : subject.polling) {
    const std::string path =
        fmt::format("sys/devices/system/cpu/cpu{}/cpufreq/scaling_governor", cpu);
    const auto governor = machine.read(path);
    if (!governor) continue;
    governors.insert(*governor);
    if (*governor == "performance") continue;
    slow.insert(cpu);
    files += " /" + path;
  }
  if (governors.empty()) {
    into.push_back({"frequency governor", Verdict::kUnknown,
                    "no cpufreq: the firmware or the hypervisor decides", "", ""});
  } else if (slow.empty()) {
    into.push_back({"frequency governor", Verdict::kGood, "performance", "", ""});
  } else {
    into.push_back({"frequency governor", Verdict::kWarn,
                    fmt::format("{} on CPUs {}", fmt::join(governors, ", "), format_cpus(slow)),
                    "the core is slow when a burst comes", "echo performance | sudo tee" + files});
  }
}

std::vector<Finding> examine(const Machine& machine, const Subject& subject) {
  std::vector<Finding> found;
  if (subject.polling.empty()) {
    const char* const why = "nothing can be said of isolation, siblings, frequency, interrupts";
    found.push_back({"polling CPUs", Verdict::kUnknown,
                     subject.running ? "polling threads are not pinned" : "no dripd answers", why,
                     "dripctl doctor --cpus 2,3  # the CPUs that dripd has, or is to have"});
  } else {
    found.push_back({"polling CPUs", Verdict::kGood, format_cpus(subject.polling), "", ""});
    check_isolation(machine, subject, found);
    check_siblings(machine, subject, found);
    check_governor(machine, subject, found);
    check_interrupts(machine, subject, found);
  }
  check_cpu_quota(machine, subject, found);
  check_clock(machine, found);
  check_numa(machine, subject, found);
  check_hugepages(machine, subject, found);
  check_locked_memory(machine, subject, found);
  check_ports(machine, subject, found);
  return found;
}

}  // namespace drip::cli
