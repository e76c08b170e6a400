// SPDX-License-Identifier: BSD-3-Clause
// Finds the rule that applies to a packet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "classifier/match.h"
#include "classifier/tuple_space.h"
#include "packet/headers.h"

namespace drip {

/// No rule matches: the default action applies.
inline constexpr std::uint32_t kNoRule = std::numeric_limits<std::uint32_t>::max();

struct ClassifierRule {
  Match match;
  /// Of all rules that match, the one with the highest priority applies; among equals the first.
  std::int32_t priority = 0;
};

/// OK, or INVALID_ARGUMENT naming field, value and what is allowed: a number out of its range, or
/// fields that no packet can match together (an IPv4 source with an IPv6 destination, ports with a
/// protocol that has none).
absl::Status check_match(const Match& match);

/// Tuple space search (Srinivasan, Suri, Varghese, SIGCOMM 1999): rules that test the same bits of
/// a packet share one hash table; see tuple_space.h and docs/decisions/0001-classifier.md.
/// Immutable, so any number of threads may use it at once. Owns its memory.
class Classifier {
 public:
  /// Matches no packet.
  Classifier() = default;

  /// Does not keep `rules`. Errors are those of check_match(), with the index of the rule.
  static absl::StatusOr<Classifier> build(std::span<const ClassifierRule> rules);

  Classifier(Classifier&&) = default;
  Classifier& operator=(Classifier&&) = default;

  /// The index, in the argument of build(), of the rule that applies; kNoRule if none matches.
  [[nodiscard]] std::uint32_t classify(const Headers& headers, std::uint16_t ingress_port) const;
  /// The same for a burst of packets: rules[i] for burst[i].
  /// REQUIRES: rules.size() >= burst.size().
  void classify_burst(std::span<const Headers> burst, std::uint16_t ingress_port,
                      std::span<std::uint32_t> rules) const;

 private:
  TupleSpace<kIpv4KeyWords> ipv4_;
  TupleSpace<kIpv6KeyWords> ipv6_;
  TupleSpace<kOtherKeyWords> other_;
  [[nodiscard]] std::uint32_t rule_of(std::uint32_t rank) const {
    static_assert(kNoRank == kNoRule);
    return rank == kNoRank || ranks_are_indices_ ? rank : rule_of_rank_[rank];
  }

  /// Rule index by rank. The lowest rank that matches applies.
  std::vector<std::uint32_t> rule_of_rank_;
  /// The rules were given in the order of their ranks, which saves a look-up a packet.
  bool ranks_are_indices_ = true;
};

}  // namespace drip
