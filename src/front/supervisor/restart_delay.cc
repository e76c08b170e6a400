// SPDX-License-Identifier: BSD-3-Clause
#include "front/supervisor/restart_delay.h"

#include <algorithm>

namespace drip::front {

std::chrono::milliseconds RestartDelay::next(std::chrono::milliseconds lived) {
  if (lived >= kSettled) delay_ = {};
  const std::chrono::milliseconds now = delay_;
  delay_ = delay_.count() == 0 ? kFirst : std::min(2 * delay_, kMost);
  return now;
}

}  // namespace drip::front
