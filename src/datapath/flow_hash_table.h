// SPDX-License-Identifier: BSD-3-Clause
// Finds the value of a flow: a hash table of fixed capacity that never allocates once it is made.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "drip/cache_line.h"
#include "packet/flow_key.h"

namespace drip {

/// A key has two buckets of eight slots, each bucket one cache line of 16-bit tags and entry
/// numbers, half filled at the most; so any look-up reads two bucket lines at worst, and removing
/// is emptying a slot: nothing degrades with age. Keys and values are in an array of their own,
/// through which the idle sweep goes. One thread at a time uses it. Owns its memory, all of which
/// is allocated, and touched, by the constructor.
class FlowHashTable {
 public:
  static constexpr std::uint32_t kMaxCapacity = 1U << 20;

  /// REQUIRES: capacity is 1 to kMaxCapacity.
  explicit FlowHashTable(std::uint32_t capacity, const FlowHash& hash = FlowHash());

  enum class Insert : std::uint8_t {
    kDone,
    kPresent,  ///< The key was there already and keeps its value.
    /// size() == capacity(), or (expected in fewer than one of 10^12 inserts) its buckets are full.
    kFull,
  };

  [[nodiscard]] std::uint32_t hash(const FlowKey& key) const { return hash_(key); }
  /// Fetches the first bucket of a key; call it for a whole burst before the first find().
  void prefetch(std::uint32_t hash) const { __builtin_prefetch(&buckets_[first_bucket(hash)]); }

  /// REQUIRES, here and below: hash == this->hash(key).
  [[nodiscard]] std::optional<std::uint32_t> find(const FlowKey& key, std::uint32_t hash) const;
  [[nodiscard]] std::optional<std::uint32_t> find(const FlowKey& key) const {
    return find(key, hash(key));
  }
  /// values[i] for keys[i], kAbsent where there is none; hashes, buckets and entries are fetched
  /// for the whole burst at a time. REQUIRES: values.size() >= keys.size().
  void find_burst(std::span<const FlowKey> keys, std::span<std::uint32_t> values) const;
  static constexpr std::uint32_t kAbsent = 0xffffffff;

  /// REQUIRES: value != kAbsent.
  Insert insert(const FlowKey& key, std::uint32_t hash, std::uint32_t value);
  Insert insert(const FlowKey& key, std::uint32_t value) { return insert(key, hash(key), value); }
  /// False if it was not there.
  bool erase(const FlowKey& key, std::uint32_t hash);
  bool erase(const FlowKey& key) { return erase(key, hash(key)); }

  /// Looks at the next `steps` entries from `cursor`, free ones counted, and calls
  /// `visit(const FlowKey&, std::uint32_t value)` for each flow; where it returns true the flow is
  /// erased. Returns the cursor to go on with; 0 begins anew and says that the end was reached. A
  /// flow that stays is met once in every capacity() steps, whatever comes and goes in between.
  /// REQUIRES: visit does not touch the table; cursor < capacity().
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
  /// What a table of this capacity allocates. REQUIRES: as the constructor.
  static std::size_t memory_bytes(std::uint32_t capacity);

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
  static_assert(sizeof(Entry) == 48);

  /// Where a key is, or nothing: a slot of a bucket.
  struct Place {
    std::uint32_t bucket = 0;
    std::uint32_t slot = 0;
  };

  static std::uint32_t bucket_count(std::uint32_t capacity);
  [[nodiscard]] std::uint32_t first_bucket(std::uint32_t hash) const { return hash & bucket_mask_; }
  [[nodiscard]] std::uint32_t second_bucket(std::uint32_t hash) const {
    // Odd, and so another one: the two differ in bit 0. The factor spreads the bits that neither
    // the first bucket nor, wholly, the tag is made of.
    return (hash ^ ((hash * 0x9e3779b1U) >> 8 | 1U)) & bucket_mask_;
  }
  /// Never 0.
  static std::uint16_t tag_of(std::uint32_t hash) {
    return static_cast<std::uint16_t>(hash >> 16 | 1U);
  }
  [[nodiscard]] std::optional<Place> find_in(std::uint32_t bucket, const FlowKey& key,
                                             std::uint16_t tag) const;
  [[nodiscard]] std::optional<Place> find_place(const FlowKey& key, std::uint32_t hash) const;
  [[nodiscard]] std::optional<Place> free_place(std::uint32_t hash) const;
  void prefetch_entry(std::uint32_t hash) const;
  void erase_entry(std::uint32_t entry);
  void release(Place place);

  FlowHash hash_;
  std::uint32_t bucket_mask_ = 0;
  std::uint32_t size_ = 0;
  std::uint32_t first_free_ = 0;
  std::vector<Bucket> buckets_;
  std::vector<Entry> entries_;
};

}  // namespace drip
