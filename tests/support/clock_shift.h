// SPDX-License-Identifier: BSD-3-Clause
// Shifts one clock of one process: a library for LD_PRELOAD and the memory that a test tells it by.
#pragma once

#include <atomic>
#include <cstdint>

namespace drip {

/// The content of the file that the variable CLOCK_SHIFT_FILE names, mapped by the test and by the
/// process. That clock reads offset_ns + (time - since_ns) * rate_ppm / 10^6 more than it is.
struct ClockShift {
  std::atomic<std::int64_t> clock;  ///< Of clock_gettime(2), such as CLOCK_MONOTONIC_RAW.
  std::atomic<std::int64_t> offset_ns;
  std::atomic<std::int64_t> rate_ppm;
  std::atomic<std::int64_t> since_ns;
};

}  // namespace drip
