// SPDX-License-Identifier: BSD-3-Clause
// How much departs of a bucket a second, from two readings of its counters.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>

#include "absl/container/flat_hash_map.h"
#include "base/mutex.h"
#include "control/config/bucket_entry.h"
#include "drip/bucket_counters.h"
#include "drip/time.h"

namespace drip::control {

/// What departed between two readings.
struct DepartureRate {
  double units_per_second = 0;
  double bits_per_second = 0;  ///< Of wire bytes.
  Duration span;               ///< Between the readings; 0: the bucket was not read before.
};

/// Keeps the last readings of the kMost buckets that were read last, some 150 bytes each; of others
/// it knows nothing. So polling threads measure nothing, and a bucket that nobody asks for costs
/// nothing. Whoever reads a bucket, the next reading measures from there. Thread safe.
class DepartureRates {
 public:
  static constexpr std::size_t kMost = 4'096;
  /// A reading so soon after another one measures nothing: what was measured last is told again.
  static constexpr Duration kLeastSpan{100'000'000};

  /// `bucket` had counted `counters` at `now`, which is not before any earlier reading of it.
  DepartureRate measure(const BucketEntryRef& bucket, const BucketCounters& counters,
                        TimePoint now);

 private:
  struct Reading {
    BucketEntryRef bucket;  // Held, so that no other bucket gets its address.
    TimePoint time;
    std::uint64_t departed = 0;
    std::uint64_t departed_bytes = 0;
    DepartureRate rate;  // Up to `time`.
  };

  Mutex mutex_;
  std::list<Reading> readings_ ABSL_GUARDED_BY(mutex_);  // The one that was asked for last first.
  absl::flat_hash_map<const BucketEntry*, std::list<Reading>::iterator> by_bucket_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace drip::control
