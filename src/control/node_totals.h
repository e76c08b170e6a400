// SPDX-License-Identifier: BSD-3-Clause
// What a node's buckets have counted, added up.
#pragma once

#include <cstdint>

namespace drip::control {

class BucketRegistry;

/// Over the buckets that are configured now.
struct NodeTotals {
  std::uint64_t buckets = 0;
  std::uint64_t allowed_requests = 0;
  std::uint64_t rejected_requests = 0;
  std::uint64_t processed_requests = 0;

  friend bool operator==(const NodeTotals&, const NodeTotals&) = default;
};

/// Thread safe. Looks at every bucket: about 100 ns each.
[[nodiscard]] NodeTotals totals_of(const BucketRegistry& buckets);

}  // namespace drip::control
