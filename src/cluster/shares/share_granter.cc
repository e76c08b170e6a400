// SPDX-License-Identifier: BSD-3-Clause
// Group by group, some of them with each call.
#include "cluster/shares/share_granter.h"

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/text.h"

namespace drip::cluster {
namespace {

// How often sequences of groups in which nothing changes are looked at, in a lease.
constexpr std::int64_t kLooksALease = 8;

std::uint64_t random_generation() {
  std::random_device device;
  return 1 + (static_cast<std::uint64_t>(device()) << 20) + (device() & 0xfffffU);
}

}  // namespace

ShareGranter::ShareGranter(Parts parts, LeaseTiming timing, std::uint64_t epoch)
    : parts_(std::move(parts)), timing_(timing), epoch_(epoch), learning_(timing) {
  for (std::uint32_t group = 0; group < kShareGroups; ++group) {
    allocators_[group] = std::make_unique<ShareAllocator>(timing);
    wanted_.insert(group);
  }
}

void ShareGranter::lead(const SharePoll& poll) {
  const std::string& run_id = parts_.link.run_id();
  const std::uint64_t generation = poll.data.generation;
  if (generation == 0) {
    (void)parts_.link.run(parts_.scripts.begin(run_id, epoch_, random_generation()),
                          parts_.deadline());
    return;
  }
  const ShareLearning::Step step = learning_.next(poll.data, parts_.now());
  if (step != ShareLearning::Step::kNone) {
    const auto done =
        parts_.link.run(parts_.scripts.step(run_id, epoch_, generation, step), parts_.deadline());
    if (!done.ok()) return;
    if (step == ShareLearning::Step::kLearned) {
      write_log(
          LogLevel::kInfo,
          joined("shares: all earlier leases have ended; granting from now on, epoch ", epoch_));
    }
    for (std::uint32_t group = 0; group < kShareGroups; ++group) wanted_.insert(group);
  }
  if (parts_.now() - looked_ > Duration{timing_.lease.ns / kLooksALease}) {
    if (!look_for_silent_nodes(generation).ok()) return;
    looked_ = parts_.now();
  }
  const std::vector<std::uint32_t> groups = parts_.snapshots.changed(poll, wanted_);
  for (std::size_t first = 0; first < groups.size();) {
    const std::span<const std::uint32_t> rest = std::span(groups).subspan(first);
    const std::size_t count = groups_of_a_call(
        rest, [this](std::uint32_t group) { return parts_.buckets(group).entries.size(); });
    if (!parts_.renew_leases() || !plan(rest.first(count)).ok()) return;
    first += count;
  }
}

absl::Status ShareGranter::look_for_silent_nodes(std::uint64_t generation) {
  const auto reply = parts_.link.run(parts_.scripts.heads(parts_.link.run_id()), parts_.deadline());
  if (!reply.ok()) return reply.status();
  const auto heads = heads_of(*reply);
  if (!heads.ok()) return heads.status();
  const TimePoint now = parts_.now();
  std::set<std::string> lost;
  for (const auto& [group, sessions] : *heads) {
    if (allocators_[group]->observe(generation, sessions, now)) wanted_.insert(group);
    for (const auto& [id, head] : sessions) {
      if (head.lost && lost_.contains(id)) lost.insert(id);
    }
  }
  lost_ = std::move(lost);  // One that is back may be lost again.
  return absl::OkStatus();
}

absl::Status ShareGranter::plan(std::span<const std::uint32_t> groups) {
  if (absl::Status status = parts_.snapshots.read(groups, parts_.deadline()); !status.ok()) {
    wanted_.insert(groups.begin(), groups.end());
    return status;
  }
  const TimePoint now = parts_.now();
  std::uint64_t generation = 0;
  std::vector<GroupPlan> plans;
  for (const std::uint32_t group : groups) {
    wanted_.erase(group);
    const std::shared_ptr<const ShareSnapshot> snapshot = parts_.snapshots.get(group);
    generation = snapshot->generation;
    if (!configurations_[group]) {
      configurations_[group] = parts_.buckets(group).configuration();
    }
    SharePlan plan = allocators_[group]->plan(*snapshot, *configurations_[group], now);
    log(plan);
    if (!plan.changes_nothing()) plans.push_back({group, std::move(plan)});
  }
  if (plans.empty()) return absl::OkStatus();
  const auto reply = parts_.link.run(
      parts_.scripts.apply(parts_.link.run_id(), epoch_, generation, plans), parts_.deadline());
  const auto applied = reply.ok() ? applied_of(*reply, plans.size()) : reply.status();
  for (std::size_t i = 0; i < plans.size(); ++i) {
    if (!applied.ok() || !(*applied)[i]) wanted_.insert(plans[i].group);
  }
  return applied.status();
}

// Each loss once, though it is one of each group.
void ShareGranter::log(const SharePlan& plan) {
  for (const auto& [id, sequence] : plan.lost) {
    if (!lost_.insert(id).second) continue;
    write_log(LogLevel::kWarning,
              joined("shares: ", id, " sent nothing for the length of a lease"));
  }
}

}  // namespace drip::cluster
