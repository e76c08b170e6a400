// SPDX-License-Identifier: BSD-3-Clause
// The last changes of a node and the last attempts that failed, in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "absl/functional/function_ref.h"
#include "access/audit/audit_record.h"
#include "base/mutex.h"

namespace drip::access {

struct NumberedRecord {
  std::uint64_t number = 0;  ///< From 1 on, in the order in which they came.
  AuditRecord record;
};
using NumberedRecordRef = std::shared_ptr<const NumberedRecord>;

/// What was changed and what failed are bounded each for itself: whoever may change nothing pushes
/// out no change. Memory is taken as records come. Thread safe.
class RecentChanges {
 public:
  static constexpr std::size_t kMostBytes = std::size_t{4} << 20;          ///< 7,000 changes.
  static constexpr std::size_t kMostFailedBytes = std::size_t{512} << 10;  ///< 900 attempts.
  /// Of a text of a record, which a client may have chosen: longer ones are cut.
  static constexpr std::size_t kMostText = 1024;
  /// A value that is larger is left out.
  static constexpr std::size_t kMostValue = std::size_t{64} << 10;

  explicit RecentChanges(std::size_t most_bytes = kMostBytes,
                         std::size_t most_failed_bytes = kMostFailedBytes)
      : changes_(most_bytes), failed_(most_failed_bytes) {}

  /// The oldest ones of its kind make room.
  void add(AuditRecord record);

  using Wanted = absl::FunctionRef<bool(const AuditRecord&)>;
  struct Page {
    std::vector<NumberedRecordRef> records;  ///< The oldest first.
    std::optional<std::uint64_t> next;       ///< The number of the first one that follows.
  };
  /// Up to `limit` of the records from number `first` on that are wanted.
  [[nodiscard]] Page find(std::uint64_t first, std::size_t limit, Wanted wanted) const;
  /// The number of the first of the last `count` records that are wanted; 0 if there are fewer.
  /// REQUIRES: count > 0.
  [[nodiscard]] std::uint64_t first_of_last(std::size_t count, Wanted wanted) const;
  /// How many have made room.
  [[nodiscard]] std::uint64_t forgotten() const;

 private:
  struct Ring {
    explicit Ring(std::size_t most) : most_bytes(most) {}
    const std::size_t most_bytes;
    std::size_t bytes = 0;
    std::deque<NumberedRecordRef> records;
  };
  // All records, from the newest to the oldest, until use() returns false.
  void from_newest(absl::FunctionRef<bool(const NumberedRecord&)> use) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  Ring changes_ ABSL_GUARDED_BY(mutex_);
  Ring failed_ ABSL_GUARDED_BY(mutex_);
  std::uint64_t last_number_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t forgotten_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace drip::access
