// SPDX-License-Identifier: BSD-3-Clause
// Leaves with a constant backlog, whose packets depart and come back: what a queue costs.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include "drip/bucket_ring.h"
#include "drip/cache_line.h"
#include "drip/queue/fair_queues.h"

namespace drip::bench {

struct QueueShape {
  std::uint32_t leaves = 1;
  std::uint32_t flows = 1;    ///< Of a leaf.
  std::uint32_t backlog = 1;  ///< Packets of a leaf.
};

inline constexpr std::uint32_t kQueueBurst = 32;
inline constexpr std::uint32_t kQueuePacketBytes = 1514;

/// A packet says of which flow it is by its address, which nobody reads.
inline UnitRef packet_of_flow(std::uint32_t flow) {
  return UnitRef::of(reinterpret_cast<void*>((std::uint64_t{flow} + 1) << 6),  // NOLINT
                     kQueuePacketBytes, 0);
}
inline std::uint32_t flow_of_packet(UnitRef unit) {
  return static_cast<std::uint32_t>(reinterpret_cast<std::uint64_t>(unit.address()) >> 6) - 1;
}

/// Rings as of a flat bucket.
class FifoLoad {
 public:
  explicit FifoLoad(const QueueShape& shape)
      : leaves_(shape.leaves), slots_(BucketRing::slots_for(shape.backlog)) {
    memory_ = std::make_unique<RingEntry[]>(std::size_t{leaves_} * slots_);
    for (std::uint32_t leaf = 0; leaf < leaves_; ++leaf) {
      rings_.emplace_back(&memory_[std::size_t{leaf} * slots_], slots_);
      for (std::uint32_t i = 0; i < shape.backlog; ++i) {
        (void)rings_.back().push({packet_of_flow(i % shape.flows), TimePoint{}});
      }
    }
  }
  /// One packet of each of a burst of leaves departs and comes back.
  void burst(TimePoint now) {
    std::array<BucketRing*, kQueueBurst> due;
    for (BucketRing*& ring : due) {
      ring = &rings_[next_];
      next_ = next_ + 1 == leaves_ ? 0 : next_ + 1;
      prefetch_to_write(ring);
    }
    for (BucketRing* const ring : due) ring->prefetch_front();
    for (BucketRing* const ring : due) {
      const RingEntry entry = ring->front();
      ring->pop();
      (void)ring->push({entry.unit, now});
    }
  }

 private:
  std::uint32_t leaves_;
  std::uint32_t slots_;
  std::unique_ptr<RingEntry[]> memory_;
  std::deque<BucketRing> rings_;
  std::uint32_t next_ = 0;
};

/// Fair queues, with the flows' keys of IPv4.
class FairLoad {
 public:
  FairLoad(const QueueShape& shape, const FairQueueSettings& settings, TimePoint now)
      : profile_(FairQueueProfile::of(settings)),
        queues_({shape.leaves * shape.backlog + 1, shape.leaves * shape.flows * 2,
                 settings.isolation == Isolation::kHosts ? shape.leaves * shape.flows * 2 : 1,
                 shape.leaves, shape.leaves},
                1) {
    for (std::uint32_t id = 0; id < shape.leaves; ++id) {
      leaves_.push_back(&memory_.emplace_back(id));
    }
    for (std::uint32_t i = 0; i < shape.backlog; ++i) {
      for (std::uint32_t leaf = 0; leaf < shape.leaves; ++leaf) {
        enqueue(leaf, packet_of_flow(i % shape.flows), now);
      }
    }
  }
  void burst(TimePoint now) {
    std::array<std::uint32_t, kQueueBurst> due;
    for (std::uint32_t& leaf : due) {
      leaf = next_;
      next_ = next_ + 1 == leaves_.size() ? 0 : next_ + 1;
      prefetch_to_write(leaves_[leaf]);
    }
    const FairPrefetch prefetch = queues_.prefetch();
    for (const std::uint32_t leaf : due) prefetch.leaf(*leaves_[leaf]);
    for (const std::uint32_t leaf : due) prefetch.tin(*leaves_[leaf]);
    for (const std::uint32_t leaf : due) prefetch.flow(*leaves_[leaf]);
    for (const std::uint32_t leaf : due) prefetch.next_flow(*leaves_[leaf]);
    for (const std::uint32_t leaf : due) prefetch.tail(*leaves_[leaf]);
    for (const std::uint32_t leaf : due) {
      while (queues_.head(*leaves_[leaf], profile_, now, sink_).status ==
             QueueHead::Status::kAgain) {
      }
      enqueue(leaf, queues_.dequeue(*leaves_[leaf], profile_, now), now);
    }
  }
  [[nodiscard]] std::uint64_t marks() const { return queues_.counters().marks.get(); }

 private:
  struct Sink {
    void dropped(UnitRef, QueueDrop) {}
  };

  void enqueue(std::uint32_t leaf, UnitRef unit, TimePoint now) {
    const std::uint32_t flow = flow_of_packet(unit);
    QueueKey key;
    std::memcpy(key.source.data(), &leaf, sizeof(leaf));
    std::memcpy(key.destination.data(), &flow, sizeof(flow));
    key.protocol = 6;
    key.version = 4;
    queues_.enqueue(*leaves_[leaf], profile_, unit, key, 0, Ecn::kEct0, now, sink_);
  }

  FairQueueProfile profile_;
  FairQueues queues_;
  std::deque<FairLeaf> memory_;
  std::vector<FairLeaf*> leaves_;
  Sink sink_;
  std::uint32_t next_ = 0;
};

}  // namespace drip::bench
