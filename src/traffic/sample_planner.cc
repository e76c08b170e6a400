// SPDX-License-Identifier: BSD-3-Clause
#include "traffic/sample_planner.h"

#include <algorithm>
#include <cmath>

namespace drip::traffic {
namespace {

constexpr std::uint16_t kWidestMask = 0xffff;
constexpr double kMostOneIn = 1e6;

}  // namespace

void SamplePlanner::adjust(const Taken& taken, Duration span, TimePoint now) {
  const double seconds = static_cast<double>(std::max<std::int64_t>(span.ns, 1)) / 1e9;
  const double flows_a_second = static_cast<double>(taken.for_flows) / seconds;
  if (taken.lost > 0 || flows_a_second > half_) {
    plan_.mask = static_cast<std::uint16_t>(std::min(2 * plan_.mask + 1, int{kWidestMask}));
  } else if (flows_a_second < half_ / 4) {
    // Twice as many connections may have more than twice the packets.
    plan_.mask = static_cast<std::uint16_t>(plan_.mask / 2);
  }
  // By no more than a factor of four at once, for a period with few samples tells little.
  const double wanted = std::ceil(static_cast<double>(taken.packets) / seconds / half_);
  const double present = plan_.one_in;
  const double one_in = std::clamp(taken.lost > 0 ? std::max(wanted, 2 * present) : wanted,
                                   std::max(1.0, present / 4), present * 4);
  plan_.one_in = static_cast<std::uint32_t>(std::min(one_in, kMostOneIn));
  if (now - turned_ >= kTurn) {
    turned_ = now;
    // All values come before one is repeated, and neighbours come far apart.
    plan_.turn = static_cast<std::uint16_t>(plan_.turn + 0x9e37);
  }
}

}  // namespace drip::traffic
