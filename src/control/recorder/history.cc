// SPDX-License-Identifier: BSD-3-Clause
#include "control/recorder/history.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "control/recorder/log_code.h"

namespace drip::control {

void History::put(std::uint64_t step, const Sample& sample) {
  assert(step == next_);
  const std::size_t slot = step % kSamples;
  codes_[slot] = {log_encoded(sample.bits_per_second),
                  log_encoded(kRateScale * sample.units_per_second),
                  log_encoded(static_cast<double>(sample.backlog)),
                  log_encoded(static_cast<double>(sample.sojourn_p50_ns)),
                  log_encoded(static_cast<double>(sample.sojourn_p99_ns))};
  bool event = sample.units_per_second > 0 || sample.bits_per_second > 0 || sample.backlog > 0;
  for (std::size_t i = 0; i < kLosses; ++i) {
    event |= put(lost_[i], step, kRateScale * sample.lost_per_second[i]);
  }
  for (std::size_t side = 0; side < traffic::kSides; ++side) {
    const StepRoundTrips& trips = sample.round_trips[side];
    event |= put(trips_[side].p50, step, static_cast<double>(trips.p50_ns));
    event |= put(trips_[side].p90, step, static_cast<double>(trips.p90_ns));
  }
  if (event) last_event_ = step;
  next_ = step + 1;
}

bool History::put(SparseRing& ring, std::uint64_t step, double value) {
  const std::uint16_t code = log_encoded(value);
  if (code > 0) {
    if (ring == nullptr) ring = std::make_unique<Ring>();
    ring->last_step = step;
  } else if (ring != nullptr && step - ring->last_step >= kSamples) {
    ring = nullptr;
  }
  if (ring != nullptr) ring->codes[step % kSamples] = code;
  return code > 0;
}

double History::value_at(const SparseRing& ring, std::uint64_t step) {
  return ring == nullptr ? 0 : log_decoded(ring->codes[step % kSamples]);
}

std::uint64_t History::first() const {
  return std::max(first_, next_ > kSamples ? next_ - kSamples : 0);
}

Sample History::at(std::uint64_t step) const {
  const Codes& codes = codes_[step % kSamples];
  const auto rounded = [](double value) { return static_cast<std::uint64_t>(std::round(value)); };
  const auto whole = [&](std::uint16_t code) { return rounded(log_decoded(code)); };
  Sample sample;
  sample.bits_per_second = log_decoded(codes.bits);
  sample.units_per_second = log_decoded(codes.units) / kRateScale;
  sample.backlog = whole(codes.backlog);
  sample.sojourn_p50_ns = whole(codes.p50);
  sample.sojourn_p99_ns = whole(codes.p99);
  for (std::size_t i = 0; i < kLosses; ++i) {
    sample.lost_per_second[i] = value_at(lost_[i], step) / kRateScale;
  }
  for (std::size_t side = 0; side < traffic::kSides; ++side) {
    sample.round_trips[side] = {rounded(value_at(trips_[side].p50, step)),
                                rounded(value_at(trips_[side].p90, step))};
  }
  return sample;
}

std::size_t History::memory_bytes() const {
  const auto there = [](const SparseRing& ring) -> std::size_t { return ring != nullptr ? 1 : 0; };
  std::size_t rings = 0;
  for (const SparseRing& ring : lost_) rings += there(ring);
  for (const TripRings& side : trips_) rings += there(side.p50) + there(side.p90);
  return sizeof *this + rings * sizeof(Ring);
}

}  // namespace drip::control
