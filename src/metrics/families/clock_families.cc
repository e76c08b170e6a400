// SPDX-License-Identifier: BSD-3-Clause
// Families of Drip's clock.
#include <array>

#include "metrics/families/groups.h"

namespace drip::metrics {
namespace {

constexpr FamilySpec kTscHz{"drip_clock_tsc_hertz", kGauge, "hertz", "",
                            "Rate of the time stamp counter, as measured."};
constexpr FamilySpec kDrift{
    "drip_clock_drift_ratio", kGauge, "ratio", "",
    "Deviation of that rate from its first calibration; 1e-6 is one part per million."};
constexpr FamilySpec kOffset{
    "drip_clock_offset_seconds", kGauge, "seconds", "",
    "How far the clock of Drip is ahead of CLOCK_MONOTONIC_RAW, jumps not included."};
constexpr FamilySpec kInvariant{"drip_clock_invariant_tsc", kGauge, "boolean", "",
                                "Whether the time stamp counter has a constant rate."};
constexpr FamilySpec kJumps{"drip_clock_jumps_total", kCounter, "jumps", "",
                            "How often the time stamp counter and CLOCK_MONOTONIC_RAW parted."};
constexpr FamilySpec kLastJump{"drip_clock_last_jump_seconds", kGauge, "seconds", "",
                               "The last of these jumps; absent before the first."};
constexpr FamilySpec kRateChanges{"drip_clock_rate_changes_total", kCounter, "changes", "",
                                  "How often the rate of one of them changed at once."};

}  // namespace

void add_clock(const ClockStats& clock, Families& families) {
  add(families.begin(kTscHz), clock.tsc_hz);
  add(families.begin(kDrift), clock.drift_ppm / 1e6);
  add(families.begin(kOffset), seconds_of_ns(number(clock.offset.ns)));
  add(families.begin(kInvariant), clock.invariant_tsc ? 1 : 0);
  add(families.begin(kJumps), number(clock.jumps));
  if (clock.jumps > 0) {
    add(families.begin(kLastJump), seconds_of_ns(number(clock.last_jump.ns)));
  }
  add(families.begin(kRateChanges), number(clock.rate_changes));
}

std::span<const FamilySpec* const> clock_specs() {
  static constexpr std::array kSpecs = {&kTscHz, &kDrift,    &kOffset,     &kInvariant,
                                        &kJumps, &kLastJump, &kRateChanges};
  return kSpecs;
}

}  // namespace drip::metrics
