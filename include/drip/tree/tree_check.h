// SPDX-License-Identifier: BSD-3-Clause
// Whether a bucket can be a node of a tree with its settings, and if not, which field is wrong.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "drip/bucket_array.h"
#include "drip/settings_check.h"
#include "drip/tree/node_settings.h"
#include "drip/tree/tree_structure.h"

namespace drip {

/// The ranges alone.
[[nodiscard]] inline std::optional<Error> check(const NodeSettings& settings) {
  using internal::check_range;
  using internal::check_rate;
  if (auto error = check_range("weight", settings.weight, 1U, kMaxWeight)) return error;
  if (auto error = check_range("priority", settings.priority, 0U, kPriorities - 1)) return error;
  if (auto error = check_rate("guaranteed_units_per_second", settings.guaranteed_units_per_second,
                              kMinUnitsPerSecond, kMaxUnitsPerSecond)) {
    return error;
  }
  if (auto error = check_rate("guaranteed_bits_per_second", settings.guaranteed_bits_per_second,
                              kMinBitsPerSecond, kMaxBitsPerSecond)) {
    return error;
  }
  return check_range("tolerance.ns", settings.tolerance.ns, std::int64_t{0}, kMaxTolerance.ns);
}

/// None if an inner node can be made with these settings: it holds nothing, and need not have a
/// rate.
[[nodiscard]] inline std::optional<Error> check_inner(const BucketSettings& settings) {
  if (settings.capacity != 0) {
    return Error{"capacity: " + std::to_string(settings.capacity) +
                 " given, 0 allowed for an inner node: only leaves hold units"};
  }
  if (settings.capacity_bytes != 0) {
    return Error{"capacity_bytes: " + std::to_string(settings.capacity_bytes) +
                 " given, 0 allowed for an inner node: only leaves hold units"};
  }
  BucketSettings as_leaf = settings;
  as_leaf.capacity = 1;
  if (settings.units_per_second == 0 && settings.bits_per_second == 0) as_leaf.units_per_second = 1;
  return check(as_leaf);
}

/// Checks settings against the tree that is there. Reads only; errors name nodes by their slots.
class TreeCheck {
 public:
  TreeCheck(const BucketArray& buckets, const TreeStructure& structure)
      : buckets_(buckets), structure_(structure) {}

  /// None if a bucket can have these settings as a node: a new one (`slot` kNoNode), or the one of
  /// `slot` with all that is below it.
  [[nodiscard]] std::optional<Error> check_node(std::uint32_t slot, const BucketSettings& bucket,
                                                const NodeSettings& share) const {
    if (auto error = check(share)) return error;
    if (share.parent != kNoNode) {
      if (auto error = check_parent(slot, share.parent)) return error;
      if (bucket.rate_is_leased) {
        return Error{"rate_is_leased: true given, false allowed below a parent"};
      }
    }
    for (const Kind& kind : kKinds) {
      if (auto error = check_guarantee(kind, slot, bucket, share)) return error;
    }
    return std::nullopt;
  }
  /// None if the node of `slot` can have these settings as a bucket.
  [[nodiscard]] std::optional<Error> check_change(std::uint32_t slot,
                                                  const BucketSettings& bucket) const {
    if (buckets_[slot].in_tree == 0) return std::nullopt;
    const bool root = structure_.is_root(slot);
    if (bucket.rate_is_leased && !root) {
      return Error{"rate_is_leased: true given, false allowed below a parent"};
    }
    for (const Kind& kind : kKinds) {
      if (auto error = check_ceiling(kind, guaranteed(kind, slot), bucket)) return error;
      if (auto error = check_children(
              kind, slot, root ? limit_of_root(kind, bucket) : guaranteed(kind, slot))) {
        return error;
      }
    }
    return std::nullopt;
  }

 private:
  // Rates of units, and of bits.
  struct Kind {
    const char* ceiling_field;
    const char* guarantee_field;
    double BucketSettings::*ceiling;
    double NodeSettings::*guarantee;
    double InnerNode::*sum;
    bool bits;
  };
  static constexpr std::array<Kind, 2> kKinds = {
      Kind{"units_per_second", "guaranteed_units_per_second", &BucketSettings::units_per_second,
           &NodeSettings::guaranteed_units_per_second, &InnerNode::guaranteed_units_per_second,
           false},
      Kind{"bits_per_second", "guaranteed_bits_per_second", &BucketSettings::bits_per_second,
           &NodeSettings::guaranteed_bits_per_second, &InnerNode::guaranteed_bits_per_second,
           true}};
  // Sums of rates are rounded.
  static constexpr double kSlack = 1 + 1e-9;

  // No limit: a root without a ceiling, or with one that a lease gives it.
  using Limit = std::optional<double>;

