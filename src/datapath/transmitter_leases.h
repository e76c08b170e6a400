// SPDX-License-Identifier: BSD-3-Clause
// The rates that the buckets of one transmitter may leak for a time, and what follows at its end.
#pragma once

#include <cstdint>

#include "datapath/lease_list.h"
#include "drip/scheduler.h"
#include "engine/lease.h"

namespace drip::datapath {

/// Runs on the transmitter's thread. A leased bucket is paused, at its share, or at what it falls
/// back to when the share's lease ends.
class TransmitterLeases {
 public:
  TransmitterLeases(Scheduler& scheduler, TimePoint now) : scheduler_(scheduler), list_(now) {}

  /// See Engine::lease(). `terms` is the bucket's own, and stays until end().
  void apply(LeaseTerms& terms, const RateLease& lease, TimePoint now);
  /// The bucket keeps the rate that it has at present, to drain by; a paused one the fallback's.
  /// False if there is none.
  bool end(LeaseTerms& terms, TimePoint now);

  /// Once when list().lapsed(), for all leased buckets: about 100 ns for each.
  void lapse(TimePoint now);

  [[nodiscard]] LeaseList& list() { return list_; }

 private:
  void set_rates(std::uint32_t slot, const LeasedPeriods& rates, TimePoint now);
  void fall_back(const LeaseTerms& terms, bool fallback_over, TimePoint now);

  Scheduler& scheduler_;
  LeaseList list_;
};

}  // namespace drip::datapath
