// SPDX-License-Identifier: BSD-3-Clause
// The queue of one bucket that is more than its ring.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "drip/cache_line.h"
#include "drip/counter.h"
#include "drip/queue/dual_queue.h"
#include "drip/queue/ecn.h"
#include "drip/queue/fair_leaf.h"
#include "drip/queue/queue_drop.h"
#include "drip/queue/queue_key.h"
#include "drip/queue/queue_profile.h"

namespace drip {

/// What a queue needs to know of a packet.
struct QueueInput {
  QueueKey key;
  std::uint8_t dscp = 0;
  Ecn ecn = Ecn::kNotCapable;
};

/// What became of a bucket's packets but for those that departed as they were. Any thread can read
/// them.
struct QueueCounters {
  std::uint64_t marks = 0;  ///< Departed, marked Congestion Experienced.
  // Dropped, by QueueDrop.
  std::uint64_t overflow_drops = 0;
  std::uint64_t aqm_drops = 0;
  std::uint64_t max_wait_drops = 0;
  std::uint32_t flows = 0;  ///< With packets, or with their turn.
};

/// Written by the thread of its Scheduler; others may read what read() gives. Memory of
/// zeros is one that was never used. Does not own what it refers to.
struct alignas(kCacheLineBytes) BucketQueue {
  FairLeaf fair{0};
  const QueueProfile* profile = nullptr;
  DualQueue* dual = nullptr;  ///< Where the AQM is or was DualPI2.
  Counter marks;
  std::array<Counter, 3> drops;  // The first three of QueueDrop.
  /// Flows from before the last change of what tells flows apart. On a line of its own, which is
  /// not needed otherwise.
  alignas(kCacheLineBytes) FairLeaf former{0};
  const QueueProfile* former_profile = nullptr;

  void count(QueueDrop reason) {
    const auto index = static_cast<std::size_t>(reason);
    if (index < drops.size()) drops[index].add(1);
  }
  [[nodiscard]] QueueCounters read() const {
    return {marks.get(), drops[0].get(), drops[1].get(), drops[2].get(),
            fair.flows() + former.flows()};
  }
};
static_assert(offsetof(BucketQueue, former) == kCacheLineBytes);
static_assert(static_cast<int>(QueueDrop::kOverflow) == 0 &&
              static_cast<int>(QueueDrop::kAqm) == 1 && static_cast<int>(QueueDrop::kMaxWait) == 2);

}  // namespace drip