  [[nodiscard]] double guaranteed(const Kind& kind, std::uint32_t slot) const {
    return kind.bits ? structure_.guaranteed_bits(slot) : structure_.guaranteed_units(slot);
  }
  static Limit limit_of_root(const Kind& kind, const BucketSettings& settings) {
    const bool capped = settings.units_per_second != 0 || settings.bits_per_second != 0;
    if (!capped || settings.rate_is_leased) return std::nullopt;
    return settings.*kind.ceiling;
  }
  // What the children of a node may have together.
  [[nodiscard]] Limit limit_of(const Kind& kind, std::uint32_t slot) const {
    if (!structure_.is_root(slot)) return guaranteed(kind, slot);
    const Bucket& root = buckets_[slot];
    BucketSettings settings;
    settings.units_per_second = root.periods.true_units_per_second();
    settings.bits_per_second = root.periods.true_bits_per_second();
    settings.rate_is_leased = root.leased != 0;
    return limit_of_root(kind, settings);
  }
  static Error above(const Kind& kind, const std::string& who, double sum, double limit) {
    return Error{std::string(kind.guarantee_field) + ": " + who + " would have " +
                 internal::number_text(sum) + " together, at most its own " +
                 internal::number_text(limit) + " is allowed"};
  }

  [[nodiscard]] std::optional<Error> check_parent(std::uint32_t slot, std::uint32_t parent) const {
    const std::string name = "parent: " + std::to_string(parent);
    if (parent >= buckets_.size) {
      return Error{name + " given, a bucket below " + std::to_string(buckets_.size) + " allowed"};
    }
    const Bucket& bucket = buckets_[parent];
    const BucketPhase state = bucket.state.load(std::memory_order_relaxed);
    if (state == BucketPhase::kDraining) return Error{name + " is being removed"};
    if (state != BucketPhase::kActive) return Error{name + " does not exist"};
    if (bucket.in_tree == 0 || !structure_.is_inner(parent)) {
      return Error{name + " is a leaf with a capacity of " + std::to_string(bucket.capacity) +
                   " and a backlog of " + std::to_string(bucket.backlog.get()) +
                   ", an inner node is allowed"};
    }
    std::uint32_t levels = structure_.depth(parent) + 1;
    if (slot != kNoNode && buckets_[slot].in_tree != 0) {
      if (structure_.is_within(parent, slot)) {
        return Error{name +
                     (parent == slot ? " is the bucket itself"
                                     : " is below bucket " + std::to_string(slot)) +
                     ", a node that is not is allowed"};
      }
      levels = structure_.depth(parent) + structure_.height(slot);
    }
    if (levels > kMaxTreeDepth) {
      return Error{name + " given, the tree would have " + std::to_string(levels) +
                   " levels, at most " + std::to_string(kMaxTreeDepth) + " are allowed"};
    }
    return std::nullopt;
  }

  [[nodiscard]] std::optional<Error> check_guarantee(const Kind& kind, std::uint32_t slot,
                                                     const BucketSettings& bucket,
                                                     const NodeSettings& share) const {
    const double wanted = share.*kind.guarantee;
    if (auto error = check_ceiling(kind, wanted, bucket)) return error;
    const bool is_node = slot != kNoNode && buckets_[slot].in_tree != 0;
    if (is_node) {
      const bool root = share.parent == kNoNode;
      if (auto error = check_children(kind, slot, root ? limit_of_root(kind, bucket) : wanted)) {
        return error;
      }
    }
    if (share.parent == kNoNode || wanted == 0) return std::nullopt;
    double sum = structure_.inner(share.parent).*kind.sum + wanted;
    if (is_node && structure_.parent(slot) == share.parent) sum -= guaranteed(kind, slot);
    const Limit limit = limit_of(kind, share.parent);
    if (!limit || sum <= *limit * kSlack) return std::nullopt;
    return above(kind, "the children of " + std::to_string(share.parent), sum, *limit);
  }
  static std::optional<Error> check_ceiling(const Kind& kind, double guarantee,
                                            const BucketSettings& bucket) {
    const double ceiling = bucket.*kind.ceiling;
    if (ceiling == 0 || guarantee <= ceiling) return std::nullopt;
    return Error{std::string(kind.guarantee_field) + ": " + internal::number_text(guarantee) +
                 ", at most the bucket's own " + kind.ceiling_field + " of " +
                 internal::number_text(ceiling) + " is allowed"};
  }
  [[nodiscard]] std::optional<Error> check_children(const Kind& kind, std::uint32_t slot,
                                                    Limit limit) const {
    if (!limit || structure_.children(slot) == 0) return std::nullopt;
    const double sum = structure_.inner(slot).*kind.sum;
    if (sum <= *limit * kSlack) return std::nullopt;
    return above(kind, "its children", sum, *limit);
  }

  BucketArray buckets_;
  const TreeStructure& structure_;
};

}  // namespace drip
