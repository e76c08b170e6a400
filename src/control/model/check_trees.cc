// SPDX-License-Identifier: BSD-3-Clause
// Looks at trees as they will be: what changes over what there is.
#include "control/model/check_trees.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <unordered_map>

#include "base/errors.h"
#include "base/text.h"

namespace drip::control {
namespace {

// An idle part of k keeps 1/(256 k) of a spread root's rate, and no bucket leaks below 1 an hour or
// 1 bit a second (drip/virtual_schedule.h): for 64 parts so much is enough.
constexpr double kLeastSpreadUnits = 5;
constexpr double kLeastSpreadBits = 16'384;

// Sums of rates are rounded.
constexpr double kSlack = 1 + 1e-9;

// Rates of units, and of bits.
struct Kind {
  std::string_view ceiling_field;
  std::string_view guarantee_field;
  std::string_view unit;
  double BucketSettings::*ceiling;
  double NodeSettings::*guarantee;
  double GuaranteeSums::*sum;
};
constexpr Kind kKinds[] = {
    {"leak_rate", "guarantee", " units a second", &BucketSettings::units_per_second,
     &NodeSettings::guaranteed_units_per_second, &GuaranteeSums::units_per_second},
    {"leak_rate_bps", "guarantee_bps", " bits a second", &BucketSettings::bits_per_second,
     &NodeSettings::guaranteed_bits_per_second, &GuaranteeSums::bits_per_second}};

class TreeChecker {
 public:
  TreeChecker(const BucketTrees& present, std::span<const TreeChange> changes)
      : present_(present), changes_(changes) {
    for (std::size_t i = 0; i < changes.size(); ++i) {
      changed_.emplace(changes[i].id, i);
      const BucketPlace& after = changes[i].after->place;
      if (!after.parent_id.empty()) new_children_[after.parent_id].push_back(changes[i].id);
      add_to_sums(after, 1);
      const std::optional<BucketDefinition> before = present.find(changes[i].id);
      if (before) add_to_sums(before->place, -1);
      places_before_.push_back(before ? std::optional(before->place) : std::nullopt);
    }
  }

  absl::StatusOr<std::vector<std::size_t>> check() {
    std::vector<std::uint32_t> depths(changes_.size());
    for (std::size_t i = 0; i < changes_.size(); ++i) {
      const TreeChange& change = changes_[i];
      absl::Status status = check_kind(change);
      if (!status.ok()) return status;
      const absl::StatusOr<std::uint32_t> depth = depth_of(change);
      if (!depth.ok()) return depth.status();
      depths[i] = *depth;
      if (status = check_height(i, *depth); !status.ok()) return status;
    }
    for (std::size_t i = 0; i < changes_.size(); ++i) {
      if (absl::Status status = check_guarantees(i); !status.ok()) return status;
    }
    std::vector<std::size_t> order(changes_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, {}, [&](std::size_t i) { return depths[i]; });
    return order;
  }

 private:
  void add_to_sums(const BucketPlace& place, int sign) {
    if (place.parent_id.empty()) return;
    GuaranteeSums& sums = sum_changes_[place.parent_id];
    for (const Kind& kind : kKinds) sums.*kind.sum += sign * place.share.*kind.guarantee;
  }
  [[nodiscard]] std::optional<BucketDefinition> after(std::string_view id) const {
    const auto changed = changed_.find(id);
    if (changed != changed_.end()) return *changes_[changed->second].after;
    return present_.find(id);
  }

