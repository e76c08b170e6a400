// SPDX-License-Identifier: BSD-3-Clause
// Adds up the counters of all buckets.
#include <limits>
#include <optional>

#include "control/config/bucket_registry.h"

namespace drip::control {

NodeTotals totals_of(const BucketRegistry& buckets) {
  NodeTotals totals;
  constexpr auto kAll = std::numeric_limits<std::size_t>::max();
  for (const BucketEntryRef& bucket : buckets.list("", "", kAll)) {
    const std::optional<BucketState> state = bucket->state();
    if (!state) continue;
    ++totals.buckets;
    totals.allowed_requests += state->stats.admitted;
    totals.rejected_requests += state->rejected();
    totals.processed_requests += state->stats.departed;
  }
  return totals;
}

}  // namespace drip::control
