// SPDX-License-Identifier: BSD-3-Clause
// How many packets are sampled, so that their number stays within a bound at any load.
#pragma once

#include <cstdint>

#include "drip/time.h"
#include "engine/packet_sample.h"

namespace drip::traffic {

/// Half of the samples are for flow sampling and half for packet sampling. Both follow the load:
/// with little of it every connection and every packet is sampled, with much one of 2^n
/// connections, others every kTurn. Not thread safe.
class SamplePlanner {
 public:
  static constexpr Duration kPeriod{100'000'000};
  static constexpr Duration kTurn{4'000'000'000};

  /// Of one period, all workers together.
  struct Taken {
    std::uint64_t for_flows = 0;
    std::uint64_t at_random = 0;
    std::uint64_t packets = 0;  ///< For which those at random stand.
    std::uint64_t lost = 0;     ///< Of both kinds: the rings were full.
  };

  explicit SamplePlanner(std::uint32_t samples_per_second) : half_(samples_per_second / 2.0) {}

  [[nodiscard]] const SamplePlan& plan() const { return plan_; }
  /// Sets the plan after a period; `span` is how long it was.
  void adjust(const Taken& taken, Duration span, TimePoint now);

 private:
  const double half_;  // Of each kind a second.
  // Few at first: what the load is shows at the end of a period.
  SamplePlan plan_{.mask = 0xff, .turn = 0, .one_in = 1000};
  TimePoint turned_{};
};

}  // namespace drip::traffic
