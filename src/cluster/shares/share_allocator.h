// SPDX-License-Identifier: BSD-3-Clause
// The leader's side of the leases: who gets what, so that what may be in force never exceeds the
// rate.
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
  Shares held;                    ///< As it said there.
  std::optional<Shares> taken;    ///< What was granted at that moment, so it may have taken that.
  std::optional<Shares> granted;  ///< What its next exchange will bring.
  bool lost = false;  ///< Its lease was taken for run out; only safe shares are left of it.
  Demands demands;
};

/// All that Redis has, read in one step (scripts/share_snapshot.lua).
struct ShareSnapshot {
  /// Drawn when Redis's data began: another one means that all before is lost.
  std::uint64_t generation = 0;
  std::uint64_t version = 0;  ///< Grows with each plan that is carried out.
  /// Redis's data are new: nobody knows what nodes that have not been heard of since still hold.
  bool learning = false;
  /// Data were lost while nodes were running: safe shares that nobody knows of may be in force.
  bool safe_frozen = false;
  std::map<std::string, ShareSession> sessions;
};

/// A split bucket as it is configured.
struct SplitBucket {
  LeasedRates rates;
  std::uint64_t reserve = 0;                     ///< Parts of kWholeRate set aside for safe shares.
  std::map<std::string, std::uint32_t> weights;  ///< By node id; 1 for others.
};

/// What the leader wants written (scripts/share_plan.lua): all of it, if the version is still the
/// snapshot's and no session that it takes for lost has been heard of; else nothing.
struct SharePlan {
  std::uint64_t version = 0;
  std::map<std::string, Shares> grants;                     ///< By session, where they change.
  std::vector<std::pair<std::string, std::uint64_t>> lost;  ///< With the sequence last seen.
  /// What is left of the lost: `held`, `taken` and `granted` become this.
  std::map<std::string, Shares> left;
  std::vector<std::pair<std::string, std::uint64_t>> gone;  ///< Nothing is left of them.
  bool learned = false;                                     ///< Learning is over.
  bool safe_frozen = false;

  [[nodiscard]] bool changes_nothing(const ShareSnapshot& snapshot) const {
    return grants.empty() && lost.empty() && gone.empty() && !learned &&
           safe_frozen == snapshot.safe_frozen;
  }
};

/// Parts of kWholeRate.
struct ShareClaim {
  std::uint64_t leased = 0;
  std::uint64_t safe = 0;
};

/// One leadership: a new leader begins with a new ledger, and knows nothing but what it has seen
/// itself. Pure: no thread, no clock, no Redis.
///
/// A node may have in force the most of what it held at its last exchange, what that exchange
/// brought, and what is granted to it now. The ledger grants so that these, over all sessions that
/// may still have a lease, add up to no more than the rate. A lease is over when the session has
/// not been heard of for longer than the lease by the leader's own clock, counted from when the
/// leader first saw its last exchange, which is later than when the holder began it.
class ShareAllocator {
 public:
  using Buckets = std::map<std::string, SplitBucket, std::less<>>;

  explicit ShareAllocator(LeaseTiming timing) : timing_(timing) {}

  /// `now`: by the leader's monotonic clock, read after the snapshot had come.
  [[nodiscard]] SharePlan plan(const ShareSnapshot& snapshot, const Buckets& buckets,
                               TimePoint now);

 private:
  struct Seen {
    std::uint64_t sequence = 0;
    TimePoint since;
  };
  void look(const ShareSnapshot& snapshot, TimePoint now);
  [[nodiscard]] bool silent_for(const std::string& session, Duration span, TimePoint now) const;

  const LeaseTiming timing_;
  std::map<std::string, Seen> seen_;
  std::uint64_t generation_ = 0;
  std::optional<TimePoint> learning_since_;
  std::optional<TimePoint> frozen_since_;
};

}  // namespace drip::cluster
