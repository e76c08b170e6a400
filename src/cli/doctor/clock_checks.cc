// SPDX-License-Identifier: BSD-3-Clause
// The time stamp counter. Intel SDM, volume 3, "Time-Stamp Counter"; Linux: Documentation/virt/kvm/
// x86/timekeeping.rst.
#include <sstream>

#include "cli/doctor/checks.h"

namespace drip::cli {
namespace {

bool has_word(const std::string& text, const std::string& word) {
  std::istringstream words(text);
  for (std::string each; words >> each;) {
    if (each == word) return true;
  }
  return false;
}

std::string cpu_flags(const Machine& machine) {
  std::istringstream lines(machine.read("proc/cpuinfo").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("flags")) return line;
  }
  return "";
}

}  // namespace

void check_clock(const Machine& machine, std::vector<Finding>& into) {
  const std::string flags = cpu_flags(machine);
  const bool constant = has_word(flags, "constant_tsc");
  const bool nonstop = has_word(flags, "nonstop_tsc");
  if (flags.empty()) {
    into.push_back({"TSC", Verdict::kUnknown, "/proc/cpuinfo has no flags", "", ""});
  } else if (constant && nonstop) {
    into.push_back({"TSC", Verdict::kGood, "constant and nonstop", "", ""});
  } else {
    into.push_back({"TSC", Verdict::kBad,
                    std::string(constant ? "" : "not constant") +
                        (constant || nonstop ? "" : ", ") + (nonstop ? "" : "not nonstop"),
                    "Drip reads the kernel's clock instead, which costs each packet. In a virtual "
                    "machine the host decides: an invariant TSC (QEMU: -cpu host,+invtsc)",
                    ""});
  }
  const std::string source = "sys/devices/system/clocksource/clocksource0/";
  const auto current = machine.read(source + "current_clocksource");
  const auto available = machine.read(source + "available_clocksource");
  if (!current) {
    into.push_back({"clock source", Verdict::kUnknown, "the kernel does not tell", "", ""});
  } else if (*current == "tsc") {
    into.push_back({"clock source", Verdict::kGood, "tsc", "", ""});
  } else {
    const bool can = available && has_word(*available, "tsc");
    into.push_back(
        {"clock source", Verdict::kWarn, *current,
         can ? "the kernel's own times are dearer, and not those of the TSC that Drip uses"
             : "the kernel has found the TSC unfit, or hides it; dripctl node show has the drift",
         can ? "echo tsc | sudo tee /" + source + "current_clocksource"
             : "sudo dmesg | grep -i -e tsc -e clocksource"});
  }
}

}  // namespace drip::cli
