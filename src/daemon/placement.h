// SPDX-License-Identifier: BSD-3-Clause
// Which CPUs poll, on which NUMA nodes, and which are left for all the rest.
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
  std::vector<std::string> warnings;   ///< What is less than it could be, in words.
};

/// What the options say; without CPUs named: one fused thread, on the last CPU of the first port's
/// NUMA node, or unpinned and sleeping when idle on a node without ports. INVALID_ARGUMENT for a
/// CPU that this process may not use.
absl::StatusOr<Placement> place(const Options& options);

/// Moves the calling thread, and those it will start, to `cpus`.
void stay_on(const std::vector<unsigned>& cpus);

}  // namespace drip::daemon
