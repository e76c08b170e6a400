// SPDX-License-Identifier: BSD-3-Clause
// The buckets of flow_hash_table.h: finding a tag, making room, giving slots back.
#include "datapath/flow_hash_table.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace drip {
namespace {

constexpr std::uint32_t kLanes = 4;  // Tags in a word.

// Bit 16 i + 15 is set exactly where lane i is 0 (Warren, "Hacker's Delight", 6-1).
std::uint64_t zero_lanes(std::uint64_t lanes) {
  constexpr std::uint64_t kLow = 0x7fff7fff7fff7fff;
  return ~(((lanes & kLow) + kLow) | lanes | kLow);
}

// For each slot with `tag`, in order, until visit(slot) returns true.
template <typename Visit>
void for_slots_with(const std::array<std::uint16_t, 8>& tags, std::uint16_t tag, Visit visit) {
  const auto words = std::bit_cast<std::array<std::uint64_t, 2>>(tags);
  for (std::uint32_t word = 0; word < words.size(); ++word) {
    std::uint64_t found = zero_lanes(words[word] ^ tag * 0x0001000100010001ULL);
    for (; found != 0; found &= found - 1) {
      const auto lane = static_cast<std::uint32_t>(std::countr_zero(found)) / 16;
      if (visit(word * kLanes + lane)) return;
    }
  }
}
static_assert(std::endian::native == std::endian::little, "lane 0 is taken for the low bits");

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
  // Half full at most. Two, so that a key's buckets can be two.
  return std::max(2U, std::bit_ceil((2 * capacity + kBucketSlots - 1) / kBucketSlots));
}

std::size_t FlowHashTable::memory_bytes(std::uint32_t capacity) {
  return std::size_t{bucket_count(capacity)} * sizeof(Bucket) +
         std::size_t{capacity} * sizeof(Entry);
}

std::optional<FlowHashTable::Place> FlowHashTable::find_in(std::uint32_t bucket, const FlowKey& key,
                                                           std::uint16_t tag) const {
  std::optional<Place> place;
  for_slots_with(buckets_[bucket].tags, tag, [&](std::uint32_t slot) {
    if (!(entries_[buckets_[bucket].entries[slot]].key == key)) return false;
    place = Place{bucket, slot};
    return true;
  });
  return place;
}

std::optional<FlowHashTable::Place> FlowHashTable::find_place(const FlowKey& key,
                                                              std::uint32_t hash) const {
  const auto place = find_in(first_bucket(hash), key, tag_of(hash));
  return place ? place : find_in(second_bucket(hash), key, tag_of(hash));
}

std::optional<std::uint32_t> FlowHashTable::find(const FlowKey& key, std::uint32_t hash) const {
  assert(hash == this->hash(key));
  const auto place = find_place(key, hash);
  if (!place) return std::nullopt;
  return entries_[buckets_[place->bucket].entries[place->slot]].value;
}

void FlowHashTable::find_burst(std::span<const FlowKey> keys,
                               std::span<std::uint32_t> values) const {
  assert(values.size() >= keys.size());
  constexpr std::size_t kStep = 32;
  std::array<std::uint32_t, kStep> hashes;
  for (std::size_t begin = 0; begin < keys.size(); begin += kStep) {
    const std::size_t count = std::min(kStep, keys.size() - begin);
    for (std::size_t i = 0; i < count; ++i) {
      hashes[i] = hash(keys[begin + i]);
      prefetch(hashes[i]);
    }
    for (std::size_t i = 0; i < count; ++i) prefetch_entry(hashes[i]);
    for (std::size_t i = 0; i < count; ++i) {
      values[begin + i] = find(keys[begin + i], hashes[i]).value_or(kAbsent);
    }
  }
}

void FlowHashTable::prefetch_entry(std::uint32_t hash) const {
  const Bucket& bucket = buckets_[first_bucket(hash)];
  for_slots_with(bucket.tags, tag_of(hash), [&](std::uint32_t slot) {
    // An entry may lie across two lines.
    const Entry* entry = &entries_[bucket.entries[slot]];
    __builtin_prefetch(entry);
    __builtin_prefetch(&entry->hash_or_next);
    return true;
  });
}

FlowHashTable::Insert FlowHashTable::insert(const FlowKey& key, std::uint32_t hash,
                                            std::uint32_t value) {
  assert(hash == this->hash(key) && value != kAbsent);
  if (find_place(key, hash)) return Insert::kPresent;
  if (size_ == capacity()) return Insert::kFull;
  const auto place = free_place(hash);
  if (!place) return Insert::kFull;
  const std::uint32_t index = first_free_;
  Entry& entry = entries_[index];
  first_free_ = entry.hash_or_next;
  entry = {key, value, hash};
  buckets_[place->bucket].tags[place->slot] = tag_of(hash);
  buckets_[place->bucket].entries[place->slot] = index;
  ++size_;
  return Insert::kDone;
}

// In the emptier of the key's two buckets, which keeps the fullest of all buckets low (Azar,
// Broder, Karlin, Upfal, "Balanced allocations", SIAM J. Comput. 29(1), 1999): with four keys a
// bucket, one in 18,000 holds seven and none in 50 million was seen to hold eight, so that keys
// need not be moved to make room.
std::optional<FlowHashTable::Place> FlowHashTable::free_place(std::uint32_t hash) const {
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
  if (first_count >= second_count && first_count > 0) return Place{first, first_slot};
  if (second_count > 0) return Place{second, second_slot};
  return std::nullopt;
}

bool FlowHashTable::erase(const FlowKey& key, std::uint32_t hash) {
  assert(hash == this->hash(key));
  const auto place = find_place(key, hash);
  if (place) release(*place);
  return place.has_value();
}

void FlowHashTable::erase_entry(std::uint32_t entry) {
  const auto place = find_place(entries_[entry].key, entries_[entry].hash_or_next);
  assert(place && buckets_[place->bucket].entries[place->slot] == entry);
  release(*place);
}

void FlowHashTable::release(Place place) {
  Bucket& bucket = buckets_[place.bucket];
  const std::uint32_t index = bucket.entries[place.slot];
  bucket.tags[place.slot] = kFreeTag;
  entries_[index] = {.value = kAbsent, .hash_or_next = first_free_};
  first_free_ = index;
  --size_;
}

}  // namespace drip
