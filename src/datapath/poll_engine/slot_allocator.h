// SPDX-License-Identifier: BSD-3-Clause
// Control's book of one transmitter's bucket slots: which are used, with which settings and memory.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "datapath/lease_list.h"
#include "datapath/memory/bucket_table.h"
#include "datapath/memory/ring_memory.h"

namespace drip::datapath {

/// A lease as control put it in force; apart, for most buckets never have one.
struct BookedLease {
  LeaseTerms terms;  ///< The transmitter's.
  RateLease lease;
  std::uint64_t lapses_before = 0;  ///< The transmitter's when `lease` was put in force.
};

/// As wide as SlotRecord::ring_slots.
inline constexpr std::uint32_t kMaxRingSlots = (1U << 30) - 1;

/// What control knows of a slot. There may be millions, and the bucket itself has most settings.
struct SlotRecord {
  RingEntry* ring = nullptr;
  LeasedRates rates;  ///< As configured; those that a lease divides, if they are leased.
  std::unique_ptr<BookedLease> leased;  ///< Null before the first lease.
  std::uint32_t capacity = 0;
  std::uint32_t ring_slots : 30 = 0;
  std::uint32_t holds_packets : 1 = 0;  ///< A rule sends packets there: mbufs are promised to it.
  std::uint32_t rate_is_leased : 1 = 0;

  void note(const BucketSettings& settings) {
    rates = {settings.units_per_second, settings.bits_per_second};
    capacity = settings.capacity;
    rate_is_leased = static_cast<std::uint32_t>(settings.rate_is_leased);
    if (!settings.rate_is_leased) leased = nullptr;
  }
};
static_assert(sizeof(SlotRecord) == 40);

/// Not thread safe: its engine locks. Refuses with RESOURCE_EXHAUSTED and the figures.
class SlotAllocator {
 public:
  SlotAllocator(const BucketTable& buckets, std::uint64_t ring_budget_bytes, int numa_node)
      : buckets_(buckets), rings_(ring_budget_bytes, numa_node) {
    // Pages that no record has touched cost nothing, and a vector that grows is twice as large.
    records_.reserve(buckets.slots());
  }

  absl::StatusOr<std::uint32_t> take_slot();
  /// See BucketTable::prepare_history().
  void prepare_history(std::uint32_t slot) const { buckets_.prepare_history(slot); }
  void give_back_slot(std::uint32_t slot) { free_slots_.push_back(slot); }

  [[nodiscard]] RingMemory& rings() { return rings_; }
  [[nodiscard]] const RingMemory& rings() const { return rings_; }
  [[nodiscard]] SlotRecord& record(std::uint32_t slot) { return records_[slot]; }
  [[nodiscard]] const SlotRecord& record(std::uint32_t slot) const { return records_[slot]; }

  /// No bucket holds packets, until said otherwise.
  void forget_packets() {
    for (SlotRecord& record : records_) record.holds_packets = 0;
  }

  /// The bucket drains; its slot and memory come back once it is empty.
  void retire_when_empty(std::uint32_t slot) { draining_.push_back(slot); }
  /// Takes back what has been emptied since.
  void reap();

 private:
  const BucketTable& buckets_;
  RingMemory rings_;
  std::vector<SlotRecord> records_;
  std::vector<std::uint32_t> free_slots_;
  std::vector<std::uint32_t> draining_;
};

}  // namespace drip::datapath
