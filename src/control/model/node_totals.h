// SPDX-License-Identifier: BSD-3-Clause
// What a node's buckets have counted, added up.
#pragma once

#include <cstdint>

namespace drip::control {

/// Over the buckets that are configured now.
struct NodeTotals {
  std::uint64_t buckets = 0;
  std::uint64_t allowed_requests = 0;
  std::uint64_t rejected_requests = 0;
  std::uint64_t processed_requests = 0;

  friend bool operator==(const NodeTotals&, const NodeTotals&) = default;
};

}  // namespace drip::control
