// SPDX-License-Identifier: BSD-3-Clause
// What control asks of the cluster about buckets whose scope is CLUSTER.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "control/model/admit_terms.h"
#include "control/model/bucket_sharing.h"
#include "drip/bucket_settings.h"
#include "engine/engine.h"

namespace drip::control {

/// Takes the result of a call, or its error.
template <class Result>
using Done = std::function<void(absl::StatusOr<Result>)>;

/// What decides about one bucket on this node at present.
enum class PolicyState : std::uint8_t {
  kShared,     ///< The cluster: a lease is active, or Redis answers.
  kSafeShare,  ///< Its own, by the bucket's failure policy, from here on.
  kLastShare,
  kClosed,
  kOpen,
};

struct ShareState {
  PolicyState policy_state = PolicyState::kClosed;
  LeasedRates share;   ///< SPLIT: active now.
  LeasedRates demand;  ///< SPLIT: what it could use, as last measured.
  TimePoint lease_end;
  std::uint64_t epoch = 0;           ///< Of the leader that granted it.
  std::uint64_t policy_changes = 0;  ///< How often policy_state has changed.
};

/// One node's part of one bucket, as the cluster knows it.
struct NodeShare {
  std::string node_id;
  double share = 0;       ///< Of the rate, 0 to 1, active now; the safe share included.
  double safe_share = 0;  ///< Of the rate: what it falls back to.
  double demand = 0;      ///< Of the rate; may exceed 1.
};
struct BucketShares {
  std::string bucket_id;
  std::vector<NodeShare> nodes;
};

/// Which buckets' shares are asked for.
struct SharesPage {
  std::string bucket_id;  ///< Only this one's; empty: all.
  std::string after;      ///< Those whose ids come after this.
  std::size_t limit = 0;
};

/// What there was to forget of a node.
struct ForgottenNode {
  bool listed = false;
  bool had_shares = false;
};

/// Names one request of a shared queue: its sequence number, and the instance of the queue, since a
/// later bucket may have the same name.
struct SharedRequestKey {
  std::string instance;
  std::uint64_t sequence = 0;
};

/// What became of an admission to a shared queue, by Redis's clock.
struct SharedTicket {
  RejectReason reason = RejectReason::kAdmitted;  ///< Why not all units were admitted.
  bool duplicate = false;
  bool has_left = false;       ///< The duplicate has left, and its id is remembered.
  std::uint32_t admitted = 0;  ///< How many units; the rest is about the first of them.
  std::uint64_t position = 0;  ///< 1 for the head; 0 when rejected.
  Duration wait;               ///< Until its service starts; also of kWaitTooLong.
  Duration until_departure;
  SharedRequestKey key;
};

/// What became of a request that was admitted.
struct SharedRequestStatus {
  enum class State : std::uint8_t {
    kWaits,
    kDeparted,
    kDropped,
    kReleased,
    kLost,  ///< Redis lost it together with its data: it may be admitted again.
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
  BucketStats stats;
  Duration since_last_departure;  ///< Meaningful if stats.departed > 0.
  Duration until_departure;       ///< See BucketStats::departure_time.
};

/// Thread safe. Every call is answered within the bucket's `decide_within` and a little more, by a
/// thread of its own or, if the answer is known already, within the call. done() must not block.
/// UNAVAILABLE means that the bucket's failure policy is to be applied: what was asked has not been
/// done and will not be done later, except that an admission may have been made just before the
/// answer was lost.
class SharedBuckets {
 public:
  /// A bucket with a shared queue as a call needs it.
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
    AdmitTerms terms;
    Done<SharedTicket> done;
  };

  virtual ~SharedBuckets() = default;

  // Shared queues: buckets with exact sharing.

  /// In their order within a bucket, and as few calls of Redis as they can be.
  virtual void admit(std::vector<Admission> admissions) = 0;
  /// Asks after `in`, or now if it is 0.
  virtual void look(const Bucket& bucket, const std::string& request_id,
                    const SharedRequestKey& key, Duration in, Done<SharedRequestStatus> done) = 0;
  /// Removes it if it still waits: those behind it move up.
  virtual void release(const Bucket& bucket, const std::string& request_id,
                       const SharedRequestKey& key, Done<SharedRequestStatus> done) = 0;
  virtual void read(const Bucket& bucket, Done<SharedStats> done) = 0;
  /// Up to `limit` of those with a name, from `first` on.
  virtual void list(const Bucket& bucket, std::uint64_t first, std::size_t limit,
                    Done<SharedQueuePage> done) = 0;
  virtual void remove(const Bucket& bucket, bool drop_backlog, Done<Removal> done) = 0;
  /// Whether the failure policy of the bucket applies, as Redis does not answer. At once.
  [[nodiscard]] virtual bool unreachable(std::string_view bucket_id) const = 0;

  // Shares. At once, from what is known.

  /// None for a bucket of scope NODE, or one that it does not know yet.
  [[nodiscard]] virtual std::optional<ShareState> share_of(std::string_view bucket_id) const = 0;

  /// In order of id, as Redis has them: read within the last second, or now.
  virtual void shares(const SharesPage& page, Done<std::vector<BucketShares>> done) = 0;

  /// Gives up a node that is gone for good: its safe shares, and its place in the list of nodes.
  /// FAILED_PRECONDITION while it lives, NOT_FOUND if nothing is known of it.
  virtual void forget(std::string node_id, Done<ForgottenNode> done) = 0;
};

}  // namespace drip::control
