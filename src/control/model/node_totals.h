// SPDX-License-Identifier: BSD-3-Clause
// Sums of the counters of a node's buckets.
#pragma once

#include <cstdint>

namespace drip::control {

/// Over the buckets that are configured at present; buckets of per-flow rules are not included.
struct NodeTotals {
  std::uint64_t buckets = 0;
  std::uint64_t allowed_requests = 0;
  std::uint64_t rejected_requests = 0;
  std::uint64_t processed_requests = 0;

  friend bool operator==(const NodeTotals&, const NodeTotals&) = default;
};

}  // namespace drip::control
