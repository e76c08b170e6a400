// SPDX-License-Identifier: BSD-3-Clause
// Which buckets have series of their own, as the operator says it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace drip::metrics {

/// A Prometheus server keeps each series for weeks, so how many there are is bounded and chosen.
struct BucketChoice {
  enum class Kind : std::uint8_t {
    kTop,     ///< The `count` configured buckets that sent most bytes since the last scrape.
    kAll,     ///< All configured buckets.
    kPrefix,  ///< Those whose ids begin with `prefix`; with a '/' in it, buckets of flows as well.
  };
  Kind kind = Kind::kTop;
  std::size_t count = 100;
  std::string prefix;

  friend bool operator==(const BucketChoice&, const BucketChoice&) = default;
};
inline constexpr std::size_t kMostTopBuckets = 100'000;
inline constexpr const char* kAllowedBucketChoices =
    "top:N with N from 0 to 100000, all, or prefix:TEXT";

/// Reads "top:100", "all" or "prefix:cust-". INVALID_ARGUMENT, with kAllowedBucketChoices, for
/// anything else; the text begins with `field` and ": ".
[[nodiscard]] absl::StatusOr<BucketChoice> parse_bucket_choice(const std::string& field,
                                                               const std::string& text);

}  // namespace drip::metrics
