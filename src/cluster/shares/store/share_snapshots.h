// SPDX-License-Identifier: BSD-3-Clause
// Redis's data of shares as a node has read them last, group by group.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "cluster/shares/lease/share_groups.h"
#include "cluster/shares/store/share_link.h"
#include "cluster/shares/store/share_scripts.h"

namespace drip::cluster {

/// All but get() is for the shares' thread.
class ShareSnapshots {
 public:
  ShareSnapshots(const ShareScripts& scripts, ShareLink& link) : scripts_(scripts), link_(link) {}

  /// Those whose data have changed since they were read, with those in `wanted`.
  [[nodiscard]] std::vector<std::uint32_t> changed(const SharePoll& poll,
                                                   const std::set<std::uint32_t>& wanted) const;
  /// Reads groups in one step.
  [[nodiscard]] absl::Status read(std::span<const std::uint32_t> groups, Deadline deadline);
  /// Never null. Thread safe.
  [[nodiscard]] std::shared_ptr<const ShareSnapshot> get(std::uint32_t group) const;

 private:
  const ShareScripts& scripts_;
  ShareLink& link_;

  mutable Mutex mutex_;
  std::array<std::shared_ptr<const ShareSnapshot>, kShareGroups> groups_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace drip::cluster
