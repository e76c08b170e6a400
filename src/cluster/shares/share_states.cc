// SPDX-License-Identifier: BSD-3-Clause
// By group, each in order of id.
#include "cluster/shares/share_states.h"

#include <algorithm>

namespace drip::cluster {

void ShareStates::put(std::uint32_t group, const LeasedGroup& leased) {
  MutexLock lock(mutex_);
  std::vector<State>& states = groups_[group];
  states.resize(leased.entries.size());
  for (std::size_t i = 0; i < states.size(); ++i) {
    const LeasedEntry& entry = leased.entries[i];
    State& state = states[i];
    if (state.bucket != entry.bucket) state.bucket = entry.bucket;
    state.policy_state = entry.state.value_or(control::PolicyState::kClosed);
    state.active = entry.active;
    state.demand = part_of(entry.rates, entry.meter.demand(entry.rates));
    state.policy_changes = entry.policy_changes;
  }
}

void ShareStates::put_lease(std::uint64_t epoch, TimePoint end) {
  MutexLock lock(mutex_);
  epoch_ = epoch;
  lease_end_ = end;
}

std::optional<control::ShareState> ShareStates::find(std::string_view bucket_id,
                                                     TimePoint now) const {
  MutexLock lock(mutex_);
  const std::vector<State>& states = groups_[share_group_of(bucket_id)];
  const auto found = std::ranges::lower_bound(
      states, bucket_id, {}, [](const State& state) { return state.bucket->id_view(); });
  if (found == states.end() || found->bucket->id_view() != bucket_id) return std::nullopt;
  control::ShareState state;
  state.policy_state = found->policy_state;
  if (found->active) {
    state.share = now < lease_end_ ? found->active->share : found->active->fallback;
  }
  state.demand = found->demand;
  state.lease_end = lease_end_;
  state.epoch = epoch_;
  state.policy_changes = found->policy_changes;
  return state;
}

}  // namespace drip::cluster
