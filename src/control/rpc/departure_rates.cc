// SPDX-License-Identifier: BSD-3-Clause
#include "control/rpc/departure_rates.h"

namespace drip::control {

DepartureRate DepartureRates::measure(const BucketEntryRef& bucket, const BucketCounters& counters,
                                      TimePoint now) {
  MutexLock lock(mutex_);
  const auto known = by_bucket_.find(bucket.get());
  if (known == by_bucket_.end()) {
    if (readings_.size() == kMost) {
      by_bucket_.erase(readings_.back().bucket.get());
      readings_.pop_back();
    }
    readings_.push_front({bucket, now, counters.departed, counters.departed_bytes, {}});
    by_bucket_.emplace(bucket.get(), readings_.begin());
    return {};
  }
  readings_.splice(readings_.begin(), readings_, known->second);
  Reading& last = readings_.front();
  const Duration span = now - last.time;
  if (span < kLeastSpan) return last.rate;
  // Counters that are kept in Redis are lost with it.
  const bool went_back =
      counters.departed < last.departed || counters.departed_bytes < last.departed_bytes;
  const double seconds = static_cast<double>(span.ns) / 1e9;
  last.rate = {};
  if (!went_back) {
    last.rate.units_per_second = static_cast<double>(counters.departed - last.departed) / seconds;
    last.rate.bits_per_second =
        8 * static_cast<double>(counters.departed_bytes - last.departed_bytes) / seconds;
    last.rate.span = span;
  }
  last.time = now;
  last.departed = counters.departed;
  last.departed_bytes = counters.departed_bytes;
  return last.rate;
}

}  // namespace drip::control
