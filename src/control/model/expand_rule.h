// SPDX-License-Identifier: BSD-3-Clause
// The matches of a rule with several prefixes, one for each pair of them.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "classifier/match.h"
#include "control/model/rule_spec.h"

namespace drip::control {

inline constexpr std::size_t kMaxListEntries = 1U << 20;
/// Over all rules of a set: what a classifier takes in a second or so.
inline constexpr std::size_t kMaxMatches = 1U << 21;

/// A packet matches the rule if it matches one of these. Pairs of different IP versions are left
/// out. NOT_FOUND for a list that `lists` has not; INVALID_ARGUMENT if no packet can match, or if
/// there would be more than `most`.
[[nodiscard]] absl::StatusOr<std::vector<Match>> expand_rule(const RuleSpec& rule,
                                                             const AddressLists& lists,
                                                             std::size_t most = kMaxMatches);

}  // namespace drip::control
