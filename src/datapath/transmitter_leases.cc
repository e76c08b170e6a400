// SPDX-License-Identifier: BSD-3-Clause
// Leases applied to buckets, and ended.
#include "datapath/transmitter_leases.h"

namespace drip::datapath {

void TransmitterLeases::apply(LeaseTerms& terms, const RateLease& lease, TimePoint now) {
  terms.fallback = LeasedPeriods::of(lease.fallback);
  terms.fallback_ends = lease.fallback_ends;
  list_.link(terms);
  // This job may have been posted before the lease ended and run after.
  if (!list_.share_ended(now)) return set_rates(terms.slot, LeasedPeriods::of(lease.share), now);
  fall_back(terms, lease.fallback_ends && list_.fallback_ended(now), now);
}

bool TransmitterLeases::end(LeaseTerms& terms, TimePoint now) {
  list_.unlink(terms);
  if (scheduler_.buckets()[terms.slot].paused == 0) return true;
  if (terms.fallback.none) return false;
  set_rates(terms.slot, terms.fallback, now);
  return true;
}

void TransmitterLeases::set_rates(std::uint32_t slot, const LeasedPeriods& rates, TimePoint now) {
  if (rates.none) return scheduler_.pause(slot, now);
  scheduler_.set_rates(slot, rates.periods, now);
}

void TransmitterLeases::fall_back(const LeaseTerms& terms, bool fallback_over, TimePoint now) {
  // What the share allowed until now is allowed to others from now on.
  scheduler_.forgo_lateness(terms.slot, now);
  set_rates(terms.slot, fallback_over ? LeasedPeriods{} : terms.fallback, now);
}

void TransmitterLeases::lapse(TimePoint now) {
  list_.lapse(now, [&](const LeaseTerms& terms, bool fallback_over) {
    fall_back(terms, fallback_over, now);
  });
}

}  // namespace drip::datapath
