// SPDX-License-Identifier: BSD-3-Clause
// A count that is lower than before has begun anew.
#include "control/requests/growing_counters.h"

#include <algorithm>
#include <cstdint>
#include <functional>

namespace drip::control {
namespace {

void add_counts(const BucketCounters& more, BucketCounters& to) {
  to.admitted += more.admitted;
  to.admitted_bytes += more.admitted_bytes;
  to.departed += more.departed;
  to.departed_bytes += more.departed_bytes;
  to.dropped += more.dropped;
  to.dropped_bytes += more.dropped_bytes;
  for (std::size_t i = 0; i < to.rejected.size(); ++i) to.rejected[i] += more.rejected[i];
  to.rejected_bytes += more.rejected_bytes;
}

bool began_anew(const BucketCounters& now, const BucketCounters& last) {
  return now.admitted < last.admitted || now.departed < last.departed ||
         now.dropped < last.dropped ||
         !std::ranges::equal(now.rejected, last.rejected, std::greater_equal<>());
}

}  // namespace

void GrowingCounters::add(const BucketEntryRef& bucket, const BucketStats* shared,
                          BucketStats& own) {
  MutexLock lock(mutex_);
  if (known_.size() >= purge_at_) {
    absl::erase_if(known_, [](const auto& entry) { return !entry.second.bucket->exists(); });
    purge_at_ = std::max(purge_at_, 2 * known_.size());
  }
  const auto found = known_.find(bucket.get());
  if (shared == nullptr && found == known_.end()) return;
  Known& known = found != known_.end() ? found->second : known_[bucket.get()];
  if (known.bucket == nullptr) known.bucket = bucket;
  if (shared != nullptr) {
    if (began_anew(*shared, known.last)) {
      // What waited then is lost: it has not left.
      known.last.dropped += known.last.admitted - known.last.departed - known.last.dropped;
      known.last.dropped_bytes = known.last.admitted_bytes - known.last.departed_bytes;
      add_counts(known.last, known.before);
    }
    known.last = *shared;
    // Of the queue in Redis, besides what it counts.
    const BucketCounters counts = own;
    const std::uint32_t ring_slots = own.ring_slots;
    own = *shared;
    own.ring_slots = ring_slots;
    own.backlog += counts.backlog;
    own.backlog_bytes += counts.backlog_bytes;
    add_counts(counts, own);
  } else {
    add_counts(known.last, own);
  }
  add_counts(known.before, own);
}

}  // namespace drip::control
