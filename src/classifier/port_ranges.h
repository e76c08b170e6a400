// SPDX-License-Identifier: BSD-3-Clause
// Finds, among rules that differ only in port ranges, the best one for a packet's ports.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "classifier/match.h"

namespace drip {

/// Of several rules that match, the one with the lowest rank applies; ranks begin at 0.
inline constexpr std::uint32_t kNoRank = std::numeric_limits<std::uint32_t>::max();

/// Sets of rules, each rule a rectangle of source and destination ports. A small set is a list,
/// best rule first. A larger set is split in three. Rules with any source port are a line: the
/// destination ports cut where a rule begins or ends, each piece with its best rule. Rules with any
/// destination port are a line of source ports. Rules that bound both are a segment tree over the
/// destination ports, each node with a line of source ports (the stabbing query of de Berg et al.,
/// "Computational Geometry", 10.3). So n rules take O(n log n) memory, and a look-up takes one
/// binary search a line, and for the tree one a level. Sets do not change once added; any number of
/// threads may call find() at once.
class PortRanges {
 public:
  struct Rule {
    PortRange src_ports;
    PortRange dst_ports;
    std::uint32_t rank = kNoRank;
  };

  /// Adds a set, best rule first; returns its number, never 0. REQUIRES: at least one rule.
  std::uint32_t add(std::span<const Rule> best_first);

  /// The lowest rank in the set that matches and is below `best`, or `best`.
  [[nodiscard]] std::uint32_t find(std::uint32_t set, std::uint16_t src, std::uint16_t dst,
                                   std::uint32_t best) const {
    if ((set & kManyRules) != 0) return find_in(many_[set & ~kManyRules], src, dst, best);
    for (const Check* check = &checks_[set]; check->rule.rank < best; ++check) {
      if (src >= check->rule.src_ports.first && src <= check->rule.src_ports.last &&
          dst >= check->rule.dst_ports.first && dst <= check->rule.dst_ports.last) {
        return check->rule.rank;
      }
      if (check->last) break;
    }
    return best;
  }

  /// Up to this many rules a list is faster.
  static constexpr std::size_t kFewRules = 16;

 private:
  static constexpr std::uint32_t kManyRules = 1U << 31;

  struct Check {
    Rule rule;
    bool last = false;
  };
  /// Pieces of the ports from 0 to 65535, in starts_ and ranks_.
  struct Line {
    std::uint32_t first = 0;
    std::uint32_t pieces = 0;
    std::uint32_t best_rank = kNoRank;  ///< kNoRank: empty.
  };
  struct Span {
    PortRange ports;
    std::uint32_t rank;
  };
  struct Set {
    Line by_dst;  ///< Rules with any source port.
    Line by_src;  ///< Rules with any destination port that are not in by_dst.
    Line leaves;  ///< Of the tree: pieces of the destination ports, with the leaf's number as rank.
    std::uint32_t first_node = 0;  ///< Of the tree, as a heap: node n has 2n and 2n + 1 below it.
    std::uint32_t leaf_count = 0;  ///< A power of two; 0: no tree.
  };

  [[nodiscard]] std::uint32_t find_in(const Set& set, std::uint16_t src, std::uint16_t dst,
                                      std::uint32_t best) const;
  /// The rank of the piece that contains `port`.
  [[nodiscard]] std::uint32_t at(const Line& line, std::uint16_t port) const;
  Line add_line(std::span<const Span> spans);
  void add_tree(std::span<const Rule> rules, Set& set);

  std::vector<Check> checks_ = std::vector<Check>(1);  // Set number 0 means no set.
  std::vector<Set> many_;
  std::vector<Line> nodes_;
  std::vector<std::uint16_t> starts_;
  std::vector<std::uint32_t> ranks_;
};

}  // namespace drip
