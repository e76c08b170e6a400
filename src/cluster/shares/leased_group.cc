// SPDX-License-Identifier: BSD-3-Clause
// A demand is told when it has changed by more than it wavers.
#include "cluster/shares/leased_group.h"

#include <algorithm>
#include <utility>

#include "cluster/shares/lease/rate_division.h"

namespace drip::cluster {
namespace {

// A demand that differs from what was told by less than this is the same: an eighth of it, and so
// many parts of the rate.
constexpr std::uint64_t kPartOfDemand = 8;
constexpr std::uint64_t kLeastChange = kWholeRate / 256;

bool differs(std::uint64_t demand, std::uint64_t reported) {
  if ((demand == 0) != (reported == 0)) return true;
  const std::uint64_t change = demand > reported ? demand - reported : reported - demand;
  return change > reported / kPartOfDemand + kLeastChange;
}

// While a bucket's demand is met, the leader need not know how far it is from its share. It must
// know at once of one that is not.
bool is_urgent(std::uint64_t demand, std::uint64_t reported, std::uint64_t share) {
  return demand > share && reported <= share && demand > reported + reported / kPartOfDemand;
}

}  // namespace

bool LeasedGroup::set_buckets(const std::vector<control::BucketEntryRef>& buckets) {
  bool changed = buckets.size() != entries.size();
  std::vector<LeasedEntry> found;
  found.reserve(buckets.size());
  auto before = entries.begin();
  for (const control::BucketEntryRef& bucket : buckets) {
    const BucketSettings settings = bucket->settings();
    LeasedEntry entry;
    while (before != entries.end() && before->bucket->id_view() < bucket->id_view()) ++before;
    if (before != entries.end() && before->bucket == bucket) {
      entry = std::move(*before++);
    } else {
      changed = true;
      entry.bucket = bucket;
    }
    const LeasedRates rates{settings.units_per_second, settings.bits_per_second};
    control::BucketSharing sharing = bucket->sharing();
    if (entry.rates != rates || entry.sharing != sharing) {
      changed = true;
      entry.rates = rates;
      entry.sharing = std::move(sharing);
    }
    found.push_back(std::move(entry));
  }
  entries = std::move(found);
  if (changed) {
    news_ = News::kUrgent;
    all_shared = false;
  }
  return changed;
}

void LeasedGroup::measure(const Engine& engine, double seconds, double memory) {
  InOrder<Share> shares(holder.held());
  for (LeasedEntry& entry : entries) {
    const ArrivalCounts counts = engine.arrivals(entry.bucket->ref());
    // Otherwise the counts may be another bucket's.
    if (!entry.bucket->exists()) continue;
    entry.meter.update(counts, seconds, memory);
    if (news_ == News::kUrgent) continue;
    const std::uint64_t demand = entry.meter.demand(entry.rates);
    if (!differs(demand, entry.reported)) continue;
    const Share* const held = shares.find(entry.bucket->id_view());
    const std::uint64_t share = held == nullptr ? 0 : held->leased + held->safe;
    news_ = is_urgent(demand, entry.reported, share) ? News::kUrgent : std::max(news_, News::kSome);
  }
}

Demands LeasedGroup::report() {
  Demands demands;
  demands.reserve(entries.size());
  for (LeasedEntry& entry : entries) {
    entry.reported = entry.meter.demand(entry.rates);
    demands.emplace(entry.bucket->id_view(), entry.reported);
  }
  news_ = News::kNone;
  return demands;
}

ShareAllocator::Buckets LeasedGroup::configuration() const {
  ShareAllocator::Buckets buckets;
  buckets.reserve(entries.size());
  for (const LeasedEntry& entry : entries) {
    LeasedBucket bucket;
    bucket.rates = entry.rates;
    bucket.weights = entry.sharing.weights;
    if (entry.sharing.failure_policy == control::FailurePolicy::kSafeShare) {
      bucket.reserve =
          static_cast<std::uint64_t>(entry.sharing.safe_reserve * static_cast<double>(kWholeRate));
    }
    buckets.emplace(entry.bucket->id_view(), std::move(bucket));
  }
  return buckets;
}

}  // namespace drip::cluster
