// SPDX-License-Identifier: BSD-3-Clause
// Buckets changed one by one while dripd forwards packets as fast as it can.
#include "bench/control.h"

namespace drip::bench {

absl::Status measure_change(const ControlOptions& options, ControlReport& report) {
  return absl::OkStatus();
}

}  // namespace drip::bench
