// SPDX-License-Identifier: BSD-3-Clause
// Decides from each sample: drift, jump, or another rate.
#include "datapath/clock/clock_discipline.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace drip::datapath {
namespace {

// The time in which an offset is corrected: longer than the interval, so that it never overshoots.
constexpr Duration kBendHorizon{4'000'000'000};
constexpr double kLeastMeasurementNs = 200e6;
constexpr std::uint64_t kAnchorAgeNs = 32'000'000'000;
// A disagreement above this and above kMaxBend of the interval is no drift. Larger than what a
// hypervisor that takes the CPU between two readings leaves in the closest pair of many.
constexpr double kLeastStepNs = 100'000;
// Two intervals measured the same rate if they agree to this.
constexpr double kSameRate = 200e-6;

double signed_difference(std::uint64_t after, std::uint64_t before) {
  return static_cast<double>(static_cast<std::int64_t>(after - before));
}

}  // namespace

ClockDiscipline::ClockDiscipline(const ClockSample& first, const ClockSample& second)
    : hz_(hz_between(first, second)),
      line_(TscLine::through(second.tsc, second.raw_ns, hz_)),
      last_(second),
      anchor_(first),
      next_anchor_(second) {}

double ClockDiscipline::hz_between(const ClockSample& from, const ClockSample& to) {
  return signed_difference(to.tsc, from.tsc) * 1e9 / signed_difference(to.raw_ns, from.raw_ns);
}

Duration ClockDiscipline::offset(const ClockSample& sample) const {
  return line_.at(sample.tsc) - TimePoint{sample.raw_ns + reference_base_};
}

ClockEvent ClockDiscipline::update(const ClockSample& now) {
  const ClockSample last = last_;
  const double by_raw = signed_difference(now.raw_ns, last.raw_ns);
  const double by_tsc = signed_difference(now.tsc, last.tsc) * 1e9 / hz_;
  const double uncertainty = static_cast<double>(now.uncertainty + last.uncertainty) * 1e9 / hz_;
  const double by_monotonic = signed_difference(now.monotonic_ns, last.monotonic_ns);
  const double limit = kLeastStepNs + uncertainty + TscLine::kMaxBend * std::max(by_monotonic, 0.0);
  last_ = now;

  if (std::abs(by_raw - by_tsc) <= limit) {
    // A rate from a few ms would be worse than the one that is known.
    if (signed_difference(now.raw_ns, anchor_.raw_ns) >= kLeastMeasurementNs)
      hz_ = hz_between(anchor_, now);
    if (now.raw_ns - next_anchor_.raw_ns >= kAnchorAgeNs) {
      anchor_ = next_anchor_;
      next_anchor_ = now;
    }
    line_ = line_.bent_at(now.tsc, hz_, offset(now), kBendHorizon);
    suspected_hz_ = 0;
    return std::exchange(suspected_, {});
  }

  // The known rate does not explain this interval. If the next one measures the same rate as this,
  // it is the TSC's rate now; after a jump it measures the known one.
  ClockEvent event;
  const double measured = by_raw > 0 && by_tsc > 0 ? hz_between(last, now) : 0;
  if (suspected_hz_ > 0 && std::abs(measured / suspected_hz_ - 1) < kSameRate) {
    event.kind = ClockEvent::Kind::kRateChange;
    event.rate_ppm = (measured / hz_ - 1) * 1e6;
    hz_ = measured;
    suspected_hz_ = 0;
    suspected_ = {};
    line_ = TscLine::through(now.tsc, line_.at(now.tsc).ns, hz_);
  } else {
    const bool tsc_jumped =
        std::abs(by_tsc - by_monotonic) > std::abs(by_raw - by_monotonic) + kLeastStepNs;
    suspected_hz_ = measured;
    suspected_.kind = tsc_jumped ? ClockEvent::Kind::kTscJump : ClockEvent::Kind::kReferenceJump;
    suspected_.jump.ns += static_cast<std::int64_t>(tsc_jumped ? by_tsc - by_raw : by_raw - by_tsc);
    // Drip's time does not go back with the TSC. Forward it went with it: polling threads have read
    // it since, and `max_catchup` bounds what may leave for it.
    const std::uint64_t ns =
        tsc_jumped && by_tsc < by_raw
            ? line_.at(last.tsc).ns + static_cast<std::uint64_t>(std::max(by_raw, 0.0))
            : line_.at(now.tsc).ns;
    line_ = TscLine::through(now.tsc, ns, hz_);
  }
  anchor_ = now;
  next_anchor_ = now;
  reference_base_ = line_.at(now.tsc).ns - now.raw_ns;
  return event;
}

}  // namespace drip::datapath
