// SPDX-License-Identifier: BSD-3-Clause
// Stores until when buckets with requests are busy, and makes them so again after a restart.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "control/config/bucket_registry.h"
#include "control/requests/request_schedules.h"
#include "control/state/stored_schedule.h"
#include "engine/engine.h"
#include "state/batch.h"
#include "state/state_store.h"

namespace drip::control {

/// What is stored is read from the bucket when it is written, on the store's thread: so it covers
/// every admission that was made before, in whatever order its callers come here. Thread safe.
class ScheduleKeeper final : public RequestSchedules {
 public:
  /// All outlive it, and `store` is stopped before it ends.
  ScheduleKeeper(Engine& engine, const BucketRegistry& buckets, state::StateStore& store)
      : engine_(engine), buckets_(buckets), store_(store) {}

  /// Makes buckets that were just created as busy as they were. To be called once, before the first
  /// request.
  void restore(const std::vector<std::pair<std::string, StoredSchedule>>& schedules);

  void store(std::vector<BucketEntryRef> buckets, std::function<void()> then) override;

  /// For a change of a bucket: adds its schedule at its new rate to what is stored with the change.
  /// On the store's thread.
  void add(const std::vector<std::string>& bucket_ids, state::Batch& batch);

  /// Looks at some buckets, to be called about every second: those from which requests were taken
  /// back are busy for less, and this is stored.
  void review();

 private:
  struct Round;
  static constexpr std::size_t kReviewed = 1000;  // Buckets in one review().

  void fill(const std::shared_ptr<Round>& round, state::Batch& batch);
  void finish(const Round& round, bool stored);
  // Puts it into the batch; when it is written it will be set_stored_until() the result.
  [[nodiscard]] TimePoint put(BucketEntry& bucket, state::Batch& batch);

  Engine& engine_;
  const BucketRegistry& buckets_;
  state::StateStore& store_;

  Mutex mutex_;
  std::unordered_map<const BucketEntry*, BucketEntryRef> wanted_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::function<void()>> waiting_ ABSL_GUARDED_BY(mutex_);
  bool posted_ ABSL_GUARDED_BY(mutex_) = false;
  // Those of which something is stored, by name.
  std::set<std::string, std::less<>> kept_ ABSL_GUARDED_BY(mutex_);
  std::string reviewed_to_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace drip::control
