// SPDX-License-Identifier: BSD-3-Clause
// A node's side of the leases: what it may leak, judged by its own clock alone.
#pragma once

#include <cstdint>
#include <string>

#include "cluster/shares/share.h"
#include "drip/time.h"
#include "engine/engine.h"

namespace drip::cluster {

/// What Redis answers to an exchange (scripts/share_agent.lua).
enum class ExchangeAnswer : std::uint8_t {
  kRenewed,  ///< The lease is renewed; a grant may have come with it.
  kStale,    ///< A later exchange of the same session was there before: this one changed nothing.
  /// The exchange was meant for other data than Redis has, or it has none: nothing was changed. The
  /// answer tells of which generation they are, 0 for none, and the next exchange is for that.
  kUnknown,
  kLost,       ///< The leader took the lease for run out. The next one may hold nothing leased.
  kForgotten,  ///< Redis does not know the session at all. The next one may hold nothing.
};

/// The pure state of it: no thread, no clock, no Redis. What it may leak only ever grows in
/// on_answer(), and ends by itself at ends().
///
/// An exchange tells what is held and brings what is granted, in one atomic step in Redis. The
/// lease begins when the exchange was begun, before Redis saw it, so it is over here before anybody
/// who saw the exchange in Redis can think so.
class ShareHolder {
 public:
  explicit ShareHolder(LeaseTiming timing) : timing_(timing) {}

  struct Exchange {
    std::uint64_t sequence = 0;
    /// Of Redis's data, for which it is meant. One that comes late, when these are lost, must not
    /// tell the next ones what was held long ago.
    std::uint64_t generation = 0;
    Shares held;
  };
  /// Begins an exchange. The answer to an earlier one is of no interest any more.
  [[nodiscard]] Exchange begin(TimePoint now);
  /// `granted` is null if no leader has granted anything to this session yet: what is held stays.
  /// Before the next begin() the caller must have brought to the polling threads all that has
  /// become less.
  void on_answer(std::uint64_t sequence, ExchangeAnswer answer, std::uint64_t generation,
                 const Shares* granted);

  /// Until when what is held may be leaked. A TimePoint before any `now` if there is no lease.
  [[nodiscard]] LeaseEnds ends() const { return ends_; }
  /// Both parts together where they are in force at `now`.
  [[nodiscard]] std::uint64_t in_force(std::string_view bucket, TimePoint now) const;
  /// As granted last, whether or not it is still in force.
  [[nodiscard]] const Shares& held() const { return held_; }

 private:
  // Safe shares stay.
  void end_leases();
  void drop_what_has_ended(TimePoint now);

  const LeaseTiming timing_;
  std::uint64_t sequence_ = 0;
  std::uint64_t generation_ = 0;
  TimePoint begun_;
  bool leased_ = false;  // There was an answer, so that ends_ means something.
  LeaseEnds ends_;
  Shares held_;
};

}  // namespace drip::cluster
