// SPDX-License-Identifier: BSD-3-Clause
// The allocator of leased shares, run by the leader for each group of buckets: the shares that may
// be active never add up to more than the rate.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cluster/shares/lease/share.h"
#include "drip/time.h"
#include "engine/engine.h"

namespace drip::cluster {

/// Whether and when a session, a node from one start to its end, made exchanges of one group.
struct ShareHead {
  std::string node_id;
  std::uint64_t sequence = 0;  ///< Of its last exchange.
  bool lost = false;           ///< Its lease has ended; only its safe shares count.
};
/// By session.
using ShareHeads = std::map<std::string, ShareHead>;

/// One session of one group as Redis has it.
struct ShareSession : ShareHead {
  Shares held;                    ///< As reported in its last exchange.
  std::optional<Shares> taken;    ///< What was granted then and went out with the reply.
  std::optional<Shares> granted;  ///< What its next exchange will return.
  Demands demands;
};

/// Redis's data of one group, read in one step (the operation `read` of shares.lua).
struct ShareSnapshot {
  std::uint64_t generation = 0;  ///< Of all data; see ShareData.
  std::uint64_t version = 0;     ///< Grows with each plan of the group that is applied.
  std::uint64_t changes = 0;     ///< Grows with each exchange that reported something new.
  bool learning = false;         ///< See ShareData.
  bool safe_frozen = false;
  std::map<std::string, ShareSession> sessions;
};

/// The configuration of a bucket with leased shares (`split`).
struct LeasedBucket {
  LeasedRates rates;
  std::uint64_t reserve = 0;                     ///< Parts of kWholeRate set aside for safe shares.
  std::map<std::string, std::uint32_t> weights;  ///< By node id; 1 for others.
};

/// What the leader writes for one group (the operation `plan` of shares.lua): all of it if the
/// version is still the snapshot's and no lost or departed session has made another exchange;
/// otherwise nothing.
struct SharePlan {
  std::uint64_t version = 0;
  std::map<std::string, Shares> grants;                     ///< By session, where they change.
  std::vector<std::pair<std::string, std::uint64_t>> lost;  ///< With the last known sequence.
  /// Safe shares of the lost sessions: replaces `held`, `taken` and `granted`.
  std::map<std::string, Shares> left;
  std::vector<std::pair<std::string, std::uint64_t>> departed;  ///< Hold nothing any more.

  [[nodiscard]] bool changes_nothing() const {
    return grants.empty() && lost.empty() && departed.empty();
  }
};

/// Parts of kWholeRate.
struct ShareClaim {
  std::uint64_t leased = 0;
  std::uint64_t safe = 0;
};

/// Serves one leadership and one group: each leader begins with new allocators. Pure: no thread, no
/// clock, no Redis.
///
/// The share that is active on a node is at most the largest of what it held at its last exchange,
/// what that exchange returned, and what is granted to it now. The allocator keeps the sum of these
/// over all sessions that may have a lease within the rate. A lease has ended when the session made
/// no exchange for longer than the lease by the leader's clock, counted from when the leader first
/// saw its last exchange, which is later than when the holder began it.
class ShareAllocator {
 public:
  using Buckets = SortedMap<LeasedBucket>;

  explicit ShareAllocator(LeaseTiming timing) : timing_(timing) {}

  /// Notes which sessions made exchanges, all of them in `heads`, read from the data of
  /// `generation`. True if a plan made now would give up a session. For `now` see plan().
  [[nodiscard]] bool observe(std::uint64_t generation, const ShareHeads& heads, TimePoint now);

  /// `now`: by the leader's monotonic clock, read after the snapshot arrived. Nothing is granted
  /// while the data are learning.
  [[nodiscard]] SharePlan plan(const ShareSnapshot& snapshot, const Buckets& buckets,
                               TimePoint now);

 private:
  // The last exchange, and when the leader first saw it.
  struct LastExchange {
    std::uint64_t sequence = 0;
    TimePoint since;
  };
  enum class Fate : std::uint8_t { kStays, kLost, kDeparted };

  template <class Sessions>
  void note(std::uint64_t generation, const Sessions& sessions, TimePoint now);
  // By session, in order.
  template <class Sessions>
  [[nodiscard]] std::vector<Fate> fates(const Sessions& sessions, TimePoint now) const;
  [[nodiscard]] bool silent_for(const std::string& session, Duration span, TimePoint now) const;

  const LeaseTiming timing_;
  std::map<std::string, LastExchange> last_exchanges_;
  std::uint64_t generation_ = 0;
};

}  // namespace drip::cluster
