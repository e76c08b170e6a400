// SPDX-License-Identifier: BSD-3-Clause
// Starts the engine: with DPDK ports, or without ports.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/options.h"
#include "daemon/placement.h"
#include "engine/engine.h"

namespace drip::daemon {

/// Owns an engine and what it uses: clock, ports, EAL. The destructor stops them in reverse order.
class RunningEngine {
 public:
  virtual ~RunningEngine() = default;
  [[nodiscard]] virtual Engine& engine() = 0;
  /// What the machine lacks for full performance; for the log and GetNode.
  [[nodiscard]] virtual std::vector<std::string> warnings() const = 0;
  /// "22.11.3"; empty if DPDK is not used.
  [[nodiscard]] virtual std::string dpdk_version() const = 0;
};

/// Without EAL and ports, so that neither privileges nor hugepages are needed.
absl::StatusOr<std::unique_ptr<RunningEngine>> start_portless(const Options& options,
                                                              const Placement& placement);
absl::StatusOr<std::unique_ptr<RunningEngine>> start_with_ports(const Options& options,
                                                                const Placement& placement);

}  // namespace drip::daemon
