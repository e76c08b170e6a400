// SPDX-License-Identifier: BSD-3-Clause
// Builds and searches the lines and segment trees of port_ranges.h.
#include "classifier/port_ranges.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <queue>
#include <utility>

namespace drip {
namespace {

constexpr PortRange kAllPorts{0, 0xffff};

}  // namespace

std::uint32_t PortRanges::add(std::span<const Rule> best_first) {
  if (best_first.size() <= kFewRules) {
    const auto number = static_cast<std::uint32_t>(checks_.size());
    for (const Rule& rule : best_first) checks_.push_back({rule, false});
    checks_.back().last = true;
    return number;
  }
  Set set;
  std::vector<Span> any_src;
  std::vector<Span> any_dst;
  std::vector<Rule> both;
  for (const Rule& rule : best_first) {
    if (rule.src_ports == kAllPorts) {
      any_src.push_back({rule.dst_ports, rule.rank});
    } else if (rule.dst_ports == kAllPorts) {
      any_dst.push_back({rule.src_ports, rule.rank});
    } else {
      both.push_back(rule);
    }
  }
  set.by_dst = add_line(any_src);
  set.by_src = add_line(any_dst);
  if (!both.empty()) add_tree(both, set);
  many_.push_back(set);
  return kManyRules | static_cast<std::uint32_t>(many_.size() - 1);
}

PortRanges::Line PortRanges::add_line(std::span<const Span> spans) {
  Line line;
  if (spans.empty()) return line;
  std::vector<Span> by_begin(spans.begin(), spans.end());
  std::ranges::sort(by_begin, {}, [](const Span& span) { return span.ports.first; });
  std::vector<std::uint32_t> cuts = {0};
  for (const Span& span : spans) {
    cuts.push_back(span.ports.first);
    if (span.ports.last < 0xffff) cuts.push_back(span.ports.last + 1U);
  }
  std::ranges::sort(cuts);
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());

  line.first = static_cast<std::uint32_t>(starts_.size());
  // The spans that have begun, best on top. A span that has ended is removed once it is on top.
  using Open = std::pair<std::uint32_t, std::uint32_t>;  // Rank, last port.
  std::priority_queue<Open, std::vector<Open>, std::greater<>> open;
  auto next = by_begin.begin();
  for (const std::uint32_t cut : cuts) {
    for (; next != by_begin.end() && next->ports.first <= cut; ++next) {
      open.emplace(next->rank, next->ports.last);
    }
    while (!open.empty() && open.top().second < cut) open.pop();
    const std::uint32_t rank = open.empty() ? kNoRank : open.top().first;
    line.best_rank = std::min(line.best_rank, rank);
    if (line.pieces > 0 && ranks_.back() == rank) continue;
    starts_.push_back(static_cast<std::uint16_t>(cut));
    ranks_.push_back(rank);
    ++line.pieces;
  }
  return line;
}

void PortRanges::add_tree(std::span<const Rule> rules, Set& set) {
  std::vector<std::uint32_t> cuts = {0};
  for (const Rule& rule : rules) {
    cuts.push_back(rule.dst_ports.first);
    if (rule.dst_ports.last < 0xffff) cuts.push_back(rule.dst_ports.last + 1U);
  }
  std::ranges::sort(cuts);
  cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
  const auto leaf_at = [&](std::uint32_t port) {
    return static_cast<std::uint32_t>(std::ranges::upper_bound(cuts, port) - cuts.begin() - 1);
  };
  set.leaf_count = std::bit_ceil(static_cast<std::uint32_t>(cuts.size()));
  std::vector<std::vector<Span>> spans(2 * std::size_t{set.leaf_count});
  for (const Rule& rule : rules) {
    // The fewest nodes that cover the leaves from first to last, bottom-up.
    std::uint32_t low = set.leaf_count + leaf_at(rule.dst_ports.first);
    std::uint32_t high = set.leaf_count + leaf_at(rule.dst_ports.last) + 1;
    for (; low < high; low /= 2, high /= 2) {
      if (low % 2 == 1) spans[low++].push_back({rule.src_ports, rule.rank});
      if (high % 2 == 1) spans[--high].push_back({rule.src_ports, rule.rank});
    }
  }
  set.first_node = static_cast<std::uint32_t>(nodes_.size());
  for (const std::vector<Span>& of_node : spans) nodes_.push_back(add_line(of_node));

  set.leaves.first = static_cast<std::uint32_t>(starts_.size());
  set.leaves.pieces = static_cast<std::uint32_t>(cuts.size());
  for (std::uint32_t leaf = 0; leaf < cuts.size(); ++leaf) {
    starts_.push_back(static_cast<std::uint16_t>(cuts[leaf]));
    ranks_.push_back(leaf);
  }
}

std::uint32_t PortRanges::at(const Line& line, std::uint16_t port) const {
  const std::uint16_t* starts = &starts_[line.first];
  // Finds the last piece that starts at or before the port; the first piece starts at 0.
  for (std::uint32_t left = line.pieces; left > 1;) {
    const std::uint32_t half = left / 2;
    // Compiles to a conditional move; the branch would be unpredictable.
    starts += starts[half] <= port ? half : 0;
    left -= half;
  }
  return ranks_[static_cast<std::size_t>(starts - starts_.data())];
}

std::uint32_t PortRanges::find_in(const Set& set, std::uint16_t src, std::uint16_t dst,
                                  std::uint32_t best) const {
  if (set.by_dst.best_rank < best) best = std::min(best, at(set.by_dst, dst));
  if (set.by_src.best_rank < best) best = std::min(best, at(set.by_src, src));
  if (set.leaf_count == 0) return best;
  for (std::uint32_t node = set.leaf_count + at(set.leaves, dst); node > 0; node /= 2) {
    const Line& line = nodes_[set.first_node + node];
    if (line.best_rank < best) best = std::min(best, at(line, src));
  }
  return best;
}

}  // namespace drip
