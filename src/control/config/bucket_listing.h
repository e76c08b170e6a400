// SPDX-License-Identifier: BSD-3-Clause
// Lists the states of buckets in pages: configured ones, and those that per-flow rules made.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "control/config/bucket_registry.h"
#include "control/config/configuration.h"
#include "control/model/bucket_state.h"
#include "engine/engine.h"

namespace drip::control {

/// A bucket is listed if it matches every field that is set.
struct BucketFilter {
  std::string id_prefix;         ///< Only ids that begin with it.
  std::vector<std::string> ids;  ///< Only these; empty: any.
  bool backlogged = false;       ///< Only buckets in which units wait.
  bool include_flows = false;    ///< Also buckets that per-flow rules made.
  bool in_tree = false;          ///< Only nodes of trees.
};

struct BucketPage {
  std::vector<BucketState> states;  ///< In order of id.
  bool last = true;
};

/// Thread safe. With `include_flows` a call takes the configuration's lock, so it may wait.
class BucketListing {
 public:
  BucketListing(const Engine& engine, const BucketRegistry& buckets,
                const Configuration& configuration)
      : engine_(engine), buckets_(buckets), configuration_(configuration) {}

  /// Returns up to `limit` states whose ids come after `after`. As the cursor is an id, buckets may
  /// be created and deleted between two pages. NOT_FOUND, naming the first id of filter.ids that
  /// does not exist.
  [[nodiscard]] absl::StatusOr<BucketPage> page(const BucketFilter& filter, std::string_view after,
                                                std::size_t limit) const;

 private:
  void add_configured(const BucketFilter& filter, std::string_view after, std::size_t limit,
                      std::vector<BucketState>& states) const;
  void add_named(const BucketFilter& filter, std::string_view after,
                 std::vector<BucketState>& states) const;
  // The id of a flow's bucket is `rule/flow`, the flow as written by FlowKey's to_text().
  [[nodiscard]] std::vector<BucketState> flows(const BucketFilter& filter) const;

  const Engine& engine_;
  const BucketRegistry& buckets_;
  const Configuration& configuration_;
};

}  // namespace drip::control
