// SPDX-License-Identifier: BSD-3-Clause
// The buckets of one group on this node: what each could use, and what of it is to be told.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "cluster/shares/lease/demand_meter.h"
#include "cluster/shares/lease/share_allocator.h"
#include "cluster/shares/lease/share_holder.h"
#include "control/config/bucket_entry.h"
#include "control/model/shared_buckets.h"
#include "engine/engine.h"

namespace drip::cluster {

/// One bucket with leased shares.
struct LeasedEntry {
  control::BucketEntryRef bucket;
  LeasedRates rates;
  control::BucketSharing sharing;
  DemandMeter meter;
  std::uint64_t reported = 0;  ///< The demand that the last exchange told.
  // As applied to the engine last.
  std::optional<RateLease> active;
  std::optional<control::PolicyState> state;
  std::uint64_t policy_changes = 0;
};

/// For one thread.
class LeasedGroup {
 public:
  explicit LeasedGroup(LeaseTiming timing) : holder(timing) {}

  /// Why an exchange is wanted.
  enum class News : std::uint8_t {
    kNone,
    kSome,    ///< A demand has changed; nothing is lost if that is told later.
    kUrgent,  ///< A bucket lacks rate and has not told so, or its configuration is new.
  };

  /// The buckets from now on, in order of id. What is known of those that stay is kept. False if
  /// nothing has changed.
  bool set_buckets(const std::vector<control::BucketEntryRef>& buckets);
  /// Reads the arrivals. See DemandMeter::update().
  void measure(const Engine& engine, double seconds, double memory);
  /// What measure() makes of each bucket, to be told; afterwards there is no news.
  [[nodiscard]] Demands report();
  [[nodiscard]] News news() const { return news_; }
  void set_news(News news) { news_ = news; }
  /// As the leader plans with them.
  [[nodiscard]] ShareAllocator::Buckets configuration() const;

  ShareHolder holder;
  std::vector<LeasedEntry> entries;  ///< In order of id.
  TimePoint measured;                ///< When measure() was called last.
  TimePoint exchanged;               ///< When the last exchange that told something was begun.
  TimePoint renewed;                 ///< When the last exchange at all was begun.
  std::uint64_t version = 0;         ///< Of the plans whose grants were fetched.
  std::uint64_t next_version = 0;    ///< Of the plans in Redis.
  bool known = false;                ///< Redis may have a session of this group.
  bool pending = true;      ///< What the last exchange brought is not told yet, or none was.
  bool all_shared = false;  ///< No failure policy applies to any of the buckets.
  bool lease_over = true;   ///< As the failure policies were applied last.

 private:
  News news_ = News::kNone;
};

/// How many of `groups`, from the first on, one call of Redis's has, so that Redis serves others in
/// between: some thousand buckets. `size` tells how many a group has.
template <class Size>
[[nodiscard]] std::size_t groups_of_a_call(std::span<const std::uint32_t> groups, Size size) {
  constexpr std::size_t kBuckets = 2048;
  std::size_t count = 0;
  std::size_t buckets = 0;
  while (count < groups.size() && (count == 0 || buckets < kBuckets)) {
    buckets += size(groups[count++]);
  }
  return count;
}

}  // namespace drip::cluster
