// SPDX-License-Identifier: BSD-3-Clause
// Finds the rule that decides about a packet.
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

/// No rule fits: the default applies.
inline constexpr std::uint32_t kNoRule = std::numeric_limits<std::uint32_t>::max();

struct ClassifierRule {
  Match match;
  /// The highest that fits decides; among equals the one that comes first.
  std::int32_t priority = 0;
};

/// OK, or INVALID_ARGUMENT naming field, value and what is allowed: a number out of its range, or
/// fields that no packet can fit together (an IPv4 source with an IPv6 destination, ports with a
/// protocol that has none).
absl::Status check_match(const Match& match);

/// Tuple space search (Srinivasan, Suri, Varghese, SIGCOMM 1999): rules that look at the same bits
/// of a packet share one hash table; see tuple_space.h and docs/decisions/classifier.md. Immutable
/// once built, so any number of threads may read it; owns all of its memory.
class Classifier {
 public:
  /// Fits nothing.
  Classifier() = default;

  /// Copies what it needs of `rules`. INVALID_ARGUMENT as check_match(), naming the rule by its
  /// index as well.
  static absl::StatusOr<Classifier> build(std::span<const ClassifierRule> rules);

  Classifier(Classifier&&) = default;
  Classifier& operator=(Classifier&&) = default;

  /// The index, in what was given to build(), of the rule that decides; kNoRule if none fits.
  [[nodiscard]] std::uint32_t classify(const Headers& headers, std::uint16_t ingress_port) const;
  /// The same for the packets of one rx burst: rules[i] for burst[i].
  /// REQUIRES: rules.size() >= burst.size().
  void classify_burst(std::span<const Headers> burst, std::uint16_t ingress_port,
                      std::span<std::uint32_t> rules) const;

  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  TupleSpace<kIpv4KeyWords> ipv4_;
  TupleSpace<kIpv6KeyWords> ipv6_;
  TupleSpace<kOtherKeyWords> other_;
  [[nodiscard]] std::uint32_t rule_of(std::uint32_t rank) const {
    static_assert(kNoRank == kNoRule);
    return rank == kNoRank || ranks_are_indices_ ? rank : rule_of_rank_[rank];
  }

  /// Rules by rank: 0 is the one that decides whenever it fits.
  std::vector<std::uint32_t> rule_of_rank_;
  /// The rules came in the order of their ranks: one look-up less a packet.
  bool ranks_are_indices_ = true;
};

}  // namespace drip
