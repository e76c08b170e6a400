// SPDX-License-Identifier: BSD-3-Clause
// In which order packets come to their buckets: round robin, or Zipf.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "drip/cache_line.h"

namespace drip::bench {

/// A sequence of bucket numbers, drawn beforehand and repeated. On a cache line of its own: other
/// threads have theirs beside it.
class alignas(kCacheLineBytes) BucketOrder {
 public:
  enum class Kind : std::uint8_t {
    kRoundRobin,  ///< Each bucket as often as any other: the worst for caches.
    kZipf,        ///< The k-th most popular bucket in proportion to 1/k; popularity is spread over
                  ///< the numbers at random.
  };
  static std::string_view name(Kind kind) {
    return kind == Kind::kRoundRobin ? "round-robin" : "zipf";
  }

  /// The same for the same arguments.
  BucketOrder(Kind kind, std::uint32_t buckets);

  /// These, in this order, again and again. REQUIRES: not empty.
  explicit BucketOrder(std::vector<std::uint32_t> numbers) : order_(std::move(numbers)) {}

  [[nodiscard]] const std::vector<std::uint32_t>& numbers() const { return order_; }
  [[nodiscard]] std::uint32_t next() {
    const std::uint32_t bucket = order_[at_];
    at_ = at_ + 1 == order_.size() ? 0 : at_ + 1;
    return bucket;
  }

 private:
  std::vector<std::uint32_t> order_;
  std::size_t at_ = 0;
};

}  // namespace drip::bench
