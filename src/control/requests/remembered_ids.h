// SPDX-License-Identifier: BSD-3-Clause
// The ids of requests that have left and are still known.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/mutex.h"
#include "drip/time.h"

namespace drip::control {

inline constexpr std::size_t kDefaultMaxRemembered = 1U << 18;

/// Of all queues of a node, bounded: the oldest is forgotten when there are too many. Thread safe.
class RememberedIds {
 public:
  /// At most `most` ids; 0: none.
  explicit RememberedIds(std::size_t most) : most_(most) {}
  RememberedIds(const RememberedIds&) = delete;
  RememberedIds& operator=(const RememberedIds&) = delete;

  /// A number for a queue, by which its ids are told from those of others.
  [[nodiscard]] std::uint64_t new_queue() { return next_queue_.fetch_add(1); }
  void add(std::uint64_t queue, std::string_view id, TimePoint until, TimePoint now);
  [[nodiscard]] bool has(std::uint64_t queue, std::string_view id, TimePoint now);
  /// Forgets those whose time is over, as far as they are the oldest. add() does so, too.
  void expire(TimePoint now);

  [[nodiscard]] std::size_t size() const { return size_.load(); }
  /// How many were forgotten before their time was over, for want of room.
  [[nodiscard]] std::uint64_t forgotten() const { return forgotten_.load(); }

 private:
  struct Entry {
    std::uint64_t queue;
    std::string id;
    TimePoint until;
  };
  using Entries = std::list<Entry>;
  struct Key {
    std::uint64_t queue;
    std::string_view id;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const {
      return std::hash<std::string_view>()(key.id) ^ key.queue * 0x9e37'79b9'7f4a'7c15ULL;
    }
  };

  void expire_oldest(TimePoint now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void forget(Entries::iterator entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::size_t most_;
  std::atomic<std::uint64_t> next_queue_{1};
  std::atomic<std::size_t> size_{0};  // Of entries_, so that nobody locks for an empty set.
  std::atomic<std::uint64_t> forgotten_{0};
  Mutex mutex_;
  Entries entries_ ABSL_GUARDED_BY(mutex_);  // The oldest first.
  // Keys are the entries' own ids.
  std::unordered_map<Key, Entries::iterator, Hash> by_id_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace drip::control
