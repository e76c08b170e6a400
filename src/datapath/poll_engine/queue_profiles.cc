// SPDX-License-Identifier: BSD-3-Clause
// Finds the profile of a queue's settings, or makes it.
#include "datapath/poll_engine/queue_profiles.h"

#include <algorithm>

namespace drip::datapath {

SharedQueueProfile QueueProfiles::get(const BucketSettings& settings) {
  if (profiles_.size() >= forget_at_) {
    std::erase_if(profiles_, [](const auto& entry) { return entry.second.expired(); });
    forget_at_ = std::max<std::size_t>(64, 2 * profiles_.size());
  }
  std::weak_ptr<const QueueProfile>& known = profiles_[Key{
      settings.capacity, settings.capacity_bytes, settings.bits_per_second, settings.queue}];
  SharedQueueProfile profile = known.lock();
  if (profile == nullptr) {
    profile = std::make_shared<const QueueProfile>(QueueProfile::of(settings));
    known = profile;
  }
  return profile;
}

}  // namespace drip::datapath
