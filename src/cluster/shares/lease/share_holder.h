// SPDX-License-Identifier: BSD-3-Clause
// The holder of a node's leased shares of one group of buckets: what the node may leak, by its own
// clock alone.
#pragma once

#include <cstdint>
#include <string>

#include "cluster/shares/lease/share.h"
#include "drip/time.h"
#include "engine/engine.h"

namespace drip::cluster {

/// Redis's reply to an exchange (the operation `exchange` of shares.lua).
enum class ExchangeAnswer : std::uint8_t {
  kRenewed,  ///< The lease is renewed; the reply may carry a grant.
  kStale,    ///< A later exchange of the same session came first: this one changed nothing.
  /// The exchange was meant for other data than Redis has, or Redis has none: nothing was changed.
  /// The reply carries the generation of its data, 0 for none, for the next exchange.
  kUnknown,
  kLost,  ///< The leader regards the lease as ended. The next exchange may hold no leased share.
  kForgotten,  ///< Redis has no such session. The next exchange may hold nothing.
  /// The exchange was to renew the lease only, and Redis has no such session, or the leader regards
  /// its lease as ended: nothing was renewed. The next exchange must say what is held.
  kChanged,
};

/// Pure: no thread, no clock, no Redis. The permitted rate grows in on_answer() only, and ends by
/// itself at ends().
///
/// An exchange reports what is held and returns what is granted, in one atomic step in Redis. The
/// lease begins when the exchange was begun, before Redis saw it, so it ends here before it ends
/// for anybody who counts from when the exchange was seen in Redis.
class ShareHolder {
 public:
  explicit ShareHolder(LeaseTiming timing) : timing_(timing) {}

  struct Exchange {
    std::uint64_t sequence = 0;
    /// Of the data in Redis that it is meant for: one that arrives after these were lost must not
    /// report to the new data what was held long ago.
    std::uint64_t generation = 0;
    Shares held;
    /// The exchange tells and brings nothing: see renew().
    bool renewal = false;
  };
  /// Exchanges from now on are meant for these data of Redis's, of which the node has heard.
  void set_generation(std::uint64_t generation) {
    settled_ = settled_ && generation == generation_;
    generation_ = generation;
  }
  [[nodiscard]] std::uint64_t generation() const { return generation_; }
  /// Begins an exchange. A reply to an earlier one is ignored from now on.
  [[nodiscard]] Exchange begin(TimePoint now);
  /// Whether what is held is what the last exchange reported and what it returned.
  [[nodiscard]] bool settled(TimePoint now) const { return settled_ && now < ends_.share; }
  [[nodiscard]] bool renewable(TimePoint now) const { return leased_ && now < ends_.share; }
  /// Begins an exchange that renews the lease and nothing else. What may be active here is within
  /// what the last exchange reported and returned, whether or not its reply arrived, and Redis goes
  /// on counting both. REQUIRES: renewable(now).
  [[nodiscard]] Exchange renew(TimePoint now);
  /// `granted` is null if no leader has granted anything to this session yet: the held shares stay.
  /// REQUIRES: the caller applies every lowered share to the polling threads before begin().
  void on_answer(std::uint64_t sequence, ExchangeAnswer answer, std::uint64_t generation,
                 const Shares* granted);

  /// When the held shares end. A TimePoint before any `now` if there is no lease.
  [[nodiscard]] LeaseEnds ends() const { return ends_; }
  /// The leased and the safe part that are active at `now`, together.
  [[nodiscard]] std::uint64_t active_parts(std::string_view bucket, TimePoint now) const;
  /// Whether an exchange was answered at all: ends() is valid.
  [[nodiscard]] bool leased() const { return leased_; }
  /// As granted last, whether or not still active.
  [[nodiscard]] const Shares& held() const { return held_; }

 private:
  // Safe shares stay.
  void end_leases();
  void drop_expired(TimePoint now);

  const LeaseTiming timing_;
  std::uint64_t sequence_ = 0;
  std::uint64_t generation_ = 0;
  TimePoint begun_;
  bool leased_ = false;   // There was a reply: ends_ is valid.
  bool settled_ = false;  // What was reported last, what was returned, and held_ are the same.
  LeaseEnds ends_;
  Shares held_;
};

}  // namespace drip::cluster
