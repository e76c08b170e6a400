// SPDX-License-Identifier: BSD-3-Clause
// The engine that fits the options: with DPDK ports, or embedded without any.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/options.h"
#include "daemon/placement.h"
#include "engine/engine.h"

namespace drip::daemon {

/// An engine with everything below it (clock, ports, EAL), torn down in reverse order.
class RunningEngine {
 public:
  virtual ~RunningEngine() = default;
  [[nodiscard]] virtual Engine& engine() = 0;
  /// What the machine withheld, in words.
  [[nodiscard]] virtual std::vector<std::string> warnings() const = 0;
  /// "22.11.3", or empty where DPDK is not used.
  [[nodiscard]] virtual std::string dpdk_version() const = 0;
};

/// Embedded: no EAL, no ports, so no rights and no hugepages are needed.
absl::StatusOr<std::unique_ptr<RunningEngine>> start_embedded(const Options& options,
                                                              const Placement& placement);
absl::StatusOr<std::unique_ptr<RunningEngine>> start_with_ports(const Options& options,
                                                                const Placement& placement);

}  // namespace drip::daemon
