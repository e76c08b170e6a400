// SPDX-License-Identifier: BSD-3-Clause
#include "cli/top/columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>

#include "base/quantity.h"
#include "cli/screen/text.h"

namespace drip::cli {
namespace {

constexpr std::size_t kBarWidth = 6;
constexpr double kFull = 0.95;
constexpr double kBusy = 0.7;

std::string rate_text(double bits_per_second, double units_per_second) {
  // A bucket of requests sends no bits.
  if (bits_per_second <= 0 && units_per_second > 0) return format_unit_rate(units_per_second, 4);
  return format_bit_rate(bits_per_second, 4);
}

std::string time_text(std::uint64_t ns) {
  return ns == 0 ? "-" : format_duration(std::chrono::nanoseconds(ns), 3);
}

std::string id_text(const v1::TopBucket& bucket) {
  return branch_of(bucket) + printable(bucket.bucket_id());
}
std::string rate_of(const v1::TopBucket& bucket) {
  return rate_text(bucket.processed_bps(), bucket.processed_per_second());
}
std::string use_text(const v1::TopBucket& bucket) {
  if (bucket.ceiling_bps() <= 0 && bucket.ceiling_per_second() <= 0) return "-";
  const double use = use_of(bucket);
  return bar(use, kBarWidth) + right_in(fmt::format("{:.0f}%", 100 * use), 5);
}
std::string ceiling_text(const v1::TopBucket& bucket) {
  if (bucket.ceiling_bps() > 0) return format_bit_rate(bucket.ceiling_bps(), 4);
  return bucket.ceiling_per_second() > 0 ? format_unit_rate(bucket.ceiling_per_second(), 4) : "-";
}
std::string units_text(const v1::TopBucket& bucket) {
  return format_unit_rate(bucket.processed_per_second(), 4);
}
std::string backlog_text(const v1::TopBucket& bucket) {
  return fmt::format("{}", bucket.backlog());
}
std::string p50_text(const v1::TopBucket& bucket) { return time_text(bucket.sojourn_p50_ns()); }
std::string p99_text(const v1::TopBucket& bucket) { return time_text(bucket.sojourn_p99_ns()); }
std::string loss_text(const v1::TopBucket& bucket) {
  return bucket.lost_per_second() > 0 ? format_unit_rate(bucket.lost_per_second(), 4) : "-";
}
std::string wait_text(const v1::TopBucket& bucket) {
  switch (bucket.waits_for()) {
    case v1::TOP_WAIT_ITSELF:
      return "itself";
    case v1::TOP_WAIT_ANCESTOR:
      return bucket.waits_for_id().empty() ? "ancestor" : printable(bucket.waits_for_id());
    case v1::TOP_WAIT_SIBLINGS:
      return "siblings";
    case v1::TOP_WAIT_EGRESS:
      return "egress";
    case v1::TOP_WAIT_LEASE:
      return "lease";
    default:
      return "-";
  }
}

constexpr TopColumn kColumns[] = {
    {"BUCKET", "id", v1::TOP_SORT_ID, 14, true, 0, id_text},
    {"RATE", "rate", v1::TOP_SORT_RATE, 10, false, 0, rate_of},
    {"USE", "use", v1::TOP_SORT_USE, 11, true, 3, use_text},
    {"CEILING", "", v1::TOP_SORT_UNSPECIFIED, 10, false, 4, ceiling_text},
    {"UNITS", "units", v1::TOP_SORT_UNITS, 9, false, 6, units_text},
    {"BACKLOG", "backlog", v1::TOP_SORT_BACKLOG, 8, false, 1, backlog_text},
    {"P50", "p50", v1::TOP_SORT_SOJOURN_P50, 8, false, 7, p50_text},
    {"P99", "p99", v1::TOP_SORT_SOJOURN_P99, 8, false, 2, p99_text},
    {"LOST", "loss", v1::TOP_SORT_LOSS, 9, false, 2, loss_text},
    {"WAITS FOR", "", v1::TOP_SORT_UNSPECIFIED, 12, true, 5, wait_text}};

}  // namespace

std::span<const TopColumn> all_top_columns() { return kColumns; }

std::vector<TopColumn> top_columns_in(std::size_t width) {
  std::vector<TopColumn> columns(std::begin(kColumns), std::end(kColumns));
  const auto taken = [&] {
    std::size_t sum = columns.size() - 1;  // A blank between two.
    for (const TopColumn& column : columns) sum += column.width;
    return sum;
  };
  while (taken() > width) {
    const auto least = std::ranges::max_element(columns, {}, &TopColumn::rank);
    if (least->rank == 0) break;
    columns.erase(least);
  }
  if (taken() < width) columns.front().width += width - taken();
  return columns;
}

v1::TopSort neighbour_of(v1::TopSort sort, bool forward) {
  const std::size_t count = std::size(kColumns);
  std::size_t at = 0;
  while (at < count && kColumns[at].sort != sort) ++at;
  do {
    at = (at + (forward ? 1 : count - 1)) % count;
  } while (kColumns[at].sort == v1::TOP_SORT_UNSPECIFIED);
  return kColumns[at].sort;
}

std::string branch_of(const v1::TopBucket& bucket) {
  // Trees have 8 levels; `continues` has 32 bits.
  const std::uint32_t depth = std::min(bucket.depth(), 31U);
  const auto follows = [&](std::uint32_t level) {
    return ((bucket.continues() >> level) & 1) != 0;
  };
  std::string branch;
  for (std::uint32_t level = 1; level < depth; ++level) branch += follows(level) ? "│  " : "   ";
  if (depth > 0) branch += follows(depth) ? "├─ " : "└─ ";
  return branch;
}

double use_of(const v1::TopBucket& bucket) {
  const auto part = [](double rate, double ceiling) { return ceiling > 0 ? rate / ceiling : 0; };
  return std::max(part(bucket.processed_bps(), bucket.ceiling_bps()),
                  part(bucket.processed_per_second(), bucket.ceiling_per_second()));
}

Style style_of(const v1::TopBucket& bucket, const TopColumn& column) {
  const bool idle =
      bucket.processed_per_second() <= 0 && bucket.backlog() == 0 && bucket.lost_per_second() <= 0;
  if (column.text == &loss_text && bucket.lost_per_second() > 0) return Style::kBad;
  if (column.text == &backlog_text && bucket.backlog() > 0) return Style::kBusy;
  if (idle) return Style::kDim;
  if (column.text == &id_text) return bucket.inner() ? Style::kStrong : Style::kName;
  if (column.text == &use_text) {
    const double use = use_of(bucket);
    return use >= kFull ? Style::kBad : use >= kBusy ? Style::kBusy : Style::kGood;
  }
  return Style::kPlain;
}

std::string cell_of(const v1::TopBucket& bucket, const TopColumn& column) {
  const std::string text = column.text(bucket);
  return column.left ? left_in(text, column.width) : right_in(text, column.width);
}

}  // namespace drip::cli
