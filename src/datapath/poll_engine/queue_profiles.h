// SPDX-License-Identifier: BSD-3-Clause
// Control's part of buckets' queues: the profiles that they go by, shared, and what a slot holds.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "drip/bucket_settings.h"
#include "drip/queue/dual_queue.h"
#include "drip/queue/queue_profile.h"

namespace drip::datapath {

using SharedQueueProfile = std::shared_ptr<const QueueProfile>;

/// One profile for all buckets with the same settings: there are many buckets and few rate plans.
/// Not thread safe: the engine locks.
class QueueProfiles {
 public:
  /// REQUIRES: drip::check(settings) has no error.
  SharedQueueProfile get(const BucketSettings& settings);

 private:
  struct Key {
    std::uint32_t capacity;
    std::uint64_t capacity_bytes;
    double bits_per_second;
    QueueSettings queue;

    friend auto operator<=>(const Key&, const Key&) = default;
  };

  std::map<Key, std::weak_ptr<const QueueProfile>> profiles_;
  std::size_t forget_at_ = 64;  // Entries of which nobody has the profile any more.
};

/// What a bucket's queue refers to, kept for it by control.
struct SlotQueue {
  /// The present one last; before it those by which something may wait still.
  std::vector<SharedQueueProfile> profiles;
  std::unique_ptr<DualQueue> dual;
};

}  // namespace drip::datapath
