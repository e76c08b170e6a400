// SPDX-License-Identifier: BSD-3-Clause
// Which shared queues a node cannot reach, so that their failure policies decide.
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
#include "control/config/bucket_registry.h"
#include "control/model/shared_buckets.h"

namespace drip::cluster {

/// A bucket is unreachable from when one of its calls had no answer within its `decide_within`,
/// until Redis has answered some call in no more time than that. Each change is logged and counted.
/// Thread safe.
class QueuePolicies {
 public:
  explicit QueuePolicies(const control::BucketRegistry& buckets) : buckets_(buckets) {}

  void missed(const std::string& bucket_id, const absl::Status& why);
  void answered_within(std::chrono::nanoseconds took);

  /// Cheap while all buckets are reachable.
  [[nodiscard]] bool unreachable(std::string_view bucket_id) const;
  /// Some unreachable bucket, to ask Redis about; none if all are reachable.
  [[nodiscard]] control::BucketEntryRef one_unreachable() const;
  [[nodiscard]] control::ShareState state_of(const control::BucketEntry& bucket) const;

 private:
  struct Record {
    bool unreachable = false;
    std::uint64_t changes = 0;
  };

  const control::BucketRegistry& buckets_;
  std::atomic<std::size_t> unreachable_count_{0};
  mutable Mutex mutex_;
  // Of buckets that were unreachable at least once.
  std::map<std::string, Record, std::less<>> records_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace drip::cluster
