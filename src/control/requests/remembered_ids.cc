// SPDX-License-Identifier: BSD-3-Clause
// A list by age and a map by id.
#include "control/requests/remembered_ids.h"

namespace drip::control {

void RememberedIds::forget(Entries::iterator entry) {
  by_id_.erase({entry->queue, entry->id});
  entries_.erase(entry);
  size_.store(entries_.size());
}

void RememberedIds::expire_oldest(TimePoint now) {
  while (!entries_.empty() && entries_.front().until <= now) forget(entries_.begin());
}

void RememberedIds::add(std::uint64_t queue, std::string_view id, TimePoint until, TimePoint now) {
  if (most_ == 0 || until <= now) return;
  MutexLock lock(mutex_);
  expire_oldest(now);
  if (const auto known = by_id_.find({queue, id}); known != by_id_.end()) forget(known->second);
  if (entries_.size() >= most_) {
    forget(entries_.begin());
    forgotten_.fetch_add(1);
  }
  const auto entry = entries_.insert(entries_.end(), {queue, std::string(id), until});
  by_id_.emplace(Key{queue, entry->id}, entry);
  size_.store(entries_.size());
}

bool RememberedIds::has(std::uint64_t queue, std::string_view id, TimePoint now) {
  if (size() == 0) return false;
  MutexLock lock(mutex_);
  const auto known = by_id_.find({queue, id});
  if (known == by_id_.end()) return false;
  if (now < known->second->until) return true;
  forget(known->second);
  return false;
}

void RememberedIds::expire(TimePoint now) {
  if (size() == 0) return;
  MutexLock lock(mutex_);
  expire_oldest(now);
}

}  // namespace drip::control
