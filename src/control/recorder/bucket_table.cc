// SPDX-License-Identifier: BSD-3-Clause
#include "control/recorder/bucket_table.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"

namespace drip::control {

std::optional<std::uint32_t> BucketTable::find(std::string_view id) const {
  const auto found =
      std::ranges::lower_bound(rows_, id, {}, [](const BucketRow& row) { return row.id(); });
  if (found == rows_.end() || found->id() != id) return std::nullopt;
  return static_cast<std::uint32_t>(found - rows_.begin());
}

std::span<const std::uint32_t> BucketTable::children_at(std::size_t group) const {
  if (begin_.empty()) return {};
  return std::span(by_parent_).subspan(begin_[group], begin_[group + 1] - begin_[group]);
}

double BucketTable::key(std::uint32_t row, SortBy by) const {
  const BucketRow& bucket = rows_[row];
  switch (by) {
    case SortBy::kBacklog:
      return static_cast<double>(bucket.backlog_below);
    case SortBy::kLoss:
      return bucket.lost_per_second;
    case SortBy::kRate:
    case SortBy::kName:
      break;
  }
  // A bucket of requests has no bits worth the name.
  return std::max(bucket.bits_per_second, bucket.units_per_second);
}

std::vector<std::uint32_t> BucketTable::sorted(std::span<const std::uint32_t> rows, SortBy by,
                                               std::size_t offset, std::size_t limit) const {
  offset = std::min(offset, rows.size());
  limit = std::min(limit, rows.size() - offset);
  if (by == SortBy::kName) {
    const auto part = rows.subspan(offset, limit);
    return {part.begin(), part.end()};
  }
  std::vector<std::uint32_t> all(rows.begin(), rows.end());
  const auto end = all.begin() + static_cast<std::ptrdiff_t>(offset + limit);
  std::partial_sort(all.begin(), end, all.end(), [&](std::uint32_t a, std::uint32_t b) {
    const double of_a = key(a, by);
    const double of_b = key(b, by);
    return of_a != of_b ? of_a > of_b : a < b;
  });
  return {all.begin() + static_cast<std::ptrdiff_t>(offset), end};
}

std::vector<std::uint32_t> BucketTable::top(SortBy by, std::size_t limit) const {
  std::vector<std::uint32_t> some;
  for (std::uint32_t row = 0; row < rows_.size(); ++row) {
    // What an inner node sends is what the buckets below it send.
    if (!rows_[row].inner() && key(row, by) > 0) some.push_back(row);
  }
  return sorted(some, by, 0, limit);
}

BucketTable::Found BucketTable::search(std::string_view text, std::size_t limit) const {
  const std::string wanted = absl::AsciiStrToLower(std::string(text));
  Found found;
  std::vector<std::uint32_t> begin_with, contain;
  std::string id;
  for (std::uint32_t row = 0; row < rows_.size(); ++row) {
    id = rows_[row].id();
    absl::AsciiStrToLower(&id);
    const std::size_t at = id.find(wanted);
    if (at == std::string::npos) continue;
    ++found.total;
    if (at == 0 && id.size() == wanted.size()) {
      found.rows.push_back(row);
    } else if (at == 0 && begin_with.size() < limit) {
      begin_with.push_back(row);
    } else if (at > 0 && contain.size() < limit) {
      contain.push_back(row);
    }
  }
  for (const auto* const more : {&begin_with, &contain}) {
    found.rows.insert(found.rows.end(), more->begin(), more->end());
  }
  found.rows.resize(std::min(found.rows.size(), limit));
  return found;
}

Limit BucketTable::limit_of(std::uint32_t row) const {
  const BucketRow& bucket = rows_[row];
  if (bucket.backlog_below == 0) return {};
  if (bucket.paused) return {Limit::By::kLease};
  if (!bucket.in_tree) return {Limit::By::kItself};
  switch (bucket.state) {
    case NodeState::kIdle:
      return {};
    case NodeState::kParked:
      return {Limit::By::kItself};
    case NodeState::kHeld:
      return {Limit::By::kEgress};
    case NodeState::kStopped:
      return {Limit::By::kLease};
    case NodeState::kReady:
      break;
  }
  for (std::uint32_t node = bucket.parent; node != BucketRow::kNoRow; node = rows_[node].parent) {
    if (rows_[node].state != NodeState::kReady) return {Limit::By::kAncestor, node};
  }
  return {Limit::By::kSiblings};
}

void BucketTable::set_rows(std::vector<BucketRow> rows) {
  rows_ = std::move(rows);
  begin_.assign(rows_.size() + 2, 0);
  const auto group = [](const BucketRow& row) {
    return row.parent == BucketRow::kNoRow ? std::size_t{0} : std::size_t{row.parent} + 1;
  };
  for (const BucketRow& row : rows_) ++begin_[group(row) + 1];
  std::partial_sum(begin_.begin(), begin_.end(), begin_.begin());
  std::vector<std::uint32_t> next(begin_.begin(), begin_.end() - 1);
  by_parent_.resize(rows_.size());
  for (std::uint32_t row = 0; row < rows_.size(); ++row) {
    by_parent_[next[group(rows_[row])]++] = row;
  }
}

std::vector<BucketRow> BucketTable::take_rows() {
  begin_.clear();
  by_parent_.clear();
  return std::exchange(rows_, {});
}

}  // namespace drip::control
