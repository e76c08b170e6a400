// SPDX-License-Identifier: BSD-3-Clause
// Transmitter's leased buckets: paused, at their share, or at what they fall back to.
// IWYU pragma: private, include "datapath/transmitter.h"
#pragma once

namespace drip::datapath {

template <class Io>
void Transmitter<Io>::lease(LeaseTerms& terms, const RateLease& lease, TimePoint now) {
  terms.fallback = LeasedPeriods::of(lease.fallback);
  terms.fallback_ends = lease.fallback_ends;
  leases_.link(terms);
  // This job may have been asked for before the lease ended and be done after.
  if (!leases_.share_ended(now)) return put_rates(terms.slot, LeasedPeriods::of(lease.share), now);
  fall_back(terms, lease.fallback_ends && leases_.fallback_ended(now), now);
}

template <class Io>
bool Transmitter<Io>::end_lease(LeaseTerms& terms, TimePoint now) {
  leases_.unlink(terms);
  if (buckets_[terms.slot].paused == 0) return true;
  if (terms.fallback.none) return false;
  put_rates(terms.slot, terms.fallback, now);
  return true;
}

template <class Io>
void Transmitter<Io>::pause(Bucket& bucket, std::uint32_t slot, TimePoint now) {
  if (bucket.paused != 0) return;
  if (bucket.hook.scheduled()) wheel_.remove(slot);
  bucket.law.stand_still(now, now);
  bucket.paused_since = now;
  bucket.paused = 1;
}

template <class Io>
void Transmitter<Io>::go_on(Bucket& bucket, TimePoint now) {
  bucket.law.stand_still(bucket.paused_since, now);
  bucket.paused = 0;
}

// Another share, from now on.
template <class Io>
void Transmitter<Io>::put_rates(std::uint32_t slot, const LeasedPeriods& rates, TimePoint now) {
  Bucket& bucket = buckets_[slot];
  if (rates.none) {
    pause(bucket, slot, now);
    return publish_point(bucket);
  }
  if (bucket.paused != 0) {
    go_on(bucket, now);
  } else if (rates.periods == bucket.periods) {
    return;
  }
  if (rates.periods != bucket.periods) {
    const std::uint32_t in_service = bytes_in_service(bucket);
    bucket.law.rescale(now, bucket.periods.service(in_service), rates.periods.service(in_service));
    bucket.periods = rates.periods;
  }
  if (bucket.backlog.get() > 0) {
    if (bucket.hook.scheduled()) wheel_.remove(slot);
    schedule(bucket, slot);
  }
  publish_point(bucket);
}

template <class Io>
void Transmitter<Io>::fall_back(const LeaseTerms& terms, bool fallback_over, TimePoint now) {
  // What was late is not made up for: what the share allowed is allowed to others by now.
  Bucket& bucket = buckets_[terms.slot];
  bucket.law.stand_still(bucket.law_time(now), bucket.law_time(now));
  put_rates(terms.slot, fallback_over ? LeasedPeriods{} : terms.fallback, now);
}

// Once at each end of a lease, for all leased buckets: about 100 ns for each.
template <class Io>
void Transmitter<Io>::lapse(TimePoint now) {
  leases_.lapse(now, [&](const LeaseTerms& terms, bool fallback_over) {
    fall_back(terms, fallback_over, now);
  });
}

}  // namespace drip::datapath
