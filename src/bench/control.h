// SPDX-License-Identifier: BSD-3-Clause
// `drip-bench control`: the control plane of a real dripd, over gRPC on the loopback.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "bench/control_child.h"
#include "bench/control_report.h"

namespace drip::bench {

struct ControlOptions {
  std::string dripd = "dripd";  ///< Path of the daemon to measure.
  int runs = 5;                 ///< Interleaved; medians and ranges are shown.
  double seconds = 1;           ///< Of each run.
  std::uint32_t buckets = 1'000'000;  ///< For the bulk case.
  /// Those to run: allow, bulk, change. Empty: all.
  std::vector<std::string> cases;
  std::string json_path;  ///< Empty: none.
};

/// Runs the cases, prints the figures; 0, or 1 if something failed. Of the whole process, which
/// must not have used gRPC before. Reads `arguments` as a command line of its own.
int run_control(int argc, const char* const* argv);

// The cases. Each adds its rows to the report; the status says why one could not be measured.

/// AllowRequest against a method that does nothing.
absl::Status measure_allow(const ControlOptions& options, const ChildServer& empty,
                           ControlReport& report);
/// Many buckets configured, listed and watched; memory.
absl::Status measure_bulk(const ControlOptions& options, ControlReport& report);
/// Buckets changed one by one under full packet load.
absl::Status measure_change(const ControlOptions& options, ControlReport& report);

}  // namespace drip::bench
