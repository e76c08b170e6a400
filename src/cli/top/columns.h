// SPDX-License-Identifier: BSD-3-Clause
// The columns of `top`.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/screen/frame.h"
#include "drip/v1/top.pb.h"

namespace drip::cli {

struct TopColumn {
  std::string_view title;
  std::string_view word;  // Of --sort; empty: it cannot be sorted by.
  v1::TopSort sort;       // TOP_SORT_UNSPECIFIED likewise.
  std::size_t width;      // The least of the first one, which gets what is left.
  bool left;
  int rank;  // On a narrow screen those of the highest rank go first; 0: stays.
  std::string (*text)(const v1::TopBucket& bucket);  // Printable.
};

std::span<const TopColumn> all_top_columns();
// Those that fit into `width` columns of the screen, in order, the width of the first one set.
std::vector<TopColumn> top_columns_in(std::size_t width);
// The column beside that of `sort` by which one can sort; beyond the last one comes the first.
v1::TopSort neighbour_of(v1::TopSort sort, bool forward);

// "├─ " and so on, before the id.
std::string branch_of(const v1::TopBucket& bucket);
// The part of its ceiling that a bucket sends; 0 without one.
double use_of(const v1::TopBucket& bucket);
Style style_of(const v1::TopBucket& bucket, const TopColumn& column);
// Padded to the column's width.
std::string cell_of(const v1::TopBucket& bucket, const TopColumn& column);

}  // namespace drip::cli
