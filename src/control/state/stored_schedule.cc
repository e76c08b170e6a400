// SPDX-License-Identifier: BSD-3-Clause
#include "control/state/stored_schedule.h"

#include <time.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "base/text.h"

namespace drip::control {
namespace {

std::int64_t read_clock(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

std::string read_boot_id() {
  std::string id;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> id;
  return id.empty() ? "unknown" : id;
}

}  // namespace

MachineTime machine_time() {
  static const std::string boot_id = read_boot_id();
  return {boot_id, read_clock(CLOCK_BOOTTIME), read_clock(CLOCK_REALTIME)};
}

StoredSchedule schedule_of(const MachineTime& now, Duration busy) {
  return {now.boot_id, now.boot_ns + busy.ns, now.wall_ns + busy.ns, busy.ns};
}

Duration busy_at(const MachineTime& now, const StoredSchedule& schedule) {
  // Without a name of the boot nothing tells whether CLOCK_BOOTTIME began anew.
  const bool same_boot = now.boot_id == schedule.boot_id && now.boot_id != "unknown";
  const std::int64_t since = same_boot ? now.boot_ns : now.wall_ns;
  const std::int64_t until = same_boot ? schedule.until_boot_ns : schedule.until_wall_ns;
  // Compared first: the difference to a time of long ago may not fit.
  if (until <= since) return {};
  return {std::clamp<std::int64_t>(until - since, 0, std::max<std::int64_t>(schedule.left_ns, 0))};
}

std::string to_text(const StoredSchedule& schedule) {
  return joined(schedule.boot_id, " ", schedule.until_boot_ns, " ", schedule.until_wall_ns, " ",
                schedule.left_ns);
}

absl::StatusOr<StoredSchedule> schedule_from(std::string_view text) {
  StoredSchedule schedule;
  std::istringstream words{std::string(text)};
  std::string more;
  const bool read = static_cast<bool>(words >> schedule.boot_id >> schedule.until_boot_ns >>
                                      schedule.until_wall_ns >> schedule.left_ns);
  if (!read || words >> more) {
    return absl::InvalidArgumentError("a boot id and three numbers are needed");
  }
  return schedule;
}

}  // namespace drip::control
