// SPDX-License-Identifier: BSD-3-Clause
// The two ways by which a bucket can get packets from several cores.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "absl/status/statusor.h"
#include "bench/bench_options.h"
#include "bench/packet_pool.h"
#include "drip/bucket_ring.h"
#include "drip/cache_line.h"

namespace drip::bench {

/// What Drip does not do: one ring a bucket into which every core writes. Several producers, and
/// the bucket's owner as the only consumer, to whom the first one after a pause announces the
/// bucket.
class alignas(kCacheLineBytes) SharedRing {
 public:
  enum class Pushed : std::uint8_t { kFull, kQuietly, kToAnnounce };

  /// `slots` is a power of two in number, zeroed, and stays.
  void use(RingEntry* slots, std::uint32_t slot_count) {
    slots_ = slots;
    mask_ = slot_count - 1;
  }
  /// Any core. With kToAnnounce the owner must be told.
  [[nodiscard]] Pushed push(const RingEntry& entry) {
    std::uint32_t tail = tail_.load(std::memory_order_relaxed);
    do {
      if (tail - head_.load(std::memory_order_acquire) > mask_) return Pushed::kFull;
    } while (!tail_.compare_exchange_weak(tail, tail + 1, std::memory_order_relaxed));
    RingEntry& slot = slots_[tail & mask_];
    slot.arrival = entry.arrival;
    std::atomic_ref(slot.unit).store(entry.unit, std::memory_order_release);
    return announced_.exchange(1) != 0 ? Pushed::kQuietly : Pushed::kToAnnounce;
  }
  /// The owner, once it was told: calls take(entry) for all that is there.
  template <class Take>
  void drain(Take take) {
    announced_.exchange(0);
    std::uint32_t head = head_.load(std::memory_order_relaxed);
    for (;; ++head) {
      RingEntry& slot = slots_[head & mask_];
      const UnitRef unit = std::atomic_ref(slot.unit).load(std::memory_order_acquire);
      if (unit.is_released()) break;
      take(RingEntry{unit, slot.arrival});
      std::atomic_ref(slot.unit).store(UnitRef{}, std::memory_order_relaxed);
      head_.store(head + 1, std::memory_order_release);
    }
  }
  void prefetch() const { __builtin_prefetch(this, 1); }
  void prefetch_back() const {
    __builtin_prefetch(&slots_[tail_.load(std::memory_order_relaxed) & mask_], 1);
  }
  void prefetch_front() const {
    __builtin_prefetch(&slots_[head_.load(std::memory_order_relaxed) & mask_], 1);
  }

 private:
  RingEntry* slots_ = nullptr;
  std::uint32_t mask_ = 0;
  std::atomic<std::uint32_t> tail_{0};
  std::atomic<std::uint32_t> head_{0};
  std::atomic<std::uint32_t> announced_{0};
};
static_assert(sizeof(SharedRing) == kCacheLineBytes);

enum class HandOver : std::uint8_t {
  kPrivate,  ///< To each core come packets of its own buckets only.
  kBulk,     ///< dripd's own: datapath/hand_off.h.
  kShared,   ///< SharedRing.
};
[[nodiscard]] std::string_view name(HandOver way);

/// Two cores that each receive, own half of `buckets`, and send; packets come for any bucket, save
/// with kPrivate. dripd's transmitters without parsing and rules, as fast as it goes. Returns the
/// millions of packets that left in a second.
[[nodiscard]] absl::StatusOr<double> run_hand_over(
    const Bench& bench, HandOver way, std::uint32_t buckets,
    std::span<const std::unique_ptr<PacketPool>> pools);

}  // namespace drip::bench
