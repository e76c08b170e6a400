// SPDX-License-Identifier: BSD-3-Clause
// Finds, for a number, the set of members with an interval that contains it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace drip {

/// Inclusive on both sides.
struct Interval {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint32_t member = 0;
};

/// The numbers are cut into pieces where an interval begins or ends. Each piece refers to the bit
/// set of its members; equal sets are stored once. An index over the leading bits of the pieces
/// leaves a short binary search. Immutable. With n intervals, at most 2n+1 pieces and as many sets
/// of member_count bits.
class IntervalSets {
 public:
  IntervalSets() = default;
  /// REQUIRES: first <= last and member < member_count for each.
  IntervalSets(std::span<const Interval> intervals, std::uint32_t member_count);

  /// word_count() words; bit m % 64 of word m / 64 says whether member m has an interval that
  /// contains `point`.
  [[nodiscard]] const std::uint64_t* at(std::uint64_t point) const {
    return &sets_[piece_sets_[piece_of(point)]];
  }
  [[nodiscard]] std::size_t word_count() const { return word_count_; }
  /// The average over the pieces of the share of members that are in the piece's set, 0 to 1.
  [[nodiscard]] double mean_fill() const { return mean_fill_; }

 private:
  [[nodiscard]] std::size_t piece_of(std::uint64_t point) const {
    // Points before the first cut are in piece 0, points from the last cut on in the last piece.
    if (point < base_) return 0;
    const std::uint64_t step = (point - base_) >> step_bits_;
    if (step >= first_pieces_.size() - 1) return starts_.size() - 1;
    std::size_t piece = first_pieces_[step];
    // The last piece that starts at or before the point is piece .. piece + count.
    std::size_t count = first_pieces_[step + 1] - piece;
    while (count > 0) {
      const std::size_t half = (count + 1) / 2;
      // Compiles to a conditional move; the branch would be unpredictable.
      piece += starts_[piece + half] <= point ? half : 0;
      count -= half;
    }
    return piece;
  }
  void build_index();

  std::vector<std::uint64_t> starts_;        ///< Where each piece begins; the first is 0.
  std::vector<std::uint32_t> piece_sets_;    ///< Word offset in sets_ of each piece's set.
  std::vector<std::uint32_t> first_pieces_;  ///< By step: the piece in which the step begins.
  std::vector<std::uint64_t> sets_;
  std::uint64_t base_ = 0;
  std::uint8_t step_bits_ = 0;
  std::size_t word_count_ = 0;
  double mean_fill_ = 1;
};

}  // namespace drip
