// SPDX-License-Identifier: BSD-3-Clause
// Unreachable and reachable again, with a line in the log for each.
#include "cluster/queue/queue_policies.h"

#include <vector>

#include "base/log.h"
#include "base/text.h"

namespace drip::cluster {

using control::PolicyState;

namespace {

PolicyState state_while_unreachable(const control::BucketEntry& bucket) {
  return bucket.sharing().failure_policy == control::FailurePolicy::kOpen ? PolicyState::kOpen
                                                                          : PolicyState::kClosed;
}

}  // namespace

void QueuePolicies::missed(const std::string& bucket_id, const absl::Status& why) {
  const control::BucketEntryRef bucket = buckets_.find(bucket_id);
  if (bucket == nullptr) return;
  {
    MutexLock lock(mutex_);
    Record& record = records_[bucket_id];
    if (record.unreachable) return;
    record.unreachable = true;
    ++record.changes;
    unreachable_count_.fetch_add(1);
  }
  write_log(LogLevel::kWarning,
            joined("bucket ", bucket_id,
                   state_while_unreachable(*bucket) == PolicyState::kOpen
                       ? ": open, this node's own queue at the full rate; Redis does not answer: "
                       : ": closed; Redis does not answer: ",
                   message_of(why)));
}

void QueuePolicies::answered_within(std::chrono::nanoseconds took) {
  if (unreachable_count_.load() == 0) return;
  std::vector<std::string> reachable;
  {
    MutexLock lock(mutex_);
    for (auto each = records_.begin(); each != records_.end();) {
      Record& record = each->second;
      const control::BucketEntryRef bucket = buckets_.find(each->first);
      const bool patient = bucket != nullptr && took.count() <= bucket->sharing().decide_within.ns;
      if (record.unreachable && (patient || bucket == nullptr)) {
        record.unreachable = false;
        ++record.changes;
        unreachable_count_.fetch_sub(1);
        if (patient) reachable.push_back(each->first);
      }
      each = bucket == nullptr ? records_.erase(each) : std::next(each);
    }
  }
  for (const std::string& id : reachable) {
    write_log(LogLevel::kInfo, joined("bucket ", id, ": shared; Redis answers again"));
  }
}

bool QueuePolicies::unreachable(std::string_view bucket_id) const {
  if (unreachable_count_.load() == 0) return false;
  MutexLock lock(mutex_);
  const auto record = records_.find(bucket_id);
  return record != records_.end() && record->second.unreachable;
}

control::BucketEntryRef QueuePolicies::one_unreachable() const {
  if (unreachable_count_.load() == 0) return nullptr;
  MutexLock lock(mutex_);
  for (const auto& [id, record] : records_) {
    if (!record.unreachable) continue;
    control::BucketEntryRef bucket = buckets_.find(id);
    if (bucket != nullptr && bucket->sharing().exact()) return bucket;
  }
  return nullptr;
}

control::ShareState QueuePolicies::state_of(const control::BucketEntry& bucket) const {
  control::ShareState state;
  state.policy_state = PolicyState::kShared;
  MutexLock lock(mutex_);
  const auto record = records_.find(bucket.id());
  if (record == records_.end()) return state;
  state.policy_changes = record->second.changes;
  if (record->second.unreachable) state.policy_state = state_while_unreachable(bucket);
  return state;
}

}  // namespace drip::cluster
