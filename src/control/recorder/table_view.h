// SPDX-License-Identifier: BSD-3-Clause
// A part of all buckets in the order in which it is shown: as trees, or leaves beside one another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "control/recorder/bucket_table.h"

namespace drip::control {

/// The largest first, but by id the first.
enum class ViewOrder : std::uint8_t {
  kId,
  kRate,
  kUse,
  kUnits,
  kBacklog,
  kSojournP50,
  kSojournP99,
  kLoss
};

struct TableView {
  ViewOrder order = ViewOrder::kRate;
  bool reverse = false;
  bool tree = false;
  std::string id_contains;  ///< Without regard to case.
  std::string id_prefix;    ///< Other buckets do not exist for the viewer.
  std::size_t offset = 0;
  std::size_t limit = 50;
};

struct ViewedRow {
  std::uint32_t row = 0;  ///< Of the table.
  std::uint32_t depth = 0;
  std::uint32_t continues = 0;  ///< Bit d: another row of depth d follows below the same parent.
};

struct ViewedTable {
  std::vector<ViewedRow> rows;
  std::size_t total = 0;    ///< Rows without offset and limit.
  std::size_t buckets = 0;  ///< That exist for the viewer.
  // Sums over those that have no parent for the viewer; losses over leaves.
  double bits_per_second = 0;
  double units_per_second = 0;
  double lost_per_second = 0;
  std::uint64_t backlog = 0;
};

[[nodiscard]] ViewedTable viewed(const BucketTable& table, const TableView& view);

}  // namespace drip::control
