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
    const std::uint16_t code = log_encoded(kRateScale * sample.lost_per_second[i]);
    if (code > 0) {
      event = true;
      last_loss_[i] = step;
      if (lost_[i] == nullptr) lost_[i] = std::make_unique<LostRing>();
    } else if (lost_[i] != nullptr && step - last_loss_[i] >= kSamples) {
      lost_[i] = nullptr;
    }
    if (lost_[i] != nullptr) (*lost_[i])[slot] = code;
  }
  if (event) last_event_ = step;
  next_ = step + 1;
}

std::uint64_t History::first() const {
  return std::max(first_, next_ > kSamples ? next_ - kSamples : 0);
}

Sample History::at(std::uint64_t step) const {
  const std::size_t slot = step % kSamples;
  const Codes& codes = codes_[slot];
  const auto whole = [](std::uint16_t code) {
    return static_cast<std::uint64_t>(std::round(log_decoded(code)));
  };
  Sample sample;
  sample.bits_per_second = log_decoded(codes.bits);
  sample.units_per_second = log_decoded(codes.units) / kRateScale;
  sample.backlog = whole(codes.backlog);
  sample.sojourn_p50_ns = whole(codes.p50);
  sample.sojourn_p99_ns = whole(codes.p99);
  for (std::size_t i = 0; i < kLosses; ++i) {
    if (lost_[i] != nullptr)
      sample.lost_per_second[i] = log_decoded((*lost_[i])[slot]) / kRateScale;
  }
  return sample;
}

std::size_t History::memory_bytes() const {
  const auto rings = static_cast<std::size_t>(
      std::ranges::count_if(lost_, [](const auto& ring) { return ring != nullptr; }));
  return sizeof *this + rings * sizeof(LostRing);
}

}  // namespace drip::control
