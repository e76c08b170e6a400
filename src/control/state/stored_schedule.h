// SPDX-License-Identifier: BSD-3-Clause
// Until when a bucket is busy, in clocks that go on while dripd does not run.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "drip/time.h"

namespace drip::control {

/// The clocks of the machine at one moment.
struct MachineTime {
  std::string boot_id;       ///< Another one after each boot of the kernel.
  std::int64_t boot_ns = 0;  ///< CLOCK_BOOTTIME: steady, also while the machine sleeps.
  std::int64_t wall_ns = 0;  ///< CLOCK_REALTIME: may be set back and forth.
};
[[nodiscard]] MachineTime machine_time();

/// When a bucket will be free.
struct StoredSchedule {
  std::string boot_id;
  std::int64_t until_boot_ns = 0;
  std::int64_t until_wall_ns = 0;
  std::int64_t left_ns = 0;  ///< When it was stored.
};

[[nodiscard]] StoredSchedule schedule_of(const MachineTime& now, Duration busy);
/// How long it is still busy. Since the same boot that is exact, whatever became of the wall clock.
/// After another boot the wall clock tells; one that was set back makes it no busier than it was.
[[nodiscard]] Duration busy_at(const MachineTime& now, const StoredSchedule& schedule);

[[nodiscard]] std::string to_text(const StoredSchedule& schedule);
/// INVALID_ARGUMENT unless it is of to_text().
[[nodiscard]] absl::StatusOr<StoredSchedule> schedule_from(std::string_view text);

}  // namespace drip::control
