// SPDX-License-Identifier: BSD-3-Clause
// The rings for the flows of one per-flow rule, which all transmitters share.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "datapath/flows/flow_array.h"
#include "drip/bucket_ring.h"
#include "drip/cache_line.h"

namespace drip::datapath {

/// A ring is taken when a flow appears and given back when it is removed. There are as many as the
/// rule may have flows, on whichever transmitters these are, so what a rule takes does not depend
/// on the number of transmitters. Each transmitter has a list of free rings from its own NUMA node,
/// and takes from the others' when it is empty.
///
/// take() and give_back() may be called by any thread, and are lock-free (Treiber, "Systems
/// programming: coping with parallelism", IBM RJ 5118, 1986). The rest belongs to control.
class FlowRings {
 public:
  static constexpr std::uint32_t kNone = ~0U;

  FlowRings(std::uint32_t ring_slots, std::uint32_t transmitters)
      : ring_slots_(ring_slots),
        transmitters_(transmitters),
        free_(std::make_unique<List[]>(transmitters)) {}

  [[nodiscard]] std::uint32_t ring_slots() const { return ring_slots_; }
  [[nodiscard]] RingEntry* memory(std::uint32_t ring) const { return rings_[ring].memory; }

  /// The number of a ring, by preference one of `transmitter`; kNone if all are taken.
  [[nodiscard]] std::uint32_t take(std::uint32_t transmitter) {
    for (std::uint32_t i = 0; i < transmitters_; ++i) {
      const std::uint32_t ring = pop(free_[(transmitter + i) % transmitters_]);
      if (ring != kNone) return ring;
    }
    return kNone;
  }
  void give_back(std::uint32_t ring) { push(free_[rings_[ring].home], ring); }

  // ---- Control

  /// How many there are, taken or free.
  [[nodiscard]] std::uint32_t size() const { return size_; }
  /// One more, with memory from the node of transmitter `home`. REQUIRES: size() < kMaxFlows.
  void add(RingEntry* memory, std::uint32_t home) {
    std::uint32_t ring = unused_;
    if (ring == kNone) {
      ring = rings_.size();
      rings_.grow(ring + 1);
    } else {
      unused_ = rings_[ring].next.load(std::memory_order_relaxed);
    }
    rings_[ring].memory = memory;
    rings_[ring].home = home;
    ++size_;
    push(free_[home], ring);
  }
  struct Removed {
    RingEntry* memory;
    std::uint32_t home;
  };
  /// Takes a free ring away, of `home` by preference.
  std::optional<Removed> remove(std::uint32_t home) {
    const std::uint32_t ring = take(home);
    if (ring == kNone) return std::nullopt;
    Ring& removed = rings_[ring];
    removed.next.store(unused_, std::memory_order_relaxed);
    unused_ = ring;
    --size_;
    return Removed{removed.memory, removed.home};
  }

 private:
  struct Ring {
    RingEntry* memory = nullptr;
    std::uint32_t home = 0;
    std::atomic<std::uint32_t> next{kNone};
  };
  // The first free ring in the lower half; in the upper one a count of changes, which tells a list
  // from one whose first ring was taken and given back in between.
  struct alignas(kCacheLineBytes) List {
    std::atomic<std::uint64_t> head{kNone};
  };
  static std::uint64_t with_next_count(std::uint64_t head, std::uint32_t ring) {
    return ((head >> 32) + 1) << 32 | ring;
  }

  std::uint32_t pop(List& list) {
    std::uint64_t head = list.head.load(std::memory_order_acquire);
    for (;;) {
      const auto ring = static_cast<std::uint32_t>(head);
      if (ring == kNone) return kNone;
      const std::uint32_t next = rings_[ring].next.load(std::memory_order_relaxed);
      if (list.head.compare_exchange_weak(head, with_next_count(head, next),
                                          std::memory_order_acquire)) {
        return ring;
      }
    }
  }
  void push(List& list, std::uint32_t ring) {
    std::uint64_t head = list.head.load(std::memory_order_relaxed);
    do {
      rings_[ring].next.store(static_cast<std::uint32_t>(head), std::memory_order_relaxed);
    } while (!list.head.compare_exchange_weak(
        head, with_next_count(head, ring), std::memory_order_release, std::memory_order_relaxed));
  }

  const std::uint32_t ring_slots_;
  const std::uint32_t transmitters_;
  std::unique_ptr<List[]> free_;
  FlowArray<Ring> rings_;
  std::uint32_t unused_ = kNone;  // Numbers without memory; linked like free rings.
  std::uint32_t size_ = 0;
};

}  // namespace drip::datapath
