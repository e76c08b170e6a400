// SPDX-License-Identifier: BSD-3-Clause
// The leader's side of leased shares: reads what has changed, plans, and writes the plans.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "cluster/shares/lease/share_allocator.h"
#include "cluster/shares/lease/share_groups.h"
#include "cluster/shares/lease/share_learning.h"
#include "cluster/shares/leased_group.h"
#include "cluster/shares/store/share_link.h"
#include "cluster/shares/store/share_scripts.h"
#include "cluster/shares/store/share_snapshots.h"

namespace drip::cluster {

/// For one thread; serves one leadership.
class ShareGranter {
 public:
  /// What it works with; outlives it. `now`: of the engine's clock.
  struct Parts {
    const ShareScripts& scripts;
    ShareLink& link;
    ShareSnapshots& snapshots;
    std::function<TimePoint()> now;
    /// For one call of Redis's that begins now.
    std::function<Deadline()> deadline;
    /// Between two calls: renews this node's own leases; false if Redis did not answer.
    std::function<bool()> renew_leases;
    /// The buckets of a group on this node.
    std::function<const LeasedGroup&(std::uint32_t group)> buckets;
  };
  ShareGranter(Parts parts, LeaseTiming timing, std::uint64_t epoch);

  [[nodiscard]] std::uint64_t epoch() const { return epoch_; }
  /// The buckets of a group have changed on this node.
  void replan(std::uint32_t group) {
    configurations_[group].reset();
    wanted_.insert(group);
  }
  /// What there is to do after `poll`, which was read with changes. What fails is done by a later
  /// call.
  void lead(const SharePoll& poll);

 private:
  [[nodiscard]] absl::Status look_for_silent_nodes(std::uint64_t generation);
  [[nodiscard]] absl::Status plan(std::span<const std::uint32_t> groups);
  void log(const SharePlan& plan);

  const Parts parts_;
  const LeaseTiming timing_;
  const std::uint64_t epoch_;
  ShareLearning learning_;
  std::array<std::unique_ptr<ShareAllocator>, kShareGroups> allocators_;
  // Made from the node's buckets when they are needed.
  std::array<std::optional<ShareAllocator::Buckets>, kShareGroups> configurations_;
  std::set<std::uint32_t> wanted_;  // To be planned though nothing in Redis has changed.
  TimePoint looked_;
  std::set<std::string> lost_;  // Sessions whose loss is in the log.
};

}  // namespace drip::cluster
