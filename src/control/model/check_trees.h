// SPDX-License-Identifier: BSD-3-Clause
// Whether buckets can have the places in trees that a change gives them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/model/bucket_place.h"
#include "control/model/bucket_sharing.h"
#include "drip/bucket_settings.h"

namespace drip::control {

/// What the guarantees of all children of a node add up to.
struct GuaranteeSums {
  double units_per_second = 0;
  double bits_per_second = 0;

  /// Of `count` nodes that share so.
  static GuaranteeSums of(const NodeSettings& share, std::uint32_t count = 1) {
    return {count * share.guaranteed_units_per_second, count * share.guaranteed_bits_per_second};
  }
  GuaranteeSums& operator+=(const GuaranteeSums& more) {
    units_per_second += more.units_per_second;
    bits_per_second += more.bits_per_second;
    return *this;
  }
};

/// One bucket as it is to be.
struct BucketDefinition {
  BucketSettings settings;
  BucketSharing sharing;
  BucketPlace place;

  friend bool operator==(const BucketDefinition&, const BucketDefinition&) = default;
};

/// The buckets that there are, before a change.
class BucketTrees {
 public:
  virtual ~BucketTrees() = default;
  /// None if there is no such bucket.
  [[nodiscard]] virtual std::optional<BucketDefinition> find(std::string_view id) const = 0;
  [[nodiscard]] virtual GuaranteeSums sums_of(std::string_view id) const = 0;
  /// Calls `use` with the id of each child, in any order.
  virtual void for_each_child(std::string_view id,
                              absl::FunctionRef<void(std::string_view)> use) const = 0;
};

/// Stands for the buckets of a per-flow rule among the children of their parent. No bucket has a
/// name with such a character.
inline constexpr std::string_view kFlowsOfARule = "\n";

/// One bucket of a change: created or changed.
struct TreeChange {
  std::string_view id;
  std::string_view path;  ///< Of the message in the request, as in BucketPatch.
  const BucketDefinition* after = nullptr;
};

/// Checks `changes`, made all together, and returns their numbers in an order in which each bucket
/// comes after its parent, as far as both are changed. NOT_FOUND for a parent that does not exist;
/// INVALID_ARGUMENT for one that is a leaf or lies below the bucket, for more than kMaxTreeDepth
/// levels, for leased or exact rates where the tree does not allow them; FAILED_PRECONDITION, with
/// both figures, if guarantees add up to more than the parent has. Costs O(depth) for each change,
/// and the size of what is below a bucket that moves.
[[nodiscard]] absl::StatusOr<std::vector<std::size_t>> check_trees(
    const BucketTrees& present, std::span<const TreeChange> changes);

}  // namespace drip::control
