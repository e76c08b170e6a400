// SPDX-License-Identifier: BSD-3-Clause
// The trees that the buckets of the stored configuration form.
#pragma once

#include <optional>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "cluster/config/stored_config.h"
#include "control/config/bucket_forest.h"
#include "control/model/check_trees.h"

namespace drip::cluster {

/// Of a configuration that outlives it and does not change meanwhile. Made in one pass over all
/// buckets.
class StoredTrees final : public control::BucketTrees {
 public:
  explicit StoredTrees(const StoredConfig& config);

  [[nodiscard]] std::optional<control::BucketDefinition> find(std::string_view id) const override;
  [[nodiscard]] control::GuaranteeSums sums_of(std::string_view id) const override {
    return forest_.sums_of(id);
  }
  void for_each_child(std::string_view id,
                      absl::FunctionRef<void(std::string_view)> use) const override {
    forest_.for_each_child(id, use);
  }
  [[nodiscard]] const control::BucketForest& forest() const { return forest_; }

 private:
  const StoredConfig& config_;
  control::BucketForest forest_;
};

}  // namespace drip::cluster
