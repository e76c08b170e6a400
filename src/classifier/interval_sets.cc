// SPDX-License-Identifier: BSD-3-Clause
// Cuts the numbers into pieces and stores each set of members once.
#include "classifier/interval_sets.h"

#include <algorithm>
#include <bit>
#include <string>
#include <unordered_map>

namespace drip {
namespace {

// Where an interval of a member begins (+1) or has ended (-1).
struct Cut {
  std::uint64_t at = 0;
  std::uint32_t member = 0;
  std::int32_t change = 0;
};

std::vector<Cut> cuts_of(std::span<const Interval> intervals) {
  std::vector<Cut> cuts;
  cuts.reserve(2 * intervals.size());
  for (const Interval& interval : intervals) {
    cuts.push_back({interval.first, interval.member, +1});
    // An interval up to the largest number never ends.
    if (interval.last != ~std::uint64_t{0})
      cuts.push_back({interval.last + 1, interval.member, -1});
  }
  std::ranges::sort(cuts, {}, &Cut::at);
  return cuts;
}

std::string_view bytes_of(const std::vector<std::uint64_t>& words) {
  return {reinterpret_cast<const char*>(words.data()), words.size() * sizeof(std::uint64_t)};
}

}  // namespace

IntervalSets::IntervalSets(std::span<const Interval> intervals, std::uint32_t member_count)
    : word_count_((member_count + 63) / 64) {
  const std::vector<Cut> cuts = cuts_of(intervals);
  std::vector<std::uint32_t> depths(member_count, 0);
  std::vector<std::uint64_t> set(word_count_, 0);
  std::unordered_map<std::string, std::uint32_t> offsets;
  std::size_t filled = 0;

  const auto begin_piece = [&](std::uint64_t start) {
    const auto [known, is_new] =
        offsets.try_emplace(std::string(bytes_of(set)), static_cast<std::uint32_t>(sets_.size()));
    if (is_new) sets_.insert(sets_.end(), set.begin(), set.end());
    if (!piece_sets_.empty() && piece_sets_.back() == known->second) return;
    starts_.push_back(start);
    piece_sets_.push_back(known->second);
    for (const std::uint64_t word : set) filled += static_cast<std::size_t>(std::popcount(word));
  };
  if (cuts.empty() || cuts.front().at != 0) begin_piece(0);
  for (auto cut = cuts.begin(); cut != cuts.end();) {
    const std::uint64_t at = cut->at;
    for (; cut != cuts.end() && cut->at == at; ++cut) {
      std::uint32_t& depth = depths[cut->member];
      depth += static_cast<std::uint32_t>(cut->change);
      const std::uint64_t bit = 1ULL << cut->member % 64;
      std::uint64_t& word = set[cut->member / 64];
      word = depth > 0 ? word | bit : word & ~bit;
    }
    begin_piece(at);
  }
  if (member_count > 0) {
    mean_fill_ = static_cast<double>(filled) / static_cast<double>(starts_.size() * member_count);
  }
  build_index();
}

void IntervalSets::build_index() {
  // The index begins at the first cut: IPv6 rules often share their leading bits, and an index from
  // 0 would not tell their pieces apart.
  base_ = starts_.size() > 1 ? starts_[1] : 0;
  const std::uint64_t range = starts_.back() - base_;
  // With four steps a piece most searches take one or two comparisons.
  constexpr int kMostIndexBits = 16;
  const int index_bits =
      std::min(kMostIndexBits, static_cast<int>(std::bit_width(starts_.size())) + 2);
  step_bits_ =
      static_cast<std::uint8_t>(std::max(0, static_cast<int>(std::bit_width(range)) - index_bits));
  const std::size_t steps = static_cast<std::size_t>(range >> step_bits_) + 1;
  first_pieces_.reserve(steps + 1);
  std::size_t piece = starts_.size() > 1 ? 1 : 0;
  for (std::size_t step = 0; step < steps; ++step) {
    const std::uint64_t begin = base_ + (static_cast<std::uint64_t>(step) << step_bits_);
    while (piece + 1 < starts_.size() && starts_[piece + 1] <= begin) ++piece;
    first_pieces_.push_back(static_cast<std::uint32_t>(piece));
  }
  first_pieces_.push_back(static_cast<std::uint32_t>(starts_.size() - 1));
}

}  // namespace drip
