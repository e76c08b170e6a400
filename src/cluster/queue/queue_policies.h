// SPDX-License-Identifier: BSD-3-Clause
// Which exact buckets a node decides by their failure policies, and since when that is so.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "base/mutex.h"
#include "cluster/redis/cluster_log.h"
#include "control/config/bucket_registry.h"
#include "control/model/shared_buckets.h"

namespace drip::cluster {

/// A bucket is away from when one of its calls had no answer within its `decide_within`, until
/// Redis has answered some call in no more time than that. Each change is logged and counted.
/// Thread safe.
class QueuePolicies {
 public:
  QueuePolicies(const control::BucketRegistry& buckets, Log log) : buckets_(buckets), log_(log) {}

  void missed(const std::string& bucket_id, const absl::Status& why);
  void answered_within(std::chrono::nanoseconds took);

  /// For little while all buckets are well.
  [[nodiscard]] bool away(std::string_view bucket_id) const;
  /// Some bucket that is away, to ask Redis about; none if all are well.
  [[nodiscard]] control::BucketEntryRef one_away() const;
  [[nodiscard]] control::ShareState state_of(const control::BucketEntry& bucket) const;

 private:
  struct Record {
    bool away = false;
    std::uint64_t changes = 0;
  };

  const control::BucketRegistry& buckets_;
  const Log log_;
  std::atomic<std::size_t> count_away_{0};
  mutable Mutex mutex_;
  // Of buckets that were away at least once.
  std::map<std::string, Record, std::less<>> records_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace drip::cluster
