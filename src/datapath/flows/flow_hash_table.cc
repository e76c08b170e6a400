// SPDX-License-Identifier: BSD-3-Clause
// Look-up, insertion and removal of FlowHashTable.
#include "datapath/flows/flow_hash_table.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace drip {
namespace {

constexpr std::uint32_t kLanes = 4;  // Tags in 64 bits.

// Bit 16 i + 15 is set exactly where lane i is 0 (Warren, "Hacker's Delight", 6-1).
std::uint64_t zero_lanes(std::uint64_t lanes) {
  constexpr std::uint64_t kLow = 0x7fff7fff7fff7fff;
  return ~(((lanes & kLow) + kLow) | lanes | kLow);
}

// For each slot with `tag`, in order, until visit(slot) returns true.
template <typename Visit>
void for_slots_with(const std::array<std::uint16_t, 8>& tags, std::uint16_t tag, Visit visit) {
  const auto halves = std::bit_cast<std::array<std::uint64_t, 2>>(tags);
  for (std::uint32_t half = 0; half < halves.size(); ++half) {
    std::uint64_t found = zero_lanes(halves[half] ^ tag * 0x0001000100010001ULL);
    for (; found != 0; found &= found - 1) {
      const auto lane = static_cast<std::uint32_t>(std::countr_zero(found)) / 16;
      if (visit(half * kLanes + lane)) return;
    }
  }
}
static_assert(std::endian::native == std::endian::little, "lane 0 must be the low bits");

constexpr std::uint16_t kFreeTag = 0;

}  // namespace

FlowHashTable::FlowHashTable(std::uint32_t capacity, const FlowHash& hash)
    : hash_(hash),
      bucket_mask_(bucket_count(capacity) - 1),
      buckets_(bucket_count(capacity)),
      entries_(capacity) {
  assert(capacity > 0 && capacity <= kMaxCapacity);
  for (std::uint32_t i = 0; i < capacity; ++i) entries_[i].hash_or_next = i + 1;
}

std::uint32_t FlowHashTable::bucket_count(std::uint32_t capacity) {
  // At most half full; at least two, so that a key has two different buckets.
  return std::max(2U, std::bit_ceil((2 * capacity + kBucketSlots - 1) / kBucketSlots));
}

std::optional<FlowHashTable::SlotPosition> FlowHashTable::find_in(std::uint32_t bucket,
                                                                  const FlowKey& key,
                                                                  std::uint16_t tag) const {
  std::optional<SlotPosition> position;
  for_slots_with(buckets_[bucket].tags, tag, [&](std::uint32_t slot) {
    if (!(entries_[buckets_[bucket].entries[slot]].key == key)) return false;
    position = SlotPosition{bucket, slot};
    return true;
  });
  return position;
}

std::optional<FlowHashTable::SlotPosition> FlowHashTable::find_position(const FlowKey& key,
                                                                        std::uint32_t hash) const {
  const auto position = find_in(first_bucket(hash), key, tag_of(hash));
  return position ? position : find_in(second_bucket(hash), key, tag_of(hash));
}

std::optional<std::uint32_t> FlowHashTable::find(const FlowKey& key, std::uint32_t hash) const {
  assert(hash == this->hash(key));
  const auto position = find_position(key, hash);
  if (!position) return std::nullopt;
  return entries_[buckets_[position->bucket].entries[position->slot]].value;
}

FlowHashTable::Insert FlowHashTable::insert(const FlowKey& key, std::uint32_t hash,
                                            std::uint32_t value) {
  assert(hash == this->hash(key) && value != kAbsent);
  if (find_position(key, hash)) return Insert::kPresent;
  if (size_ == capacity()) return Insert::kFull;
  const auto position = free_position(hash);
  if (!position) return Insert::kFull;
  const std::uint32_t index = first_free_;
  Entry& entry = entries_[index];
  first_free_ = entry.hash_or_next;
  entry = {key, value, hash};
  buckets_[position->bucket].tags[position->slot] = tag_of(hash);
  buckets_[position->bucket].entries[position->slot] = index;
  ++size_;
  return Insert::kDone;
}

// Takes the emptier of the key's two buckets, which keeps the maximum load low (Azar, Broder,
// Karlin, Upfal, "Balanced allocations", SIAM J. Comput. 29(1), 1999): with four keys a bucket on
// average, one in 18,000 holds seven, and none of 50 million was seen to hold eight. So keys need
// never be moved to make room.
std::optional<FlowHashTable::SlotPosition> FlowHashTable::free_position(std::uint32_t hash) const {
  const auto free_slots = [this](std::uint32_t bucket) {
    std::uint32_t count = 0;
    std::uint32_t first = kBucketSlots;
    for_slots_with(buckets_[bucket].tags, kFreeTag, [&](std::uint32_t slot) {
      if (count++ == 0) first = slot;
      return false;
    });
    return std::pair(count, first);
  };
  const std::uint32_t first = first_bucket(hash);
  const std::uint32_t second = second_bucket(hash);
  const auto [first_count, first_slot] = free_slots(first);
  const auto [second_count, second_slot] = free_slots(second);
  if (first_count >= second_count && first_count > 0) return SlotPosition{first, first_slot};
  if (second_count > 0) return SlotPosition{second, second_slot};
  return std::nullopt;
}

bool FlowHashTable::erase(const FlowKey& key, std::uint32_t hash) {
  assert(hash == this->hash(key));
  const auto position = find_position(key, hash);
  if (position) release(*position);
  return position.has_value();
}

void FlowHashTable::erase_entry(std::uint32_t entry) {
  const auto position = find_position(entries_[entry].key, entries_[entry].hash_or_next);
  assert(position && buckets_[position->bucket].entries[position->slot] == entry);
  release(*position);
}

void FlowHashTable::release(SlotPosition position) {
  Bucket& bucket = buckets_[position.bucket];
  const std::uint32_t index = bucket.entries[position.slot];
  bucket.tags[position.slot] = kFreeTag;
  entries_[index] = {.value = kAbsent, .hash_or_next = first_free_};
  first_free_ = index;
  --size_;
}

}  // namespace drip
