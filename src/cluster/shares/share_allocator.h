// SPDX-License-Identifier: BSD-3-Clause
// The allocator of leased shares, run by the leader: the shares that may be active never add up to
// more than the rate.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cluster/shares/share.h"
#include "drip/time.h"
#include "engine/engine.h"

namespace drip::cluster {

/// One session as Redis has it: a node from one start to its end.
struct ShareSession {
  std::string node_id;
  std::uint64_t sequence = 0;     ///< Of its last exchange.
  Shares held;                    ///< As reported there.
  std::optional<Shares> taken;    ///< What was granted then and went out with the reply.
  std::optional<Shares> granted;  ///< What its next exchange will return.
  bool lost = false;              ///< Its lease has ended; only its safe shares count.
  Demands demands;
};

/// All of Redis's data of shares, read in one step (the operation `snapshot` of shares.lua).
struct ShareSnapshot {
  /// Drawn when Redis's data began; it changes when the data are lost.
  std::uint64_t generation = 0;
  std::uint64_t version = 0;  ///< Grows with each plan that is applied.
  /// Redis's data are new: what silent nodes still hold is unknown.
  bool learning = false;
  /// Data were lost while nodes were running: unknown safe shares may be active.
  bool safe_frozen = false;
  std::map<std::string, ShareSession> sessions;
};

/// The configuration of a bucket with leased shares (`split`).
struct LeasedBucket {
  LeasedRates rates;
  std::uint64_t reserve = 0;                     ///< Parts of kWholeRate set aside for safe shares.
  std::map<std::string, std::uint32_t> weights;  ///< By node id; 1 for others.
};

/// What the leader writes (the operation `plan` of shares.lua): all of it if the version is still
/// the snapshot's and no lost or departed session has made another exchange; otherwise nothing.
struct SharePlan {
  std::uint64_t version = 0;
  std::map<std::string, Shares> grants;                     ///< By session, where they change.
  std::vector<std::pair<std::string, std::uint64_t>> lost;  ///< With the last known sequence.
  /// Safe shares of the lost sessions: replaces `held`, `taken` and `granted`.
  std::map<std::string, Shares> left;
  std::vector<std::pair<std::string, std::uint64_t>> departed;  ///< Hold nothing any more.
  bool learned = false;                                         ///< Learning has ended.
  bool safe_frozen = false;

  [[nodiscard]] bool changes_nothing(const ShareSnapshot& snapshot) const {
    return grants.empty() && lost.empty() && departed.empty() && !learned &&
           safe_frozen == snapshot.safe_frozen;
  }
};

/// Parts of kWholeRate.
struct ShareClaim {
  std::uint64_t leased = 0;
  std::uint64_t safe = 0;
};

/// Serves one leadership: each leader begins with a new allocator. Pure: no thread, no clock, no
/// Redis.
///
/// The share that is active on a node is at most the largest of what it held at its last exchange,
/// what that exchange returned, and what is granted to it now. The allocator keeps the sum of these
/// over all sessions that may have a lease within the rate. A lease has ended when the session made
/// no exchange for longer than the lease by the leader's clock, counted from when the leader first
/// saw its last exchange, which is later than when the holder began it.
class ShareAllocator {
 public:
  using Buckets = std::map<std::string, LeasedBucket, std::less<>>;

  explicit ShareAllocator(LeaseTiming timing) : timing_(timing) {}

  /// `now`: by the leader's monotonic clock, read after the snapshot arrived.
  [[nodiscard]] SharePlan plan(const ShareSnapshot& snapshot, const Buckets& buckets,
                               TimePoint now);

 private:
  // The last exchange, and when the leader first saw it.
  struct LastExchange {
    std::uint64_t sequence = 0;
    TimePoint since;
  };
  void observe(const ShareSnapshot& snapshot, TimePoint now);
  [[nodiscard]] bool silent_for(const std::string& session, Duration span, TimePoint now) const;

  const LeaseTiming timing_;
  std::map<std::string, LastExchange> last_exchanges_;
  std::uint64_t generation_ = 0;
  std::optional<TimePoint> learning_since_;
  std::optional<TimePoint> frozen_since_;
};

}  // namespace drip::cluster
