// SPDX-License-Identifier: BSD-3-Clause
// Packets for queues under test: units that say who they are, and what became of them.
#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include "drip/queue/fair_queues.h"

namespace drip::test {

// No queue reads a packet, so that a number can stand for its address.
inline UnitRef unit_of(std::uint64_t id, std::uint32_t bytes) {
  return UnitRef::of(reinterpret_cast<void*>((id + 1) << 6), bytes, 0);  // NOLINT
}
inline std::uint64_t id_of(UnitRef unit) {
  return (reinterpret_cast<std::uint64_t>(unit.address()) >> 6) - 1;
}

inline QueueKey ipv4_key(std::uint32_t source, std::uint32_t destination, std::uint16_t port = 0) {
  QueueKey key;
  std::memcpy(key.source.data(), &source, 4);
  std::memcpy(key.destination.data(), &destination, 4);
  key.source_port = port;
  key.protocol = 17;
  key.version = 4;
  return key;
}

struct Dropped {
  std::uint64_t id = 0;
  QueueDrop reason{};
};

struct Drops {
  std::vector<Dropped> all;

  void dropped(UnitRef unit, QueueDrop reason) { all.push_back({id_of(unit), reason}); }
  [[nodiscard]] std::size_t count(QueueDrop reason) const {
    std::size_t sum = 0;
    for (const Dropped& drop : all) sum += drop.reason == reason ? 1U : 0U;
    return sum;
  }
};

/// A queue with one leaf, in virtual time.
class OneLeaf {
 public:
  explicit OneLeaf(const FairQueueSettings& settings,
                   const FairQueueSizes& sizes = {4096, 4096, 8192, 4, 16}, std::uint64_t seed = 1)
      : profile(FairQueueProfile::of(settings)), queues(sizes, seed) {}

  /// Returns the packet's id.
  std::uint64_t add(const QueueKey& key, std::uint32_t bytes, Ecn ecn = Ecn::kNotCapable,
                    std::uint32_t tin = 0) {
    queues.enqueue(leaf, profile, unit_of(next_id, bytes), key, tin, ecn, now, drops);
    return next_id++;
  }
  QueueHead head() {
    for (;;) {
      const QueueHead head = queues.head(leaf, profile, now, drops);
      if (head.status != QueueHead::Status::kAgain) return head;
    }
  }
  /// The packet that departed; none if the queue is empty.
  std::optional<std::uint64_t> take() {
    const QueueHead next = head();
    if (next.status == QueueHead::Status::kEmpty) return std::nullopt;
    marked = next.mark;
    return id_of(queues.dequeue(leaf, profile, now));
  }
  void pass(std::int64_t ns) { now = now + Duration{ns}; }

  FairQueueProfile profile;
  FairQueues queues;
  FairLeaf leaf{7};
  Drops drops;
  TimePoint now{std::uint64_t{1} << 40};
  std::uint64_t next_id = 0;
  bool marked = false;  // The packet that departed last.
};

}  // namespace drip::test
