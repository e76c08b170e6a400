// SPDX-License-Identifier: BSD-3-Clause
// A share of a bucket's rate as it is granted, held and reported, and its lease times.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cluster/shares/lease/sorted_map.h"
#include "drip/time.h"
#include "engine/engine.h"

namespace drip::cluster {

/// What one node may leak of one bucket. `rates` are the bucket's at the time of the grant, so that
/// a share keeps its value when they change.
struct Share {
  std::uint64_t leased = 0;  ///< Parts of kWholeRate, until the lease ends.
  std::uint64_t safe = 0;    ///< Further parts, until the safe share ends, which is later.
  LeasedRates rates;

  [[nodiscard]] bool nothing() const { return leased == 0 && safe == 0; }
  friend bool operator==(const Share&, const Share&) = default;
};

/// By bucket id; a missing bucket has no share.
using Shares = SortedMap<Share>;
/// By bucket id, in parts of kWholeRate.
using Demands = SortedMap<std::uint64_t>;

/// `parts` of `rates`, as rates.
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

/// All spans are monotonic time of the leader or of a holder. Wall clocks and Redis's clock are not
/// used.
struct LeaseTiming {
  /// How long a share holds after the exchange that renewed it was begun.
  Duration lease{2'000'000'000};
  /// How long beyond that a safe share holds.
  Duration safe_hold{3'600'000'000'000};
  /// The largest difference between the rates of two clocks, in millionths; a clock held to NTP is
  /// within 500.
  std::int64_t skew_ppm = 1000;

  /// The span that a holder uses: shorter than `span` by any clock within the skew.
  [[nodiscard]] constexpr Duration at_holder(Duration span) const {
    return {span.ns - span.ns / 1'000'000 * skew_ppm};
  }
  /// The span that a leader waits: longer.
  [[nodiscard]] constexpr Duration at_leader(Duration span) const {
    return {span.ns + span.ns / 1'000'000 * skew_ppm + 1};
  }
};

}  // namespace drip::cluster
