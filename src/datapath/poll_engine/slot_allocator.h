// SPDX-License-Identifier: BSD-3-Clause
// Allocates the bucket slots of one transmitter and remembers the settings and memory of each.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "datapath/lease_list.h"
#include "datapath/memory/bucket_table.h"
#include "datapath/memory/ring_memory.h"
#include "datapath/poll_engine/queue_profiles.h"
#include "engine/lease.h"

namespace drip::datapath {

/// The lease that was applied to a bucket. Allocated separately, because most buckets have none.
struct SlotLease {
  LeaseTerms terms;  ///< The transmitter writes it.
  RateLease lease;
  std::uint64_t lapses_before = 0;  ///< LeaseList::lapses() when `lease` was applied.
};

/// As wide as SlotRecord::ring_slots.
inline constexpr std::uint32_t kMaxRingSlots = (1U << 29) - 1;

/// What control keeps of a slot. There may be millions; most settings are in the bucket itself.
struct SlotRecord {
  RingEntry* ring = nullptr;
  LeasedRates rates;  ///< As configured; with a leased rate, those of the whole cluster.
  std::unique_ptr<SlotLease> leased;  ///< Null before the first lease.
  std::unique_ptr<SlotQueue> queue;   ///< Null: its ring has been all so far.
  std::uint32_t capacity = 0;
  std::uint32_t ring_slots : 29 = 0;
  std::uint32_t is_node : 1 = 0;  ///< Of a tree.
  /// A rule sends packets there: packet buffers are reserved.
  std::uint32_t holds_packets : 1 = 0;
  std::uint32_t rate_is_leased : 1 = 0;

  void set(const BucketSettings& settings) {
    rates = {settings.units_per_second, settings.bits_per_second};
    capacity = settings.capacity;
    rate_is_leased = static_cast<std::uint32_t>(settings.rate_is_leased);
    if (!settings.rate_is_leased) leased = nullptr;
  }
};
static_assert(sizeof(SlotRecord) == 48);

/// Belongs to control. Not thread safe: the engine locks.
class SlotAllocator {
 public:
  SlotAllocator(const BucketTable& buckets, std::shared_ptr<RingBudget> ring_budget, int numa_node)
      : buckets_(buckets), rings_(std::move(ring_budget), numa_node) {
    // Pages without records take no memory, and a growing vector would be twice as large.
    records_.reserve(buckets.slots());
  }

  /// RESOURCE_EXHAUSTED, with the figures, if fewer than `count` slots are free.
  [[nodiscard]] absl::Status check_room(std::uint32_t count) const;
  /// The same if all slots are in use.
  absl::StatusOr<std::uint32_t> allocate();
  /// REQUIRES: the slot's bucket was never created, or has retired.
  void release(std::uint32_t slot) { free_slots_.push_back(slot); }
  /// Releases the slot and its ring once its bucket has retired, see reap().
  void release_when_retired(std::uint32_t slot) { draining_.push_back(slot); }
  /// Releases the slots and rings of buckets that have retired since the last call.
  void reap();

  /// See BucketTable::prepare_histograms().
  void prepare_histograms(std::uint32_t slot) const { buckets_.prepare_histograms(slot); }
  /// One inner node more; its memory is there from now on.
  void add_inner_node() {
    // What was an inner node before is used again, perhaps by the thread at this moment.
    if (inner_nodes_ == most_inner_nodes_) buckets_.prepare_inner_node(most_inner_nodes_++);
    ++inner_nodes_;
  }
  void remove_inner_node() { --inner_nodes_; }
  [[nodiscard]] RingMemory& rings() { return rings_; }
  [[nodiscard]] const RingMemory& rings() const { return rings_; }
  [[nodiscard]] SlotRecord& record(std::uint32_t slot) { return records_[slot]; }
  [[nodiscard]] const SlotRecord& record(std::uint32_t slot) const { return records_[slot]; }
  /// Clears SlotRecord::holds_packets of all slots.
  void clear_holds_packets() {
    for (SlotRecord& record : records_) record.holds_packets = 0;
  }

 private:
  const BucketTable& buckets_;
  RingMemory rings_;
  std::vector<SlotRecord> records_;
  std::vector<std::uint32_t> free_slots_;
  std::vector<std::uint32_t> draining_;
  std::uint32_t inner_nodes_ = 0;
  std::uint32_t most_inner_nodes_ = 0;  // There ever were.
};

}  // namespace drip::datapath