  static absl::Status check_kind(const TreeChange& change) {
    const BucketDefinition& bucket = *change.after;
    if (bucket.place.spread) {
      if (absl::Status status = check_spread(change); !status.ok()) return status;
    }
    if (!bucket.place.in_tree()) return absl::OkStatus();
    const bool root = bucket.place.parent_id.empty();
    if (bucket.sharing.exact()) {
      return not_allowed(joined(change.path, "sharing"), "SHARING_EXACT",
                         "SHARING_SPLIT for a root, whose rate a tree divides on each node");
    }
    if (bucket.sharing.split() && !root) {
      return not_allowed(joined(change.path, "scope"), "SCOPE_CLUSTER",
                         "SCOPE_NODE below a parent: the shares of its root bound it as well");
    }
    for (const Kind& kind : kKinds) {
      const double guarantee = bucket.place.share.*kind.guarantee;
      const double ceiling = bucket.settings.*kind.ceiling;
      if (ceiling == 0 || guarantee <= ceiling) continue;
      return not_allowed(joined(change.path, kind.guarantee_field), joined(guarantee),
                         joined("at most the bucket's own ", kind.ceiling_field, " of ", ceiling));
    }
    return absl::OkStatus();
  }

  // A root that has a part on each polling thread.
  static absl::Status check_spread(const TreeChange& change) {
    const BucketDefinition& bucket = *change.after;
    const std::string field = joined(change.path, "spread");
    if (!bucket.place.inner) {
      return not_allowed(field, "true", "false for a leaf; true for a root that is an inner node");
    }
    if (!bucket.place.parent_id.empty()) {
      return not_allowed(field, "true",
                         joined("false below a parent; true for a root, and this bucket is below ",
                                quoted(bucket.place.parent_id)));
    }
    if (bucket.sharing.scope == Scope::kCluster) {
      return not_allowed(field, "true", "false with SCOPE_CLUSTER, by which the nodes have shares");
    }
    if (bucket.settings.units_per_second == 0 && bucket.settings.bits_per_second == 0) {
      return not_allowed(field, "true",
                         "false without leak_rate and leak_rate_bps: it is a rate that is leased");
    }
    const auto check_least = [&](const char* rate_field, double rate, double least) {
      if (rate == 0 || rate >= least) return absl::OkStatus();
      return not_allowed(joined(change.path, rate_field), joined(rate),
                         joined("at least ", least, " with spread: a part of less is no rate"));
    };
    absl::Status status =
        check_least("leak_rate", bucket.settings.units_per_second, kLeastSpreadUnits);
    if (!status.ok()) return status;
    return check_least("leak_rate_bps", bucket.settings.bits_per_second, kLeastSpreadBits);
  }

  // How many ancestors the bucket will have.
  [[nodiscard]] absl::StatusOr<std::uint32_t> depth_of(const TreeChange& change) const {
    std::uint32_t depth = 0;
    std::string parent_id = change.after->place.parent_id;
    const std::string field = joined(change.path, "parent_id");
    while (!parent_id.empty()) {
      if (parent_id == change.id) {
        return not_allowed(field, quoted(change.after->place.parent_id),
                           depth == 0 ? "a bucket other than itself"
                                      : joined("one that is not below ", quoted(change.id)));
      }
      const std::optional<BucketDefinition> parent = after(parent_id);
      if (!parent) return not_found(field, "bucket", parent_id);
      if (!parent->place.inner) {
        return not_allowed(field, quoted(parent_id),
                           "an inner node, which is created as such: it is a leaf");
      }
      // A cycle that the bucket is not on itself ends here as well.
      if (++depth == kMaxTreeDepth) return too_deep(change, depth + 1);
      parent_id = parent->place.parent_id;
    }
    return depth;
  }
  static absl::Status too_deep(const TreeChange& change, std::uint32_t levels) {
    return not_allowed(joined(change.path, "parent_id"), quoted(change.after->place.parent_id),
                       joined("one with which the tree has at most ", kMaxTreeDepth,
                              " levels; it would have ", levels, " or more"));
  }

