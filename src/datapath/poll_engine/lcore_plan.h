// SPDX-License-Identifier: BSD-3-Clause
// Where a polling thread runs and which roles it has.
#pragma once

#include <cstdint>

#include "engine/stats.h"

namespace drip::datapath {

struct LcorePlan {
  LcoreStats::Role role = LcoreStats::Role::kFused;
  std::int32_t cpu = -1;  ///< -1: not pinned.
  std::int32_t numa_node = -1;
  bool sleeps_when_idle = false;
  int realtime_priority = 0;  ///< SCHED_FIFO, 1 to 99; 0: the default scheduler.

  /// Of a thread that has its CPU to itself and never sleeps.
  static constexpr int kNice = -20;
  [[nodiscard]] bool has_its_cpu() const { return cpu >= 0 && !sleeps_when_idle; }

  [[nodiscard]] bool receives() const { return role != LcoreStats::Role::kTransmitter; }
  [[nodiscard]] bool transmits() const { return role != LcoreStats::Role::kWorker; }
};

}  // namespace drip::datapath
