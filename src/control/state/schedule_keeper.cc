// SPDX-License-Identifier: BSD-3-Clause
#include "control/state/schedule_keeper.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "control/state/stored_form.h"

namespace drip::control {
namespace {

// What a review corrects: less is not worth a write.
constexpr Duration kMostTooLate{1'000'000'000};
// Of a bucket that stands still nobody knows when it is free: as if in a year.
constexpr Duration kMostBusy{std::int64_t{31'536'000} * 1'000'000'000};

}  // namespace

// What is written with one sync.
struct ScheduleKeeper::Round {
  std::vector<BucketEntryRef> buckets;
  std::vector<TimePoint> until;
  std::vector<std::function<void()>> waiting;
};

void ScheduleKeeper::restore(const std::vector<std::pair<std::string, StoredSchedule>>& schedules) {
  const MachineTime now = machine_time();
  for (const auto& [id, schedule] : schedules) {
    {
      MutexLock lock(mutex_);
      kept_.insert(id);
    }
    const BucketEntryRef bucket = buckets_.find(id);
    const Duration busy = busy_at(now, schedule);
    if (bucket == nullptr || bucket->inner() || busy.ns == 0) continue;
    const TimePoint until = engine_.now() + busy;
    engine_.occupy(bucket->ref(), busy);
    bucket->set_stored_until(until);
  }
}

void ScheduleKeeper::store(std::vector<BucketEntryRef> buckets, std::function<void()> then) {
  {
    MutexLock lock(mutex_);
    for (BucketEntryRef& bucket : buckets) {
      const BucketEntry* const entry = bucket.get();
      wanted_.emplace(entry, std::move(bucket));
    }
    if (then) waiting_.push_back(std::move(then));
    if (std::exchange(posted_, true)) return;
  }
  const auto round = std::make_shared<Round>();
  store_.append_late([this, round](state::Batch& batch) { fill(round, batch); },
                     [this, round](const absl::Status& status) { finish(*round, status.ok()); });
}

TimePoint ScheduleKeeper::put(BucketEntry& bucket, state::Batch& batch) {
  const Duration ahead = stored_ahead(bucket.settings());
  const auto read = [&] { return std::min(engine_.busy_for(bucket.ref()), kMostBusy) + ahead; };
  Duration busy = read();
  if (engine_.now() + busy < bucket.stored_until()) {
    // It gets less busy than what callers rely on. From here on they come here first, and what was
    // admitted before is in what is read now.
    bucket.set_stored_until({});
    busy = read();
  }
  // The clocks are read after the bucket, so that it is not free too early.
  const TimePoint until = engine_.now() + busy;
  put_schedule(bucket.id_view(), schedule_of(machine_time(), busy), batch);
  MutexLock lock(mutex_);
  kept_.insert(bucket.id());
  return until;
}

void ScheduleKeeper::fill(const std::shared_ptr<Round>& round, state::Batch& batch) {
  {
    MutexLock lock(mutex_);
    posted_ = false;
    for (auto& [entry, bucket] : wanted_) round->buckets.push_back(std::move(bucket));
    wanted_.clear();
    round->waiting.swap(waiting_);
  }
  for (const BucketEntryRef& bucket : round->buckets) {
    const BucketEntry::Use use = bucket->use();
    round->until.push_back(use ? put(*bucket, batch) : TimePoint{});
  }
}

void ScheduleKeeper::finish(const Round& round, bool stored) {
  for (std::size_t i = 0; stored && i < round.buckets.size(); ++i) {
    round.buckets[i]->set_stored_until(round.until[i]);
  }
  for (const std::function<void()>& then : round.waiting) then();
  if (stored || !round.buckets.empty()) return;
  // The store has stopped before it could ask.
  std::vector<std::function<void()>> waiting;
  {
    MutexLock lock(mutex_);
    waiting.swap(waiting_);
    posted_ = false;
  }
  for (const std::function<void()>& then : waiting) then();
}

void ScheduleKeeper::add(const std::vector<std::string>& bucket_ids, state::Batch& batch) {
  for (const std::string& id : bucket_ids) {
    const BucketEntryRef bucket = buckets_.find(id);
    if (bucket == nullptr || bucket->stored_until() == TimePoint{}) continue;
    const BucketEntry::Use use = bucket->use();
    if (use) (void)put(*bucket, batch);
  }
}

void ScheduleKeeper::review() {
  std::vector<std::string> names;
  {
    MutexLock lock(mutex_);
    auto next = kept_.upper_bound(reviewed_to_);
    for (; next != kept_.end() && names.size() < kReviewed; ++next) names.push_back(*next);
    reviewed_to_ = next == kept_.end() ? "" : *std::prev(next);
  }
  std::vector<BucketEntryRef> too_late;
  for (const std::string& name : names) {
    BucketEntryRef bucket = buckets_.find(name);
    const TimePoint now = engine_.now();
    if (bucket == nullptr) {
      MutexLock lock(mutex_);
      kept_.erase(name);
      continue;
    }
    if (bucket->stored_until() <= now) continue;
    const BucketEntry::Use use = bucket->use();
    if (!use) continue;
    const Duration stored = bucket->stored_until() - now;
    const Duration busy = engine_.busy_for(bucket->ref()) + stored_ahead(bucket->settings());
    if (stored > busy + kMostTooLate) too_late.push_back(std::move(bucket));
  }
  if (!too_late.empty()) store(std::move(too_late), nullptr);
}

}  // namespace drip::control
