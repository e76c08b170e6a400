// SPDX-License-Identifier: BSD-3-Clause
// What the node holds, or its failure policy, applied to the engine.
#include <algorithm>
#include <utility>

#include "cluster/shares/lease/rate_division.h"
#include "cluster/shares/share_agent.h"
#include "cluster/shares/share_policy.h"

namespace drip::cluster {

using control::PolicyState;

namespace {

// While the engine applies leases their buckets cannot be deleted.
constexpr std::size_t kLeasesAtOnce = 128;

bool less(const LeasedRates& a, const LeasedRates& b) {
  return a.units_per_second < b.units_per_second || a.bits_per_second < b.bits_per_second;
}

}  // namespace

void ShareAgent::apply_policies(LeasedGroup& group, TimePoint now) {
  const bool lease_over = !group.holder.leased() || now >= group.holder.ends().share;
  group.lease_over = lease_over;
  group.all_shared = true;
  for (LeasedEntry& entry : group.entries) {
    const bool unreachable =
        unanswered_since_ && now - *unanswered_since_ >= entry.sharing.decide_within;
    const PolicyState state = policy_state(entry.sharing.failure_policy, unreachable, lease_over);
    if (state != PolicyState::kShared) group.all_shared = false;
    if (entry.state == state) continue;
    // The first state is no change, unless it is a fault.
    if (entry.state || state != PolicyState::kShared) {
      ++entry.policy_changes;
      policy_log_.add(entry.bucket->id_view(), state, unreachable);
    }
    entry.state = state;
  }
}

// To those groups that one applies to, or may.
void ShareAgent::apply_failure_policies() {
  const TimePoint now = engine_.now();
  std::vector<std::uint32_t> groups;
  for (std::uint32_t i = 0; i < kShareGroups; ++i) {
    const LeasedGroup& group = groups_[i];
    if (group.entries.empty()) continue;
    if (unanswered_since_ || lapsed_ || !group.all_shared || now >= group.holder.ends().share) {
      groups.push_back(i);
    }
  }
  apply(groups);
}

void ShareAgent::put(std::span<const Change> changes) {
  std::vector<control::BucketEntry::Use> uses;
  std::vector<LeaseChange> leases;
  while (!changes.empty()) {
    const auto some = changes.first(std::min(changes.size(), kLeasesAtOnce));
    changes = changes.subspan(some.size());
    uses.clear();
    leases.clear();
    for (const auto& [entry, lease] : some) {
      entry->active = lease;
      auto use = entry->bucket->use();
      if (!use) continue;
      uses.push_back(std::move(use));
      leases.push_back({entry->bucket->ref(), lease});
    }
    engine_.lease(leases);
  }
}

// The polling threads know one end for all buckets: the first of the groups'. A group whose lease
// is over counts until its buckets are at their failure policies.
void ShareAgent::set_lease_ends() {
  std::optional<TimePoint> share;
  std::optional<TimePoint> fallback;
  for (const LeasedGroup& group : groups_) {
    const ShareHolder& holder = group.holder;
    if (group.entries.empty() || !holder.leased()) continue;
    const LeaseEnds ends = holder.ends();
    if (!group.lease_over && (!share || ends.share < *share)) share = ends.share;
    if (!holder.held().empty() && (!fallback || ends.fallback < *fallback))
      fallback = ends.fallback;
  }
  if (!share && !fallback) return;
  if (share) active_ends_.share = *share;
  active_ends_.fallback = std::max(active_ends_.share, fallback.value_or(active_ends_.share));
  engine_.set_lease_ends(active_ends_);
}

// Lower shares first, then the new ends of the leases, then higher shares.
void ShareAgent::apply(std::span<const std::uint32_t> groups) {
  if (groups.empty()) return;
  const TimePoint now = engine_.now();
  std::vector<Change> lower;
  std::vector<Change> later;
  for (const std::uint32_t i : groups) {
    LeasedGroup& group = groups_[i];
    apply_policies(group, now);
    InOrder<Share> held(group.holder.held());
    for (LeasedEntry& entry : group.entries) {
      const Share* const share = held.find(entry.bucket->id_view());
      const RateLease lease =
          lease_by(entry.sharing.failure_policy, entry.state.value_or(PolicyState::kShared),
                   share != nullptr ? *share : Share{}, entry.rates);
      if (entry.active == lease && !lapsed_) continue;
      if (entry.active && !lapsed_ &&
          (less(lease.share, entry.active->share) ||
           less(lease.fallback, entry.active->fallback))) {
        lower.emplace_back(&entry, lease);
      } else {
        later.emplace_back(&entry, lease);
      }
    }
  }
  put(lower);
  // Where the old lease was over, that was its fallback: the share follows with the new ends.
  if (engine_.now() >= active_ends_.share) later.insert(later.end(), lower.begin(), lower.end());
  set_lease_ends();
  put(later);
  for (const std::uint32_t i : groups) states_.put(i, groups_[i]);
}

}  // namespace drip::cluster
