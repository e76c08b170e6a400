// SPDX-License-Identifier: BSD-3-Clause
// A share of a bucket's rate as it is granted, held and reported, and the times that bind it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "drip/time.h"
#include "engine/engine.h"

namespace drip::cluster {

/// What one node may leak of one bucket. `rates` are the bucket's own at the time of the grant, so
/// a share keeps its meaning when they change.
struct Share {
  std::uint64_t leased = 0;  ///< Parts of kWholeRate, until the lease ends.
  std::uint64_t safe = 0;    ///< Parts beside it, also after that, until the safe share ends.
  LeasedRates rates;

  [[nodiscard]] bool nothing() const { return leased == 0 && safe == 0; }
  friend bool operator==(const Share&, const Share&) = default;
};

/// By bucket id; a bucket that is not there has nothing.
using Shares = std::map<std::string, Share, std::less<>>;
/// By bucket id, in parts of kWholeRate.
using Demands = std::map<std::string, std::uint64_t, std::less<>>;

/// The rates that `parts` of `rates` are.
[[nodiscard]] LeasedRates part_of(const LeasedRates& rates, std::uint64_t parts);
/// `parts` of the rates `of` as parts of the rates `now`, rounded up; both may have two rates, and
/// the larger ratio counts. kWholeRate where `of` does not bound what `now` bounds.
[[nodiscard]] std::uint64_t parts_of(std::uint64_t parts, const LeasedRates& of,
                                     const LeasedRates& now);
/// One line for each bucket; to_shares() reads what to_text() wrote, none if it is anything else.
[[nodiscard]] std::string to_text(const Shares& shares);
[[nodiscard]] std::optional<Shares> to_shares(std::string_view text);
[[nodiscard]] std::string to_text(const Demands& demands);
[[nodiscard]] std::optional<Demands> to_demands(std::string_view text);

/// All spans are the leader's and the holders' own monotonic time; no wall clock is compared with
/// another, and Redis's plays no part.
struct LeaseTiming {
  /// How long a share holds after the exchange that renewed it was begun.
  Duration lease{2'000'000'000};
  /// How long beyond that a safe share holds.
  Duration safe_hold{3'600'000'000'000};
  /// The largest difference between the rates of two clocks, in millionths; a clock held to NTP is
  /// within 500.
  std::int64_t skew_ppm = 1000;

  /// What a holder goes by: shorter than the span on any clock within the skew.
  [[nodiscard]] constexpr Duration at_holder(Duration span) const {
    return {span.ns - span.ns / 1'000'000 * skew_ppm};
  }
  /// What a leader waits: longer.
  [[nodiscard]] constexpr Duration at_leader(Duration span) const {
    return {span.ns + span.ns / 1'000'000 * skew_ppm + 1};
  }
};

}  // namespace drip::cluster
