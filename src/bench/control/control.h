// SPDX-License-Identifier: BSD-3-Clause
// `drip-bench control`: the control plane of a real dripd, over gRPC on the loopback.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "bench/control/child_server.h"
#include "bench/report/report.h"

namespace drip::bench {

struct ControlOptions {
  std::string dripd = "dripd";        ///< Path of the daemon to measure.
  int runs = 5;                       ///< Interleaved; medians and ranges are shown.
  double seconds = 1;                 ///< Of each run.
  std::uint32_t buckets = 1'000'000;  ///< For the bulk case.
  int polling_cpu = 1;                ///< Where dripd polls in the change case.
  /// Those to run: allow, stream, bulk, change. Empty: all.
  std::vector<std::string> cases;
  std::string json_path;  ///< Empty: none.
};

/// Runs `drip-bench control ARGUMENTS`, prints the figures; 0, or 1 if something failed. REQUIRES:
/// this process has not used gRPC before.
int run_control(std::vector<std::string> arguments);

// The cases. Each adds its rows to the report; the status says why one could not be measured.

/// AllowRequest against a method that does nothing.
absl::Status measure_allow(const ControlOptions& options, const ChildServer& empty, Report& report);
/// AllowRequests: many entries a message.
absl::Status measure_stream(const ControlOptions& options, Report& report);
/// Many buckets configured, listed and watched; memory.
absl::Status measure_bulk(const ControlOptions& options, Report& report);
/// Buckets changed one by one under full packet load.
absl::Status measure_change(const ControlOptions& options, Report& report);

}  // namespace drip::bench
