// SPDX-License-Identifier: BSD-3-Clause
// What control asks of the cluster about buckets whose scope is CLUSTER.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "control/model/bucket_sharing.h"
#include "drip/bucket_settings.h"
#include "engine/engine.h"

namespace drip::control {

/// What a node goes by for one bucket at present.
enum class PolicyState : std::uint8_t {
  kShared,     ///< The cluster's word: a lease is in force, or Redis answers.
  kSafeShare,  ///< Its own, by the bucket's failure policy, from here on.
  kLastShare,
  kClosed,
  kOpen,
};

struct ShareState {
  PolicyState policy_state = PolicyState::kClosed;
  LeasedRates share;   ///< SPLIT: in force now.
  LeasedRates demand;  ///< SPLIT: what it could use, as last measured.
  TimePoint lease_end;
  std::uint64_t epoch = 0;           ///< Of the leader that granted it.
  std::uint64_t policy_changes = 0;  ///< How often policy_state has changed.
};

/// One node's part of one bucket, as the cluster knows it.
struct NodeShare {
  std::string node_id;
  double share = 0;       ///< Of the rate, 0 to 1, in force; the safe share included.
  double safe_share = 0;  ///< Of the rate: what it falls back to.
  double demand = 0;      ///< Of the rate; may exceed 1.
};
struct BucketShares {
  std::string bucket_id;
  std::vector<NodeShare> nodes;
};

/// Which request of an exact bucket: its number there, and that of the bucket, of which another one
/// may have come to have the same name.
struct SharedPlace {
  std::string instance;
  std::uint64_t sequence = 0;
};

/// What became of an admission to an exact bucket, by Redis's clock.
struct SharedTicket {
  RejectReason reason = RejectReason::kAdmitted;  ///< Why not all units were admitted.
  bool duplicate = false;
  std::uint32_t admitted = 0;  ///< How many units; the rest is about the first of them.
  std::uint64_t position = 0;  ///< 1 for the head; 0 when rejected.
  Duration wait;               ///< Until its service starts.
  Duration until_departure;
  SharedPlace place;
};

/// What became of a request that was admitted.
struct SharedTurn {
  enum class State : std::uint8_t {
    kWaits,
    kDeparted,
    kDropped,
    kReleased,
    kLost,  ///< Redis has lost it with its data: it may be admitted again.
  };
  State state = State::kWaits;
  Duration until_departure;  ///< kWaits.
};

struct SharedQueueEntry {
  std::string request_id;
  std::uint64_t sequence = 0;
  std::uint64_t position = 0;
  Duration wait;
  Duration since_arrival;
};

struct SharedQueuePage {
  std::vector<SharedQueueEntry> entries;
  std::optional<std::uint64_t> next;  ///< Where the next page begins, if there is one.
};

/// Counters over the whole cluster.
struct SharedStats {
  BucketStats reading;
  Duration since_last_departure;  ///< Meaningful if reading.departed > 0.
  Duration until_point;           ///< The law's; see BucketStats::point.
};

/// Thread safe. Every call is answered within the bucket's `decide_within` and a little, by a
/// thread of its own or, if the answer is known already, within the call. done() must not block.
/// UNAVAILABLE means that the bucket's failure policy is to be applied: what was asked has not been
/// done and will not be done later, except that an admission may have been made just before the
/// answer was lost.
class SharedBuckets {
 public:
  template <class Result>
  using Done = std::function<void(absl::StatusOr<Result>)>;
  /// An exact bucket as a call needs it.
  struct Bucket {
    std::string id;
    BucketSettings settings;
    std::uint64_t revision = 0;  ///< Of these settings: a higher one than Redis knows changes it.
    Duration decide_within;
  };

  /// As one entry of AllowRequests has it.
  struct Admission {
    Bucket bucket;
    std::string request_id;   ///< The same one, while it waits, is the same request. May be empty.
    std::uint32_t count = 1;  ///< 1 with a request_id.
    bool all_or_none = false;
    Done<SharedTicket> done;
  };

  virtual ~SharedBuckets() = default;

  // Exact buckets.

  /// In their order within a bucket, and as few calls of Redis as they can be.
  virtual void admit(std::vector<Admission> admissions) = 0;
  /// Asks after `in`, or now if it is 0.
  virtual void look(const Bucket& bucket, const std::string& request_id, const SharedPlace& place,
                    Duration in, Done<SharedTurn> done) = 0;
  /// Takes it back if it still waits: those behind it move up.
  virtual void release(const Bucket& bucket, const std::string& request_id,
                       const SharedPlace& place, Done<SharedTurn> done) = 0;
  virtual void read(const Bucket& bucket, Done<SharedStats> done) = 0;
  /// Up to `limit` of those with a name, from `first` on.
  virtual void list(const Bucket& bucket, std::uint64_t first, std::size_t limit,
                    Done<SharedQueuePage> done) = 0;
  virtual void remove(const Bucket& bucket, bool drop_backlog, Done<Removal> done) = 0;
  /// Whether the failure policy of an exact bucket is in force. At once.
  [[nodiscard]] virtual bool away(std::string_view bucket_id) const = 0;

  // Shares. At once, from what is known.

  /// None for a bucket of scope NODE, or one that it does not know yet.
  [[nodiscard]] virtual std::optional<ShareState> share_of(std::string_view bucket_id) const = 0;
  [[nodiscard]] virtual std::vector<BucketShares> shares() const = 0;
};

}  // namespace drip::control
