// SPDX-License-Identifier: BSD-3-Clause
// Finds the rule that applies to a packet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
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
  /// What Classifier::classify() returns instead of the rule's index: several elements may stand
  /// for one rule.
  std::optional<std::uint32_t> result{};
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
  /// REQUIRES: !looks_deeper().
  [[nodiscard]] std::uint32_t classify(const Headers& headers, std::uint16_t ingress_port) const;
  /// The same for a burst of packets: rules[i] for burst[i].
  /// REQUIRES: rules.size() >= burst.size(); !looks_deeper().
  void classify_burst(std::span<const Headers> burst, std::uint16_t ingress_port,
                      std::span<std::uint32_t> rules) const;

  /// Whether a rule tests what is not in Headers: MAC addresses, TCP flags, ICMP, inner headers.
  /// Then only the following finds the rule that applies.
  [[nodiscard]] bool looks_deeper() const { return deep_ != nullptr; }
  /// `bytes` and `frame_bytes`: of which `headers` were parsed, see parse_frame().
  [[nodiscard]] std::uint32_t classify(const Headers& headers, std::uint16_t ingress_port,
                                       std::span<const std::uint8_t> bytes,
                                       std::uint32_t frame_bytes) const;

 private:
  void classify_burst_by_addresses(std::span<const Headers> burst, std::uint16_t ingress_port,
                                   std::span<std::uint32_t> rules) const;

  TupleSpace<kIpv4KeyWords> ipv4_;
  TupleSpace<kIpv6KeyWords> ipv6_;
  TupleSpace<kOtherKeyWords> other_;
  /// If a rule looks deeper, all rules are here, and none is in the spaces above.
  struct DeepSpaces {
    TupleSpace<kIpv4KeyWords + kMoreWords> ipv4;
    TupleSpace<kIpv6KeyWords + kMoreWords> ipv6;
    TupleSpace<kOtherKeyWords + kMoreWords> other;

    [[nodiscard]] bool empty() const { return ipv4.empty() && ipv6.empty() && other.empty(); }
    /// `begin`: where the offsets of `headers` begin in `bytes`.
    [[nodiscard]] std::uint32_t find(const Headers& headers, std::uint16_t ingress_port,
                                     std::span<const std::uint8_t> bytes,
                                     std::uint32_t begin) const;
  };
  struct Deep {
    DeepSpaces outer;
    DeepSpaces inner;
  };
  std::unique_ptr<const Deep> deep_;
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
