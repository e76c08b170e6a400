// SPDX-License-Identifier: BSD-3-Clause
// The words for a step.
#include "cluster/queue/clock_steps.h"

#include <cmath>

#include "base/log.h"

namespace drip::cluster {
namespace {

std::string in_words(const ClockStep& step) {
  return fmt::format("Redis's clock was set {} by {:.3f} s", step.by.ns > 0 ? "forward" : "back",
                     std::abs(static_cast<double>(step.by.ns)) / 1e9);
}

}  // namespace

void ClockSteps::add(const ClockStep& step) {
  {
    MutexLock lock(mutex_);
    ++count_;
    last_ = step;
  }
  const auto line = log_.admit(LogLevel::kWarning,
                               in_words(step) +
                                   ", or another server with another clock answers; shared queues "
                                   "go on by the nodes' clocks",
                               LogLimit::Clock::now());
  if (line) write_log(line->level, line->text);
}

void ClockSteps::write(const NodeTime& now, control::ClusterStatus& status) const {
  MutexLock lock(mutex_);
  status.redis_clock_steps = count_;
  if (!last_) return;
  status.redis_clock_last_step = last_->by;
  const Duration ago{now.elapsed_ns - last_->at_ns};
  if (ago > kWarnFor) return;
  status.warnings.push_back(fmt::format("{} {} s ago; shared queues go on by the nodes' clocks",
                                        in_words(*last_), ago.ns / 1'000'000'000));
}

}  // namespace drip::cluster
