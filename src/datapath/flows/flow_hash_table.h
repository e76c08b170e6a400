// SPDX-License-Identifier: BSD-3-Clause
// Finds the value of a flow: a hash table of fixed capacity that never allocates once it is made.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "drip/cache_line.h"
#include "packet/flow_key.h"

namespace drip {

/// Each key has two candidate buckets. A bucket is one cache line with eight slots: a 16-bit tag of
/// the hash and an entry number each. The table is at most half full, so a look-up reads at most
/// two bucket lines, and erasing empties a slot without leaving a mark. Keys and values are in a
/// separate array, which sweep() goes through. Not thread safe. Owns its memory; the constructor
/// allocates and touches all of it.
class FlowHashTable {
 public:
  static constexpr std::uint32_t kMaxCapacity = 1U << 20;

  /// REQUIRES: capacity is 1 to kMaxCapacity.
  explicit FlowHashTable(std::uint32_t capacity, const FlowHash& hash = FlowHash());

  enum class Insert : std::uint8_t {
    kDone,
    kPresent,  ///< The key is in the table and keeps its value.
    /// size() == capacity(), or both buckets are full (expected in less than 1 of 10^12 inserts).
    kFull,
  };

  [[nodiscard]] std::uint32_t hash(const FlowKey& key) const { return hash_(key); }
  [[nodiscard]] const FlowHash& hash_function() const { return hash_; }

  /// REQUIRES, here and below: hash == this->hash(key).
  [[nodiscard]] std::optional<std::uint32_t> find(const FlowKey& key, std::uint32_t hash) const;
  [[nodiscard]] std::optional<std::uint32_t> find(const FlowKey& key) const {
    return find(key, hash(key));
  }
  static constexpr std::uint32_t kAbsent = 0xffffffff;

  /// REQUIRES: value != kAbsent.
  Insert insert(const FlowKey& key, std::uint32_t hash, std::uint32_t value);
  Insert insert(const FlowKey& key, std::uint32_t value) { return insert(key, hash(key), value); }
  /// False if the key was not in the table.
  bool erase(const FlowKey& key, std::uint32_t hash);
  bool erase(const FlowKey& key) { return erase(key, hash(key)); }

  /// Visits the next `steps` entries from `cursor`, free ones counted: calls `visit(const FlowKey&,
  /// std::uint32_t value)` for each flow, and erases the flow if that returns true. Returns the
  /// cursor for the next call; 0 means that the end was reached. A flow that stays in the table is
  /// visited once in every capacity() steps, whatever is inserted or erased in between. REQUIRES:
  /// visit does not touch the table; cursor < capacity().
  template <typename Visit>
  std::uint32_t sweep(std::uint32_t cursor, std::uint32_t steps, Visit visit) {
    for (; steps > 0 && cursor < capacity(); --steps, ++cursor) {
      const Entry& entry = entries_[cursor];
      if (entry.value != kAbsent && visit(entry.key, entry.value)) erase_entry(cursor);
    }
    return cursor < capacity() ? cursor : 0;
  }

  [[nodiscard]] std::uint32_t size() const { return size_; }
  [[nodiscard]] std::uint32_t capacity() const {
    return static_cast<std::uint32_t>(entries_.size());
  }

 private:
  static constexpr std::uint32_t kBucketSlots = 8;
  struct alignas(kCacheLineBytes) Bucket {
    std::array<std::uint16_t, kBucketSlots> tags{};  ///< 0: free.
    std::array<std::uint32_t, kBucketSlots> entries{};
  };
  static_assert(sizeof(Bucket) == kCacheLineBytes);
  struct Entry {
    FlowKey key;
    std::uint32_t value = kAbsent;   ///< kAbsent: free.
    std::uint32_t hash_or_next = 0;  ///< The key's hash; of a free entry, the next free one.
  };
  static_assert(sizeof(Entry) == 56);

  /// A slot of a bucket.
  struct SlotPosition {
    std::uint32_t bucket = 0;
    std::uint32_t slot = 0;
  };

  static std::uint32_t bucket_count(std::uint32_t capacity);
  [[nodiscard]] std::uint32_t first_bucket(std::uint32_t hash) const { return hash & bucket_mask_; }
  [[nodiscard]] std::uint32_t second_bucket(std::uint32_t hash) const {
    // The term is odd, so the two numbers differ in bit 0. The factor mixes in the bits that are in
    // neither the first bucket's number nor entirely in the tag.
    return (hash ^ ((hash * 0x9e3779b1U) >> 8 | 1U)) & bucket_mask_;
  }
  /// Never 0.
  static std::uint16_t tag_of(std::uint32_t hash) {
    return static_cast<std::uint16_t>(hash >> 16 | 1U);
  }
  [[nodiscard]] std::optional<SlotPosition> find_in(std::uint32_t bucket, const FlowKey& key,
                                                    std::uint16_t tag) const;
  [[nodiscard]] std::optional<SlotPosition> find_position(const FlowKey& key,
                                                          std::uint32_t hash) const;
  [[nodiscard]] std::optional<SlotPosition> free_position(std::uint32_t hash) const;
  void erase_entry(std::uint32_t entry);
  void release(SlotPosition position);

  FlowHash hash_;
  std::uint32_t bucket_mask_ = 0;
  std::uint32_t size_ = 0;
  std::uint32_t first_free_ = 0;
  std::vector<Bucket> buckets_;
  std::vector<Entry> entries_;
};

}  // namespace drip
