// SPDX-License-Identifier: BSD-3-Clause
// What a node has seen of steps of Redis's clock: a line in the log for each, and a count.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/log_limit.h"
#include "base/mutex.h"
#include "cluster/queue/queue_clock.h"
#include "control/model/cluster_view.h"

namespace drip::cluster {

/// Thread safe.
class ClockSteps {
 public:
  /// How long the status warns of the last step.
  static constexpr Duration kWarnFor{3'600'000'000'000};

  void add(const ClockStep& step);
  /// Adds count, last step and warning.
  void write(const NodeTime& now, control::ClusterStatus& status) const;

 private:
  LogLimit log_{"cluster"};
  mutable Mutex mutex_;
  std::uint64_t count_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<ClockStep> last_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace drip::cluster
