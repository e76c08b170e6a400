// SPDX-License-Identifier: BSD-3-Clause
#include "control/recorder/table_view.h"

#include <algorithm>
#include <span>
#include <string_view>

#include "absl/strings/ascii.h"

namespace drip::control {
namespace {

double use_of(const BucketRow& bucket) {
  const BucketSettings settings = bucket.settings();
  const auto part = [](double rate, double ceiling) { return ceiling > 0 ? rate / ceiling : 0; };
  return std::max(part(bucket.bits_per_second, settings.bits_per_second),
                  part(bucket.units_per_second, settings.units_per_second));
}

class Viewer {
 public:
  Viewer(const BucketTable& table, const TableView& view)
      : table_(table), view_(view), contains_(absl::AsciiStrToLower(view.id_contains)) {}

  ViewedTable run() {
    const std::vector<BucketRow>& rows = table_.rows();
    std::vector<std::uint32_t> top;
    std::vector<std::uint32_t> leaves;
    for (std::uint32_t row = 0; row < rows.size(); ++row) {
      if (!exists(row)) continue;
      ++result_.buckets;
      if (!rows[row].inner()) result_.lost_per_second += rows[row].lost_per_second;
      if (!rows[row].inner() && !view_.tree && matches(row)) leaves.push_back(row);
      if (rows[row].parent != BucketRow::kNoRow && exists(rows[row].parent)) continue;
      result_.bits_per_second += rows[row].bits_per_second;
      result_.units_per_second += rows[row].units_per_second;
      result_.backlog += rows[row].backlog_below;
      top.push_back(row);
    }
    if (view_.tree) {
      shown_.resize(rows.size());
      for (const std::uint32_t root : top) result_.total += count(root);
      std::erase_if(top, [&](std::uint32_t row) { return shown_[row] == 0; });
    } else {
      result_.total = leaves.size();
      shown_.assign(rows.size(), 1);
      top = std::move(leaves);
    }
    skip_ = view_.offset;
    add(std::move(top), 0, 0);
    return std::move(result_);
  }

 private:
  [[nodiscard]] bool exists(std::uint32_t row) const {
    return table_.rows()[row].id().starts_with(view_.id_prefix);
  }
  [[nodiscard]] bool matches(std::uint32_t row) {
    if (contains_.empty()) return true;
    lower_ = table_.rows()[row].id();
    absl::AsciiStrToLower(&lower_);
    return lower_.find(contains_) != std::string::npos;
  }
  // How many rows a tree has of which each matches or is above one that does. Trees have 8 levels.
  std::size_t count(std::uint32_t row) {
    std::size_t below = 0;
    for (const std::uint32_t child : table_.children(row)) {
      if (exists(child)) below += count(child);
    }
    shown_[row] = static_cast<std::uint32_t>(below + (below > 0 || matches(row) ? 1 : 0));
    return shown_[row];
  }
  [[nodiscard]] double key(std::uint32_t row) const {
    const BucketRow& bucket = table_.rows()[row];
    switch (view_.order) {
      case ViewOrder::kId:
        return 0;
      case ViewOrder::kUse:
        return use_of(bucket);
      case ViewOrder::kUnits:
        return bucket.units_per_second;
      case ViewOrder::kBacklog:
        return static_cast<double>(bucket.backlog_below);
      case ViewOrder::kSojournP50:
        return static_cast<double>(bucket.sojourn_p50_ns);
      case ViewOrder::kSojournP99:
        return static_cast<double>(bucket.sojourn_p99_ns);
      case ViewOrder::kLoss:
        return bucket.lost_per_second;
      case ViewOrder::kRate:
        break;
    }
    // A bucket of requests has no bits worth the name.
    return std::max(bucket.bits_per_second, bucket.units_per_second);
  }

  // Rows of one parent with what is below them, as far as they are within offset and limit.
  void add(std::vector<std::uint32_t> siblings, std::uint32_t depth, std::uint32_t above) {
    struct Keyed {
      double key;
      std::uint32_t row;
    };
    std::vector<Keyed> order;
    order.reserve(siblings.size());
    for (const std::uint32_t row : siblings) order.push_back({key(row), row});
    // Each takes one row at least, so no more of them can be within the limit.
    const std::size_t wanted =
        std::min(order.size(), skip_ + view_.limit - std::min(view_.limit, result_.rows.size()));
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(wanted),
                      order.end(), [&](const Keyed& a, const Keyed& b) {
                        if (a.key != b.key) return view_.reverse ? a.key < b.key : a.key > b.key;
                        const bool by_id = view_.order == ViewOrder::kId;
                        return by_id && view_.reverse ? a.row > b.row : a.row < b.row;
                      });
    for (std::size_t i = 0; i < wanted && result_.rows.size() < view_.limit; ++i) {
      const std::uint32_t row = order[i].row;
      if (skip_ >= shown_[row]) {
        skip_ -= shown_[row];
        continue;
      }
      const std::uint32_t continues = above | (i + 1 < order.size() ? 1U << depth : 0U);
      if (skip_ > 0) {
        --skip_;
      } else {
        result_.rows.push_back({row, depth, continues});
      }
      if (!view_.tree) continue;
      std::vector<std::uint32_t> children;
      for (const std::uint32_t child : table_.children(row)) {
        if (shown_[child] > 0) children.push_back(child);
      }
      if (!children.empty()) add(std::move(children), depth + 1, continues);
    }
  }

  const BucketTable& table_;
  const TableView& view_;
  const std::string contains_;
  std::string lower_;
  std::vector<std::uint32_t> shown_;  // Rows of the tree below each row, itself included.
  std::size_t skip_ = 0;              // Rows that are still to be left out.
  ViewedTable result_;
};

}  // namespace

ViewedTable viewed(const BucketTable& table, const TableView& view) {
  return Viewer(table, view).run();
}

}  // namespace drip::control
