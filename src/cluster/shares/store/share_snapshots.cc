// SPDX-License-Identifier: BSD-3-Clause
// A group is read again when its count of changes is another one.
#include "cluster/shares/store/share_snapshots.h"

#include <utility>

namespace drip::cluster {

std::vector<std::uint32_t> ShareSnapshots::changed(const SharePoll& poll,
                                                   const std::set<std::uint32_t>& wanted) const {
  std::vector<std::uint32_t> changed(wanted.begin(), wanted.end());
  for (const auto& [group, changes] : poll.changes) {
    if (wanted.contains(group)) continue;
    const std::shared_ptr<const ShareSnapshot> known = get(group);
    if (known->changes != changes || known->generation != poll.data.generation) {
      changed.push_back(group);
    }
  }
  return changed;
}

absl::Status ShareSnapshots::read(std::span<const std::uint32_t> groups, Deadline deadline) {
  const auto reply = link_.run(scripts_.read(link_.run_id(), groups), deadline);
  if (!reply.ok()) return reply.status();
  auto snapshots = snapshots_of(*reply);
  if (!snapshots.ok()) return snapshots.status();
  MutexLock lock(mutex_);
  for (auto& [group, snapshot] : *snapshots) {
    groups_[group] = std::make_shared<const ShareSnapshot>(std::move(snapshot));
  }
  return absl::OkStatus();
}

std::shared_ptr<const ShareSnapshot> ShareSnapshots::get(std::uint32_t group) const {
  static const auto empty = std::make_shared<const ShareSnapshot>();
  MutexLock lock(mutex_);
  return groups_[group] != nullptr ? groups_[group] : empty;
}

}  // namespace drip::cluster
