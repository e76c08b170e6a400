// SPDX-License-Identifier: BSD-3-Clause
// The trees that the buckets of the stored configuration form.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "cluster/config/stored_config.h"
#include "control/model/check_trees.h"

namespace drip::cluster {

/// Of a configuration that outlives it and does not change meanwhile. Made in one pass over all
/// buckets.
class StoredTrees final : public control::BucketTrees {
 public:
  explicit StoredTrees(const StoredConfig& config);

  [[nodiscard]] std::optional<control::BucketDefinition> find(std::string_view id) const override;
  [[nodiscard]] control::GuaranteeSums sums_of(std::string_view id) const override;
  void for_each_child(std::string_view id,
                      absl::FunctionRef<void(std::string_view)> use) const override;
  [[nodiscard]] std::size_t children_of(std::string_view id) const;
  /// The bucket and all that is below it, each after its parent.
  [[nodiscard]] std::vector<std::string> subtree(std::string_view id) const;

 private:
  struct Children {
    std::vector<std::string_view> ids;
    control::GuaranteeSums sums;
  };

  const StoredConfig& config_;
  std::map<std::string_view, Children> parents_;
};

}  // namespace drip::cluster
