// SPDX-License-Identifier: BSD-3-Clause
// Leases: the part of a cluster bucket's rate that this node may use, and until when.
#pragma once

#include "drip/time.h"
#include "engine/rule_snapshot.h"

namespace drip {

/// The rates at which a leased bucket may leak. Both 0: it is paused and keeps its backlog.
struct LeasedRates {
  double units_per_second = 0;
  double bits_per_second = 0;  ///< Of wire bytes.

  [[nodiscard]] bool none() const { return units_per_second <= 0 && bits_per_second <= 0; }
  friend bool operator==(const LeasedRates&, const LeasedRates&) = default;
};

/// The polling threads themselves end a lease, by their clock: a process that was stopped and
/// continues finds the lease over before any unit leaves.
struct RateLease {
  LeasedRates share;          ///< Until LeaseEnds::share.
  LeasedRates fallback;       ///< From then on.
  bool fallback_ends = true;  ///< Whether the bucket is paused from LeaseEnds::fallback on.

  friend bool operator==(const RateLease&, const RateLease&) = default;
};

/// A lease for one bucket.
struct LeaseChange {
  BucketRef bucket;
  RateLease lease;
};

/// When the leases of all buckets of the node end; one exchange renews all of them.
struct LeaseEnds {
  TimePoint share;
  TimePoint fallback;
};

}  // namespace drip
