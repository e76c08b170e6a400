// SPDX-License-Identifier: BSD-3-Clause
// The trees that the configured buckets form: children of each, and what they are guaranteed.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "control/model/bucket_place.h"
#include "control/model/check_trees.h"

namespace drip::control {

/// By names, which the caller keeps in step with the buckets. Buckets without a parent take no
/// memory here. Not thread safe.
class BucketForest {
 public:
  void add(std::string_view id, const BucketPlace& place);
  void remove(std::string_view id, const BucketPlace& place);

  /// Of the buckets of per-flow rules: one for each rule, with what all of its flows are
  /// guaranteed. Replaces those of before.
  struct FlowRule {
    std::string parent_id;
    GuaranteeSums guaranteed;
  };
  void set_flow_rules(const std::vector<FlowRule>& rules);

  /// Of the named children alone.
  [[nodiscard]] GuaranteeSums sums_of(std::string_view id) const;
  /// Of per-flow rules; none if no rule has its buckets there.
  [[nodiscard]] std::optional<GuaranteeSums> flow_sums_of(std::string_view id) const;
  [[nodiscard]] std::size_t children_of(std::string_view id) const;
  void for_each_child(std::string_view id, absl::FunctionRef<void(std::string_view)> use) const;
  /// The bucket and all that is below it, each after its parent.
  [[nodiscard]] std::vector<std::string> subtree(std::string_view id) const;

 private:
  struct Children {
    std::set<std::string, std::less<>> ids;
    GuaranteeSums sums;
  };
  std::map<std::string, Children, std::less<>> parents_;
  std::map<std::string, GuaranteeSums, std::less<>> flow_sums_;  // By parent.
};

}  // namespace drip::control
