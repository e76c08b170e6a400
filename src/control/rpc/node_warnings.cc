// SPDX-License-Identifier: BSD-3-Clause
#include "control/rpc/node_warnings.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace drip::control {
namespace {

// The clocks part once when a machine is moved; an hour later nobody needs to be told any more.
constexpr Duration kClockWarningSpan{3'600'000'000'000};

void add_clock_warnings(const Engine& engine, std::vector<std::string>& warnings) {
  const ClockStats clock = engine.clock();
  const Duration age = engine.now() - clock.last_parting;
  if (clock.jumps + clock.rate_changes == 0 || age.ns > kClockWarningSpan.ns) return;
  std::string what;
  if (clock.jumps > 0) {
    what +=
        fmt::format("{} jump{} (the last by {:+.3f} s)", clock.jumps, clock.jumps == 1 ? "" : "s",
                    static_cast<double>(clock.last_jump.ns) * 1e-9);
  }
  if (clock.rate_changes > 0) {
    what += fmt::format("{}{} change{} of rate (the last by {:+.0f} ppm)", what.empty() ? "" : ", ",
                        clock.rate_changes, clock.rate_changes == 1 ? "" : "s",
                        clock.last_rate_change_ppm);
  }
  warnings.push_back(
      fmt::format("the TSC and CLOCK_MONOTONIC_RAW have parted, last {} s ago: {}; a virtual "
                  "machine was paused "
                  "or moved, or its TSC cannot be trusted",
                  age.ns / 1'000'000'000, what));
}

// Those that stand now; at the start most were told already.
void add_port_warnings(const Engine& engine, std::vector<std::string>& warnings) {
  for (const PortStats& port : engine.ports()) {
    for (const std::string& warning : port.warnings) {
      std::string text = fmt::format("port {}: {}", port.name, warning);
      if (std::ranges::find(warnings, text) == warnings.end()) warnings.push_back(std::move(text));
    }
  }
}

}  // namespace

std::vector<std::string> node_warnings(const ServicesContext& context) {
  std::vector<std::string> warnings = context.facts.warnings;
  add_port_warnings(context.engine, warnings);
  add_clock_warnings(context.engine, warnings);
  const auto add = [&](const std::vector<std::string>& more) {
    warnings.insert(warnings.end(), more.begin(), more.end());
  };
  add(context.access.warnings());
  if (context.tls != nullptr) add(context.tls->warnings());
  add(context.audit.warnings());
  if (context.state != nullptr) add(context.state->warnings());
  return warnings;
}

}  // namespace drip::control
