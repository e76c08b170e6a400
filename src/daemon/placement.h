// SPDX-License-Identifier: BSD-3-Clause
// Assigns CPUs: to polling threads, and the remaining ones to control.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/options.h"
#include "datapath/poll_engine/lcore_plan.h"

namespace drip::daemon {

struct Placement {
  std::vector<datapath::LcorePlan> lcores;
  std::vector<unsigned> control_cpus;  ///< Never empty.
  std::vector<std::string> warnings;   ///< What costs performance; for the log and GetNode.
};

/// The placement that the options ask for. Options without CPUs get one fused thread: pinned to the
/// last CPU of the first port's NUMA node, or, on a node without ports, not pinned and sleeping
/// when idle. INVALID_ARGUMENT for a CPU that this process may not use.
absl::StatusOr<Placement> plan_placement(const Options& options);

/// Sets the CPU affinity of the calling thread, which threads that it starts inherit.
void set_affinity(const std::vector<unsigned>& cpus);

}  // namespace drip::daemon
