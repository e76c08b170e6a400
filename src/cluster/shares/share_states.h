// SPDX-License-Identifier: BSD-3-Clause
// What the node knows of its leased buckets, for whoever asks.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "cluster/shares/lease/share_groups.h"
#include "cluster/shares/leased_group.h"
#include "control/model/shared_buckets.h"

namespace drip::cluster {

/// Thread safe. The shares' thread puts, others read.
class ShareStates {
 public:
  void put(std::uint32_t group, const LeasedGroup& leased);
  /// Of the leader that granted what is held, and when the leases end.
  void put_lease(std::uint64_t epoch, TimePoint end);
  [[nodiscard]] std::optional<control::ShareState> find(std::string_view bucket_id,
                                                        TimePoint now) const;

 private:
  struct State {
    control::BucketEntryRef bucket;
    control::PolicyState policy_state = control::PolicyState::kClosed;
    std::optional<RateLease> active;
    LeasedRates demand;
    std::uint64_t policy_changes = 0;
  };

  mutable Mutex mutex_;
  std::array<std::vector<State>, kShareGroups> groups_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t epoch_ ABSL_GUARDED_BY(mutex_) = 0;
  TimePoint lease_end_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace drip::cluster