  // What is below a bucket that gets another parent goes with it.
  [[nodiscard]] absl::Status check_height(std::size_t index, std::uint32_t depth) const {
    const TreeChange& change = changes_[index];
    const BucketPlace& place = change.after->place;
    const std::optional<BucketPlace>& before = places_before_[index];
    if (!place.inner || !before || before->parent_id == place.parent_id) return absl::OkStatus();
    const std::uint32_t levels = depth + height_of(change.id, kMaxTreeDepth - depth + 1);
    return levels > kMaxTreeDepth ? too_deep(change, levels) : absl::OkStatus();
  }
  // Levels from it on down, itself included; looks no further than `most`.
  [[nodiscard]] std::uint32_t height_of(std::string_view id, std::uint32_t most) const {
    if (most <= 1) return most;
    std::uint32_t below = 0;
    const auto look = [&](std::string_view child) {
      if (below + 1 < most) below = std::max(below, height_of(child, most - 1));
    };
    present_.for_each_child(id, [&](std::string_view child) {
      if (!changed_.contains(child)) look(child);
    });
    if (const auto added = new_children_.find(id); added != new_children_.end()) {
      for (const std::string_view child : added->second) look(child);
    }
    return below + 1;
  }

  // Of the bucket's children; and of its siblings with it, unless it adds nothing to what they
  // have.
  absl::Status check_guarantees(std::size_t index) {
    const TreeChange& change = changes_[index];
    const BucketPlace& place = change.after->place;
    if (place.inner) {
      if (absl::Status status = check_children(change, change.id); !status.ok()) return status;
    }
    const std::optional<BucketPlace>& before = places_before_[index];
    const bool adds = !before || before->parent_id != place.parent_id ||
                      std::ranges::any_of(kKinds, [&](const Kind& kind) {
                        return place.share.*kind.guarantee > before->share.*kind.guarantee;
                      });
    if (place.parent_id.empty() || !adds) return absl::OkStatus();
    return check_children(change, place.parent_id);
  }
  [[nodiscard]] GuaranteeSums change_of_sums(std::string_view id) const {
    const auto found = sum_changes_.find(id);
    return found == sum_changes_.end() ? GuaranteeSums{} : found->second;
  }
  absl::Status check_children(const TreeChange& change, std::string_view id) {
    if (!summed_.insert(id).second) return absl::OkStatus();
    const BucketDefinition node = after(id).value();
    GuaranteeSums sums = present_.sums_of(id);
    for (const Kind& kind : kKinds) sums.*kind.sum += change_of_sums(id).*kind.sum;
    const bool root = node.place.parent_id.empty();
    const bool capped = node.settings.units_per_second > 0 || node.settings.bits_per_second > 0;
    if (root && (!capped || node.sharing.split())) return absl::OkStatus();
    for (const Kind& kind : kKinds) {
      const double limit = root ? node.settings.*kind.ceiling : node.place.share.*kind.guarantee;
      if (sums.*kind.sum <= limit * kSlack) continue;
      return absl::FailedPreconditionError(
          joined(change.path, kind.guarantee_field, ": the children of ", quoted(id),
                 " would be guaranteed ", sums.*kind.sum, kind.unit, " together, and ", quoted(id),
                 root ? " has a rate of " : " is guaranteed ", limit, kind.unit));
    }
    return absl::OkStatus();
  }

  const BucketTrees& present_;
  std::span<const TreeChange> changes_;
  std::unordered_map<std::string_view, std::size_t> changed_;
  std::unordered_map<std::string_view, std::vector<std::string_view>> new_children_;
  // By change: none for a new bucket.
  std::vector<std::optional<BucketPlace>> places_before_;
  // What the changes add to the sums of a parent's children.
  std::map<std::string, GuaranteeSums, std::less<>> sum_changes_;
  std::set<std::string_view> summed_;  // Parents that were checked.
};

}  // namespace

absl::StatusOr<std::vector<std::size_t>> check_trees(const BucketTrees& present,
                                                     std::span<const TreeChange> changes) {
  return TreeChecker(present, changes).check();
}

}  // namespace drip::control
