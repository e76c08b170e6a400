// SPDX-License-Identifier: BSD-3-Clause
// An exponential mean over unequal spans.
#include "cluster/shares/lease/demand_meter.h"

#include <algorithm>

#include "cluster/shares/lease/rate_division.h"

namespace drip::cluster {
namespace {

constexpr double kSecondsToEmptyBacklog = 0.25;
constexpr double kMaxWholeRates = 1000;

std::uint64_t parts_of_rate(double rate, double whole) {
  if (whole <= 0 || rate <= 0) return 0;
  return static_cast<std::uint64_t>(std::min(rate / whole, kMaxWholeRates) *
                                    static_cast<double>(kWholeRate));
}

}  // namespace

void DemandMeter::update(const ArrivalCounts& counts, double seconds, double memory) {
  if (last_ && seconds > 0) {
    const double fresh = std::clamp(seconds / memory, 0.0, 1.0);
    const double units = static_cast<double>(counts.units - last_->units) / seconds;
    const double bits = 8 * static_cast<double>(counts.bytes - last_->bytes) / seconds;
    units_per_second_ += (units - units_per_second_) * fresh;
    bits_per_second_ += (bits - bits_per_second_) * fresh;
    waiting_ += ((counts.waits ? 1 : 0) - waiting_) * fresh;
  }
  last_ = counts;
}

std::uint64_t DemandMeter::demand(const LeasedRates& rates) const {
  double units = units_per_second_;
  double bits = bits_per_second_;
  if (last_) {
    units += static_cast<double>(last_->backlog) / kSecondsToEmptyBacklog;
    bits += 8 * static_cast<double>(last_->backlog_bytes) / kSecondsToEmptyBacklog;
  }
  return std::max(parts_of_rate(units, rates.units_per_second),
                  parts_of_rate(bits, rates.bits_per_second)) +
         parts_of_rate(waiting_, 1);
}

}  // namespace drip::cluster
