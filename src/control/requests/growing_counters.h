// SPDX-License-Identifier: BSD-3-Clause
// Counters of shared queues as a node tells them: they never go back.
#pragma once

#include <cstddef>

#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"
#include "control/config/bucket_entry.h"
#include "engine/stats.h"

namespace drip::control {

/// What Redis counts of a bucket begins anew when its data are lost, and is not known while Redis
/// does not answer. Thread safe. Remembers some 300 bytes of each bucket that was asked for.
class GrowingCounters {
 public:
  /// Adds to `own`, the node's counters of the bucket, those of the cluster: what `shared` says
  /// and, where that is less than the last time, what it was then. With null, as the last time, and
  /// nothing that waits.
  void add(const BucketEntryRef& bucket, const BucketStats* shared, BucketStats& own);

 private:
  struct Known {
    BucketEntryRef bucket;
    BucketCounters before;  // Counted until Redis began anew.
    BucketCounters last;    // As Redis counted last.
  };

  Mutex mutex_;
  absl::flat_hash_map<const BucketEntry*, Known> known_ ABSL_GUARDED_BY(mutex_);
  std::size_t purge_at_ ABSL_GUARDED_BY(mutex_) = 1024;
};

}  // namespace drip::control
